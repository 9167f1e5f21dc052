"""The DuckDB file: one owner at a time, numbered migrations, one cursor a thread, no other file in reach."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, RLock, get_ident
from typing import Any
from weakref import WeakSet

import duckdb
import pandas as pd
import pyarrow as pa

from core.errors import WorkspaceBusy, WorkspaceError, WorkspaceTooNew
from core.files import disk_errors
from core.store import schema

_CLOSE_PATIENCE = 5.0  # seconds, before what other threads do is broken off
_CONFINED: dict[
    str, str | bool | int | float | list[str]
] = {  # whoever made the file: no other file, no extension, no network
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "lock_configuration": "true",
}
_FULL = re.compile("No space left|could not write", re.IGNORECASE)
_DAMAGED = re.compile("corrupt|checksum|not read enough bytes|database has been invalidated", re.IGNORECASE)


_held: WeakSet[Database] = WeakSet()


class Database:
    """A connection that every table's code shares; safe to use from several threads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._connection = connection
        self._writing = RLock()  # two transactions at once could neither see nor survive each other
        self._free = Condition()  # guards the connection; told when a cursor is done
        self._cursors: dict[duckdb.DuckDBPyConnection, int] = {}  # and the thread that has it
        self._is_closed = False
        _held.add(self)

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.named(sql, parameters)[1]

    def named(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """A query's column names and all its rows."""
        with self._cursor() as cursor:
            result = cursor.execute(sql, _given(parameters))
            return [name for name, *_ in result.description], result.fetchall()

    def frame(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """A query's result as a data frame."""
        columns, rows = self.named(sql, parameters)
        return pd.DataFrame(rows, columns=columns)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """One statement in a transaction of its own."""
        with self.transaction() as cursor:
            cursor.execute(sql, list(parameters))

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor whose statements take effect together or not at all."""
        with self._writing, self._cursor() as cursor:
            cursor.begin()
            try:
                yield cursor
            except BaseException as error:
                with suppress(duckdb.Error):  # of a damaged database nothing can be rolled back
                    cursor.rollback()
                raise error
            try:
                cursor.commit()
            except duckdb.TransactionException as error:
                if not _FULL.search(str(error)):
                    raise
                raise WorkspaceError(
                    "the disk that holds the workspace is full, so this was not stored; free some space and "
                    "go on: nothing else is lost"
                ) from error

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for queries."""
        with self._cursor() as cursor:
            yield cursor

    def close(self) -> None:
        """Let go of the file, after what other threads are reading or writing just now.

        What they ask from then on is a WorkspaceError, as is what takes them too long.
        """
        with self._free:
            self._is_closed = True
            if not self._are_done(_CLOSE_PATIENCE):
                self._break_off()
            self._connection.close()
        _held.discard(self)

    def _are_done(self, seconds: float) -> bool:
        return self._free.wait_for(lambda: not self._cursors, seconds)

    def _break_off(self) -> None:
        """Interrupt what runs, more than once: it is lost on a thread between two queries."""
        for _ in range(100):
            for cursor in self._cursors:
                cursor.interrupt()
            if self._are_done(0.1):
                return

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._free:
            if self._is_closed and get_ident() not in self._cursors.values():
                raise self._let_go_of()
            cursor = self._connection.cursor()
            self._cursors[cursor] = get_ident()
        try:
            yield cursor
        except RuntimeError as error:
            if "Query interrupted" in str(error):  # DuckDB's word for Ctrl-C
                raise KeyboardInterrupt from error
            raise
        except duckdb.InterruptException as error:
            raise self._let_go_of() from error
        except duckdb.Error as error:
            told = _told(error, self.path)
            if told is None:
                raise
            raise told from error
        finally:
            cursor.close()
            with self._free:
                del self._cursors[cursor]
                self._free.notify_all()

    def _let_go_of(self) -> WorkspaceError:
        return WorkspaceError(f"the workspace {self.path.parent} was let go of by this process")


def is_held_here(path: Path) -> bool:
    """Whether this process has the database open."""
    return any(database.path.resolve() == path.resolve() for database in list(_held))


def insert(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    columns: pa.Schema,
    rows: Sequence[tuple[Any, ...]],
    otherwise: str = "",
) -> None:
    """Add rows of these columns to a table, all at once; `otherwise` is what is done about conflicts."""
    if not rows:
        return
    arrays = [
        pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), columns.types, strict=True)
    ]
    cursor.register("new_rows", pa.Table.from_arrays(arrays, schema=columns))
    cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM new_rows {otherwise}")
    cursor.unregister("new_rows")


def open_database(path: Path) -> Database:
    """The database at `path`, created or migrated to this version's schema.

    Where it cannot be written it is only read.

    Raises WorkspaceBusy if another process holds it, WorkspaceTooNew if a later version wrote it,
    WorkspaceError if it cannot be read, or holds what no version of Headscript makes.
    """
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        _require_ordinary(path)
    read_only = path.is_file() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
    database = Database(_connected(path, read_only), path, read_only)
    try:
        _migrate(database)
    except duckdb.Error as error:
        database.close()
        raise WorkspaceError(f"cannot open {path}: {_first_line(error)}") from error
    except BaseException:
        database.close()
        raise
    return database


def _connected(path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
    """A connection from which nothing but this database can be reached; its write-ahead log was read."""
    log = path.with_name(f"{path.name}.wal")
    try:
        logged = log.stat().st_size if log.is_file() else 0
        connection = duckdb.connect(str(path), read_only=read_only, config=_CONFINED)
    except duckdb.Error as error:
        holder = re.search(r"PID (\d+)", str(error))
        if holder is not None:
            raise WorkspaceBusy(
                f"the workspace {path.parent} is in use by process {holder[1]}; "
                "close that app or command, or choose another workspace with --workspace"
            ) from error
        if "WAL" in str(error):
            raise _damaged_log(log) from error
        raise WorkspaceError(f"cannot open {path}: {_first_line(error)}") from error
    read = connection.execute("SELECT wal_size FROM pragma_database_size()").fetchall()
    if logged and read == [
        ("0 bytes",)
    ]:  # DuckDB passes over a log that it cannot read, and then overwrites it
        connection.close()
        raise _damaged_log(log)
    return connection


def _damaged_log(log: Path) -> WorkspaceError:
    return WorkspaceError(
        f"{log} is damaged; it holds what was stored last, so nothing was opened or changed. Put this file "
        f"and {log.stem} back together from a copy, or move it away (and keep it) to go on without "
        "what it holds"
    )


def _require_ordinary(path: Path) -> None:
    """Only a file of the workspace's own: opening a pipe or a device would wait for ever."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise WorkspaceError(f"cannot open {path}: it is not an ordinary file")


def _told(error: duckdb.Error, path: Path) -> WorkspaceError | None:
    """What a database that cannot be read, or not be written, is to a user; None for any other error."""
    if "read-only mode" in str(error):
        return WorkspaceError(
            f"the workspace {path.parent} cannot be written, so it is only read; copy it to a disk "
            "that can be written to change anything"
        )
    if _DAMAGED.search(str(error)):
        return WorkspaceError(
            f"cannot read {path}, which is damaged ({_first_line(error)}); put it back from a copy. "
            "Attention and the folders of jobs beside it are not touched"
        )
    return None


def _migrate(database: Database) -> None:
    """Bring the schema up to this version's, once the catalogue holds nothing but an earlier one."""
    path, scripts = database.path, schema.scripts()
    with database.reading() as cursor:
        applied = schema.applied(cursor)
        newest = max(scripts)
        if applied and max(applied) > newest:
            raise WorkspaceTooNew(
                f"{path.parent} was written by a later version of Headscript (schema {max(applied)}, this "
                f"one knows {newest}); update Headscript or choose another workspace"
            )
        strange = schema.strange(cursor, applied)
        is_otherwise = not strange and schema.other_views(cursor, applied)
    if strange:
        raise WorkspaceError(
            f"{path} is the database of another program, or was tampered with: {', '.join(strange[:3])} "
            "is not as Headscript makes it; choose another workspace with --workspace"
        )
    missing = sorted(set(scripts) - applied)
    if database.read_only:
        if missing or is_otherwise:
            raise WorkspaceError(
                f"{path.parent} was written by an earlier version and cannot be written to be brought up to "
                "date; copy it to a disk that can be written"
            )
        return
    if is_otherwise:
        with database.transaction() as cursor:
            schema.renew_views(cursor, applied)
    for number in missing if applied else [0, *missing]:
        with database.transaction() as cursor:
            schema.migrate(cursor, number)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _given(parameters: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any] | list[Any]:
    return dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
