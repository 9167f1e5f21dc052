"""Imports go down and in no circle, rooms of one floor do not meet.

Streamlit and SQL stay in their rooms, and source text is read in one place.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
GROUND = frozenset({"types", "errors", "doors", "settings", "files", "maps", "display", "wire"})
FLOORS = (  # a room may import the floors before its own; ground files may import one another
    GROUND,
    {"corpus", "features"},
    {"models", "language"},
    {"sandbox"},
    {"scoring"},
    {"proposers", "hybrid"},
    {"audit"},
    {"store", "review"},
    {"sharing", "jobs"},
    {"plugins"},
    {"notebook"},
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


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


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


def module(path: Path) -> str:
    """`core.language.parse`, or `core.language` for its `__init__.py`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def needed(name: str, files: Mapping[str, Path]) -> Iterator[str]:
    """The files that a file names in its imports, those that only a type checker follows among them."""
    for full in imported(tree_of(files[name])):
        found = full if full in files else full.rpartition(".")[0]
        if found in files and found != name:
            yield found


def circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """Names of which each has an arrow to the next, the last to the first; none if there is no circle."""
    places = {name: set(others) for name, others in arrows.items()}
    while ends := {name for name, others in places.items() if not others & set(places)}:
        places = {name: others for name, others in places.items() if name not in ends}
    walked: list[str] = []
    while places and (not walked or walked[-1] not in walked[:-1]):
        walked.append(min(places[walked[-1]] & set(places)) if walked else min(places))
    return walked[walked.index(walked[-1]) : -1] if walked else []


def sql_in(tree: ast.AST) -> list[str]:
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [text for text in texts if isinstance(text, str) and SQL.search(text)]


def test_every_import_goes_down_to_a_room_that_has_a_face() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in sources()
        for fault in wrong_imports(room_of(path), imported(tree_of(path)))
    ]
    folders = {path.parent for path in sources() if path.is_relative_to(ROOT / "core")}
    wrong += [
        f"{folder.relative_to(ROOT)} has no __init__.py that says what it is"
        for folder in sorted(folders)
        if not ast.get_docstring(tree_of(folder / "__init__.py"))
    ]
    assert not wrong, "\n".join(wrong)


def test_streamlit_stays_in_the_pages_and_sql_in_the_store() -> None:
    wrong = []
    for path in sources():
        tree, room = tree_of(path), room_of(path)
        if room not in ("ui", "pages", "app") and any(n.split(".")[0] == "streamlit" for n in imported(tree)):
            wrong.append(f"{path.relative_to(ROOT)} imports streamlit")
        if room != "store" and (texts := sql_in(tree)):
            wrong.append(f"{path.relative_to(ROOT)} holds SQL: {texts[0]!r}")
    assert not wrong, "\n".join(wrong)


def parses(tree: ast.AST) -> bool:
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return any(ast.unparse(node) == "ast.parse" for node in attributes)


def test_source_text_is_read_in_one_place() -> None:
    assert [module(path) for path in sources() if parses(tree_of(path))] == ["core.language.reading.syntax"]


def test_no_file_imports_what_imports_it() -> None:
    files = {module(path): path for path in sources()}
    found = circle({name: {*needed(name, files)} for name in files})
    assert not found, " -> ".join(found)


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
    arrows = {"a": "b", "b": "cd", "c": "e", "d": "b", "e": ""}
    assert circle(arrows) == ["b", "d"]
    assert circle(arrows | {"d": "e"}) == []
    assert sql_in(ast.parse("x = 'select a\\nfrom b'")) == ["select a\nfrom b"]
    assert {room_of(path) for path in sources()} <= set(FLOOR_OF)
