"""What a curve will take, from what was measured before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.store import JobRecord
from core.types import Curve, ModelInfo, Split
from core.ui.parts import state
from core.ui.parts.jobs import duration

_OF_A_HYBRID = 2  # the model as it is, and the hybrid


@dataclass(frozen=True)
class Pace:
    """Seconds that one hybrid takes on one passage, as a job of this `kind` had it."""

    each: float
    kind: str


def pace_of(jobs: Sequence[JobRecord], model: str, curve: Curve | None, passages: int) -> Pace | None:
    """From the latest curve, else from the latest hybrid on so many passages, whose choosing counts as well.

    `jobs` are the newest first; None where neither was measured.
    """
    done = [job for job in jobs if job.model == model and job.state == "done" and job.worked]
    measured = next((job for job in done if job.kind == "curve"), None)
    if measured is not None and curve is not None and curve.rows and curve.passages:
        return Pace(measured.worked / (len(curve.rows) * curve.passages), "curve")
    built = next((job for job in done if job.kind in ("hybrid", "measure")), None)
    if built is not None and passages:
        return Pace(built.worked / (_OF_A_HYBRID * passages), "hybrid")
    return None


def in_words(pace: Pace | None, hybrids: int, passages: int) -> str:
    """What a curve of so many hybrids on so many passages takes."""
    work = f"{hybrids} hybrids on {passages} passages"
    if pace is None:
        return f"{work}; how long that takes can be told once a hybrid was measured."
    seconds = duration(pace.each * hybrids * passages)
    if pace.kind == "curve":
        return f"{work}: about {seconds}, as the latest curve went."
    return f"{work}: at most about {seconds}, as the latest hybrid went with choosing its heads."


def curve_in_words(model: ModelInfo, hybrids: int, passages: int) -> str:
    """The same of the open workspace."""
    workspace = state.owner().workspace
    test = len(workspace.models.sentences(model.id, Split.TEST))
    pace = pace_of(workspace.jobs.all(), model.id, workspace.hybrids.curve(model.id), test)
    return in_words(pace, hybrids, passages)
