"""Arithmetic on single numbers, as the reference evaluator does it.

Numbers are 32-bit: each operation is computed in Python's 64 bits and its result rounded to 32, which
for + - * / sqrt is exactly the 32-bit operation, and for the others makes the result independent of
the library that computes it. `//` and `%` are Python's (rounded down, sign of the divisor).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.language import failures
from core.language import nodes as n
from core.language.precision import single
from core.language.reading.folding import OPERATORS
from core.types import Failure


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


def numeric_function(name: str, numbers: Sequence[float], line: int) -> float:
    """abs, min, max, exp, log and sqrt on 32-bit numbers; raises PairFailed."""
    number = numbers[0]
    match name:
        case "abs":
            return abs(number)
        case "min":
            return min(numbers)
        case "max":
            return max(numbers)
        case "log":
            if number <= 0:
                raise PairFailed(failures.log_domain(line))
            return round32(math.log(number), line, name)
        case "sqrt":
            if number < 0:
                raise PairFailed(failures.sqrt_domain(line))
            return round32(math.sqrt(number), line, name)
    try:
        value = math.exp(number)
    except OverflowError:
        value = math.inf
    return round32(value, line, "exp")
