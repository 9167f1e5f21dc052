from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import duckdb
import pytest

from core.errors import WorkspaceBusy, WorkspaceError, WorkspaceTooNew
from core.store.database import MIGRATIONS, open_database
from core.store.workspace import Workspace

HOLD = """
import sys
from pathlib import Path
from core.store.workspace import Workspace
workspace = Workspace.open(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path) -> Iterator[subprocess.Popen]:
    """Another process that holds the workspace until its input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        yield process


def test_every_migration_is_recorded(tmp_path):
    database = open_database(tmp_path / "w.duckdb")
    applied = [number for (number,) in database.rows("SELECT number FROM migrations ORDER BY number")]
    assert applied == [int(script.name[:4]) for script in sorted(MIGRATIONS.glob("*.sql"))]
    database.close()


def test_migrations_are_numbered_without_gaps():
    numbers = [int(script.name[:4]) for script in sorted(MIGRATIONS.glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_was_written_is_there_when_opened_again(tmp_path):
    for expected in ([], [("x",)]):
        database = open_database(tmp_path / "w.duckdb")
        assert database.rows("SELECT sentence_id FROM sentences") == expected
        if not expected:
            database.run("INSERT INTO sentences VALUES (?, 'text', 'story', 'train')", ["x"])
        database.close()


def test_a_failed_transaction_leaves_nothing(tmp_path):
    database = open_database(tmp_path / "w.duckdb")
    with pytest.raises(KeyboardInterrupt), database.transaction() as cursor:  # noqa: PT012
        cursor.execute("INSERT INTO sentences VALUES ('x', 'text', 'story', 'train')")
        raise KeyboardInterrupt
    assert database.rows("SELECT * FROM sentences") == []
    database.close()


def test_transactions_of_two_threads_wait_for_each_other(tmp_path):
    database = open_database(tmp_path / "workspace.duckdb")
    database.run("CREATE TABLE numbers (n INTEGER)")
    database.run("INSERT INTO numbers VALUES (0)")

    def count(_):
        with database.transaction() as cursor:
            cursor.execute("UPDATE numbers SET n = n + 1")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(200)))
    assert database.rows("SELECT n FROM numbers") == [(200,)]
    database.close()


def test_an_interrupted_query_is_an_interrupt(tmp_path):
    database = open_database(tmp_path / "workspace.duckdb")

    def query_again_and_again():  # the interrupt may also fall between two queries
        for _ in range(100):
            database.rows("SELECT sum(a.range * b.range) FROM range(100000) a, range(400) b")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest-xdist ignores it
    try:
        Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            query_again_and_again()
    finally:
        signal.signal(signal.SIGINT, before)
    assert database.rows("SELECT 1") == [(1,)]
    database.close()


def test_a_later_schema_is_refused_and_let_go_of(tmp_path):
    database = open_database(tmp_path / "w.duckdb")
    database.run("INSERT INTO migrations VALUES (999, now())")
    database.close()
    for _ in range(2):
        with pytest.raises(WorkspaceTooNew, match=r"schema 999.*update Headscript"):
            open_database(tmp_path / "w.duckdb")


def test_a_second_process_is_told_who_holds_the_workspace(tmp_path, holder):
    with pytest.raises(WorkspaceBusy, match=f"in use by process {holder.pid}; close that app") as caught:
        Workspace.open(tmp_path)
    assert caught.value.exit_code == 3


def test_the_workspace_is_free_once_its_holder_is_killed(tmp_path, holder):
    holder.kill()
    holder.wait()
    Workspace.open(tmp_path).close()


def not_a_database(path: Path) -> None:
    path.write_bytes(b"junk" * 5000)


def cut_in_half(path: Path) -> None:
    open_database(path).close()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(path: Path) -> None:
    open_database(path).close()
    path.write_bytes(path.read_bytes()[:9000] + b"\xff" * (path.stat().st_size - 9000))


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("damage", [not_a_database, cut_in_half, overwritten, a_folder])
def test_a_file_that_cannot_be_read_is_named(tmp_path, damage):
    damage(tmp_path / "w.duckdb")
    with pytest.raises(WorkspaceError, match=r"cannot open .*w\.duckdb"):
        open_database(tmp_path / "w.duckdb")


@pytest.mark.parametrize("table", ["migrations (name TEXT)", "models (name TEXT)"])
def test_another_programs_database_is_told(tmp_path, table):
    with duckdb.connect(str(tmp_path / "workspace.duckdb")) as connection:
        connection.execute(f"CREATE TABLE {table}")
    with pytest.raises(WorkspaceError, match="is the database of another program"):
        open_database(tmp_path / "workspace.duckdb")
    duckdb.connect(str(tmp_path / "workspace.duckdb")).close()  # it was let go of


def test_a_file_where_the_workspace_should_be_is_an_error_in_words(tmp_path):
    (tmp_path / "workspace").write_text("in the way")
    with pytest.raises(WorkspaceError, match="cannot write to"):
        Workspace.open(tmp_path / "workspace")
