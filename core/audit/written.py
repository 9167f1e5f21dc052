"""What is written: whether the head would write the same with the program in its place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.audit import known
from core.audit.contract import Audit, AuditVerdict, Figure, Finding, ProgramSubject, at_least
from core.audit.words import WRITES_TOGETHER
from core.types import Bounds, Estimate, Told, option

ERROR, BELOW = "output error", "output error below the twin's"


@dataclass(frozen=True)
class WrittenLimits:
    """When a good IoU is a misleading one."""

    most: float = option(0.5, "output error that a program may have where its IoU is good", Bounds(0))
    good: float = option(0.5, "IoU from which it is", Bounds(0, 1))


def run(subject: ProgramSubject, limits: WrittenLimits, told: Told) -> Finding:
    """Output error and norm-weighted IoU of program and twin."""
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    if subject.head.layer not in subject.shared.projections:
        return Finding("cannot tell", WRITES_TOGETHER)
    written = np.where(found.written[row] > 0, found.written[row], np.nan)
    if known.nothing(written):
        return known.undecided(written, "what the head writes; elsewhere it writes nothing")
    error = known.ratio(found.apart[row], written)
    below = known.ratio(found.twin_apart[row] - found.apart[row], written)
    iou = known.mean(found.iou[row])
    return Finding(
        _verdict(error, below, iou, limits),
        _note(error, iou, limits)
        + known.caveats(found.failed[row], written, "writes nothing, an error of 1"),
        (
            Figure(ERROR, error),
            Figure("output error of the twin", known.ratio(found.twin_apart[row], written)),
            Figure(BELOW, below),
            Figure("norm-weighted IoU", known.mean(found.weighted[row])),
            Figure("norm-weighted IoU of the twin", known.mean(found.twin_weighted[row])),
        ),
    )


def _misleads(error: Estimate, iou: Estimate, limits: WrittenLimits) -> bool:
    return iou.value >= limits.good and error.low > limits.most


def _verdict(error: Estimate, below: Estimate, iou: Estimate, limits: WrittenLimits) -> AuditVerdict:
    return "fails" if _misleads(error, iou, limits) else at_least(below, known.LEAST)


def _note(error: Estimate, iou: Estimate, limits: WrittenLimits) -> str:
    said = f"With the program in its place the head would write {error.value:.0%} of its output differently."
    if _misleads(error, iou, limits):
        said += (
            f" An IoU of {iou.value:.2f} hides that: the weights it gets wrong carry most of what is written."
        )
    return said


WRITTEN = Audit(
    "written",
    "What is written",
    "Does the head write the same with the program?",
    of="program",
    limits=WrittenLimits,
    run=run,
    about=(
        "A weight counts by the value vector it carries through the output projection. Output error "
        "is the squared distance between what head and program write, relative to what the head "
        "writes: 0 is the same, 1 as far off as writing nothing. Norm-weighted IoU compares weights "
        "times the lengths of what they carry."
    ),
    sources=(
        "Attention is Not Only a Weight: Analyzing Transformers with Vector Norms (2020)",
        "Measuring the Mixing of Contextual Information in the Transformer (2022)",
    ),
)
