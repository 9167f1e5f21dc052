"""The verdict log is only ever appended to, and undo takes back exactly one decision."""

from pathlib import Path

import pytest

from core.scoring import BASELINES
from core.store import Workspace, add_program
from core.types import Action, HeadId

HEAD = HeadId(0, 1)
SOURCE = BASELINES["first token"]


@pytest.fixture
def workspace(tmp_path: Path):
    opened = Workspace.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def program(workspace: Workspace) -> str:
    with workspace.database.transaction() as cursor:
        return add_program(cursor, SOURCE, "baseline")


def test_an_accepted_program_is_the_heads_program(workspace: Workspace, program: str) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    assert workspace.verdicts.accepted("m") == {HEAD: SOURCE}


def test_a_later_decision_stands_over_an_earlier(workspace: Workspace, program: str) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    workspace.verdicts.record("m", HEAD, program, Action.REJECT, "ada", "trivial")
    (standing,) = workspace.verdicts.standing("m")
    assert (standing.action, standing.reason) == (Action.REJECT, "trivial")
    assert workspace.verdicts.accepted("m") == {}


def test_undo_brings_back_the_decision_before(workspace: Workspace, program: str) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    workspace.verdicts.record("m", HEAD, program, Action.REJECT, "ada")
    (undone,) = workspace.verdicts.undo("m", "ada")
    assert undone.action == Action.REJECT
    assert workspace.verdicts.accepted("m") == {HEAD: SOURCE}


def test_undo_is_fifty_deep(workspace: Workspace, program: str) -> None:
    for number in range(50):
        workspace.verdicts.record("m", HeadId(0, number), program, Action.ACCEPT, "ada")
    undone = [workspace.verdicts.undo("m", "ada") for _ in range(51)]
    assert [verdict.head.head for taken_back in undone for verdict in taken_back] == list(range(49, -1, -1))
    assert undone[-1] == []


def test_undo_takes_back_ones_own_decisions_only(workspace: Workspace, program: str) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    assert workspace.verdicts.undo("m", "bob") == []


def test_undo_goes_by_the_log_and_not_by_the_clock(workspace: Workspace, program: str) -> None:
    for number in range(2):
        workspace.verdicts.record("m", HeadId(0, number), program, Action.ACCEPT, "ada")
    workspace.database.run("UPDATE verdicts SET made_at = made_at + INTERVAL 1 DAY WHERE head = 0")
    assert [verdict.head.head for verdict in workspace.verdicts.recent("m", 9, "ada")] == [1, 0]
    assert [verdict.head.head for verdict in workspace.verdicts.undo("m", "ada")] == [1]


def test_a_decision_made_after_the_clock_was_set_back_stands(workspace: Workspace, program: str) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    workspace.database.run("UPDATE verdicts SET made_at = made_at + INTERVAL 1 DAY")
    workspace.verdicts.record("m", HEAD, program, Action.REJECT, "ada")
    assert workspace.verdicts.accepted("m") == {}


@pytest.mark.parametrize("later", [Action.SKIP, Action.FLAG])
def test_ones_own_skip_or_flag_leaves_an_accept_standing(
    later: Action, workspace: Workspace, program: str
) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    workspace.verdicts.record("m", HEAD, program, later, "ada")
    assert workspace.verdicts.accepted("m") == {HEAD: SOURCE}
    assert [verdict.action for verdict in workspace.verdicts.opinions("m")] == [Action.ACCEPT]


def test_what_was_decided_at_once_is_undone_at_once(workspace: Workspace, program: str) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.FLAG, "ada")
    pairs = [(HeadId(1, head), program) for head in range(5)]
    workspace.verdicts.record_all("m", pairs, Action.ACCEPT, "ada")
    assert len(workspace.verdicts.accepted("m")) == 5
    assert len(workspace.verdicts.undo("m", "ada")) == 5
    assert [verdict.action for verdict in workspace.verdicts.standing("m")] == [Action.FLAG]


def test_an_event_is_recorded_once(workspace: Workspace, program: str) -> None:
    told = [workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada", uid="t") for _ in range(2)]
    assert told == [True, False]
    assert len(workspace.verdicts.log("m")) == 1


def test_anothers_skip_or_flag_leaves_an_accept_standing(workspace: Workspace, program: str) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    workspace.verdicts.record("m", HEAD, program, Action.SKIP, "bob")
    workspace.verdicts.record("m", HEAD, program, Action.FLAG, "eve")
    assert workspace.verdicts.accepted("m") == {HEAD: SOURCE}
    assert len(workspace.verdicts.opinions("m")) == 3


def test_a_second_reviewers_reject_stands_over_an_accept(workspace: Workspace, program: str) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    workspace.verdicts.record("m", HEAD, program, Action.REJECT, "bob")
    assert workspace.verdicts.accepted("m") == {}


def test_the_log_keeps_everything(workspace: Workspace, program: str) -> None:
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada", note="sure")
    workspace.verdicts.undo("m", "ada")
    log = workspace.verdicts.log("m")
    assert list(log.action) == ["accept", "undo"]
    assert log.undoes[1] == log.event[0]


def test_verdicts_survive_closing_the_workspace(tmp_path: Path) -> None:
    first = Workspace.open(tmp_path)
    with first.database.transaction() as cursor:
        program = add_program(cursor, SOURCE, "baseline")
    first.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    first.close()
    again = Workspace.open(tmp_path)
    assert again.verdicts.accepted("m") == {HEAD: SOURCE}
    again.close()
