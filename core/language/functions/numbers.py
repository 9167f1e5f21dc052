"""Functions of numbers: abs, min, max, exp, log, sqrt."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from core.language import failures
from core.language.functions.function import Function, ScalarCall, TensorCall
from core.language.values.arithmetic import finite, from_double, guarded
from core.language.values.scalars import PairFailed, round32
from core.language.values.tensors import ANYTHING, Bounds, Value


def _exp(call: ScalarCall) -> float:
    try:
        value = math.exp(call.numbers[0])
    except OverflowError:
        value = math.inf
    return round32(value, call.line, call.name)


def _exp_of_tensor(call: TensorCall) -> Value:
    tensor = call.numbers[0].tensor.double().exp().float()
    return finite(tensor, ANYTHING, failures.non_finite(call.line, call.name), call.fail)


def _log(call: ScalarCall) -> float:
    number = call.numbers[0]
    if number <= 0:
        raise PairFailed(failures.log_domain(call.line))
    return round32(math.log(number), call.line, call.name)


def _log_of_tensor(call: TensorCall) -> Value:
    value = call.numbers[0]
    failure = failures.log_domain(call.line)
    positive = guarded(value, value.bounds.low > 0, lambda t: t <= 0, failure, call.fail)
    return from_double(positive.double().log())


def _sqrt(call: ScalarCall) -> float:
    number = call.numbers[0]
    if number < 0:
        raise PairFailed(failures.sqrt_domain(call.line))
    return round32(math.sqrt(number), call.line, call.name)


def _sqrt_of_tensor(call: TensorCall) -> Value:
    value = call.numbers[0]
    failure = failures.sqrt_domain(call.line)
    rooted = guarded(value, value.bounds.low >= 0, lambda t: t < 0, failure, call.fail)
    return from_double(rooted.double().sqrt())


def _abs_of_tensor(call: TensorCall) -> Value:
    value = call.numbers[0]
    return Value(value.tensor.abs(), abs(value.bounds))


def _extreme(
    pick: Callable[[Tensor, Tensor], Tensor], bound: Callable[[float, float], float]
) -> Callable[[TensorCall], Value]:
    def of_tensors(call: TensorCall) -> Value:
        value, *others = call.numbers
        for other in others:
            low = bound(value.bounds.low, other.bounds.low)
            high = bound(value.bounds.high, other.bounds.high)
            value = Value(pick(value.tensor, other.tensor), Bounds(low, high))
        return value

    return of_tensors


FAMILY = (
    Function(
        "abs",
        ("number",),
        "number",
        "distance from 0",
        "abs(q.index - k.index)",
        scalar=lambda call: abs(call.numbers[0]),
        tensor=_abs_of_tensor,
        exported='''
def abs(number: float) -> Number:
    """Distance from 0."""
    return Number(math.fabs(Number(number)))
''',
        may_fit=True,
        place="of a place",
    ),
    Function(
        "min",
        ("number", "number"),
        "number",
        "the smallest of two or more",
        "min(k.length, 5)",
        scalar=lambda call: min(call.numbers),
        tensor=_extreme(torch.minimum, min),
        exported='''
def min(*numbers: float) -> Number:
    """The smallest."""
    return Number(builtins.min(numbers))
''',
        variadic=True,
        may_fit=True,
        place="of a place",
    ),
    Function(
        "max",
        ("number", "number"),
        "number",
        "the largest of two or more",
        "max(k.length, 5)",
        scalar=lambda call: max(call.numbers),
        tensor=_extreme(torch.maximum, max),
        exported='''
def max(*numbers: float) -> Number:
    """The largest."""
    return Number(builtins.max(numbers))
''',
        variadic=True,
        may_fit=True,
        place="of a place",
    ),
    Function(
        "exp",
        ("number",),
        "number",
        "e to the power",
        "exp(-k.index)",
        scalar=_exp,
        tensor=_exp_of_tensor,
        exported='''
def exp(number: float) -> Number:
    """The number e to a power."""
    return Number(math.exp(number))
''',
        may_fit=True,
    ),
    Function(
        "log",
        ("number",),
        "number",
        "natural logarithm of a number above 0",
        "log(k.index + 1)",
        scalar=_log,
        tensor=_log_of_tensor,
        exported='''
def log(number: float) -> Number:
    """The natural logarithm."""
    return Number(math.log(number))
''',
        may_fit=True,
    ),
    Function(
        "sqrt",
        ("number",),
        "number",
        "square root of a number not below 0",
        "sqrt(k.index)",
        scalar=_sqrt,
        tensor=_sqrt_of_tensor,
        exported='''
def sqrt(number: float) -> Number:
    """The square root."""
    return Number(math.sqrt(number))
''',
        may_fit=True,
    ),
)
