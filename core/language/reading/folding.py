"""Values of expressions made of literals alone, so that `9**9**9` is refused before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from core.language.nodes import Arithmetic, Expression, Number, Sign, Truth
from core.language.values.scalars import OPERATORS


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
