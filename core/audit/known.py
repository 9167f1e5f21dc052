"""What is known of a head on the passages that tell: estimates over those, and a note on the others."""

from __future__ import annotations

import math

import numpy as np

from core.audit.contract import Finding, ProgramSubject
from core.display import counted
from core.errors import AuditError
from core.types import Estimate

ENOUGH = 8  # passages; intervals from fewer say little, so they decide nothing
LEAST = 0.01  # by which a program has to be better: less may be clear, and yet is nothing
UNKNOWN = Estimate(math.nan)


def mean(values: np.ndarray) -> Estimate:
    """The mean over passages [n] that have a value; without interval if they are too few."""
    from core.scoring.intervals import mean_estimate

    known = values[np.isfinite(values)]
    return _unless_few(mean_estimate(known), len(known)) if len(known) else UNKNOWN


def ratio(above: np.ndarray, below: np.ndarray) -> Estimate:
    """The ratio of sums over passages [n] that have both; without interval if they are too few."""
    from core.scoring.intervals import ratio_estimate

    known = np.isfinite(above) & np.isfinite(below) & (below > 0)
    if not known.any():
        return UNKNOWN
    return _unless_few(ratio_estimate(above[known], below[known]), int(known.sum()))


def _unless_few(estimate: Estimate, passages: int) -> Estimate:
    return estimate if passages >= ENOUGH else Estimate(estimate.value)


def nothing(values: np.ndarray) -> bool:
    """Whether no passage has a value."""
    return not np.isfinite(values).any()


def undecided(values: np.ndarray, what: str) -> Finding:
    """The finding where no passage tells."""
    return Finding("cannot tell", f"None of {counted(len(values), 'test passage')} tells {what}.")


def refuse_resolved(subject: ProgramSubject, option: str) -> None:
    """Raises AuditError where a program is to be put into the model that is audited resolved."""
    if subject.shared.behind:
        raise AuditError(
            f"--{option} puts the program into the model, where it reads heads; leave out --resolved"
        )


def caveats(failed: np.ndarray, values: np.ndarray, counts_as: str) -> str:
    """What a reader has to know of passages that failed or told nothing; empty if there are none."""
    said, told = "", int(np.isfinite(values).sum())
    if failed.any():
        said += (
            f" The program fails on {int(failed.sum())} of {counted(len(failed), 'passage')}; "
            f"there it {counts_as}."
        )
    if missing := len(values) - told:
        said += f" {counted(missing, 'passage')} told nothing and {'is' if missing == 1 else 'are'} left out."
    if told < ENOUGH:
        said += f" {counted(told, 'passage')} are too few to decide; it takes {ENOUGH}."
    return said
