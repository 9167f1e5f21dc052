"""Programs whose weight is a product of fitted literals, each to some power, and of fixed factors.

    weight = fixed(q, k) * prod_i literal_i ** power_i(q, k)

`if condition: weight *= 24` has the power 1 where the condition holds and 0 elsewhere;
`weight *= 0.8 ** (q.index - k.index)` has the distance as its power. The logarithm of such a weight is
linear in the logarithms of the literals, and neither the fixed part nor the powers change in a fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from core.language import nodes as n
from core.language.reading.program import ParsedProgram
from core.language.tune.literals import Literal, Position
from core.language.walk import parts, statements


@dataclass(frozen=True)
class Product:
    """Bodies that give the parts of a product; equal for programs that differ in fitted literals only."""

    fixed: n.Block  # the program with 1 in place of every fitted literal
    powers: tuple[n.Block, ...]  # of each literal, in source order


def as_product(program: ParsedProgram, literals: Sequence[Literal]) -> Product | None:
    """The parts of a program that is a product of its literals; None if it is not."""
    positions = [literal.position for literal in literals]
    fitted = frozenset(positions)
    carriers = _carriers(program.body, fitted)
    try:
        powers = tuple(_Powers(fitted, carriers, position).body(program.body) for position in positions)
    except _NoProduct:
        return None
    return Product(with_ones(program.body, fitted), powers)


def with_ones(body: n.Block, fitted: frozenset[Position]) -> n.Block:
    """A body with 1 in place of these literals."""

    def change(node: n.Expression) -> n.Expression:
        if isinstance(node, n.Number) and (node.line, node.column) in fitted:
            return replace(node, value=1.0)
        return _rebuilt(node, change)

    return _changed(body, change)


class _NoProduct(Exception):
    """A literal is somewhere that no power of it describes."""


class _Powers:
    """Rewrites a program to one that returns the power of one literal."""

    def __init__(self, fitted: frozenset[Position], carriers: frozenset[str], wanted: Position) -> None:
        self.fitted = fitted
        self.carriers = carriers  # locals that hold a product; in the rewritten program, its power
        self.wanted = wanted

    def body(self, block: n.Block) -> n.Block:
        return tuple(self._statement(statement) for statement in block)

    def _statement(self, node: n.Statement) -> n.Statement:
        match node:
            case n.Return():
                return replace(node, value=self._power(node.value))
            case n.Assign():
                return replace(node, value=self._power(node.value)) if node.name in self.carriers else node
            case n.If():
                branches = tuple((test, self.body(block)) for test, block in node.branches)
                return n.If(node.line, node.column, branches, self.body(node.otherwise))

    def _power(self, node: n.Expression) -> n.Expression:
        if not self._carries(node):
            return _number(node, 0.0)
        match node:
            case n.Number():
                return _number(node, 1.0 if (node.line, node.column) == self.wanted else 0.0)
            case n.Local():
                return node
            case n.Sign():
                return self._power(node.operand)
            case n.Conditional():
                return replace(node, then=self._power(node.then), otherwise=self._power(node.otherwise))
            case n.Arithmetic():
                return self._chain(node)
            case n.Table():
                return self._table(node)
        raise _NoProduct

    def _table(self, node: n.Table) -> n.Expression:
        """The same table of powers."""
        powers = tuple(self._power(number) for number in node.numbers)
        return replace(node, numbers=powers, otherwise=self._power(node.otherwise))

    def _chain(self, node: n.Arithmetic) -> n.Expression:
        power, carries = self._power(node.first), self._carries(node.first)
        for step in node.steps:
            operand_carries = self._carries(step.operand)
            if not carries and not operand_carries:
                continue
            match step.operator:
                case "*":
                    power = _joined(power, "+", self._power(step.operand))
                case "/":
                    power = _joined(power, "-", self._power(step.operand))
                case "**" if not operand_carries:
                    power = _joined(power, "*", step.operand)
                case _:
                    raise _NoProduct
            carries = True
        return power

    def _carries(self, node: n.Expression) -> bool:
        return _carries(node, self.fitted, self.carriers)


def _joined(left: n.Expression, symbol: n.ArithmeticOperator, right: n.Expression) -> n.Expression:
    """`left symbol right`, without adding or multiplying by 0."""
    if isinstance(left, n.Number) and left.value == 0 and symbol in "*+":
        return left if symbol == "*" else right
    if isinstance(right, n.Number) and right.value == 0 and symbol in "+-":
        return left
    return n.Arithmetic(left.line, left.column, left, (n.Step(right.line, right.column, symbol, right),))


def _number(node: n.Expression, value: float) -> n.Number:
    return n.Number(node.line, node.column, node.column, value)


def _carries(node: n.Expression, fitted: frozenset[Position], carriers: frozenset[str]) -> bool:
    """Whether a fitted literal is part of an expression's value."""
    return any(
        (isinstance(part, n.Number) and (part.line, part.column) in fitted)
        or (isinstance(part, n.Local) and part.name in carriers)
        for part in parts(node)
    )


def _carriers(body: n.Block, fitted: frozenset[Position]) -> frozenset[str]:
    """Locals whose value a fitted literal is part of."""
    carriers: frozenset[str] = frozenset()
    assigned = [statement for statement in statements(body) if isinstance(statement, n.Assign)]
    while True:
        more = frozenset(s.name for s in assigned if _carries(s.value, fitted, carriers))
        if more == carriers:
            return carriers
        carriers = more


def _changed(block: n.Block, change: Callable[[n.Expression], n.Expression]) -> n.Block:
    """A block with every expression changed."""
    changed: list[n.Statement] = []
    for statement in block:
        if isinstance(statement, n.If):
            branches = tuple((change(test), _changed(inner, change)) for test, inner in statement.branches)
            otherwise = _changed(statement.otherwise, change)
            changed.append(n.If(statement.line, statement.column, branches, otherwise))
        else:
            changed.append(replace(statement, value=change(statement.value)))
    return tuple(changed)


def _rebuilt(node: n.Expression, change: Callable[[n.Expression], n.Expression]) -> n.Expression:
    """An expression with the numbers inside it changed; conditions hold none that can be fitted."""
    match node:
        case n.Sign():
            return replace(node, operand=change(node.operand))
        case n.Arithmetic():
            steps = tuple(replace(step, operand=change(step.operand)) for step in node.steps)
            return replace(node, first=change(node.first), steps=steps)
        case n.Conditional():
            return replace(node, then=change(node.then), otherwise=change(node.otherwise))
        case n.Table():
            numbers = tuple(change(number) for number in node.numbers)
            return replace(node, numbers=numbers, otherwise=change(node.otherwise))
        case n.Call():
            return replace(node, arguments=tuple(change(argument) for argument in node.arguments))
    return node
