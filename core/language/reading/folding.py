"""Values of expressions made of literals alone, so that `9**9**9` is refused before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from core.language.nodes import Arithmetic, ArithmeticOperator, Expression, Number, Sign, Truth


def _power(base: float, exponent: float) -> float:
    value = base**exponent
    return value if isinstance(value, float) else math.nan  # a negative base can give a complex number


OPERATORS: Mapping[ArithmeticOperator, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": _power,
}


def constant(node: Expression) -> float | None:
    """The value of a literal-only expression; None if it reads anything or cannot be computed.

    Literals are floats here, so no integer grows without bound.
    """
    match node:
        case Number() | Truth():
            return float(node.value)
        case Sign():
            value = constant(node.operand)
            return -value if value is not None and node.operator == "-" else value
        case Arithmetic():
            *_, value = running(node)
            return value
    return None


def running(node: Arithmetic) -> Iterator[float | None]:
    """The value of a chain after its first operand and after each step; ends with None where it stops
    being literal or fails (which evaluation will report), with infinity where a float overflows.
    """
    value = constant(node.first)
    yield value
    for step in node.steps:
        operand = constant(step.operand)
        if value is None or operand is None:
            yield None
            return
        try:
            value = OPERATORS[step.operator](value, operand)
        except ZeroDivisionError:
            value = None
        except OverflowError:
            value = math.inf
        yield value
