"""Resolved scores are shown as long as they rest on the programs that are the best now."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.language import ParsedProgram, parse
from core.scoring import chains
from core.store import Workspace, add_program, add_scores
from core.store.resolved import add_resolved
from core.types import CardId, HeadId, Split
from tests.stored import fits

BELOW, ABOVE = HeadId(0, 1), HeadId(1, 0)
PLAIN = "def attend(q, k):\n    return k.is_first\n"
BETTER = "def attend(q, k):\n    return k == q\n"
LOOKS = 'def attend(q, k):\n    return look("L0H1", q, k)\n'
BASELINE = "def attend(q, k):\n    return 1.0\n"


def resting_on(programs: dict[HeadId, ParsedProgram]) -> dict[CardId, str]:
    """What each of these programs rests on."""
    return {(head, programs[head].id): chain for head, chain in chains(programs).items()}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path)
    programs = {BELOW: parse(PLAIN), ABOVE: parse(LOOKS)}
    with opened.database.transaction() as cursor:
        add_program(cursor, BASELINE, "baseline")
        for source, head in ((PLAIN, BELOW), (LOOKS, ABOVE)):
            add_program(cursor, source, "search")
            add_scores(cursor, "m", [*fits(source, head, 0.7), *fits(BASELINE, head, 0.1)])
        add_resolved(cursor, "m", [ABOVE], fits(LOOKS, ABOVE, 0.4), resting_on(programs))
    yield opened
    opened.close()


def test_both_figures_stand_beside_each_other(workspace: Workspace) -> None:
    found = {one.score.head: one for one in workspace.library.best("m", Split.TEST)}
    assert (found[ABOVE].score.iou.value, found[ABOVE].resolved.value) == pytest.approx((0.7, 0.4))
    assert (found[BELOW].score.iou.value, found[BELOW].resolved.value) == pytest.approx((0.7, 0.7))
    assert workspace.library.unresolved("m") == []


def test_a_resolved_score_is_unknown_once_the_head_below_has_another_program(workspace: Workspace) -> None:
    workspace.library.save_edit("m", BETTER, parse(PLAIN).id, fits(BETTER, BELOW, 0.9))
    frame = workspace.library.best_frame("m", Split.TEST).set_index(["layer", "head"])
    assert frame.resolved.isna().to_dict() == {(0, 1): False, (1, 0): True}
    assert workspace.library.unresolved("m") == [ABOVE]


def test_resolving_again_replaces_the_score(workspace: Workspace) -> None:
    programs = {BELOW: parse(PLAIN), ABOVE: parse(LOOKS)}
    with workspace.database.transaction() as cursor:
        add_resolved(cursor, "m", [ABOVE], fits(LOOKS, ABOVE, 0.5), resting_on(programs))
    assert workspace.library.resolved("m", Split.TEST)[ABOVE].value == pytest.approx(0.5)
