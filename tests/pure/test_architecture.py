"""Imports go down, rooms of one floor do not meet, Streamlit stays in the pages and SQL in the store."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
GROUND = frozenset(
    {"types", "errors", "doors", "settings", "files", "maps", "display", "wire", "canvas", "glossary"}
)
FLOORS = (  # a room may import the floors before its own; ground files may import one another
    GROUND,
    {"corpus", "features"},
    {"models", "language", "sandbox"},
    {"scoring"},
    {"proposers", "hybrid"},
    {"audit"},
    {"store", "review"},
    {"sharing", "jobs"},
    {"plugins"},
    {"notebook"},
    {"api"},
    {"cli", "ui"},
    {"pages", "app", "__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|VIEW|INDEX))\b",
    re.IGNORECASE | re.DOTALL,
)


def sources() -> list[Path]:
    core = [path for path in (ROOT / "core").rglob("*.py") if path != ROOT / "core/__init__.py"]
    return [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted(core)]


def room_of(path: Path) -> str:
    """The room of a file: `language` for core/language/reading/program.py, `app` for app.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "core" else parts[0]


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of the modules that a file imports, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def wrong_imports(room: str, names: Iterable[str]) -> list[str]:
    """Which of the imports of a file in `room` go up, sideways, relative, or to no room."""
    wrong = []
    for name in names:
        top, _, rest = name.partition(".")
        other = rest.split(".")[0]
        if name.startswith("."):
            wrong.append(f"{name} is relative")
        elif top == "core" and other not in ("", "__version__"):
            floor = FLOOR_OF.get(other)
            is_below = floor is not None and floor < FLOOR_OF[room]
            if not (other == room or is_below or {other, room} <= GROUND):
                wrong.append(f"{name} is not below {room}")
    return wrong


def sql_in(tree: ast.AST) -> list[str]:
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [text for text in texts if isinstance(text, str) and SQL.search(text)]


def test_every_import_goes_down_to_a_room_that_has_a_face() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in sources()
        for fault in wrong_imports(room_of(path), imported(ast.parse(path.read_text())))
    ]
    folders = {path.parent for path in sources() if path.is_relative_to(ROOT / "core")}
    wrong += [
        f"{folder.relative_to(ROOT)} has no __init__.py that says what it is"
        for folder in sorted(folders)
        if not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert not wrong, "\n".join(wrong)


def test_streamlit_stays_in_the_pages_and_sql_in_the_store() -> None:
    wrong = []
    for path in sources():
        tree, room = ast.parse(path.read_text()), room_of(path)
        if room not in ("ui", "pages", "app") and any(n.split(".")[0] == "streamlit" for n in imported(tree)):
            wrong.append(f"{path.relative_to(ROOT)} imports streamlit")
        if room != "store" and (texts := sql_in(tree)):
            wrong.append(f"{path.relative_to(ROOT)} holds SQL: {texts[0]!r}")
    assert not wrong, "\n".join(wrong)


def test_the_rules_notice_what_they_forbid() -> None:
    planted = """
from core.jobs import Watch
from core.types import HeadId
def inner():
    from core.review import queue
    from .files import whole
    import core.nowhere.deep
"""
    assert wrong_imports("store", imported(ast.parse(planted))) == [
        "core.jobs.Watch is not below store",
        "core.review.queue is not below store",
        ".files.whole is relative",
        "core.nowhere.deep is not below store",
    ]
    assert wrong_imports("types", ["core.errors.Problem", "core.corpus.load_corpus"]) == [
        "core.corpus.load_corpus is not below types"
    ]
    assert sql_in(ast.parse("x = 'select a\\nfrom b'")) == ["select a\nfrom b"]
    assert {room_of(path) for path in sources()} <= set(FLOOR_OF)
