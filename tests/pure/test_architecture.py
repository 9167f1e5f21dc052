"""Imports go one way, Streamlit stays in the pages, SQL stays in the store."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each layer may import itself and the layers before it.
LAYERS = [
    {"types", "errors", "settings", "files", "maps", "display", "doors"},
    {"corpus", "features"},
    {"models", "language"},
    {"scoring"},
    {"proposers", "hybrid"},
    {"audit"},
    {"store"},
    {"review", "sharing"},
    {"jobs"},
    {"cli", "ui", "__main__"},
    {"pages", "app"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FILES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "core").rglob("*.py"))]
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|VIEW|INDEX))\b",
    re.IGNORECASE | re.DOTALL,
)


def module_of(path: Path) -> str:
    """The layer's name of a file: `language` for core/language/parse.py, `app` for app.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "core" and len(parts) > 1 else parts[0]


def imported(path: Path) -> set[str]:
    """Full names of the modules a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return names


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_imports_go_one_way(path: Path) -> None:
    if path == ROOT / "core/__init__.py":
        return
    here = RANK[module_of(path)]
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "core" and len(parts) > 1 and parts[1] in RANK:
            assert RANK[parts[1]] <= here, f"{named(path)} imports {name}, which lies above it"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_only_pages_and_ui_import_streamlit(path: Path) -> None:
    if module_of(path) not in {"ui", "pages", "app"}:
        assert not any(name.split(".")[0] == "streamlit" for name in imported(path))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_only_the_store_holds_sql(path: Path) -> None:
    if module_of(path) == "store":
        return
    texts = [
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert not [text for text in texts if SQL.search(text)]


def test_every_file_has_its_place_in_the_order() -> None:
    assert {module_of(path) for path in FILES} - {"__init__"} <= set(RANK)


def test_the_rules_would_notice() -> None:
    assert SQL.search("SELECT a FROM b")
    assert RANK["store"] > RANK["audit"] > RANK["types"]
