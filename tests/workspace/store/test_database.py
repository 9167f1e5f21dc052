from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Timer

import duckdb
import pytest

from core.errors import WorkspaceBusy, WorkspaceError, WorkspaceTooNew
from core.store.database import Database, open_database
from core.store.schema import MIGRATIONS
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


@pytest.mark.parametrize("patience", [5.0, 0.1])
def test_it_is_closed_while_other_threads_go_on_asking(tmp_path, monkeypatch, patience):
    """Within the patience for queries that end by themselves, and soon after for one that does not."""
    monkeypatch.setattr("core.store.database._CLOSE_PATIENCE", patience)
    database = open_database(tmp_path / "workspace.duckdb")
    numbers, begun = 1000 if patience > 1 else 10**7, Event()

    def ask_again_and_again():
        while True:
            begun.set()
            database.rows(f"SELECT sum(a.range * b.range % 7) FROM range({numbers}) a, range({numbers}) b")

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask_again_and_again) for _ in range(3)]
        begun.wait()
        database.close()
        for one in asked:
            with pytest.raises(WorkspaceError, match="was let go of by this process"):
                one.result()
    open_database(tmp_path / "workspace.duckdb").close()


def test_what_a_thread_is_at_when_it_is_closed_is_done(tmp_path):
    database = open_database(tmp_path / "workspace.duckdb")
    with ThreadPoolExecutor(1) as pool, database.transaction() as cursor:
        closing = pool.submit(database.close)
        while not database._is_closed:
            pass
        cursor.execute("INSERT INTO sentences VALUES ('x', 'text', 'story', 'train')")
        assert database.rows("SELECT count(*) FROM models") == [(0,)]
    closing.result()
    database = open_database(tmp_path / "workspace.duckdb")
    assert database.rows("SELECT sentence_id FROM sentences") == [("x",)]
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
    with pytest.raises(WorkspaceError, match=r"cannot (open|read) .*w\.duckdb"):
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


def a_view_in_a_tables_place(connection: duckdb.DuckDBPyConnection, secret: Path) -> None:
    connection.execute("DROP TABLE sentences")
    connection.execute(
        f"CREATE VIEW sentences AS SELECT content AS text, 'x' AS sentence_id FROM read_text('{secret}')"
    )


def a_view_more(connection: duckdb.DuckDBPyConnection, secret: Path) -> None:
    connection.execute(f"CREATE VIEW more AS SELECT * FROM read_text('{secret}')")


def a_macro_of_a_functions_name(connection: duckdb.DuckDBPyConnection, secret: Path) -> None:
    connection.execute(f"CREATE MACRO max(x) AS (SELECT content FROM read_text('{secret}'))")


def a_generated_column(connection: duckdb.DuckDBPyConnection, secret: Path) -> None:
    connection.execute("DROP TABLE model_weights")
    connection.execute(
        "CREATE TABLE model_weights (model_id TEXT PRIMARY KEY, fingerprint TEXT AS (model_id || 'x'))"
    )


def a_column_of_another_type(connection: duckdb.DuckDBPyConnection, secret: Path) -> None:
    connection.execute("ALTER TABLE resolved ALTER COLUMN chain TYPE BLOB")


def another_schema(connection: duckdb.DuckDBPyConnection, secret: Path) -> None:
    connection.execute("CREATE SCHEMA theirs")


HOSTILE = [
    a_view_in_a_tables_place,
    a_view_more,
    a_macro_of_a_functions_name,
    a_generated_column,
    a_column_of_another_type,
    another_schema,
]


@pytest.mark.parametrize("change", HOSTILE)
def test_what_migrations_do_not_make_is_refused(tmp_path, change):
    path = tmp_path / "w.duckdb"
    secret = tmp_path / "secret"
    secret.write_text("a key")
    open_database(path).close()
    with duckdb.connect(str(path)) as connection:
        change(connection, secret)
    with pytest.raises(WorkspaceError, match="tampered with"):
        open_database(path)


def test_a_view_of_ours_that_says_something_else_is_put_right(tmp_path):
    path = tmp_path / "w.duckdb"
    (tmp_path / "secret").write_text("a key")
    open_database(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE OR REPLACE VIEW reviewer_verdicts AS SELECT * REPLACE ((SELECT content FROM "
            f"read_text('{tmp_path / 'secret'}')) AS note) FROM verdicts"
        )
    database = open_database(path)
    database.run(
        "INSERT INTO verdicts (model_id, layer, head, program_id, action, reviewer, reason, note, uid) "
        "VALUES ('m', 0, 0, 'p', 'accept', 'ada', '', 'mine', 'u')"
    )
    assert database.rows("SELECT note FROM reviewer_verdicts") == [("mine",)]
    assert database.rows("SELECT note FROM standing_verdicts") == [("mine",)]
    database.close()


@pytest.mark.parametrize(
    "query", ["SELECT * FROM read_text('{}')", "COPY models TO '{}'", "ATTACH '{}'", "LOAD '{}'"]
)
def test_no_query_reaches_another_file(tmp_path, query):
    secret = tmp_path / "secret"
    secret.write_text("a key")
    database = open_database(tmp_path / "w.duckdb")
    with pytest.raises(duckdb.PermissionException):
        database.rows(query.format(secret))
    with pytest.raises(duckdb.InvalidInputException, match="locked"):
        database.rows("SET enable_external_access = true")
    database.close()


STORE_AND_DIE = """
import os, sys
from pathlib import Path
from core.store.database import open_database
open_database(Path(sys.argv[1])).close()
database = open_database(Path(sys.argv[1]))
for n in range(9):
    database.run("INSERT INTO sentences VALUES (?, 't', 'story', 'train')", [str(n)])
os._exit(0)
"""


def test_a_damaged_log_is_named_with_a_way_out_and_never_passed_over(tmp_path):
    path, log = tmp_path / "w.duckdb", tmp_path / "w.duckdb.wal"
    subprocess.run([sys.executable, "-c", STORE_AND_DIE, str(path)], check=True)
    whole = log.read_bytes()
    middle = len(whole) // 2
    changed = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for damaged in (b"junk" * 1000, whole[:40], whole[:5] + b"\0" + whole[6:], changed):
        log.write_bytes(damaged)
        with pytest.raises(WorkspaceError, match=r"w\.duckdb\.wal is damaged.*move it away"):
            open_database(path)
        assert log.read_bytes() == damaged
    log.write_bytes(whole)
    database = open_database(path)
    assert database.rows("SELECT count(*) FROM sentences") == [(9,)]
    database.close()


def test_what_is_damaged_within_is_an_error_in_words(tmp_path):
    path = tmp_path / "w.duckdb"
    database = open_database(path)
    database.run("INSERT INTO sentences SELECT range::TEXT, uuid()::TEXT, 'story', 'train' FROM range(50000)")
    database.close()
    content = bytearray(path.read_bytes())
    first, last = len(content) // 4, 3 * len(content) // 4
    content[first:last] = bytes(last - first)
    path.write_bytes(content)

    def read_all():
        database = open_database(path)
        try:
            database.rows("SELECT * FROM sentences")
        finally:
            database.close()

    with pytest.raises(WorkspaceError, match=r"w\.duckdb, which is damaged"):
        read_all()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_ordinary_file_is_not_opened(tmp_path, make):
    make(tmp_path / "w.duckdb")
    with pytest.raises(WorkspaceError, match="not an ordinary file"):
        open_database(tmp_path / "w.duckdb")


READ_AS_NOBODY = """
import os, sys
from pathlib import Path
import core.jobs
from core.cli.session import session
from core.settings import Settings
from core.sharing.decisions import export_lines
os.setuid(65534)
with session(Settings(Path(sys.argv[1]))) as now:
    print(len(list(export_lines(now.workspace))), now.runner.refresh())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another user's place")
def test_a_workspace_that_cannot_be_written_is_only_read():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own lie where nobody else may look
        open_database(Path(folder) / "workspace.duckdb").close()
        Path(folder).chmod(0o755)
        command = [sys.executable, "-c", READ_AS_NOBODY, folder]
        result = subprocess.run(command, capture_output=True, text=True)
    told = "the workspace cannot be written, so it is only read\n"
    assert (result.returncode, result.stderr, result.stdout) == (0, told, "1 []\n")


def test_what_is_only_read_says_so_when_it_is_to_be_written(tmp_path):
    path = tmp_path / "w.duckdb"
    open_database(path).close()
    with duckdb.connect(str(path), read_only=True) as connection:
        database = Database(connection, path, read_only=True)
        with pytest.raises(WorkspaceError, match="cannot be written, so it is only read; copy it"):
            database.run("DELETE FROM sentences")
