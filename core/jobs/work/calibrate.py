"""Constants fitted through the model: of the heads chosen, or of as many as a budget then allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.display import counted
from core.features import Features
from core.hybrid import parsed
from core.hybrid.calibrate import STEPS, Calibrated, calibrate
from core.hybrid.choose import Chooser
from core.types import HeadId, HybridSpec

TRAIN_PASSAGES = 4  # a step, at most
_VALIDATION_PASSAGES = 24
_TRIES = 3  # calibrations of more heads than fit a budget without
_HOPE = 2.5  # of the budget: what heads may cost before calibration to be tried


def as_they_are(chooser: Chooser, heads: Sequence[HeadId]) -> HybridSpec:
    """These heads with the constants their programs have."""
    return HybridSpec.of(chooser.loaded.info.id, ((head, chooser.programs[head].source) for head in heads))


def calibrated(chooser: Chooser, heads: Sequence[HeadId], train: Features, steps: int = STEPS) -> Calibrated:
    """These heads with fitted constants."""
    events = chooser.told
    found = calibrate(
        chooser.loaded,
        as_they_are(chooser, heads),
        train,
        chooser.validation.select(range(min(len(chooser.validation), _VALIDATION_PASSAGES))),
        steps,
        chooser.seed,
        tell=lambda done, total: events.progress(f"calibrating {len(heads)} heads", done, total),
        halving=chooser.halving,
    )
    reached = f"KL per token {found.before:.4f} -> {found.after:.4f} on validation"
    events.note(f"calibration of {counted(len(heads), 'head')}: {reached}")
    return found


def calibrated_within(
    chooser: Chooser, budget: float, heads: Sequence[HeadId], count: int, train: Features, steps: int = STEPS
) -> Calibrated:
    """As many of these heads, in this order, as are found to stay within a budget once they are calibrated.

    The first `count` stay within it as they are; more are tried by bisection, a few times: calibration takes
    minutes, and seldom saves heads that cost several times the budget.
    """
    best = calibrated(chooser, heads[:count], train, steps)
    if _increase(chooser, best) > budget:  # KL and perplexity need not fall together
        best = replace(best, spec=as_they_are(chooser, heads[:count]))
    low, high = count, max(chooser.most_within(_HOPE * budget, heads)[0], min(count + 1, len(heads)))
    for _ in range(_TRIES):
        if low >= high:
            break
        middle = (low + high + 1) // 2
        tried = calibrated(chooser, heads[:middle], train, steps)
        increase = _increase(chooser, tried)
        chooser.told.note(f"{counted(middle, 'head')}, calibrated: {increase:+.2%} on validation")
        if increase <= budget:
            best, low = tried, middle
        else:
            high = middle - 1
    return best


def _increase(chooser: Chooser, found: Calibrated) -> float:
    return chooser.increase(parsed(chooser.loaded.info, found.spec))
