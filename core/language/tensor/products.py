"""Programs that multiply a weight line by line, as a sum of logarithms: a few operations a line.

Only where nothing can go wrong: a program that fails on any sentence of a batch, costs too much there or
comes near the ends of 32-bit numbers is left to the interpreter, which says what a program means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from core.language.factors import Factor, LookPower, Part, Power
from core.language.precision import single
from core.language.tensor.expressions import TensorExpressions
from core.language.tensor.recorder import Recorder
from core.language.tensor.work import Meter, OverBudget
from core.language.values.batch import Batch
from core.language.values.tensors import Bounds, Value
from core.types import HeadId

_SAFE_LOG = 80.0  # below, no product of factors overflows or loses digits, and their sum is exact to 1e-5
_OPERATIONS = 8  # over all pairs, of the interpreter for a factor, beside those of its parts and of `and`


def multiplied(factors: Sequence[Factor], batch: Batch, max_elements: int, max_work: int) -> Tensor | None:
    """A product of factors as `normalised` gives it; None where the interpreter has to say what it is."""
    recorder, meter = Recorder(batch.pairs), Meter(batch.shortest, max_work)
    logarithm = _Logarithm(TensorExpressions(batch, recorder, meter, max_elements, {}))
    try:
        for factor in factors:
            logarithm.add(factor)
        meter.spend(sum(_OPERATIONS + len(factor.conditions) for factor in factors))
    except (OverBudget, _OutOfReachError):
        return None
    if recorder.has_failed or meter.over(batch.length):
        return None
    return logarithm.softmax()


class _OutOfReachError(Exception):
    """A weight that may be 0 or negative, or leave 32-bit range on the way."""


class _Logarithm:
    """The logarithm of a product, [batch, query, key]. What all keys have in common makes no difference."""

    def __init__(self, expressions: TensorExpressions) -> None:
        self.expressions = expressions
        self.batch = expressions.batch
        self.total = self.batch.hidden.clone()
        self.reach = 0.0  # how far from 0 it may be, here or after some of the factors

    def add(self, factor: Factor) -> None:
        """Multiply by a factor; raises OverBudget and _OutOfReachError."""
        holds = [self._number(condition).tensor for condition in factor.conditions]
        match factor.amount:
            case float(number):
                scale = _log(single(number))
                self._reach(scale)
                self._put(holds, scale)
            case LookPower(head, plus, power):
                logs, bounds = self._looked(head, single(plus))
                exponent = single(power)
                self._reach(bounds.low * exponent, bounds.high * exponent)
                self._put([*holds, logs], exponent)
            case Power(base, exponent_part):
                value, scale = self._number(exponent_part), _log(single(base))
                self._reach(value.bounds.low * scale, value.bounds.high * scale)
                self._put([*holds, value.tensor], scale)
            case amount:
                value = self._number(amount)
                self._reach(_log(value.bounds.low), _log(value.bounds.high))
                self._put([*holds, value.tensor.log()], 1.0)

    def _number(self, part: Part) -> Value:
        """A number, or 1 where a condition holds and 0 elsewhere."""
        return self.expressions.once(part.key, lambda: self.expressions.number(part.expression))

    def _looked(self, head: HeadId, plus: float) -> tuple[Tensor, Bounds]:
        found = self.batch.look_logarithm(head, plus)
        if found is None or not found[1].finite:
            raise _OutOfReachError
        return found

    def _put(self, parts: list[Tensor], scale: float) -> None:
        """Add the product of tensors, times `scale`; nothing if there are none."""
        while len(parts) > 2:
            parts = [parts[0] * parts[1], *parts[2:]]
        match parts:
            case [one, other]:
                self.total.addcmul_(one, other, value=scale)
            case [one] if one.shape[-1] > 1:
                self.total.add_(one, alpha=scale)

    def softmax(self) -> Tensor:
        """float32 [batch, query, key]: rows divided by their sums; zero in padding."""
        weights = self.total.softmax(-1)
        if self.batch.shortest == self.batch.length:
            return weights
        return weights * self.batch.exists[:, :, None]

    def _reach(self, *logarithms: float) -> None:
        self.reach += max(map(abs, logarithms))
        if not self.reach < _SAFE_LOG:
            raise _OutOfReachError


def _log(number: float) -> float:
    if not number > 0:
        raise _OutOfReachError
    return math.log(number)
