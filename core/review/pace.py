"""How long a queue takes at a reviewer's pace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median

PAUSE = 300.0  # seconds between two decisions, from which the reviewer did something else
_LEAST = 3  # gaps that a pace is read off


def minutes_at_pace(moments: Sequence[str], waiting: int) -> float | None:
    """Minutes for so many cards, by the median time between decisions made at these moments (ISO 8601).

    None where too few followed each other without a pause.
    """
    times = sorted(datetime.fromisoformat(moment) for moment in moments)
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    working = [gap for gap in gaps if 0 < gap <= PAUSE]
    return median(working) * waiting / 60 if len(working) >= _LEAST else None
