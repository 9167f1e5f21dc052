"""Arithmetic on tensor values, failing exactly where the scalar operation would.

Each function gets `fail(where, failure)`, which records the failure at those of the pairs that count.
Bounds decide first whether anything can fail at all, then one pass over the values; a mask is only
built where something does. A result that failed is replaced by a harmless number.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.language import failures
from core.language.nodes import ArithmeticOperator
from core.language.values.tensors import ANYTHING, Bounds, Value, measured
from core.types import Failure

Fail = Callable[[Tensor, Failure], None]


def arithmetic(symbol: ArithmeticOperator, a: Value, b: Value, line: int, fail: Fail) -> Value:
    """`a symbol b` for numbers."""
    match symbol:
        case "+":
            tensor, bounds = a.tensor + b.tensor, a.bounds + b.bounds
        case "-":
            tensor, bounds = a.tensor - b.tensor, a.bounds - b.bounds
        case "*":
            tensor, bounds = a.tensor * b.tensor, a.bounds * b.bounds
        case "**":
            tensor, bounds = _power(a, b, line, fail), ANYTHING
        case _:
            tensor, bounds = _divide(symbol, a, b, line, fail)
    return finite(tensor, bounds, failures.non_finite(line, symbol), fail)


def _divide(symbol: ArithmeticOperator, a: Value, b: Value, line: int, fail: Fail) -> tuple[Tensor, Bounds]:
    failure = failures.division(line, symbol)
    divisor = guarded(b, b.bounds.excludes_zero(), lambda t: t == 0, failure, fail)
    if symbol == "/":
        return a.tensor / divisor, a.bounds / b.bounds
    wide, by = a.tensor.double(), divisor.double()
    return (wide // by if symbol == "//" else wide % by).float(), ANYTHING


def _power(a: Value, b: Value, line: int, fail: Fail) -> Tensor:
    base, exponent = a.tensor, b.tensor
    if a.bounds.low < 0:
        base = _replace(
            (base < 0) & (exponent != exponent.floor()), base, failures.fractional_power(line), fail
        )
    if a.bounds.low <= 0 <= a.bounds.high and b.bounds.low < 0:
        base = _replace((base == 0) & (exponent < 0), base, failures.zero_power(line), fail)
    # In 64 bits: 32-bit powers differ between libraries, and between vector and scalar code of one.
    return (base.double() ** exponent.double()).float()


def guarded(
    value: Value, is_safe: bool, find: Callable[[Tensor], Tensor], failure: Failure, fail: Fail
) -> Tensor:
    """The value with 1 in place of what the operation cannot take."""
    return value.tensor if is_safe else _replace(find(value.tensor), value.tensor, failure, fail)


def _replace(bad: Tensor, tensor: Tensor, failure: Failure, fail: Fail) -> Tensor:
    if not bool(bad.any()):
        return tensor
    fail(bad, failure)
    return torch.where(bad, 1.0, tensor)


def from_double(tensor: Tensor) -> Value:
    """The result of an operation that was computed in 64 bits."""
    single = tensor.float()
    return Value(single, measured(single))


def finite(tensor: Tensor, bounds: Bounds, failure: Failure, fail: Fail) -> Value:
    """The result with 0 in place of what is not finite."""
    if not bounds.finite:
        bounds = measured(tensor)
    if not bounds.finite:
        finite = torch.isfinite(tensor)
        fail(~finite, failure)
        tensor = torch.where(finite, tensor, 0.0)
        bounds = measured(tensor)
    return Value(tensor, bounds)
