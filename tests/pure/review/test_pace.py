"""How long a queue is said to take: by the median time between decisions, pauses left out."""

import pytest

from core.review.pace import minutes_at_pace


def at(*seconds: int) -> list[str]:
    return [f"2026-11-26T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z" for s in seconds]


def test_forty_cards_at_six_seconds_each_are_four_minutes() -> None:
    assert minutes_at_pace(at(0, 6, 11, 18, 4000, 4006), 40) == pytest.approx(4.0)


def test_too_few_decisions_in_a_row_tell_nothing() -> None:
    assert minutes_at_pace(at(0, 6, 12), 40) is None
    assert minutes_at_pace(at(0, 1000, 2000, 3000), 40) is None
