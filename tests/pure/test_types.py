"""Figures of an evaluation as they are stored and printed, and back."""

import math

from core.types import COUNTS, FIGURES, Estimate, Evaluation

MEASURED = Evaluation(10.0, 12.0, Estimate(0.2, 0.1, 0.3), Estimate(0.15, 0.12, 0.2), 90, 4, 2)


def test_an_evaluation_comes_back_from_its_figures() -> None:
    assert Evaluation.of(MEASURED.figures()) == MEASURED
    assert set(MEASURED.figures()) == {*FIGURES, *COUNTS}


def test_an_older_evaluation_has_no_interval_of_its_kl() -> None:
    older = {name: figure for name, figure in MEASURED.figures().items() if not name.startswith("kl_")}
    for figures in (older, older | {"kl_low": None, "kl_high": None}):
        found = Evaluation.of(figures)
        assert found.increase == MEASURED.increase
        assert found.kl.value == 0.15
        assert math.isnan(found.kl.low)
        assert math.isnan(found.kl.high)
