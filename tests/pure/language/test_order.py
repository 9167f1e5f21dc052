"""The language's folders import one way, and other rooms come in by its faces."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
LANGUAGE = ROOT / "core/language"
# A file may import those before it, and those beside it in its folder.
ORDER = (
    {"precision", "failures", "nodes", "walk", "vocabulary"},
    {"render", "values"},
    {"functions", "factors"},
    {"reading"},
    {"plain"},
    {"tensor", "describe", "references"},
    {"scalar"},
    {"tracing", "reasons"},
    {"tune", "export"},
)
PLACE = {name: place for place, names in enumerate(ORDER) for name in names}
FACES = {"core.language", "core.language.tune", "core.language.export", "core.features"}


def imports(path: Path) -> Iterator[str]:
    """The modules a file imports from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            is_folder = node.module == "core.language"
            yield from names if is_folder else [str(node.module)]


def test_folders_of_the_language_import_in_one_order() -> None:
    wrong = []
    for path in LANGUAGE.rglob("*.py"):
        here = path.relative_to(LANGUAGE).parts[0].removesuffix(".py")
        if here == "__init__":
            continue
        for name in imports(path):
            if name.startswith("core.language."):
                there = name.split(".")[2]
                if there != here and not PLACE[there] < PLACE[here] and not {here, there} <= ORDER[0]:
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_other_rooms_come_in_by_the_faces() -> None:
    files = [*(ROOT / "core").rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "app.py"]
    wrong = []
    for path in files:
        if path.is_relative_to(LANGUAGE) or path.is_relative_to(ROOT / "core/features"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith(
                ("core.language", "core.features")
            ):
                wrong += [] if node.module in FACES else [f"{path.relative_to(ROOT)}: {node.module}"]
    assert not wrong, "\n".join(wrong)
