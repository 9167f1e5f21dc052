"""Programs that multiply a weight line by line, as a sum of logarithms: a few operations a line.

Only where nothing can go wrong: a program that fails on any sentence of a batch, costs too much there or
comes near the ends of 32-bit numbers is left to the interpreter, which says what a program means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from core.language.factors import Factor, LookPower, Part, Power
from core.language.tensor.expressions import TensorExpressions
from core.language.tensor.recorder import Recorder
from core.language.tensor.work import Meter, OverBudget
from core.language.values.batch import Batch
from core.language.values.tensors import Bounds, Value

_SAFE_LOG = 80.0  # below, no product of factors overflows, or is so small that digits are lost
_OPERATIONS = 8  # over all pairs that the interpreter may need for a factor, beside those of its expressions


def multiplied(factors: Sequence[Factor], batch: Batch, max_elements: int, max_work: int) -> Tensor | None:
    """A product of factors as `normalised` gives it; None where the interpreter has to say what it is."""
    recorder, meter = Recorder(batch.pairs), Meter(batch.shortest, max_work)
    logarithm = _Logarithm(TensorExpressions(batch, recorder, meter, max_elements, {}))
    try:
        for factor in factors:
            logarithm.add(factor)
        meter.spend(_OPERATIONS * len(factors))
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
                self._count(Bounds(number, number))
                self._put(holds, math.log(number))
            case LookPower() as power:
                logs, bounds = self._looked(power)
                self._reach(bounds.low * power.power, bounds.high * power.power)
                self._put([*holds, logs], power.power)
            case Power(base, exponent):
                value, scale = self._number(exponent), math.log(base)
                self._reach(value.bounds.low * scale, value.bounds.high * scale)
                self._put([*holds, value.tensor], scale)
            case amount:
                value = self._number(amount)
                self._count(value.bounds)
                self._put([*holds, value.tensor.log()], 1.0)

    def _number(self, part: Part) -> Value:
        """A number, or 1 where a condition holds and 0 elsewhere."""
        return self.expressions.once(part.key, lambda: self.expressions.number(part.expression))

    def _looked(self, power: LookPower) -> tuple[Tensor, Bounds]:
        found = self.batch.look_logarithm(power.head, power.plus) if power.plus > 0 else None
        if found is None:
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

    def _count(self, bounds: Bounds) -> None:
        """Raises _OutOfReachError if a factor within these bounds may make a weight 0 or too large."""
        if not bounds.low > 0:
            raise _OutOfReachError
        self._reach(math.log(bounds.low), math.log(bounds.high))

    def _reach(self, *logarithms: float) -> None:
        self.reach += max(map(abs, logarithms))
        if not self.reach < _SAFE_LOG:
            raise _OutOfReachError
