"""What a run is said to take: the beginning counts once, whatever the number of heads."""

import pytest

from core.store import HeadGain
from core.types import HeadId
from core.ui.synthesize.pace import pace_of


def lot(seconds: float, layer: int, heads: int) -> list[HeadGain]:
    return [HeadGain(HeadId(layer, head), seconds, 0.2, 0.5) for head in range(heads)]


def test_a_beginning_of_ten_seconds_is_not_multiplied_by_the_heads() -> None:
    pace = pace_of([*lot(14, 0, 2), *lot(18, 1, 2)], worked=18)
    assert pace is not None
    assert (pace.start, pace.each) == (10, 2)
    assert pace.seconds(100) == pytest.approx(210)


def test_where_all_heads_came_at_once_nothing_is_said_of_more() -> None:
    pace = pace_of(lot(14, 0, 2), worked=15)
    assert pace is not None
    assert (pace.seconds(1), pace.seconds(3)) == (15, None)


def test_a_run_without_results_says_nothing() -> None:
    assert pace_of([], worked=15) is None
