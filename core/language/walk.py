"""Going through a node tree."""

from __future__ import annotations

from collections.abc import Iterator

from core.language import nodes as n


def statements(block: n.Block) -> Iterator[n.Statement]:
    """Every statement in source order, those inside branches too."""
    for statement in block:
        yield statement
        if isinstance(statement, n.If):
            for _, branch in statement.branches:
                yield from statements(branch)
            yield from statements(statement.otherwise)


def expressions(statement: n.Statement) -> list[n.Expression]:
    """A statement's own expressions: its conditions or its value."""
    if isinstance(statement, n.If):
        return [test for test, _ in statement.branches]
    return [statement.value]


def parts(node: n.Expression) -> Iterator[n.Expression]:
    """An expression and everything inside it."""
    yield node
    for child in children(node):
        yield from parts(child)


def children(node: n.Expression) -> list[n.Expression]:
    """The expressions directly inside an expression, in evaluation order."""
    match node:
        case n.Attribute() | n.Missing():
            return [node.token]
        case n.Sign() | n.Not():
            return [node.operand]
        case n.Membership():
            return [node.item]
        case n.Arithmetic():
            return [node.first, *(step.operand for step in node.steps)]
        case n.Comparison() | n.Logic():
            return list(node.operands)
        case n.Conditional():
            return [node.test, node.then, node.otherwise]
        case n.Call():
            return [*node.arguments, *(value for _, value in node.keywords)]
        case n.Table():
            return [node.subject, *node.numbers, node.otherwise]
        case n.Look():
            return [node.query, node.key]
        case n.Number() | n.Text() | n.Truth() | n.Parameter() | n.Local():
            return []
