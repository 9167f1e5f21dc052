"""Programs that multiply line by line: the short way gives what the interpreter does, or leaves it to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from core.features import Features
from core.language import Evaluated, Evaluator, parse
from core.language.factors import LookPower, Part, Power, factors_of
from core.language.tensor import evaluator as evaluators
from core.language.tensor.products import multiplied
from core.types import HeadId
from tests.language_cases import build, program, sentence

HEADS = (HeadId(0, 0), HeadId(0, 1))
FEATURES = build(sentence("The cat saw the dog ."), sentence("the dog"), sentence("a cat saw a dog the cat"))
Draw = Callable[[st.SearchStrategy[Any]], Any]

CONDITIONS = [
    "k.is_first",
    "q.is_punct",
    "k == q.prev",
    'q.lower == "the"',
    'k.lower in {"cat", "dog"}',
    "q.index - k.index < 2",
    "count(k, lower=k.lower) > 0",
    "k.prev == last(q, lower=q.lower)",
    'look("L0H0", q.prev, k) > 0.25',
    "1 / (q.index - 1) > 0",  # fails at one query of each sentence
]
AMOUNTS = [
    "24",
    "0.5",
    "0",
    "1e6",
    '(look("L0H0", q, k) + 0.002) ** 0.6',
    '(look("L0H1", q, k) + 0.01) ** -0.4',
    '(look("L0H1", q, k) + 0) ** 0.5',  # of 0 where nothing is seen
    'look("L0H0", k, q.prev) + 0.1',
    "0.8 ** (q.index - k.index)",
    "1.3 ** min(q.index - k.index, 3)",
    "0.9 ** sqrt(q.index - k.index)",  # fails at keys after the query alone, which nobody sees
    "table(k.lower, {'the': 0.3, 'cat': 2}, 1)",
    "table(q.index - k.index, {0: 0.3, 2: 2.5}, 1)",
    "table(q.lower, {'the': -1}, 1)",
    "k.index",
    "2 - k.is_first",
    "-1",
    "(1 + q.index)",
]


def looks(features: Features, seed: int = 0) -> dict[HeadId, Tensor]:
    """Rows that sum to 1, with noise beyond the end of each sentence."""
    generator, n = torch.Generator().manual_seed(seed), int(features.lengths.max())
    hidden = ~torch.ones(n, n, dtype=torch.bool).tril()
    drawn = (3 * torch.randn(len(features), n, n, generator=generator) for _ in HEADS)
    return {
        head: maps.masked_fill(hidden, -torch.inf).softmax(-1)
        for head, maps in zip(HEADS, drawn, strict=True)
    }


def both(source: str, features: Features = FEATURES, causal: bool = True, **limits: int) -> list[Evaluated]:
    """What the evaluator gives, and what it gives where the interpreter runs everything."""
    parsed, found = parse(source), []
    for short in (multiplied, lambda *_: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluators, "multiplied", short)
            found.append(Evaluator(features, causal, looks=looks(features), **limits).run(parsed))
    return found


def assert_alike(found: Evaluated, expected: Evaluated) -> None:
    assert found.failures == expected.failures
    torch.testing.assert_close(found.weights, expected.weights, atol=1e-6, rtol=0)


@st.composite
def products(draw: Draw) -> str:
    lines = [f"weight = {draw(st.sampled_from(['1.0', *AMOUNTS]))}"]
    for _ in range(draw(st.integers(0, 6))):
        held = draw(st.lists(st.sampled_from(CONDITIONS), max_size=3))
        line = f"weight *= {draw(st.sampled_from(AMOUNTS))}"
        lines += (
            [f"if {draw(st.sampled_from([' and ', ' or '])).join(held)}:", f"    {line}"] if held else [line]
        )
    return "def attend(q, k):\n" + "".join(f"    {line}\n" for line in [*lines, "return weight"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(products(), st.booleans())
def test_any_product_is_what_the_interpreter_makes_of_it(source: str, causal: bool) -> None:
    assert parse(source).factors is not None
    assert_alike(*both(source, causal=causal))


ORDINARY = """def attend(q, k):
    weight = 1.0
    weight *= (look("L0H0", q, k) + 0.002) ** 0.6
    if k.is_first:
        weight *= 24
    if q.lower in {"the", "cat"} and k.is_first and q.index - k.index < 4:
        weight *= 0.3
    if k.lower == "the":
        weight *= (look("L0H1", q, k) + 0.002) ** -0.2
    weight *= 0.9 ** min(q.index - k.index, 8)
    weight *= 0.9 ** sqrt(q.index - k.index)
    weight *= table(k.lower, {"cat": 2, "the": 0.3}, 1)
    return weight
"""


def went_short(source: str, **options: Any) -> list[bool]:
    """Of each batch, whether it took the short way."""
    parsed = parse(source)
    evaluator = Evaluator(FEATURES, looks=looks(FEATURES), **options)
    assert parsed.factors is not None
    limits = evaluator.max_elements, evaluator.max_work
    return [multiplied(parsed.factors, batch, *limits) is not None for batch in evaluator.batches]


def test_what_the_search_writes_takes_the_short_way() -> None:
    assert went_short(ORDINARY) == [True]
    assert_alike(*both(ORDINARY))


@pytest.mark.parametrize(
    "line",
    [
        "weight *= 0",  # rows of nothing go to the first token
        "weight *= -1",
        "weight *= k.index",
        "weight *= 1 / q.index",
        'weight *= look("L0H0", q, k) ** 0.5',
        'weight *= (look("L5H5", q, k) + 0.002) ** 0.5',
        "weight *= 1e-06 ** (q.index - k.index)",  # 1e36 and more
    ],
)
def test_where_something_may_go_wrong_the_interpreter_runs(line: str) -> None:
    source = ORDINARY.replace("    return", f"    {line}\n    return")
    assert went_short(source) == [False]
    assert_alike(*both(source))


def test_what_costs_too_much_is_left_to_the_interpreter_which_counts() -> None:
    assert went_short(ORDINARY, max_work=500) == [False]
    for most in (500, 1000, 1500, 2000, 3000):
        assert_alike(*both(ORDINARY, max_work=most))
    assert both(ORDINARY, max_work=1000)[0].failures.keys() == {2}


def test_sentences_that_are_evaluated_apart_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = both(ORDINARY)[0]
    monkeypatch.setattr(evaluators, "_BATCH_ELEMENTS", 1)
    assert len(Evaluator(FEATURES).batches) == len(FEATURES)
    assert_alike(both(ORDINARY)[0], whole)


def test_its_gradient_in_what_it_looks_at_is_the_interpreters() -> None:
    slopes = []
    for short in (multiplied, lambda *_: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluators, "multiplied", short)
            seen = {head: maps.requires_grad_() for head, maps in looks(FEATURES).items()}
            weights = Evaluator(FEATURES, looks=seen).run(parse(ORDINARY)).weights
            weights[:, :, 1].sum().backward()
            slopes.append([seen[head].grad for head in HEADS])
    assert all(bool(slope.abs().max() > 0.01) for slope in slopes[0])
    torch.testing.assert_close(*slopes, atol=1e-5, rtol=1e-5)


def test_a_head_that_comes_later_is_looked_at_then() -> None:
    seen: dict[HeadId, Tensor] = {}
    evaluator, parsed = Evaluator(FEATURES, looks=seen), parse(ORDINARY)
    assert {failure.kind for failure in evaluator.run(parsed).failures.values()} == {"unavailable"}
    seen.update(looks(FEATURES))
    assert_alike(evaluator.run(parsed), Evaluator(FEATURES, looks=seen).run(parsed))


def test_what_programs_share_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(torch, "isin", lambda *given, isin=torch.isin: compared.append(1) or isin(*given))
    evaluator, other = Evaluator(FEATURES, looks=looks(FEATURES)), ORDINARY.replace("24", "3")
    found = [evaluator.run(parse(source)) for source in (ORDINARY, other)]
    assert len(compared) == 1
    assert_alike(found[1], both(other)[1])


@pytest.mark.parametrize(
    "body",
    [
        "return 1.0",
        "weight = 1.0\nif k.is_first:\n    return 2\nreturn weight",
        "weight = 1.0\nif k.is_first:\n    weight *= 2\nelse:\n    weight *= 3\nreturn weight",
        "weight = 1.0\nweight += 2\nreturn weight",
        "weight = 1.0\nweight /= 2\nreturn weight",
        "weight = 1.0\nweight *= weight\nreturn weight",
        "weight = 1.0\nif weight > 0:\n    weight *= 2\nreturn weight",
        "weight = 1.0\nother = 2.0\nweight *= other\nreturn weight",
        "weight = 1.0\nreturn weight * 2",
        "weight = 1.0\nif 1 / q.index > 0:\n    pass\nreturn weight",
        "weight = k.is_first\nreturn weight",
    ],
)
def test_other_programs_have_no_factors(body: str) -> None:
    assert factors_of(program(body).body) is None


def test_factors_are_read_off_with_the_conditions_around_them() -> None:
    body = """weight = 2
if k.is_first and q.is_punct:
    if q.index < 4:
        weight *= 0.5
    weight *= 1.5 ** -k.index
weight *= (look("L0H1", q, k) + 0.002) ** -0.4
weight *= k.index
return weight"""
    start, inner, power, look, amount = factors_of(program(body).body) or ()
    assert (start.conditions, start.amount) == ((), 2.0)
    assert [part.key for part in inner.conditions] == ["k.is_first", "q.is_punct", "q.index < 4"]
    assert isinstance(power.amount, Power)
    assert (power.amount.base, power.amount.exponent.key) == (1.5, "-k.index")
    assert look.amount == LookPower(HeadId(0, 1), 0.002, -0.4)
    assert isinstance(amount.amount, Part)
