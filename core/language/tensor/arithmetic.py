"""Arithmetic on tensor values, failing exactly where the scalar operation would.

Each function gets `fail(where, failure)`, which records the failure at those of the pairs that count.
Bounds decide first whether anything can fail at all, then one pass over the values; a mask is only
built where something does. A result that failed is replaced by a harmless number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from core.language import failures
from core.language.nodes import ArithmeticOperator
from core.language.tensor.values import ANYTHING, Bounds, Value, measured
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
    return _finite(tensor, bounds, failures.non_finite(line, symbol), fail)


def function(name: str, arguments: Sequence[Value], line: int, fail: Fail) -> Value:
    """abs, min, max, exp, log or sqrt of numbers."""
    value = arguments[0]
    match name:
        case "abs":
            return Value(value.tensor.abs(), abs(value.bounds))
        case "min" | "max":
            return _extreme(name, arguments)
        case "log":
            positive = _guard(value, value.bounds.low > 0, lambda t: t <= 0, failures.log_domain(line), fail)
            return _from_double(positive.double().log())
        case "sqrt":
            rooted = _guard(value, value.bounds.low >= 0, lambda t: t < 0, failures.sqrt_domain(line), fail)
            return _from_double(rooted.double().sqrt())
    tensor = value.tensor.double().exp().float()
    return _finite(tensor, ANYTHING, failures.non_finite(line, "exp"), fail)


def _extreme(name: str, arguments: Sequence[Value]) -> Value:
    pick, pick_bound = (torch.minimum, min) if name == "min" else (torch.maximum, max)
    value = arguments[0]
    for other in arguments[1:]:
        bounds = Bounds(
            pick_bound(value.bounds.low, other.bounds.low), pick_bound(value.bounds.high, other.bounds.high)
        )
        value = Value(pick(value.tensor, other.tensor), bounds)
    return value


def _divide(symbol: ArithmeticOperator, a: Value, b: Value, line: int, fail: Fail) -> tuple[Tensor, Bounds]:
    failure = failures.division(line, symbol)
    divisor = _guard(b, b.bounds.excludes_zero(), lambda t: t == 0, failure, fail)
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


def _guard(
    value: Value, is_safe: bool, find: Callable[[Tensor], Tensor], failure: Failure, fail: Fail
) -> Tensor:
    """The value with 1 in place of what the operation cannot take."""
    return value.tensor if is_safe else _replace(find(value.tensor), value.tensor, failure, fail)


def _replace(bad: Tensor, tensor: Tensor, failure: Failure, fail: Fail) -> Tensor:
    if not bool(bad.any()):
        return tensor
    fail(bad, failure)
    return torch.where(bad, 1.0, tensor)


def _from_double(tensor: Tensor) -> Value:
    single = tensor.float()
    return Value(single, measured(single))


def _finite(tensor: Tensor, bounds: Bounds, failure: Failure, fail: Fail) -> Value:
    """The result with 0 in place of what is not finite."""
    if not bounds.finite:
        bounds = measured(tensor)
    if not bounds.finite:
        finite = torch.isfinite(tensor)
        fail(~finite, failure)
        tensor = torch.where(finite, tensor, 0.0)
        bounds = measured(tensor)
    return Value(tensor, bounds)
