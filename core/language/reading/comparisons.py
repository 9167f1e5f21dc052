"""Reading comparisons: `==` to `>=` in chains, `in` and `not in` a literal collection, `== None`."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from core.features import Kind
from core.language.nodes import (
    Comparison,
    ComparisonOperator,
    Constant,
    Expression,
    Membership,
    Missing,
    Text,
)
from core.language.reading.folding import constant
from core.language.reading.reader import NUMERIC, Reader
from core.language.reading.refusals import OPERATORS
from core.language.vocabulary import KIND_NAMES

_SYMBOLS: Mapping[type[ast.cmpop], ComparisonOperator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def read_comparison(reader: Reader, node: ast.Compare, depth: int) -> Expression | None:
    """A comparison of any form; None after reporting a problem."""
    for operator in node.ops:
        if refusal := OPERATORS.get(type(operator)):
            reader.problem(node, f"{reader.problems.quote(node)}: {refusal}")
            return None
    if any(isinstance(operator, ast.In | ast.NotIn) for operator in node.ops):
        return _read_membership(reader, node, depth)
    if any(_is_none(operand) for operand in (node.left, *node.comparators)):
        return _read_missing(reader, node, depth)
    return _read_chain(reader, node, depth)


def _read_chain(reader: Reader, node: ast.Compare, depth: int) -> Expression | None:
    written = [node.left, *node.comparators]
    operands = [reader.read(operand, depth + 1) for operand in written]
    symbols = [_SYMBOLS[type(operator)] for operator in node.ops]
    for right in node.comparators[1:]:
        reader.tally(right)
    known = [operand for operand in operands if operand is not None]
    if len(known) < len(operands):
        return None
    for at, symbol in enumerate(symbols):
        if problem := _mismatch(known[at].kind, symbol, known[at + 1].kind):
            reader.problem(node, f"{reader.problems.quote(node)}: {problem}")
            return None
    return Comparison(*reader.problems.start(node), tuple(known), tuple(symbols))


def _mismatch(left: Kind, symbol: ComparisonOperator, right: Kind) -> str | None:
    """Why these kinds do not compare so."""
    if left in NUMERIC and right in NUMERIC:
        return None
    if left != right:
        found = f"{KIND_NAMES[left]} does not compare with {KIND_NAMES[right]}"
        return f"{found}; compare attributes of one kind, such as `q.text {symbol} k.text`"
    if symbol not in ("==", "!="):
        return f"`{symbol}` does not order {left}; write `==` or `!=`, or compare numbers such as `k.index`"
    return None


def _read_missing(reader: Reader, node: ast.Compare, depth: int) -> Expression | None:
    if len(node.ops) > 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        reader.problem(node, f"{reader.problems.quote(node)}: compare with None as in `q.prev == None`")
        return None
    written = node.comparators[0] if _is_none(node.left) else node.left
    if _is_none(written):
        reader.problem(node, "`None` on both sides; compare a token with it, as in `q.prev == None`")
        return None
    reader.tally(node)
    token = reader.read(written, depth + 1)
    if token is None:
        return None
    if token.kind != "token":
        found = f"{reader.problems.quote(written)} is {KIND_NAMES[token.kind]} and always exists"
        reader.problem(written, f"{found}; only a token compares with None, as in `q.prev == None`")
        return None
    return Missing(*reader.problems.start(node), token, isinstance(node.ops[0], ast.NotEq))


def _read_membership(reader: Reader, node: ast.Compare, depth: int) -> Expression | None:
    operator = node.ops[0]
    if len(node.ops) > 1 or not isinstance(operator, ast.In | ast.NotIn):
        reader.problem(node, f"{reader.problems.quote(node)}: put `in` on its own and join with `and`")
        return None
    item = reader.read(node.left, depth + 1)
    choices = _read_choices(reader, node.comparators[0])
    if item is None or choices is None:
        return None
    kind: Kind = "text" if isinstance(choices[0], str) else "number"
    if item.kind != kind and not (item.kind == "boolean" and kind == "number"):
        found = f"{reader.problems.quote(node.left)} is {KIND_NAMES[item.kind]}, the choices are {kind}s"
        reader.problem(node, f"{found}; use choices of the same kind")
        return None
    return Membership(*reader.problems.start(node), item, choices, isinstance(operator, ast.NotIn))


def _read_choices(reader: Reader, node: ast.expr) -> tuple[Constant, ...] | None:
    """The distinct literals of a set, list or tuple, in order of value."""
    reader.tally(node)
    if not isinstance(node, ast.Set | ast.List | ast.Tuple) or not node.elts:
        instead = 'write literals, as in `k.pos in {"NOUN", "VERB"}`'
        if isinstance(node, ast.Constant | ast.Attribute | ast.Name):
            instead += "; for a part of a text `contains(k.text, ...)`"
        reader.problem(node, f"found {reader.problems.quote(node)} after `in`; {instead}")
        return None
    choices = [read_literal(reader, element, "choices") for element in node.elts]
    texts = sorted({choice for choice in choices if isinstance(choice, str)})
    numbers = sorted({choice for choice in choices if isinstance(choice, float)})
    if None in choices:
        return None
    if texts and numbers:
        reader.problem(node, f"{reader.problems.quote(node)} mixes kinds; use only text or only numbers")
        return None
    return tuple(texts or numbers)


def read_literal(reader: Reader, node: ast.expr, among: str) -> Constant | None:
    """A text or number that stands `among` others of its kind; None after reporting a problem."""
    match node:
        case ast.Constant() | ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant()):
            value = reader.read(node, 0)
        case _:
            found = reader.problems.quote(node)
            reader.problem(node, f"found {found} among the {among}; write only literals there")
            return None
    match value:
        case Text():
            return value.value
    return None if value is None else constant(value)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
