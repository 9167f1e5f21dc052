"""The DuckDB file: one owner at a time, numbered migrations, one cursor a thread."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, RLock
from typing import Any

import duckdb
import pandas as pd

from core.errors import WorkspaceBusy, WorkspaceError, WorkspaceTooNew
from core.files import disk_errors

_CLOSE_PATIENCE = 5.0  # seconds
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """A connection that every table's code shares; safe to use from several threads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._writing = RLock()  # two transactions at once could neither see nor survive each other
        self._free = Condition()  # guards the connection; told when a cursor is done
        self._cursors = 0

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
            except BaseException:
                cursor.rollback()
                raise
            try:
                cursor.commit()
            except duckdb.TransactionException as error:
                if not re.search("No space left|could not write", str(error), re.IGNORECASE):
                    raise
                raise WorkspaceError(
                    "the disk that holds the workspace is full, so this was not stored; free some space and "
                    "go on: nothing else is lost"
                ) from error

    def close(self) -> None:
        """Let go of the file, after what other threads are reading or writing just now."""
        with self._free:
            self._free.wait_for(lambda: self._cursors == 0, timeout=_CLOSE_PATIENCE)
            self._connection.close()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._free:
            cursor = self._connection.cursor()
            self._cursors += 1
        try:
            yield cursor
        except RuntimeError as error:
            if "Query interrupted" in str(error):  # DuckDB's word for Ctrl-C
                raise KeyboardInterrupt from error
            raise
        finally:
            cursor.close()
            with self._free:
                self._cursors -= 1
                self._free.notify_all()


def open_database(path: Path) -> Database:
    """The database at `path`, created or migrated to this version's schema.

    Raises WorkspaceBusy if another process holds it, WorkspaceTooNew if a later version wrote it,
    WorkspaceError if it cannot be read.
    """
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        database = Database(duckdb.connect(str(path)))
    except duckdb.Error as error:
        holder = re.search(r"PID (\d+)", str(error))
        if holder is not None:
            raise WorkspaceBusy(
                f"the workspace {path.parent} is in use by process {holder[1]}; "
                "close that app or command, or choose another workspace with --workspace"
            ) from error
        raise WorkspaceError(f"cannot open {path}: {str(error).splitlines()[0]}") from error
    try:
        _migrate(database, path)
    except duckdb.IOException as error:
        database.close()
        raise WorkspaceError(f"cannot open {path}: {str(error).splitlines()[0]}") from error
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        database.close()
        raise WorkspaceError(
            f"{path} is the database of another program ({str(error).splitlines()[0]}); "
            "choose another workspace with --workspace"
        ) from error
    except BaseException:
        database.close()
        raise
    return database


def _migrate(database: Database, path: Path) -> None:
    database.run("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, applied_at TIMESTAMP)")
    applied = {number for (number,) in database.rows("SELECT number FROM migrations")}
    scripts = {int(script.name[:4]): script for script in sorted(MIGRATIONS.glob("*.sql"))}
    newest = max(scripts)
    if applied and max(applied) > newest:
        raise WorkspaceTooNew(
            f"{path.parent} was written by a later version of Headscript (schema {max(applied)}, this one "
            f"knows {newest}); update Headscript or choose another workspace"
        )
    for number in sorted(set(scripts) - applied):
        with database.transaction() as cursor:
            cursor.execute(scripts[number].read_text())
            cursor.execute("INSERT INTO migrations VALUES (?, make_timestamp(epoch_us(now())))", [number])


def _given(parameters: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any] | list[Any]:
    return dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
