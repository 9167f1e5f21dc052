"""What a database may hold: the tables and views that migrations make, and nothing else.

A workspace may come from a stranger. Whatever else its catalogue holds (a view in a table's place, a macro of
a function's name, a trigger) would run within our own queries, so it is refused before any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import duckdb

MIGRATIONS = Path(__file__).parent / "migrations"
_LOG = "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, applied_at TIMESTAMP)"

# What DuckDB lists of a kind of object, as rows of text that name one and say what it is. Defaults and what
# views say are left out: versions of DuckDB spell them in other ways.
_LISTS: Mapping[str, tuple[str, str]] = {
    "table": (
        "duckdb_tables",
        "SELECT concat_ws('.', schema_name, table_name), contains(sql, ' GENERATED ALWAYS ')::TEXT FROM {} "
        "WHERE NOT internal AND NOT temporary",
    ),
    "column": (
        "duckdb_columns",
        "SELECT concat_ws('.', table_name, column_name), concat_ws(' ', data_type, is_nullable) FROM {} "
        "WHERE NOT internal AND (schema_name, table_name) IN "
        "(SELECT (schema_name, table_name) FROM duckdb_tables())",
    ),
    "constraint": (
        "duckdb_constraints",
        "SELECT concat_ws('.', table_name, array_to_string(constraint_column_names, '.')), constraint_type "
        "FROM {}",
    ),
    "view": (
        "duckdb_views",
        "SELECT concat_ws('.', schema_name, view_name), '' FROM {} WHERE NOT internal AND NOT temporary",
    ),
    "index": ("duckdb_indexes", "SELECT concat_ws('.', schema_name, index_name), sql FROM {}"),
    "sequence": ("duckdb_sequences", "SELECT concat_ws('.', schema_name, sequence_name), '' FROM {}"),
    "schema": ("duckdb_schemas", "SELECT schema_name, '' FROM {} WHERE NOT internal"),
    "type": (
        "duckdb_types",
        "SELECT concat_ws('.', schema_name, type_name), '' FROM {} WHERE NOT internal",
    ),
    "macro": (
        "duckdb_functions",
        "SELECT concat_ws('.', schema_name, function_name), '' FROM {} WHERE NOT internal",
    ),
    "trigger": ("duckdb_triggers", "SELECT trigger_name, '' FROM {}"),
}

Catalogue = frozenset[tuple[str, str, str]]  # kind, name, what it is


def scripts() -> dict[int, Path]:
    """The migrations by number, in order."""
    return {int(script.name[:4]): script for script in sorted(MIGRATIONS.glob("*.sql"))}


def applied(cursor: duckdb.DuckDBPyConnection) -> frozenset[int]:
    """The numbers of the migrations that a database notes; none where it has no such table."""
    has_log = (
        "SELECT 1 FROM duckdb_tables() JOIN duckdb_columns() USING (database_name, schema_name, table_name) "
        "WHERE (schema_name, table_name, column_name, data_type) = "
        "('main', 'migrations', 'number', 'INTEGER')"
    )
    if not cursor.execute(has_log).fetchall():
        return frozenset()
    return frozenset(number for (number,) in cursor.execute("SELECT number FROM migrations").fetchall())


def migrate(cursor: duckdb.DuckDBPyConnection, number: int) -> None:
    """Apply a migration and note it; 0 makes the table to note them in."""
    if number == 0:
        cursor.execute(_LOG)
        return
    cursor.execute(scripts()[number].read_text())
    cursor.execute("INSERT INTO migrations VALUES (?, make_timestamp(epoch_us(now())))", [number])


def strange(cursor: duckdb.DuckDBPyConnection, numbers: Iterable[int]) -> list[str]:
    """What the catalogue has beyond what these migrations make, or lacks of it, as `view main.x`."""
    listed = _catalogue(cursor)
    made = _made(tuple(sorted(numbers)))[0]
    return sorted({f"{kind} {name}" for kind, name, _ in listed ^ made}) if listed else []


def other_views(cursor: duckdb.DuckDBPyConnection, numbers: Iterable[int]) -> bool:
    """Whether views of the migrations' names say something else, or the same as an older DuckDB spells it."""
    return _views(cursor) != _made(tuple(sorted(numbers)))[1]


def renew_views(cursor: duckdb.DuckDBPyConnection, numbers: Iterable[int]) -> None:
    """Put the migrations' own views in the place of those of their names."""
    for sql in _made(tuple(sorted(numbers)))[1].values():  # the oldest first: a view may name an earlier one
        cursor.execute(sql.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))


@cache
def _made(numbers: tuple[int, ...]) -> tuple[Catalogue, Mapping[str, str]]:
    """What migrations make: the catalogue, and each view's definition."""
    with duckdb.connect() as reference:
        for number in (0, *(number for number in numbers if number in scripts())):
            migrate(reference, number)
        return _catalogue(reference), _views(reference)


def _catalogue(cursor: duckdb.DuckDBPyConnection) -> Catalogue:
    known = _functions()
    return frozenset(
        (kind, name, what)
        for kind, (function, sql) in _LISTS.items()
        if function in known
        for name, what in cursor.execute(sql.format(f"{function}()")).fetchall()
    )


@cache
def _functions() -> frozenset[str]:
    """The functions of this DuckDB itself."""
    with duckdb.connect() as empty:
        rows = empty.execute("SELECT function_name FROM duckdb_functions()").fetchall()
    return frozenset(name for (name,) in rows)


def _views(cursor: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Every view's definition, the oldest first."""
    sql = "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY view_oid"
    return dict(cursor.execute(sql).fetchall())
