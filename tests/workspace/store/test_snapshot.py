"""Snapshots: whole states of a workspace that another process holds and writes to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import WorkspaceBusy, WorkspaceError
from core.store import Snapshot, Workspace, export_snapshot
from core.store.snapshot import copy_database
from core.types import Split

WRITER = """
import sys, time
from pathlib import Path
from core.store.database import open_database
database = open_database(Path(sys.argv[1]) / "workspace.duckdb")
print("open", flush=True)
pause, at = float(sys.argv[2]), 0
while True:
    with database.transaction() as cursor:
        for part in (0, 1):
            cursor.execute("INSERT INTO sentences VALUES (?, 'text', 'story', 'train')", [f"{at}-{part}"])
    at += 1
    if at % 20 == 0:
        with database.reading() as cursor:
            cursor.execute("CHECKPOINT")
    time.sleep(pause)
"""


@contextmanager
def writer(folder: Path, pause: float) -> Iterator[None]:
    """Another process that holds the workspace and adds two sentences a transaction, with a pause between."""
    command = [sys.executable, "-c", WRITER, str(folder), str(pause)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        try:
            yield
        finally:
            process.kill()


def sentences(workspace: Workspace) -> int:
    ((count,),) = workspace.database.rows("SELECT count(*) FROM sentences")
    return int(count)


def test_each_snapshot_is_a_whole_state_while_another_process_writes(tmp_path: Path) -> None:
    seen = []
    with writer(tmp_path, pause=0.12):
        with pytest.raises(WorkspaceBusy):
            Workspace.open(tmp_path)
        while len(seen) < 5 or seen[-1] == seen[0]:
            snapshot = Snapshot(tmp_path)
            seen.append(sentences(snapshot.workspace))
            snapshot.close()
    assert all(count % 2 == 0 for count in seen)
    assert seen == sorted(seen)


def test_a_database_that_never_rests_is_said_to_be_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.store.snapshot._QUIET", 1.0)  # for which no busy machine holds the writer up
    with writer(tmp_path, pause=0), pytest.raises(WorkspaceError, match="written to without a pause"):
        copy_database(tmp_path / "workspace.duckdb", tmp_path / "copy", patience=0.3)


def test_a_snapshot_stays_as_it_was_and_tells_that_there_is_more(tmp_path: Path) -> None:
    add_sentence(tmp_path, "x")
    snapshot = Snapshot(tmp_path)
    assert snapshot.is_current()
    add_sentence(tmp_path, "y")
    assert not snapshot.is_current()
    assert sentences(snapshot.workspace) == 1
    place = snapshot.workspace.database.path.parent
    snapshot.close()
    assert not place.exists()


def test_a_process_that_holds_a_workspace_keeps_its_lock(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    with pytest.raises(WorkspaceError, match="open in this process"):
        Snapshot(tmp_path)
    workspace.close()
    Snapshot(tmp_path).close()


def test_where_there_is_no_workspace_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="there is no workspace in"):
        Snapshot(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_an_exported_snapshot_is_a_workspace_of_its_own(built: Path, tmp_path: Path) -> None:
    target = tmp_path / "snapshot"
    size = export_snapshot(built, target)
    assert size == sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    assert {path.name for path in target.iterdir()} == {"workspace.duckdb", "attention"}
    workspace = Workspace.open(target)
    (model,) = workspace.models.all()
    head = model.head_ids()[5]
    source = workspace.library.parsed_best(model.id)[head]
    stored = workspace.library.best_frame(model.id, Split.TEST).set_index(["layer", "head"])
    fit = workspace.examiner(model, Split.TEST).compare(head, source).fit
    assert fit.value == pytest.approx(stored.loc[(head.layer, head.head)].iou, abs=1e-3)
    workspace.close()
    with pytest.raises(WorkspaceError, match="holds something already"):
        export_snapshot(built, target)


def add_sentence(folder: Path, name: str) -> None:
    workspace = Workspace.open(folder)
    workspace.database.run("INSERT INTO sentences VALUES (?, 'text', 'story', 'train')", [name])
    workspace.close()
