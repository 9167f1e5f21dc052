"""Which heads a program looks at, and how strongly it follows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.language import nodes as n
from core.language.factors import number_of
from core.language.reading.program import ParsedProgram
from core.language.walk import expressions, parts, statements
from core.types import HeadId


@dataclass(frozen=True)
class Reference:
    """A head that a program looks at."""

    head: HeadId
    exponent: float | None  # of its weight as a factor of the program's: below 0 turns away; None: otherwise

    @property
    def strength(self) -> float:
        """The exponent's size; 0 where there is none."""
        return abs(self.exponent or 0.0)


def references(program: ParsedProgram) -> tuple[Reference, ...]:
    """Every head that a program looks at, in the order it names them.

    The exponent is `e` where `(look(...) + c) ** e` is a factor of what the program returns, and 1 where
    `look(...)` or `look(...) + c` is; divided by, it has the other sign. It is None where the head stands
    otherwise: in a condition, a sum, or the argument of a function. Of several places the strongest counts.
    """
    if not program.looks:
        return ()
    found: dict[HeadId, Reference] = {}
    weights = _returned(program)
    for statement in statements(program.body):
        is_weight = isinstance(statement, n.Return) or (
            isinstance(statement, n.Assign) and statement.name in weights
        )
        for expression in expressions(statement):
            factors = dict(_followed(expression)) if is_weight else {}
            for part in parts(expression):
                if isinstance(part, n.Look):
                    new = Reference(part.head, factors.get(id(part)))
                    known = found.setdefault(part.head, new)
                    if (new.exponent is not None, new.strength) > (
                        known.exponent is not None,
                        known.strength,
                    ):
                        found[part.head] = new
    return tuple(found.values())


def _returned(program: ParsedProgram) -> set[str]:
    """The locals that are factors of what a program returns."""
    return {
        factor.name
        for statement in statements(program.body)
        if isinstance(statement, n.Return)
        for factor, _ in _factors(statement.value)
        if isinstance(factor, n.Local)
    }


def _factors(node: n.Expression, sign: int = 1) -> Iterator[tuple[n.Expression, int]]:
    """The factors of a product, each with the sign of its exponent; an expression that is none is its own."""
    if not (isinstance(node, n.Arithmetic) and all(step.operator in ("*", "/") for step in node.steps)):
        yield node, sign
        return
    yield from _factors(node.first, sign)
    for step in node.steps:
        yield from _factors(step.operand, sign if step.operator == "*" else -sign)


def _followed(node: n.Expression) -> Iterator[tuple[int, float]]:
    """The looks that are factors, as the nodes' identities, with their exponents."""
    for factor, sign in _factors(node):
        base, exponent = factor, 1.0
        if isinstance(factor, n.Arithmetic) and factor.steps[-1].operator == "**":
            found = number_of(factor.steps[-1].operand)
            if found is None:
                continue
            rest = factor.steps[:-1]
            base = n.Arithmetic(factor.line, factor.column, factor.first, rest) if rest else factor.first
            exponent = found
        look = _look(base)
        if look is not None:
            yield id(look), sign * exponent


def _look(node: n.Expression) -> n.Look | None:
    """The look of `look(...)`, or of `look(...) + c`."""
    match node:
        case n.Look():
            return node
        case n.Arithmetic(first=n.Look() as look, steps=(n.Step(operator="+", operand=n.Number()),)):
            return look
        case n.Arithmetic(first=n.Number(), steps=(n.Step(operator="+", operand=n.Look() as look),)):
            return look
    return None
