"""Programs that look, given the heads and resolved to the programs of what they look at."""

import numpy as np
import pytest

from core.language import ParsedProgram, evaluate
from core.scoring import Resolved, chains, program_maps, score, sentence_ious
from core.types import HeadId, Split
from tests.language_cases import CAT_FEATURES, build, program, sentence

FEATURES = build(sentence("The cat saw the dog"), sentence("a b a"))
FIRST, FOLLOWS, TWICE = HeadId(0, 1), HeadId(1, 0), HeadId(1, 2)
PROGRAMS = {
    FIRST: program("0.25 + k.is_first"),
    FOLLOWS: program('look("L0H1", q, k) ** 2'),
    TWICE: program('look("L1H0", q, k) + 0.5 * look("L0H1", q, k)'),
}


def weights_of(parsed: ParsedProgram, looks: dict[HeadId, list[np.ndarray]]) -> list[np.ndarray]:
    found = evaluate(parsed, FEATURES, looks=looks).numpy()
    return [found[row, :n, :n] for row, n in enumerate(FEATURES.lengths)]


def test_references_are_resolved_down_to_text() -> None:
    first = weights_of(PROGRAMS[FIRST], {})
    follows = weights_of(PROGRAMS[FOLLOWS], {FIRST: first})
    twice = weights_of(PROGRAMS[TWICE], {FIRST: first, FOLLOWS: follows})
    found = Resolved(PROGRAMS, FEATURES, True)
    for head, expected in ((FIRST, first), (FOLLOWS, follows), (TWICE, twice)):
        for own, wanted in zip(found[head], expected, strict=True):
            np.testing.assert_allclose(own, wanted, atol=1e-6)


def test_both_figures_of_a_program_that_looks() -> None:
    """The head it looks at does something else than its program says."""
    head = [np.eye(5, dtype=np.float32), np.eye(3, dtype=np.float32)]
    maps = {name: own[None] for name, own in zip(FEATURES.sentences, head, strict=True)}
    given = program_maps([PROGRAMS[FOLLOWS]], FEATURES, True, looks={FIRST: head})
    assert sentence_ious(given, maps).mean() == 1
    (resolved,) = score(Resolved(PROGRAMS, FEATURES, True).produced(FOLLOWS), maps, [FOLLOWS], Split.TEST)
    assert resolved.iou.value < 0.5


def test_a_program_fails_where_one_fails_that_it_looks_at() -> None:
    programs = PROGRAMS | {FIRST: program("1 / (k.lower != 'a')")}
    found = Resolved(programs, FEATURES, True)
    assert list(found.produced(FIRST).failures) == [(0, 1)]
    (failure,) = found.produced(TWICE).failures.values()
    assert failure.kind == "unavailable"
    assert "the program of L0H1 fails here" in failure.detail
    assert not found[TWICE][1].any()
    assert found[TWICE][0].any()


def test_a_head_without_a_program_is_not_at_hand() -> None:
    found = Resolved({FOLLOWS: PROGRAMS[FOLLOWS]}, CAT_FEATURES, True)
    (failure,) = found.produced(FOLLOWS).failures.values()
    assert "the attention of L0H1 is not at hand" in failure.detail


@pytest.mark.parametrize(
    ("changed", "names"), [(FIRST, {FIRST, FOLLOWS, TWICE}), (FOLLOWS, {FOLLOWS, TWICE})]
)
def test_a_chain_has_another_name_when_anything_it_rests_on_changes(changed: HeadId, names: set) -> None:
    before = chains(PROGRAMS)
    other = program("k.index") if changed == FIRST else program('look("L0H1", q, k) ** 3')
    after = chains(PROGRAMS | {changed: other})
    assert {head for head in before if before[head] != after[head]} == names
