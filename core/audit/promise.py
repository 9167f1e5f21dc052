"""Promise: how well a program fits the next passage, with a guarantee that holds for any distribution.

With n exchangeable test scores a fresh one reaches the k-th smallest with probability of at least
1 - k / (n + 1): k = floor(0.1 (n + 1)) promises 9 of 10 on average over test sets. To be 95 % sure of this
test set's promise, k is the largest for which at least k of n scores lie below the true tenth so often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.audit import known
from core.audit.contract import Audit, Figure, Finding, ProgramSubject
from core.types import Bounds, Estimate, Told, option

REACHED = "9 of 10 fresh passages reach"
SURELY = "9 of 10 reach, 95 % sure"
_MISSED = 0.1  # share of fresh passages that may lie below
_UNSURE = 0.05


@dataclass(frozen=True)
class PromiseLimits:
    """What is worth promising."""

    least: float = option(0.5, "IoU that 9 of 10 fresh passages should reach", Bounds(0, 1))


def rank(n: int, missed: float = _MISSED) -> int:
    "k, counted from 1, so that a fresh score reaches the k-th smallest of n for all but"
    "`missed`; 0: n too small."
    return math.floor(missed * (n + 1) + 1e-9)


def sure_rank(n: int, missed: float = _MISSED, unsure: float = _UNSURE) -> int:
    """The same for this very sample, but for one in twenty; 0: n too small."""
    below, k = 0.0, 0  # chance that fewer than k of n lie below the true quantile
    while k < n:
        below += math.comb(n, k) * missed**k * (1 - missed) ** (n - k)
        if below > unsure:
            return k
        k += 1
    return k


def promised(scores: np.ndarray, k: int) -> float:
    """The k-th smallest score; NaN for k = 0."""
    return float(np.sort(scores)[k - 1]) if k else math.nan


def run(subject: ProgramSubject, limits: PromiseLimits, told: Told) -> Finding:
    """What 9 of 10 fresh passages reach, from the program's IoU on each test passage."""
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    ious = found.iou[row]
    scores = ious[np.isfinite(ious)]
    n = len(scores)
    usual, sure = rank(n), sure_rank(n)
    if not usual:
        return Finding(
            "cannot tell", f"{n} test passages are too few to promise anything of 9 in 10; it takes 9."
        )
    reached = promised(scores, usual)
    note = (
        f"9 of 10 fresh passages reach an IoU of at least {reached:.2f}: number {usual} of {n} from below. "
        "It holds for passages like these, each from a document of its own."
    )
    note += "" if sure else f" To be 95 % sure takes 29 passages; there are {n}."
    return Finding(
        "passes" if reached >= limits.least else "fails",
        note + known.caveats(found.failed[row], ious, "counts as IoU 0"),
        (
            Figure(REACHED, Estimate(reached)),
            Figure(SURELY, Estimate(promised(scores, sure))),
            Figure("mean IoU", known.mean(ious)),
        ),
    )


PROMISE = Audit(
    "promise",
    "Promise",
    "How well will the program fit the next passage?",
    of="program",
    limits=PromiseLimits,
    run=run,
    about=(
        "A mean hides bad passages. This figure is one that 9 of 10 fresh passages reach, whatever "
        "the scores' distribution, since the test passages chose nothing."
    ),
    sources=(
        "Algorithmic Learning in a Random World (2005)",
        "Conditional validity of inductive conformal predictors (2012)",
    ),
)
