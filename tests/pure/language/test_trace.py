"""Why a weight: lines that fired, what each contributed, and that they replay to the weight."""

import math

import pytest
from hypothesis import given, settings

from core.features import Features
from core.language import ParsedProgram, parse, reference
from core.language.scalar.trace import RETURNED, Trace, row_total, trace
from core.language.values.scalars import arithmetic
from core.types import Failure
from tests.language_cases import CAT_FEATURES, build, cat_tokens, program, sentence
from tests.pure.language.test_agreement import SLOW_DRAWS, programs, sentences

RULES = '''def attend(q, k):
    """Rests on the first token; nouns look at nouns."""
    weight = 1.0
    if k.is_first:
        weight *= 20
    elif k.pos == "NOUN" and q.pos == "NOUN":
        weight *= 4
        weight += 0.5 ** (q.index - k.index)
    weight *= 0.5 ** min(q.index - k.index, 2)
    return weight
'''


def steps(found: Trace) -> list[tuple[int, str, object]]:
    return [(c.line, f"{c.name} {c.operator}", c.operand) for c in found.contributions if not c.is_plain]


def test_only_lines_that_fired_contribute() -> None:
    found = trace(parse(RULES), cat_tokens(), query=4, key=1)  # dog -> cat
    assert steps(found) == [
        (3, "weight =", 1.0),
        (7, "weight *", 4.0),
        (8, "weight +", 0.125),
        (9, "weight *", 0.25),
    ]
    assert found.weight == 4.125 * 0.25
    assert found.passed_over == (4,)


def test_a_contribution_names_its_conditions_and_what_they_read() -> None:
    found = trace(parse(RULES), cat_tokens(), query=4, key=1).contributions[1]
    assert found.conditions == ('k.pos == "NOUN" and q.pos == "NOUN"',)
    assert [(r.source, r.value) for r in found.readings] == [
        ("k.is_first", False),
        ("k.pos", "NOUN"),
        ("q.pos", "NOUN"),
    ]


def test_else_holds_because_the_tests_did_not() -> None:
    parsed = program("if k.is_first:\n    weight = 1\nelse:\n    weight = 2\nreturn weight")
    assert trace(parsed, cat_tokens(), 4, 1).contributions[0].conditions == ("not (k.is_first)",)


def test_a_condition_on_several_lines_is_put_on_one() -> None:
    parsed = program('if (k.is_first and\n        q.pos == "NOUN"):\n    return 1\nreturn 0')
    conditions = trace(parsed, cat_tokens(), 4, 0).contributions[0].conditions
    assert conditions == ("k.is_first and (q.pos == 'NOUN')",)


def test_a_token_is_read_by_its_index() -> None:
    found = trace(program('k == last(q, pos="DET")'), cat_tokens(), 4, 3)
    assert [(r.source, r.kind, r.value) for r in found.contributions[0].readings] == [
        ("last(q, pos='DET')", "token", 3)
    ]


def test_a_failure_keeps_the_way_up_to_it() -> None:
    found = trace(program("weight = 3\nweight /= k.index\nreturn weight"), cat_tokens(), 4, 0)
    assert steps(found) == [(2, "weight =", 3.0)]
    assert found.failure is not None
    assert found.failure.kind == "division"


@pytest.mark.parametrize(("body", "total"), [("k.index - 1", 6.0), ("-1", 0.0), ("1 / k.index", 0.0)])
def test_a_rows_total_counts_what_is_above_zero(body: str, total: float) -> None:
    assert row_total(program(body), CAT_FEATURES, query=4, causal=True) == total


def test_a_row_of_a_short_sentence_counts_no_future() -> None:
    features = build(sentence("one two three"))
    assert row_total(program("1"), features, query=1, causal=True) == 2.0
    assert row_total(program("1"), features, query=1, causal=False) == 3.0


def replayed(found: Trace) -> float:
    """The weight that the contributions give when they are applied one by one."""
    values: dict[str, object] = {}
    for step in found.contributions:
        if step.name == RETURNED and step.is_plain:
            assert step.operand in values.values()
        if step.operator == "=":
            values[step.name] = step.operand
        else:
            assert isinstance(step.operand, float)
            values[step.name] = arithmetic(step.operator, float(values[step.name]), step.operand, step.line)
        assert values[step.name] == step.value
    return max(0.0, float(values[RETURNED]))


@settings(max_examples=250, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(programs(), sentences())
def test_contributions_replay_to_the_weights_of_the_program(
    parsed: ParsedProgram, features: Features
) -> None:
    tokens = features.tokens(0)
    found = [[trace(parsed, tokens, query, key) for key in range(query + 1)] for query in range(len(tokens))]
    failures = [pair.failure for row in found for pair in row if pair.failure]
    expected = reference(parsed, tokens)
    if isinstance(expected, Failure):
        assert failures[0] == expected
        return
    assert not failures
    for query, pairs in enumerate(found):
        weights = [replayed(pair) for pair in pairs]
        total = math.fsum(weights)
        row = [weight / total for weight in weights] if total else [1.0] + [0.0] * query
        assert row + [0.0] * (len(tokens) - query - 1) == expected[query]
