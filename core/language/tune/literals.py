"""The literals of a program that can be fitted, how they are rounded, and writing them back.

A literal can be fitted if it scales or shapes a weight: a factor, the base of a power, a fractional
exponent, a summand, a value returned. What decides a condition stays: literals in comparisons and sets,
in what is searched for, and in locals that any of these read. So do 0, whole exponents such as `** 2`,
exponents of a literal, operands of `//` and `%`, and what is added to a position (`k.index + 1`) or to what
another head gives, so that no weight is 0 (`look("L3H7", q, k) + 0.002`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from core.language import nodes as n
from core.language.functions import FUNCTIONS
from core.language.reading.program import ParsedProgram, parse
from core.language.walk import children, expressions, parts, statements

LOWEST, HIGHEST = 1e-6, 1e6  # a fitted literal stays within
MAX_DIGITS = 6

Position = tuple[int, int]  # line and column of a literal


@dataclass(frozen=True)
class Literal:
    """A literal to fit, where it stands and how it moves."""

    line: int
    column: int
    end_column: int  # exclusive
    value: float
    is_scale: bool  # moves by factors, so is fitted in log space; else by differences
    is_base: bool = False  # of a power that differs from pair to pair, so that small steps go far

    @property
    def position(self) -> Position:
        """What the evaluator knows it by."""
        return self.line, self.column


def literals(program: ParsedProgram) -> tuple[Literal, ...]:
    """The literals of a program that can be fitted, in source order."""
    found = _Finder(program.body)
    return tuple(sorted(found, key=lambda literal: literal.position))


def rewritten(program: ParsedProgram, values: Mapping[Literal, str]) -> ParsedProgram:
    """The program with these literals spelt so; everything else of the source stays as it is.

    Raises ProgramError where the new source is not a program: too long, or a product of literals above 1e6.
    """
    lines = program.source.split("\n")
    for literal in sorted(values, key=lambda literal: literal.position, reverse=True):
        line = lines[literal.line - 1]
        lines[literal.line - 1] = (
            line[: literal.column - 1] + values[literal] + line[literal.end_column - 1 :]
        )
    return parse("\n".join(lines))


def spelt(value: float, digits: int) -> str:
    """A positive number with so many significant digits, as a person writes it: 24, 0.8, 6.5, 120."""
    text = format(Decimal(f"{value:.{digits - 1}e}"), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class _Finder:
    """Goes through everything that becomes part of a weight."""

    def __init__(self, body: n.Block) -> None:
        self._statements = list(statements(body))
        self._deciding = _deciding_names(self._statements)
        self._positions: set[str] = set()  # locals that hold a position or a distance

    def __iter__(self) -> Iterator[Literal]:
        for statement in self._statements:
            if isinstance(statement, n.If):
                continue
            if isinstance(statement, n.Assign):
                if self._is_position(statement.value):
                    self._positions.add(statement.name)
                if statement.kind != "number" or statement.name in self._deciding:
                    continue
            yield from self._in(statement.value, True)

    def _in(self, node: n.Expression, is_scale: bool) -> Iterator[Literal]:
        """Literals of an expression; a bare one `is_scale` if it stands for a weight."""
        match node:
            case n.Number():
                if LOWEST <= node.value <= HIGHEST:
                    yield Literal(node.line, node.column, node.end_column, node.value, is_scale)
            case n.Sign():
                yield from self._in(node.operand, is_scale)
            case n.Arithmetic():
                yield from self._in_chain(node, is_scale)
            case n.Conditional():
                yield from self._in(node.then, is_scale)
                yield from self._in(node.otherwise, is_scale)
            case n.Call(function=name) if FUNCTIONS[name].may_fit:
                for argument in node.arguments:
                    yield from self._in(argument, False)
            case n.Table():
                for number in (*node.numbers, node.otherwise):
                    yield from self._in(number, is_scale)

    def _in_chain(self, node: n.Arithmetic, is_scale: bool) -> Iterator[Literal]:
        is_offset = any(self._is_position(term) or isinstance(term, n.Look) for term in summands(node))
        before = node.steps[0].operator  # the first operand is a summand or a factor like the second
        operands = [(before, node.first), *((step.operator, step.operand) for step in node.steps)]
        whole = [at for at, (symbol, _) in enumerate(operands) if symbol in ("//", "%")]
        if before == "**" and not whole:
            yield from self._in_power(node.first, node.steps[0].operand)
        start = whole[-1] + 1 if whole else 2 * (before == "**")
        for symbol, operand in operands[start:]:
            if symbol == "**":
                yield from self._in_exponent(operand)
            elif symbol in "*/":
                yield from self._in(operand, True)
            elif bare_number(operand) is None or not is_offset:
                yield from self._in(operand, is_scale)

    def _in_power(self, base: n.Expression, exponent: n.Expression) -> Iterator[Literal]:
        """The base alone if it is a literal: `0.8 ** (2 * x)` says no more than `0.64 ** x`."""
        if bare_number(base) is None:
            yield from self._in(base, True)
            yield from self._in_exponent(exponent)
        else:
            is_base = bare_number(exponent) is None
            yield from (replace(literal, is_base=is_base) for literal in self._in(base, True))

    def _in_exponent(self, exponent: n.Expression) -> Iterator[Literal]:
        bare = bare_number(exponent)
        if bare is None or not bare.value.is_integer():
            yield from self._in(exponent, bare is not None)

    def _is_position(self, node: n.Expression) -> bool:
        """Whether an expression is a whole number read off tokens, or such numbers added up."""
        match node:
            case n.Attribute():
                return node.kind == "number"
            case n.Local():
                return node.name in self._positions
            case n.Sign():
                return self._is_position(node.operand)
            case n.Call(function=name) if FUNCTIONS[name].place == "is one":
                return True
            case n.Call(function=name) if FUNCTIONS[name].place == "of a place":
                return any(self._is_position(argument) for argument in node.arguments)
            case n.Arithmetic():
                only_sums = all(step.operator in "+-" for step in node.steps)
                return only_sums and any(self._is_position(term) for term in summands(node))
        return False


def summands(node: n.Arithmetic) -> list[n.Expression]:
    """The operands of a chain that are added or subtracted."""
    first = [node.first] if node.steps[0].operator in "+-" else []
    return [*first, *(step.operand for step in node.steps if step.operator in "+-")]


def bare_number(node: n.Expression) -> n.Number | None:
    """The literal of `2`, `-2` and so on."""
    while isinstance(node, n.Sign):
        node = node.operand
    return node if isinstance(node, n.Number) else None


def _deciding_names(block: list[n.Statement]) -> set[str]:
    """Locals that a condition or a search depends on, directly or by way of other locals."""
    reads: dict[str, set[str]] = {}
    deciding: set[str] = set()
    for statement in block:
        for expression in expressions(statement):
            if isinstance(statement, n.If):
                deciding |= _locals_in(expression)
            for part in parts(expression):
                for condition in _conditions(part):
                    deciding |= _locals_in(condition)
            if isinstance(statement, n.Assign):
                reads.setdefault(statement.name, set()).update(_locals_in(expression))
    reached: set[str] = set()
    while deciding - reached:
        name = (deciding - reached).pop()
        reached.add(name)
        deciding |= reads.get(name, set())
    return deciding


def _conditions(node: n.Expression) -> list[n.Expression]:
    match node:
        case n.Conditional():
            return [node.test]
        case n.Call(function=name) if FUNCTIONS[name].may_fit:
            return []
        case n.Table():
            return [node.subject]
        case n.Comparison() | n.Membership() | n.Missing() | n.Not() | n.Logic() | n.Call() | n.Look():
            return children(node)
    return []


def _locals_in(node: n.Expression) -> set[str]:
    return {part.name for part in parts(node) if isinstance(part, n.Local)}
