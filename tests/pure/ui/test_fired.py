"""Which lines stand beside a cell of a card's maps: those that fired for it and changed its weight."""

from core.language import ParsedProgram, parse, trace, traced
from core.ui.parts.thumbnails import Fired
from core.ui.review.fired import fired_lines, line_texts, share_of
from tests.language_cases import CAT_FEATURES, cat_tokens, program
from tests.pure.language.test_trace import RULES

CAT, DOG = 1, 4


def fired(parsed: ParsedProgram) -> Fired:
    (found,) = fired_lines(traced(parsed, CAT_FEATURES), CAT_FEATURES.lengths)
    return found


def lines(found: Fired, query: int, key: int) -> tuple[int, ...]:
    return found.sets[found.at[query, key]]


def test_lines_under_a_condition_come_first_and_one_that_changes_nothing_is_left_out() -> None:
    parsed = parse(RULES)
    found = fired(parsed)
    assert lines(found, DOG, CAT) == (7, 8, 9)
    assert lines(found, DOG, 0) == (5, 9)
    assert lines(found, CAT, CAT) == (7, 8)  # line 9 multiplies by 1 there
    texts = line_texts(parsed)
    assert [texts[line] for line in lines(found, DOG, 0)] == [
        "weight *= 20",
        "weight *= 0.5 ** min(q.index - k.index, 2)",
    ]


def test_where_nothing_else_fires_the_line_that_sets_the_weight_is_told() -> None:
    found = fired(program("weight = 2.0\nif k.is_first:\n    return 3.0\nreturn weight"))
    assert lines(found, DOG, CAT) == (2,)
    assert lines(found, DOG, 0) == (4,)


def test_every_pair_has_the_lines_that_its_trace_tells() -> None:
    parsed = parse(RULES)
    found = fired(parsed)
    for query in range(5):
        for key in range(query + 1):
            told = trace(parsed, cat_tokens(), query, key).contributions
            done = [one for one in told if not one.is_plain and one.operator != "="]
            changed = {one.line for one in done if (one.operator, one.operand) != ("*", 1)}
            assert set(lines(found, query, key)) == (changed or {3})


def test_a_line_has_a_say_in_the_share_of_the_pairs_whose_weight_it_changes() -> None:
    batch = traced(program("weight = 2.0\nif k.is_first:\n    weight *= 3.0\nreturn weight"), CAT_FEATURES)
    pairs = [(query, key) for query in range(5) for key in range(query + 1)]
    first = sum(key == 0 for _, key in pairs) / len(pairs)
    assert share_of((3, 4), batch, CAT_FEATURES.lengths, True) == first
    assert share_of((9,), batch, CAT_FEATURES.lengths, True) == 0
