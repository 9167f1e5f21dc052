"""The parts of an exported file that are copied from where they are defined: attributes and functions."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from types import ModuleType

from core.features import ATTRIBUTES, Attribute, left_context, occurrence
from core.language.functions import FUNCTIONS
from core.language.reading.syntax import syntax_tree

_TABLE = '''
def table(value: Any, entries: dict[Any, float], otherwise: float) -> Number:
    """The number beside a value, else the last one."""
    return Number(entries.get(value, otherwise))
'''


def attributes_text() -> str:
    """Every attribute: what it is where there is no token, and how it is read off the texts."""
    computed = [attribute for attribute in ATTRIBUTES.values() if not attribute.from_parser]
    parts = [
        f"MISSING: dict[str, Any] = {{{_pairs(_missing())}}}",
        f"LINKS = {tuple(name for name, attribute in ATTRIBUTES.items() if attribute.kind == 'token')!r}",
        *(_definitions(module) for module in (left_context, occurrence)),
        *(_reading(attribute) for attribute in computed),
        f"COMPUTED = {{{_pairs({attribute.name: _name_of(attribute) for attribute in computed})}}}",
    ]
    return "\n\n\n".join(parts) + "\n"


def functions_text() -> str:
    """Every function of the language, and the forms that are called like one."""
    sources = [*(function.exported for function in FUNCTIONS.values()), _TABLE]
    return "\n\n\n".join(source.strip("\n") for source in sources) + "\n"


def must_be_given() -> tuple[str, ...]:
    """What cannot be worked out from texts: spaCy's attributes, and the embedding for similarity()."""
    return (*(name for name, attribute in ATTRIBUTES.items() if attribute.from_parser), "vector")


def named(from_parser: bool) -> str:
    """The names of the attributes that are given, or of those worked out from the texts, in lines."""
    order = ("index", "text", "prev", "next")  # never given, so in no list
    chosen = [n for n, a in ATTRIBUTES.items() if a.from_parser == from_parser and n not in order]
    return textwrap.fill(" ".join(chosen), 110, break_long_words=False)


def _missing() -> dict[str, str]:
    """Attribute -> what it is where there is no token, as source; tokens are set apart."""
    return {
        name: (json.dumps if attribute.kind == "text" else repr)(
            int(attribute.missing) if attribute.kind == "number" else attribute.missing
        )
        for name, attribute in ATTRIBUTES.items()
        if attribute.kind != "token"
    }


def _pairs(values: dict[str, str]) -> str:
    return "".join(f'\n    "{name}": {value},' for name, value in values.items()) + "\n"


def _name_of(attribute: Attribute) -> str:
    return f"read_{attribute.name}"


def _reading(attribute: Attribute) -> str:
    """The function that reads an attribute, under a name of its own and without its decorator."""
    (function,) = syntax_tree(textwrap.dedent(inspect.getsource(attribute.read))).body
    assert isinstance(function, ast.FunctionDef), f"`{attribute.name}` must be read by a function with `def`"
    function.name, function.decorator_list = _name_of(attribute), []
    return ast.unparse(function)


def _definitions(module: ModuleType) -> str:
    """A module's source without its docstring and imports."""
    source = inspect.getsource(module)
    skipped = (ast.Import, ast.ImportFrom, ast.Expr)
    node = next(node for node in syntax_tree(source).body if not isinstance(node, skipped))
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    return "\n".join(source.splitlines()[first - 1 :])
