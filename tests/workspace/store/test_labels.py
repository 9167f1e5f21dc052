"""Names, notes and tags of runs and hybrids, and deleting them with a way back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.store import Label, Workspace, read_tags
from core.store.hybrids import add_hybrid
from core.types import HeadId, HybridProgram, MadeHybrid

SOURCE = "def attend(q, k):\n    return 1.0\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path)
    yield opened
    opened.close()


def built(workspace: Workspace, head: int, title: str) -> str:
    with workspace.database.transaction() as cursor:
        programs = (HybridProgram(HeadId(0, head), SOURCE),)
        return add_hybrid(cursor, "m", MadeHybrid(programs, title, 0.1))


def test_a_hybrid_is_listed_by_the_name_it_was_given(workspace: Workspace) -> None:
    one, other = built(workspace, 1, "one head"), built(workspace, 2, "another")
    workspace.labels.set(one, Label("for the talk", "cheap", ("talk", "2026")))
    rows = workspace.hybrids.frame("m").set_index("hybrid_id")
    assert rows.loc[one, ["title", "note"]].tolist() == ["for the talk", "cheap"]
    assert rows.tags.to_dict() == {one: ["talk", "2026"], other: []}
    workspace.labels.set(one, Label(note="cheap"))
    assert workspace.hybrids.frame("m").set_index("hybrid_id").title[one] == "one head"


def test_what_is_deleted_comes_back_as_it_was(workspace: Workspace) -> None:
    one, other = built(workspace, 1, "one head"), built(workspace, 2, "another")
    workspace.labels.set(one, Label("mine", tags=("a",)))
    before = workspace.hybrids.frame("m")
    workspace.labels.delete(one)
    workspace.labels.delete(other)
    assert workspace.hybrids.frame("m").empty
    assert workspace.hybrids.deleted("m") == {other: "another", one: "mine"}
    assert workspace.labels.deleted() == [other, one]
    for hybrid in (one, other):
        workspace.labels.restore(hybrid)
    assert workspace.hybrids.deleted("m") == {}
    assert workspace.hybrids.frame("m").equals(before)


def test_a_deleted_hybrid_that_is_built_again_is_there_again(workspace: Workspace) -> None:
    one = built(workspace, 1, "one head")
    workspace.labels.delete(one)
    assert built(workspace, 1, "one head") == one
    assert workspace.hybrids.frame("m").hybrid_id.tolist() == [one]


@pytest.mark.parametrize(
    ("typed", "tags"), [("", ()), (" a ,b,, a,  two   words ", ("a", "b", "two words")), (",", ())]
)
def test_tags_stand_between_commas(typed: str, tags: tuple[str, ...]) -> None:
    assert read_tags(typed) == tags
