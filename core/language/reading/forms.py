"""Reading `table(...)` and `look(...)`, which take what stands nowhere else in the language."""

from __future__ import annotations

import ast
import re

from core.features import Kind
from core.language.nodes import Constant, Expression, Look, Number, Sign, Table
from core.language.reading.comparisons import read_literal
from core.language.reading.reader import Reader
from core.language.vocabulary import FORMS, KIND_NAMES
from core.types import HeadId

_HEAD = re.compile(r"L(?:0|[1-9]\d{0,3})H(?:0|[1-9]\d{0,3})")
_NUMBERS = re.compile(r"\D*(\d{1,4})\D+(\d{1,4})\D*", re.ASCII)

Entry = tuple[Constant, Expression]


def read_form(reader: Reader, node: ast.Call, name: str, depth: int) -> Expression | None:
    """A call of a form; None after reporting a problem."""
    if node.keywords or len(node.args) != 3:
        found = "takes no keywords" if node.keywords else f"takes 3 arguments, found {len(node.args)}"
        reader.problem(node, f"`{name}` {found}; write `{FORMS[name].example}`")
        return None
    return _read_table(reader, node, depth) if name == "table" else _read_look(reader, node, depth)


def _read_look(reader: Reader, node: ast.Call, depth: int) -> Expression | None:
    head = _read_head(reader, node.args[0])
    tokens = [_read_token(reader, written, depth) for written in node.args[1:]]
    known = [token for token in tokens if token is not None]
    if head is None or len(known) < len(tokens):
        return None
    reader.looks.add(head)
    return Look(*reader.problems.start(node), head, *known)


def _read_head(reader: Reader, node: ast.expr) -> HeadId | None:
    reader.tally(node)
    match node:
        case ast.Constant(value=str(name)) if _HEAD.fullmatch(name):
            return HeadId.parse(name)
        case ast.Constant(value=str(name)) if near := _NUMBERS.fullmatch(name):
            instead = f'did you mean "L{int(near[1])}H{int(near[2])}"?'
        case _:
            instead = f"name it in quotes, as in `{FORMS['look'].example}`"
    reader.problem(node, f"found {reader.problems.quote(node)} where `look` needs a head; {instead}")
    return None


def _read_token(reader: Reader, node: ast.expr, depth: int) -> Expression | None:
    token = reader.read(node, depth + 1)
    if token is None or token.kind == "token":
        return token
    found = f"{reader.problems.quote(node)} is {KIND_NAMES[token.kind]}, but `look` needs a token there"
    reader.problem(node, f"{found}; write `{FORMS['look'].example}`")
    return None


def _read_table(reader: Reader, node: ast.Call, depth: int) -> Expression | None:
    subject = reader.read(node.args[0], depth + 1)
    entries = _read_entries(reader, node.args[1])
    otherwise = reader.number(node.args[2], depth + 1, "the end of `table`")
    if subject is None or entries is None or otherwise is None:
        return None
    kind: Kind = "text" if isinstance(entries[0][0], str) else "number"
    if subject.kind != kind:
        found = f"{reader.problems.quote(node.args[0])} is {KIND_NAMES[subject.kind]}"
        reader.problem(node, f"{found}, the braces hold {kind}s; write `{FORMS['table'].example}`")
        return None
    choices, numbers = zip(*entries, strict=True)
    return Table(*reader.problems.start(node), subject, choices, numbers, otherwise)


def _read_entries(reader: Reader, node: ast.expr) -> list[Entry] | None:
    """The entries of the braces in order of value; None after reporting a problem."""
    reader.tally(node)
    if not isinstance(node, ast.Dict) or not node.keys:
        found = f"found {reader.problems.quote(node)} where `table` needs entries in braces"
        reader.problem(node, f"{found}; write `{FORMS['table'].example}`")
        return None
    pairs = zip(node.keys, node.values, strict=True)
    entries = [_read_entry(reader, node, choice, number) for choice, number in pairs]
    known = [entry for entry in entries if entry is not None]
    if len(known) < len(entries):
        return None
    choices = [choice for choice, _ in known]
    if len({type(choice) for choice in choices}) > 1:
        reader.problem(node, "`table` mixes kinds; use only text or only numbers before the colons")
        return None
    twice = next((choice for choice in choices if choices.count(choice) > 1), None)
    if twice is not None:
        reader.problem(node, f"`table` has {twice!r} twice; name each value once")
        return None
    return sorted(known, key=lambda entry: entry[0])


def _read_entry(reader: Reader, table: ast.Dict, choice: ast.expr | None, number: ast.expr) -> Entry | None:
    if choice is None:
        reader.problem(table, f"found `**`; write each entry out, as in `{FORMS['table'].example}`")
        return None
    found = read_literal(reader, choice, "entries of a table")
    if isinstance(found, float) and not found.is_integer():
        quoted = reader.problems.quote(choice)
        reader.problem(choice, f"{quoted} is no whole number; compare instead, with `if`")
        return None
    value = reader.read(number, 0)
    if value is None or found is None:
        return None
    plain = value.operand if isinstance(value, Sign) else value
    if not isinstance(plain, Number):
        reader.problem(number, f"found {reader.problems.quote(number)} in a table; write only numbers there")
        return None
    return found, value
