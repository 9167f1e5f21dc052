"""Which programs a hybrid may be made of, and how well each of them fits its head."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.language import parse
from core.store import Workspace, add_program, add_scores
from core.types import Action, HeadId
from tests.stored import fits

FIRST, SECOND = HeadId(0, 1), HeadId(1, 0)
LOOKS = 'def attend(q, k):\n    return look("L0H0", q, k)\n'
TEXT = 'def attend(q, k):\n    """Does not look("L0H0", q, k) at a head."""\n    return k.index + 2.5\n'
WORSE = "def attend(q, k):\n    return 1.0\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Two heads: the best program of the second looks at another head, and somebody accepted its worst."""
    opened = Workspace.open(tmp_path)
    with opened.database.transaction() as cursor:
        for source, first, second in ((LOOKS, 0.3, 0.8), (TEXT, 0.5, 0.6), (WORSE, 0.25, 0.125)):
            add_program(cursor, source, "search")
            add_scores(cursor, "m", [*fits(source, FIRST, first), *fits(source, SECOND, second)])
    opened.verdicts.record("m", SECOND, parse(WORSE).id, Action.ACCEPT, "ada")
    yield opened
    opened.close()


def test_heads_are_replaced_by_the_programs_asked_for(workspace: Workspace) -> None:
    sources = workspace.replacements.sources
    assert sources("m", "best") == {FIRST: TEXT, SECOND: LOOKS}
    assert sources("m", "text") == {FIRST: TEXT, SECOND: TEXT}
    assert sources("m", "accepted") == {SECOND: WORSE}
    assert sources("another", "text") == {}


def test_each_program_comes_with_its_own_fit(workspace: Workspace) -> None:
    assert workspace.replacements.fits("m", {FIRST: TEXT, SECOND: WORSE}) == {FIRST: 0.5, SECOND: 0.125}
    assert workspace.replacements.fits("m", {HeadId(7, 7): TEXT}) == {}
    assert workspace.replacements.fits("m", {}) == {}
