"""Arithmetic on single numbers, as the reference evaluator does it.

Numbers are 32-bit: each operation is computed in Python's 64 bits and its result rounded to 32, which
for + - * / sqrt is exactly the 32-bit operation, and for the others makes the result independent of
the library that computes it. `//` and `%` are Python's (rounded down, sign of the divisor).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from core.features import ATTRIBUTES, Token, missing_value
from core.language import failures
from core.language import nodes as n
from core.language.precision import single
from core.types import Failure

Scalar = float | bool | str  # a token is its place in the passage, -1 if it does not exist
NO_TOKEN = -1


def _power(base: float, exponent: float) -> float:
    value = base**exponent
    return value if isinstance(value, float) else math.nan  # a negative base can give a complex number


OPERATORS: Mapping[n.ArithmeticOperator, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": _power,
}


class PairFailed(Exception):
    """Ends the evaluation of one pair; carries the Failure."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.detail)


def round32(value: float, line: int, operation: str) -> float:
    """The nearest 32-bit number; raises PairFailed if there is no finite one."""
    rounded = single(value)
    if not math.isfinite(rounded):
        raise PairFailed(failures.non_finite(line, operation))
    return rounded


def arithmetic(symbol: n.ArithmeticOperator, left: float, right: float, line: int) -> float:
    """One operation on 32-bit numbers; raises PairFailed."""
    if symbol in ("/", "//", "%") and right == 0:
        raise PairFailed(failures.division(line, symbol))
    if symbol == "**" and left < 0 and not right.is_integer():
        raise PairFailed(failures.fractional_power(line))
    if symbol == "**" and left == 0 and right < 0:
        raise PairFailed(failures.zero_power(line))
    try:
        value = OPERATORS[symbol](left, right)
    except OverflowError:
        value = math.inf
    return round32(value, line, symbol)


def attribute_of(tokens: Sequence[Token], place: int, name: str) -> Scalar:
    """An attribute of a token that may not exist."""
    value = missing_value(name) if place == NO_TOKEN else tokens[place].values[name]
    return single(float(value)) if ATTRIBUTES[name].kind == "number" else value
