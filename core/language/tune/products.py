"""Programs whose weight is a product of fitted literals, each to some power or as one, and of fixed factors.

    weight = fixed(q, k) * prod_i literal_i ** power_i(q, k) * prod_j base_j(q, k) ** literal_j

`if condition: weight *= 24` has the power 1 where the condition holds and 0 elsewhere;
`weight *= 0.8 ** (q.index - k.index)` has the distance as its power; `weight *= (look("L3H5", q, k) + 0.002)
** 0.4` has a base that is never 0. The logarithm of such a weight is linear in the logarithms of the former
literals and in the latter ones, and neither the fixed part nor powers nor bases change in a fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from core.language import nodes as n
from core.language.reading.program import ParsedProgram
from core.language.tune.literals import LOWEST, Literal, Position, bare_number
from core.language.walk import expressions, parts, statements


@dataclass(frozen=True)
class Product:
    """Bodies that give the parts of a product; equal for programs that differ in fitted literals only."""

    fixed: n.Block  # the program with 1 in place of every fitted literal, 0 of one that is an exponent
    powers: tuple[n.Block, ...]  # of each literal, in source order; of an exponent that of its base
    bases: tuple[n.Block | None, ...]  # of each literal that is an exponent


def as_product(program: ParsedProgram, literals: Sequence[Literal]) -> Product | None:
    """The parts of a program that is a product of its literals; None if it is not."""
    positions = [literal.position for literal in literals]
    fitted = frozenset(positions)
    bases = {position: base for position, base in _bases(program.body).items() if position in fitted}
    terms = _Terms(fitted, frozenset(bases), _carriers(program.body, fitted))
    try:
        powers = tuple(_Powers(terms, position).body(program.body) for position in positions)
    except _NoProduct:
        return None
    ones = {position: 0.0 if position in bases else 1.0 for position in positions}
    return Product(
        with_values(program.body, ones), powers, tuple(bases.get(position) for position in positions)
    )


def with_values(body: n.Block, values: Mapping[Position, float]) -> n.Block:
    """A body with these numbers in place of its literals."""

    def change(node: n.Expression) -> n.Expression:
        if isinstance(node, n.Number) and (node.line, node.column) in values:
            return replace(node, value=values[node.line, node.column])
        return _rebuilt(node, change)

    return _changed(body, change)


class _NoProduct(Exception):
    """A literal is somewhere that no power of it describes."""


@dataclass(frozen=True)
class _Terms:
    """Where the fitted literals of a program are."""

    fitted: frozenset[Position]
    exponents: frozenset[Position]  # of them, those that are exponents of what is never 0
    carriers: frozenset[str]  # locals that hold a product; in a rewritten program, its power


class _Powers:
    """Rewrites a program to one that returns the power of one literal, or of the base under it.

    What has no part in that is left out: whether it fails, `fixed` tells.
    """

    def __init__(self, terms: _Terms, wanted: Position) -> None:
        self.terms = terms
        self.wanted = wanted

    def body(self, block: n.Block) -> n.Block:
        return tuple(self._statements(block))

    def _statements(self, block: n.Block) -> Iterator[n.Statement]:
        for node in block:
            match node:
                case n.Return():
                    yield replace(node, value=self._power(node.value))
                case n.Assign() if node.name in self.terms.carriers:
                    power = self._power(node.value)
                    if not (isinstance(power, n.Local) and power.name == node.name):
                        yield replace(node, value=power)
                case n.Assign():
                    yield node
                case n.If():
                    branches = tuple((test, self.body(inner)) for test, inner in node.branches)
                    otherwise = self.body(node.otherwise)
                    if otherwise or any(inner for _, inner in branches):
                        yield n.If(node.line, node.column, branches, otherwise)

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
                case "**" if not carries and (position := self._exponent(step.operand)) is not None:
                    power = self._of_base(step.operand, position)
                case _:
                    raise _NoProduct
            carries = True
        return power

    def _carries(self, node: n.Expression) -> bool:
        return _carries(node, self.terms.fitted, self.terms.carriers)

    def _exponent(self, node: n.Expression) -> Position | None:
        """Where the literal of an exponent is, with or without a sign, if its base is never 0."""
        bare = bare_number(node)
        found = None if bare is None else (bare.line, bare.column)
        return found if found in self.terms.exponents else None

    def _of_base(self, node: n.Expression, position: Position) -> n.Expression:
        """1 or -1 where a literal is the wanted one, as the exponent's sign is."""
        sign = 1.0
        while isinstance(node, n.Sign):
            sign, node = (-sign if node.operator == "-" else sign), node.operand
        return _number(node, sign if position == self.wanted else 0.0)


def _bases(body: n.Block) -> dict[Position, n.Block]:
    """The base of each literal that is the exponent of what another head gives plus a positive number.

    The base is never 0, and it is read off q and k alone, so that it can be evaluated by itself.
    """
    found: dict[Position, n.Block] = {}
    for statement in statements(body):
        for node in (part for expression in expressions(statement) for part in parts(expression)):
            match node:
                case n.Arithmetic(
                    first=n.Look() as look,
                    steps=(
                        n.Step(operator="+", operand=n.Number() as least) as plus,
                        n.Step(operator="**") as power,
                        *_,
                    ),
                ) if least.value >= LOWEST and not any(isinstance(part, n.Local) for part in parts(look)):
                    literal = bare_number(power.operand)
                    if literal is not None:
                        base = n.Arithmetic(node.line, node.column, look, (plus,))
                        returned = n.Return(node.line, node.column, base)
                        found[literal.line, literal.column] = (returned,)
    return found


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
