"""Decisions leave and enter a workspace whole, once, and in the order they were made."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.cli.app import main
from core.errors import DecisionsError
from core.language import parse
from core.scoring import BASELINES
from core.sharing.decisions import export_lines, import_lines
from core.store import VerdictRow, Workspace, add_model, add_program, verdict_rows
from core.types import Action, HeadId, ModelInfo

HEAD = HeadId(0, 1)
SOURCE = BASELINES["first token"]
OTHER = "def attend(q, k):\n    return 0.5\n"
INFO = ModelInfo("m", "m", "llama", 2, 2, True, 1, 1)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "here")
    yield opened
    opened.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "there")
    yield opened
    opened.close()


def add(workspace: Workspace) -> str:
    with workspace.database.transaction() as cursor:
        add_model(cursor, INFO)
        return add_program(cursor, SOURCE, "baseline")


def decided(workspace: Workspace) -> str:
    """A workspace with an accept that was undone, a reject with a note, and two accepts made at once."""
    program = add(workspace)
    workspace.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    workspace.verdicts.undo("m", "ada")
    workspace.verdicts.record("m", HEAD, program, Action.REJECT, "ada", "trivial", "a\u2028note “β”")
    workspace.verdicts.record_all(
        "m", [(HeadId(1, 0), program), (HeadId(1, 1), program)], Action.ACCEPT, "ada"
    )
    return program


def test_another_workspace_ends_up_with_the_same_log(here: Workspace, there: Workspace) -> None:
    decided(here)
    lines = list(export_lines(here))
    found = import_lines(there, lines)
    assert (found.programs, found.verdicts, found.known) == (1, 5, 0)
    assert list(export_lines(there)) == lines
    assert [v.reason for v in there.verdicts.standing("m")] == ["trivial", "", ""]
    assert len(there.verdicts.undo("m", "ada")) == 2  # what was made at once is still undone at once


def test_taking_a_file_in_again_changes_nothing(here: Workspace, there: Workspace) -> None:
    decided(here)
    lines = list(export_lines(here))
    for workspace in (here, there, there):
        again = import_lines(workspace, lines)
    assert (again.programs, again.verdicts, again.known) == (0, 0, 6)
    assert list(export_lines(here)) == lines


def test_a_reviewer_is_one_person_however_the_accent_is_spelt(here: Workspace, there: Workspace) -> None:
    program = add(here)
    here.verdicts.record("m", HEAD, program, Action.ACCEPT, "Jose\u0301")
    for workspace in (there, here):
        import_lines(workspace, export_lines(here))
    assert [verdict.reviewer for verdict in there.verdicts.standing("m")] == ["Jos\u00e9"]


def test_of_two_workspaces_the_later_decision_stands(here: Workspace, there: Workspace) -> None:
    program = add(here)
    there_program = add(there)
    assert program == there_program
    here.verdicts.record("m", HEAD, program, Action.REJECT, "ada")
    there.verdicts.record("m", HEAD, program, Action.ACCEPT, "bob")
    import_lines(there, export_lines(here))  # numbered later, made earlier
    import_lines(here, export_lines(there))
    for workspace in (here, there):
        assert workspace.verdicts.accepted("m") == {HEAD: SOURCE}


def test_an_undo_follows_what_it_takes_back_however_wrong_a_clock_was(
    here: Workspace, there: Workspace, tmp_path: Path
) -> None:
    program = add(here)
    add(there)
    here.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    here.database.run("UPDATE verdicts SET made_at = made_at + INTERVAL 1 HOUR")  # here's clock is ahead
    import_lines(there, export_lines(here))
    there.verdicts.undo("m", "ada")
    new = Workspace.open(tmp_path / "new")
    assert import_lines(new, export_lines(there)).verdicts == 2
    assert new.verdicts.standing("m") == []
    new.close()


def test_a_decision_stands_over_an_imported_one_that_it_was_made_upon(
    here: Workspace, there: Workspace
) -> None:
    program = add(here)
    add(there)
    here.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    here.database.run("UPDATE verdicts SET made_at = made_at + INTERVAL 1 HOUR")
    import_lines(there, export_lines(here))
    there.verdicts.record("m", HEAD, program, Action.REJECT, "bob")
    assert [verdict.reviewer for verdict in there.verdicts.standing("m")] == ["bob"]


def test_an_imported_skip_leaves_an_accept_standing(here: Workspace, there: Workspace) -> None:
    program = add(here)
    add(there)
    there.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    here.verdicts.record("m", HEAD, program, Action.SKIP, "ada")  # later, on another computer
    import_lines(there, export_lines(here))
    assert there.verdicts.accepted("m") == {HEAD: SOURCE}


def test_undo_takes_back_what_was_decided_here_before_what_came_with_a_file(
    here: Workspace, there: Workspace
) -> None:
    program = add(here)
    add(there)
    there.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    here.verdicts.record("m", HeadId(1, 0), program, Action.ACCEPT, "ada")
    import_lines(there, export_lines(here))
    undone = [verdict.head for _ in range(2) for verdict in there.verdicts.undo("m", "ada")]
    assert undone == [HEAD, HeadId(1, 0)]


def test_which_programs_are_baselines_is_not_said_by_a_file(here: Workspace, there: Workspace) -> None:
    decided(here)
    import_lines(there, changed(list(export_lines(here)), 1, origin="person"))
    assert [row.origin for row in there.verdict_rows.programs()] == ["baseline"]


@pytest.mark.parametrize("origin", ["search", "claude", "openai", "refit", "person", "my-own"])
def test_whoever_proposed_a_program_it_is_taken_in_with_that(
    origin: str, here: Workspace, there: Workspace
) -> None:
    with here.database.transaction() as cursor:
        program = add_program(cursor, OTHER, origin)
    here.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    import_lines(there, export_lines(here))
    assert [row.origin for row in there.verdict_rows.programs()] == [origin]


def changed(lines: list[str], at: int, **fields: object) -> list[str]:
    return [
        json.dumps(json.loads(line) | fields) if number == at else line for number, line in enumerate(lines)
    ]


@pytest.mark.parametrize(
    ("at", "fields", "message"),
    [
        (0, {"version": 2}, "line 1 is not the header"),
        (1, {"source": "import os"}, "line 2: the program cannot be read"),
        (1, {"id": "0" * 16}, "its source gives"),
        (1, {"source": OTHER, "id": parse(OTHER).id}, "the origin is 'baseline', not a proposer's"),
        (1, {"source": OTHER, "id": parse(OTHER).id, "origin": "**me**"}, "the origin is '[*][*]me"),
        (2, {"layer": 2}, "L2H1 does not exist: m has"),
        (2, {"layer": "0"}, "line 3: layer: Input should be a valid integer, not '0'"),
        (2, {"program": "f" * 16}, "neither above nor in the workspace"),
        (2, {"action": "burn"}, "'burn' is no action"),
        (2, {"layer": True}, "layer: Input should be a valid integer, not 'True'"),
        (2, {"head": -1}, "head: Input should be greater than or equal to 0"),
        (2, {"reason": None}, "line 3: reason: Input should be a valid string, not 'None'"),
        (2, {"layer": 10**40}, "layer: Input should be less than 100000"),
        (2, {"made_at": "yesterday"}, "made_at is 'yesterday'"),
        (2, {"made_at": "2026-01-31T12:00:00.5Z"}, "not like 2026-01-31T12:00:00.000000Z"),
        (2, {"made_at": "9999-12-31T23:59:59.999999Z"}, "still to come"),
        (2, {"reviewer": "a" * 501}, "reviewer has 501 characters, more than 500"),
        (2, {"note": "a" * 10_001}, "note has 10,001 characters"),
        (2, {"note": "\ud800"}, "line 3 is not JSON in UTF-8"),
        (3, {"undoes": "nobody"}, "it undoes 'nobody'"),
        (4, {"kind": "joke"}, "line 5 is of the kind 'joke'"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_taken_in(
    at: int, fields: dict[str, object], message: str, here: Workspace, there: Workspace
) -> None:
    decided(here)
    with there.database.transaction() as cursor:
        add_model(cursor, INFO)
    with pytest.raises(DecisionsError, match=message):
        import_lines(there, changed(list(export_lines(here)), at, **fields))
    assert there.verdicts.log("m").empty
    assert there.library.programs() == []


def test_lines_may_say_less_and_more_than_ours(here: Workspace) -> None:
    program = {"kind": "program", "id": parse(OTHER).id, "source": OTHER, "origin": "person", "later": [1]}
    verdict = {
        "kind": "verdict", "uid": "u", "model": "m", "layer": 0, "head": 1, "program": parse(OTHER).id,
        "action": "accept", "reviewer": "ada", "reason": "", "note": "",
        "made_at": "2026-01-31T12:00:00.000000Z",
    }  # fmt: skip
    header = {"kind": "headscript decisions", "version": 1}
    assert import_lines(here, map(json.dumps, (header, program, verdict))).verdicts == 1
    assert [row.parent for row in here.verdict_rows.programs()] == [None]
    assert here.verdicts.accepted("m") == {HEAD: OTHER}


def test_an_event_that_is_here_otherwise_is_refused(here: Workspace) -> None:
    decided(here)
    with pytest.raises(DecisionsError, match="is here with reviewer 'ada', not 'eve'"):
        import_lines(here, changed(list(export_lines(here)), 2, reviewer="eve"))


def test_the_command_line_exports_and_imports(
    workspace_copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    pairs = workspace.library.best_programs(model.id)[:2]
    workspace.verdicts.record_all(model.id, pairs, Action.ACCEPT, "ada")
    workspace.close()
    decisions, page = str(tmp_path / "decisions.jsonl"), str(tmp_path / "report.html")
    here, new = ["--workspace", str(workspace_copy)], ["--workspace", str(tmp_path / "new")]
    assert main(["export", "library", decisions, *here]) == 0
    assert main(["export", "report", page, *here]) == 0
    assert Path(page).read_text().count("<h2 id=") == 2
    capsys.readouterr()
    assert main(["import", decisions, "--json", *new]) == 0
    assert json.loads(capsys.readouterr().out)["verdicts"] == 2
    assert main(["import", page, *new]) == 2
    assert "line 1 is not JSON" in capsys.readouterr().err


def test_a_clock_that_was_ahead_blocks_no_import_and_no_later_decision(
    here: Workspace, there: Workspace
) -> None:
    program = add(here)
    here.verdicts.record("m", HEAD, program, Action.ACCEPT, "ada")
    here.database.run("UPDATE verdicts SET made_at = made_at + INTERVAL 50 YEARS")
    add(there)
    assert import_lines(there, export_lines(here)).verdicts == 1
    there.verdicts.record("m", HEAD, program, Action.REJECT, "bob")
    assert [one.action for one in there.verdicts.standing("m")] == [Action.REJECT]
    assert import_lines(here, export_lines(there)).verdicts == 1
    assert [one.action for one in here.verdicts.standing("m")] == [Action.REJECT]


def test_many_decisions_enter_by_the_lot_in_their_order(
    here: Workspace, there: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_rows, "_AT_ONCE", 3)
    for _ in range(4):
        decided(here)
    lines = list(export_lines(here))
    assert import_lines(there, lines).verdicts == 20
    assert list(export_lines(there)) == lines
    assert there.verdicts.standing("m") == here.verdicts.standing("m")


def test_an_import_that_was_cut_off_goes_on(
    here: Workspace, there: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_rows, "_AT_ONCE", 2)
    decided(here)
    lines, add_events = list(export_lines(here)), verdict_rows._add_events

    def die(cursor: object, events: Sequence[VerdictRow]) -> None:
        if len(events) == 1:  # the last lot
            raise KeyboardInterrupt
        add_events(cursor, events)

    with monkeypatch.context() as patch:
        patch.setattr(verdict_rows, "_add_events", die)
        with pytest.raises(KeyboardInterrupt):
            import_lines(there, lines)
    assert list(export_lines(there)) == lines[:-1]
    assert import_lines(there, lines).verdicts == 1
    assert list(export_lines(there)) == lines
