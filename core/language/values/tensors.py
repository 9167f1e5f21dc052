"""Tensor values: thin where they depend on one token only, with bounds that make most checks free."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from core.language.precision import single


@dataclass(frozen=True, slots=True)
class Bounds:
    """A closed interval that holds every value of a tensor.

    Ends are rounded to 32 bits as the values are; rounding keeps order, so the interval stays exact.
    """

    low: float = -math.inf
    high: float = math.inf

    @property
    def finite(self) -> bool:
        """Whether no value can be infinite."""
        return -math.inf < self.low and self.high < math.inf

    def excludes_zero(self) -> bool:
        """Whether no value can be 0."""
        return self.low > 0 or self.high < 0

    def __or__(self, other: Bounds) -> Bounds:
        return Bounds(min(self.low, other.low), max(self.high, other.high))

    def __neg__(self) -> Bounds:
        return Bounds(-self.high, -self.low)

    def __add__(self, other: Bounds) -> Bounds:
        if not (self.finite and other.finite):
            return ANYTHING
        return Bounds(single(self.low + other.low), single(self.high + other.high))

    def __sub__(self, other: Bounds) -> Bounds:
        return self + -other

    def __mul__(self, other: Bounds) -> Bounds:
        if not (self.finite and other.finite):
            return ANYTHING
        corners = [single(a * b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return Bounds(min(corners), max(corners))

    def __truediv__(self, other: Bounds) -> Bounds:
        if not (self.finite and other.finite and other.excludes_zero()):
            return ANYTHING
        corners = [single(a / b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return Bounds(min(corners), max(corners))

    def __abs__(self) -> Bounds:
        if self.low >= 0:
            return self
        return -self if self.high <= 0 else Bounds(0.0, max(-self.low, self.high))


ANYTHING = Bounds()
UNIT = Bounds(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an expression for every pair of a batch.

    `tensor` is [batch, query, key] with size 1 along what it does not depend on: float32 for numbers,
    bool for booleans, int64 for texts (interned) and tokens (index in the sentence, -1: none).
    Numbers are finite everywhere, also where they mean nothing: at pairs that failed, are padding, or
    took another branch.
    """

    tensor: Tensor
    bounds: Bounds = ANYTHING

    def numeric(self) -> Value:
        """The same with booleans as 1 and 0."""
        return Value(self.tensor.float(), UNIT) if self.tensor.dtype == torch.bool else self


def measured(tensor: Tensor) -> Bounds:
    """The bounds of what a number tensor holds; not finite if it holds an infinity or NaN."""
    if tensor.numel() == 0:
        return Bounds(0.0, 0.0)
    low, high = (end.item() for end in torch.aminmax(tensor.detach()))
    return Bounds(low, high) if math.isfinite(low) and math.isfinite(high) else ANYTHING


def choose(test: Tensor, then: Value, otherwise: Value) -> Value:
    """`then` where `test` holds, `otherwise` elsewhere; both of one kind."""
    if then is otherwise:
        return then
    return Value(torch.where(test, then.tensor, otherwise.tensor), then.bounds | otherwise.bounds)
