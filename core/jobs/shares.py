"""Which numbers of heads a curve replaces."""

from __future__ import annotations

from collections.abc import Sequence

from core.types import HeadOrder

SHARES = (0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0)
ORDERS: tuple[HeadOrder, ...] = ("cost", "iou", "random")
CONTROLS = 6


def curve_counts(shares: Sequence[float], total: int, programs: int) -> list[int]:
    """Numbers of heads to replace: the shares of all heads that there are programs for, and every program."""
    asked = {round(share * total) for share in shares}
    return sorted({count for count in asked if 0 < count < programs} | {programs})


def curve_size(total: int, programs: int) -> int:
    """How many hybrids a curve of so many programs measures, controls among them."""
    return (len(ORDERS) + CONTROLS) * len(curve_counts(SHARES, total, programs))
