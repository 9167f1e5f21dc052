"""Programs that multiply line by line: the short way gives what the interpreter does, or leaves it to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from core.features import Features
from core.language import Evaluated, Evaluator, Looks, parse, reference
from core.language.factors import LookPower, Part, Power, factors_of
from core.language.tensor import evaluator as evaluators
from core.language.tensor.products import multiplied
from core.language.values import texts
from core.types import HeadId
from tests.language_cases import build, program, sentence

HEADS = (HeadId(0, 0), HeadId(0, 1))
FEATURES = build(sentence("The cat saw the dog ."), sentence("the dog"), sentence("a cat saw a dog the cat"))
IN_ORDER = build(sentence("The"), sentence("the dog ."), sentence("a cat saw a dog the cat"))
WITH_NOTHING = build(sentence("a dog saw a cat"), [], sentence("The"))
Draw = Callable[[st.SearchStrategy[Any]], Any]

SAFE_CONDITIONS = [
    "k.is_first",
    "q.is_punct",
    "k == q.prev",
    'q.lower == "the"',
    'k.lower in {"cat", "dog"}',
    "q.index - k.index < 2",
    "count(k, lower=k.lower) > 0",
    "k.prev == last(q, lower=q.lower)",
    'look("L0H0", q.prev, k) > 0.25',
    "(k.is_first or q.is_punct)",
]
SAFE_AMOUNTS = [
    "24",
    "0.5",
    '(look("L0H0", q, k) + 0.002) ** 0.6',
    '(look("L0H1", q, k) + 0.01) ** -0.4',
    'look("L0H0", k, q.prev) + 0.1',
    "0.8 ** (q.index - k.index)",
    "1.3 ** min(q.index - k.index, 3)",
    "0.9 ** sqrt(abs(q.index - k.index))",
    "table(k.lower, {'the': 0.3, 'cat': 2}, 1)",
    "table(q.index - k.index, {0: 0.3, 2: 2.5}, 1)",
    "2 - k.is_first",
    "(2 + q.index)",
]
CONDITIONS = [*SAFE_CONDITIONS, "1 / (q.index - 1) > 0"]  # fails at one query of each sentence
AMOUNTS = [
    *SAFE_AMOUNTS,
    "0.9 ** sqrt(q.index - k.index)",  # fails at keys after the query alone
    "1e6",
    "1e-40",
    '(look("L0H1", q, k) + 0) ** 0.5',  # of 0 where nothing is seen
    '(look("L0H1", q, k) + 1e-50) ** 0.5',  # which is 0 as well
    "1e-50 ** (0.4 + 0.1 * k.is_first)",
    "1.00000001 - 1",
    "table(q.lower, {'the': -1}, 1)",
    "k.index",
]


def looks(features: Features, causal: bool = True) -> dict[HeadId, Tensor]:
    """Rows that sum to 1, with noise beyond the end of each sentence."""
    generator, n = torch.Generator().manual_seed(0), int(features.lengths.max())
    hidden = ~torch.ones(n, n, dtype=torch.bool).tril() & causal
    drawn = (3 * torch.randn(len(features), n, n, generator=generator) for _ in HEADS)
    return {
        head: maps.masked_fill(hidden, -torch.inf).softmax(-1)
        for head, maps in zip(HEADS, drawn, strict=True)
    }


def evaluator_of(
    features: Features = FEATURES, causal: bool = True, seen: Looks | None = None, **limits: int
) -> Evaluator:
    return Evaluator(features, causal, looks=looks(features, causal) if seen is None else seen, **limits)


def both(source: str, *given: Any, **options: Any) -> list[Evaluated]:
    """What the evaluator gives, and what it gives where the interpreter runs everything."""
    found = []
    for short in (multiplied, lambda *_: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluators, "multiplied", short)
            found.append(evaluator_of(*given, **options).run(parse(source)))
    return found


def assert_alike(found: Evaluated, expected: Evaluated) -> None:
    assert found.failures == expected.failures
    torch.testing.assert_close(found.weights, expected.weights, atol=1e-5, rtol=0)


@st.composite
def products(draw: Draw, conditions: Sequence[str], amounts: Sequence[str]) -> str:
    lines = [f"weight = {draw(st.sampled_from(['1.0', *amounts]))}"]
    for _ in range(draw(st.integers(0, 6))):
        held = draw(st.lists(st.sampled_from(conditions), max_size=3))
        line = f"weight *= {draw(st.sampled_from(amounts))}"
        joined = draw(st.sampled_from([" and ", " or "])).join(held)
        lines += [f"if {joined}:", f"    {line}"] if held else [line]
    return "def attend(q, k):\n" + "".join(f"    {line}\n" for line in [*lines, "return weight"])


SOME_FEATURES = st.sampled_from([FEATURES, IN_ORDER, WITH_NOTHING])
SLOW_DRAWS = [HealthCheck.too_slow]


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(products(SAFE_CONDITIONS, SAFE_AMOUNTS), SOME_FEATURES, st.booleans())
def test_a_product_goes_the_short_way_to_what_the_reference_gives(
    source: str, features: Features, causal: bool
) -> None:
    assert all(went_short(source, features, causal))
    assert_alike(*both(source, features, causal))
    parsed, seen = parse(source), looks(features, causal)
    weights = Evaluator(features, causal, looks=seen).run(parsed).weights
    for row, n in enumerate(features.lengths):
        maps = {head: one[row].numpy() for head, one in seen.items()}
        expected = reference(parsed, features.tokens(row), causal, maps)
        np.testing.assert_allclose(weights[row, :n, :n], np.array(expected).reshape(n, n), atol=1e-5)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(products(CONDITIONS, AMOUNTS), SOME_FEATURES, st.booleans())
def test_any_product_is_what_the_interpreter_makes_of_it(
    source: str, features: Features, causal: bool
) -> None:
    assert parse(source).factors is not None
    assert_alike(*both(source, features, causal))


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


def went_short(source: str, *given: Any, **options: Any) -> list[bool]:
    """Of each batch, whether it took the short way."""
    factors, evaluator = parse(source).factors, evaluator_of(*given, **options)
    assert factors is not None
    most = evaluator.max_elements, evaluator.max_work
    return [multiplied(factors, batch, *most) is not None for batch in evaluator.batches]


def test_what_the_search_writes_takes_the_short_way() -> None:
    assert went_short(ORDINARY) == [True]
    assert_alike(*both(ORDINARY))


@pytest.mark.parametrize(
    "line",
    [
        "weight *= 1e-50",  # 0: rows of nothing go to the first token
        "weight *= 0 * k.index - 1",
        "weight *= k.index",
        "weight *= 1 / q.index",
        "if k.index == 1:\n        weight *= 1.00000001 - 1",  # 0 in 32 bits
        "weight *= 1e-50 ** (0.4 + 0.1 * k.is_first)",
        'weight *= look("L0H0", q, k) ** 0.5',
        'if k.is_first:\n        weight *= (look("L0H0", q, k) + 1e-50) ** 0.5',
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


def test_conditions_around_a_line_cost_what_they_cost_the_interpreter() -> None:
    deep = "".join(f"{'    ' * (at + 1)}if q.index >= k.index and k.index < 99:\n" for at in range(30))
    line = f'{"    " * 31}weight *= (look("L0H0", q, k) + 0.002) ** 0.5\n'
    source = f"def attend(q, k):\n    weight = 1.0\n{deep}{line}    return weight\n"
    for most in range(500, 6000, 250):
        assert_alike(*both(source, max_work=most))


@pytest.mark.parametrize(("row", "query", "key"), [(0, 3, 1), (0, 1, 3), (1, 4, 1)], ids=str)
def test_what_is_no_number_is_told_where_it_is_seen_and_nowhere_else(row: int, query: int, key: int) -> None:
    seen = looks(FEATURES)
    seen[HeadId(0, 0)][row, query, key] = torch.nan
    assert went_short(ORDINARY, seen=seen) == [False]
    found, interpreted = both(ORDINARY, seen=seen)
    assert_alike(found, interpreted)
    assert found.failures.keys() == ({0} if (row, query, key) == (0, 3, 1) else set())
    assert bool(found.weights.isfinite().all())


def test_maps_of_one_sentence_each_may_be_looked_at() -> None:
    whole = looks(FEATURES)
    apart: Looks = {
        head: [one[row, :n, :n].numpy().astype(np.float16) for row, n in enumerate(FEATURES.lengths)]
        for head, one in whole.items()
    }
    assert went_short(ORDINARY, seen=apart) == [True]
    assert_alike(*both(ORDINARY, seen=apart))
    expected = both(ORDINARY)[0].weights
    torch.testing.assert_close(both(ORDINARY, seen=apart)[0].weights, expected, atol=1e-2, rtol=0)


def test_literals_that_are_forgotten_are_not_taken_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_MAX_LITERALS", 1)
    evaluator = Evaluator(FEATURES, looks=looks(FEATURES))
    for word in ("the", "unseen", "never", "cat", "nowhere", "dog"):
        source = ORDINARY.replace('k.lower == "the"', f'k.lower == "{word}"').replace(
            '"the", "cat"', f'"{word}x"'
        )
        assert_alike(evaluator.run(parse(source)), both(source)[1])


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
        "weight = 1.0\nweight *= k.is_first\nreturn weight",
        "weight = 1.0\nweight *= 0\nreturn weight",
        "weight = 1.0\nweight *= -2\nreturn weight",
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
