"""What a run will take, from what the latest one took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.store import HeadGain


@dataclass(frozen=True)
class Pace:
    """Seconds of a run: once to begin, whatever the number of heads, and then for each of them."""

    start: float
    each: float | None  # None where all heads came at once
    heads: int  # of the run that this was read off

    def seconds(self, heads: int) -> float | None:
        """What so many heads take; None where that cannot be told."""
        if self.each is None:
            return self.start if heads <= self.heads else None
        return self.start + self.each * heads


def pace_of(steps: Sequence[HeadGain], worked: float) -> Pace | None:
    """The pace of a run that worked so many seconds; None without results.

    The first lot of heads comes after the beginning, so what later lots took says what a head takes. Where
    all heads came at once, nothing tells the two apart.
    """
    lots = sorted(Counter(step.seconds for step in steps).items())
    if not lots:
        return None
    (first, of_first), later = lots[0], sum(count for _, count in lots[1:])
    if not later:
        return Pace(worked, None, of_first)
    each = (lots[-1][0] - first) / later
    return Pace(max(0.0, first - each * of_first), each, of_first + later)
