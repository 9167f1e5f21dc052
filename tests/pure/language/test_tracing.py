"""Every pair's way through a program at once, held to what `trace` says of each pair."""

import pytest
from hypothesis import given, settings

from core.features import Features
from core.language import LookPower, ParsedProgram, Step, parse, trace, traced
from core.types import HeadId
from tests.language_cases import CAT_FEATURES, program
from tests.pure.language.test_agreement import SLOW_DRAWS, programs, sentences
from tests.pure.language.test_trace import RULES


def told_of(found: Step, at: int, query: int, key: int) -> tuple[object, ...]:
    """A step as a contribution of one pair tells it."""
    operand = found.operand.expand(found.fired.shape)[at, query, key].item()
    value = found.texts[int(operand)] if found.kind == "text" else operand
    return found.line, found.name, found.operator, found.conditions, value


def assert_agrees(parsed: ParsedProgram, features: Features) -> None:
    found = traced(parsed, features)
    for at, n in enumerate(features.lengths):
        if at in found.failures:
            continue
        tokens = features.tokens(at)
        for query in range(n):
            for key in range(query + 1):
                one = trace(parsed, tokens, query, key)
                wanted = [c for c in one.contributions if not c.is_plain]
                steps = [step for step in found.steps if step.fired[at, query, key]]
                told = [told_of(step, at, query, key) for step in steps]
                assert [t[:4] for t in told] == [(c.line, c.name, c.operator, c.conditions) for c in wanted]
                for (*_, value), contribution in zip(told, wanted, strict=True):
                    if contribution.kind == "number":
                        assert value == pytest.approx(contribution.operand, rel=1e-4, abs=1e-6)
                    else:
                        assert value == contribution.operand
                assert float(found.weights[at, query, key]) == pytest.approx(one.weight, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    "body",
    [
        "if k.is_first:\n    weight = 1\nelse:\n    weight = 2\nreturn weight * 3",
        'near = last(q, pos="NOUN")\nif k == near:\n    return 2\nword = k.text\nreturn k.index + 1',
        "weight = 1.0\nweight *= weight + k.index\nif q.is_first:\n    return weight\nreturn weight / 2",
    ],
)
def test_a_pair_comes_through_the_steps_that_trace_names(body: str) -> None:
    assert_agrees(program(body), CAT_FEATURES)


def test_rules_with_an_elif_agree() -> None:
    assert_agrees(parse(RULES), CAT_FEATURES)


@settings(max_examples=25, suppress_health_check=SLOW_DRAWS)
@given(programs(), sentences())
def test_all_pairs_of_any_program_agree_with_trace(parsed: ParsedProgram, features: Features) -> None:
    assert_agrees(parsed, features)


def test_a_step_names_what_it_reads_and_the_head_it_follows() -> None:
    rule = 'weight *= (look("L0H1", q, k) + 0.5) ** -2'
    found = program(f'weight = 1.0\nif q.prev.pos == "DET" and k == q:\n    {rule}\nreturn weight')
    step = traced(found, CAT_FEATURES, looks={HeadId(0, 1): [[[0.5] * 5] * 5]}).steps[1]
    assert step.reads == ("q.prev.pos",)
    assert step.look == LookPower(HeadId(0, 1), 0.5, -2.0)


@pytest.mark.parametrize(
    ("operand", "wanted"),
    [
        ('look("L0H1", q, k)', (0.0, 1.0)),
        ('look("L0H1", q, k) ** 0.5', (0.0, 0.5)),
        ('(look("L0H1", q, k) + 0.1)', (0.1, 1.0)),
        ('look("L0H1", k, q)', None),
        ('(look("L0H1", q, k) ** 2 + 1)', None),
        ('min(look("L0H1", q, k), 1)', None),
    ],
)
def test_only_a_power_of_a_look_is_told_as_one(operand: str, wanted: tuple[float, float] | None) -> None:
    step = traced(program(f"weight = 1.0\nweight *= {operand}\nreturn weight"), CAT_FEATURES).steps[1]
    assert step.look == (None if wanted is None else LookPower(HeadId(0, 1), *wanted))
