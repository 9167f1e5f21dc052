"""What a curve is said to take before it starts."""

from core.jobs.shares import curve_size
from core.store import JobRecord
from core.types import Curve, CurvePoint
from core.ui.hybrid.pace import in_words, pace_of

ROWS = (CurvePoint("cost", False, 1, 0.1, 0.1, 0.0, 0.2, 0.1, 1.0),) * 10
CURVE = Curve("m", "best", "test", passages=20, tokens=400, rows=ROWS)


def job(kind: str, worked: float, model: str = "m", state: str = "done") -> JobRecord:
    return JobRecord("1", kind, state, "", 0, 0, "", model, worked=worked)  # type: ignore[arg-type]


def test_a_curve_takes_as_long_a_hybrid_and_passage_as_the_latest_curve() -> None:
    jobs = [
        job("curve", 9e9, "other"),
        job("curve", 9e9, state="failed"),
        job("hybrid", 1.0),
        job("curve", 100),
    ]
    pace = pace_of(jobs, "m", CURVE, passages=48)
    assert in_words(pace, 72, 40) == "72 hybrids on 40 passages: about 24 min, as the latest curve went."


def test_without_a_curve_a_hybrid_is_an_upper_bound_and_without_either_nothing_is_said() -> None:
    pace = pace_of([job("hybrid", 96.0)], "m", None, passages=48)
    assert "at most about 20 s, as the latest hybrid" in in_words(pace, 2, 10)
    nothing = in_words(pace_of([job("build", 5.0)], "m", None, 48), 72, 20)
    assert nothing == "72 hybrids on 20 passages; how long that takes can be told once a hybrid was measured."


def test_a_curve_of_270_heads_is_eight_shares_of_three_orders_and_six_controls() -> None:
    assert curve_size(total=270, programs=270) == 72
    assert curve_size(total=270, programs=13) == 9
