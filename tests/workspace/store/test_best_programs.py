"""Which program is a head's best, asked for in every way there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.language import parse
from core.store import Workspace, add_program, add_proposals, add_scores
from core.types import Estimate, HeadId, Score, Split
from tests.stored import fits

HEAD = HeadId(1, 2)
BASELINE = "def attend(q, k):\n    return 1.0\n"
# The same fit and the same number of nodes: only the id tells which goes first.
TIED = [f"def attend(q, k):\n    return k.index + {constant}\n" for constant in ("2.5", "3.5", "4.5", "5.5")]
LONGER = "def attend(q, k):\n    return k.index + 2.5 + 3.5\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A head whose programs all fit alike but for a baseline; the longer ones come first."""
    opened = Workspace.open(tmp_path)
    with opened.database.transaction() as cursor:
        add_program(cursor, BASELINE, "baseline")
        for source in (LONGER, *sorted(TIED, key=lambda text: parse(text).id, reverse=True)):
            add_program(cursor, source, "search")
            add_scores(cursor, "m", fits(source, HEAD, 0.5))
        add_scores(cursor, "m", fits(BASELINE, HEAD, 0.1))
    yield opened
    opened.close()


def test_on_a_tie_every_way_of_asking_names_the_same_program(workspace: Workspace) -> None:
    best = min(parse(source).id for source in TIED)
    assert workspace.library.best_programs("m") == [(HEAD, best)]
    assert [found.program.id for found in workspace.library.best("m", Split.TEST)] == [best]
    assert list(workspace.library.head_scores("m", HEAD).program_id)[:5] == [
        *sorted(parse(source).id for source in TIED),
        parse(LONGER).id,
    ]
    assert workspace.cards.candidates("m", HEAD, 4)[0] == best


def test_who_found_it_asks_for_the_same_best_program(workspace: Workspace) -> None:
    with workspace.database.transaction() as cursor:
        add_proposals(cursor, "m", [(HEAD, max(parse(source).id for source in TIED))])
    assert workspace.library.borrowed("m") == 1
    with workspace.database.transaction() as cursor:
        add_proposals(cursor, "m", [(HEAD, min(parse(source).id for source in TIED))])
    assert workspace.library.borrowed("m") == 0


def test_the_best_program_is_asked_for_anew_when_a_better_one_is_scored(workspace: Workspace) -> None:
    before = workspace.library.best_programs("m")
    better = workspace.library.save_edit("m", "def attend(q, k):\n    return k.index\n", before[0][1], [])
    with workspace.database.transaction() as cursor:
        add_scores(cursor, "m", [Score(better, HEAD, Split.VALIDATION, Estimate(0.9, 0.9, 0.9), 0.0, 9, 0)])
    assert workspace.library.best_programs("m") == [(HEAD, better)]
    assert workspace.library.best_programs("another model") == []


def test_heads_that_a_program_fits_alike_come_in_their_order(workspace: Workspace) -> None:
    heads = [HeadId(3, 1), HeadId(0, 2), HeadId(0, 1)]
    with workspace.database.transaction() as cursor:
        for head in heads:
            add_scores(cursor, "m", fits(LONGER, head, 0.5))
    name = parse(LONGER).id
    ordered = [*sorted([*heads, HEAD])]
    assert [head for head, _ in workspace.library.heads_fitted("m", name, 0.5)] == ordered
    assert [head for head, _ in workspace.cards.fits("m", [name], 0.5)[name]] == ordered
    row = workspace.catalogue.programs("m", 0.5).set_index("program_id").loc[name]
    assert (row.heads, row.best_layer, row.best_head) == (4, 0, 1)
