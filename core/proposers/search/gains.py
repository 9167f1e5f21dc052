"""What a candidate gains: how fast the loss falls as its constant rises, against how soon that ends."""

from __future__ import annotations

from torch import Tensor

from core.proposers.search.rule import Rule

RIDGE = 1e-5  # variance that every candidate is taken to have more than it shows

Gain = tuple[float, Rule]


def gain(slope: Tensor, spread: Tensor) -> Tensor:
    """The gain of each candidate, of slopes and spreads of one shape."""
    return slope.square() / (spread + RIDGE)
