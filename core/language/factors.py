"""Programs that start at a number and multiply it line by line, which is what the search writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.language import nodes as n
from core.language.render import render_expression
from core.language.walk import parts
from core.types import HeadId


@dataclass(frozen=True, slots=True)
class LookPower:
    """`(look(head, q, k) + plus) ** power`: an operand that is known where the head's map is."""

    head: HeadId
    plus: float
    power: float


@dataclass(frozen=True, slots=True)
class Part:
    """An expression that reads no local: the same in every program in which it stands."""

    expression: n.Expression
    key: str  # equal for those that say the same


@dataclass(frozen=True, slots=True)
class Power:
    """`base ** exponent` of a literal."""

    base: float
    exponent: Part


@dataclass(frozen=True, slots=True)
class Factor:
    """`weight *= amount`, everywhere or where all conditions hold."""

    conditions: tuple[Part, ...]
    amount: float | LookPower | Power | Part


def factors_of(body: n.Block) -> tuple[Factor, ...] | None:
    """The factors of `weight = 1`, `weight *= ...`, `if ...: weight *= ...`, `return weight`.

    None for programs of another form, and for those of which a factor is 0, negative or a condition.
    """
    match body:
        case (n.Assign(kind="number", name=name) as first, *lines, n.Return(value=n.Local(name=returned))):
            try:
                if name == returned:
                    return (Factor((), _amount(first.value)), *_factors(tuple(lines), name, ()))
            except _NoFactorError:
                return None
    return None


class _NoFactorError(Exception):
    """A line is no factor."""


def _factors(lines: n.Block, name: str, conditions: tuple[Part, ...]) -> Iterator[Factor]:
    for line in lines:
        match line:
            case n.Assign(
                name=assigned,
                value=n.Arithmetic(first=n.Local(name=before), steps=(n.Step(operator="*") as by,)),
            ) if assigned == before == name:
                yield Factor(conditions, _amount(by.operand))
            case n.If(branches=((test, inner),), otherwise=()) if inner:
                operands = test.operands if isinstance(test, n.Logic) and test.operator == "and" else (test,)
                yield from _factors(inner, name, (*conditions, *map(_part, operands)))
            case _:
                raise _NoFactorError


def _amount(node: n.Expression) -> float | LookPower | Power | Part:
    number = number_of(node)
    if node.kind == "boolean" or (number is not None and number <= 0):
        raise _NoFactorError  # weights may be 0, or negative
    if number is not None:
        return number
    match node:
        case n.Arithmetic(first=n.Number(value=base), steps=(n.Step(operator="**") as step,)):
            return Power(base, _part(step.operand))
    return look_power(node) or _part(node)


def _part(node: n.Expression) -> Part:
    if any(isinstance(part, n.Local) for part in parts(node)):
        raise _NoFactorError
    return Part(node, render_expression(node))


def look_power(node: n.Expression) -> LookPower | None:
    """An expression as such a power of what a head gives from q to k; None if it is something else."""
    first, steps = _flat(node)
    match first:
        case n.Look(query=n.Parameter(name="q"), key=n.Parameter(name="k")):
            found = {"+": 0.0, "**": 1.0}
            allowed: list[str] = list(found)
            for step in steps:
                number = number_of(step.operand)
                if number is None or step.operator not in allowed:
                    return None
                found[step.operator] = number
                del allowed[: allowed.index(step.operator) + 1]
            return LookPower(first.head, found["+"], found["**"])
    return None


def number_of(node: n.Expression) -> float | None:
    """A literal's value, perhaps with a sign; None for anything else."""
    match node:
        case n.Number(value=value):
            return value
        case n.Sign(operator=operator, operand=n.Number(value=value)):
            return -value if operator == "-" else value
    return None


def _flat(node: n.Expression) -> tuple[n.Expression, tuple[n.Step, ...]]:
    """What a chain begins with and its steps, of an inner chain first."""
    if not isinstance(node, n.Arithmetic):
        return node, ()
    first, steps = _flat(node.first)
    return first, (*steps, *node.steps)
