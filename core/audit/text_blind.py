"""Text-blind twin: whether a program knows more of its head than position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.audit import known
from core.audit.contract import Audit, Figure, Finding, ProgramSubject, at_least
from core.types import Bounds, Estimate, Told, option

IOU, TWIN, BEYOND = "IoU", "IoU of the twin", "IoU beyond the twin"
HELD_OUT = "IoU of the twin, validation"  # what programs may be chosen by


@dataclass(frozen=True)
class TwinLimits:
    """By how much a program should beat the twin."""

    beyond: float = option(known.LEAST, "IoU that a program should have beyond its head's twin", Bounds(0, 1))


def run(subject: ProgramSubject, limits: TwinLimits, told: Told) -> Finding:
    """IoU, output error and estimated cost of the program beside the twin's, on the same passages."""
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    more = found.iou[row] - found.twin_iou[row]
    if known.nothing(more):
        return known.undecided(more, "program from twin")
    beyond = known.mean(more)
    figures = [
        Figure(IOU, known.mean(found.iou[row])),
        Figure(TWIN, known.mean(found.twin_iou[row])),
        Figure(BEYOND, beyond),
        Figure(
            "output error below the twin's",
            known.ratio(found.twin_apart[row] - found.apart[row], found.written[row]),
        ),
        Figure("estimated cost", _per_token(found.cost[row], found.tokens), "nats"),
        Figure("estimated cost of the twin", _per_token(found.twin_cost[row], found.tokens), "nats"),
        Figure(
            "estimated cost below the twin's",
            _per_token(found.twin_cost[row] - found.cost[row], found.tokens),
            "nats",
        ),
    ]
    held_out = subject.shared.twins_held_out.get(subject.head)
    if held_out is not None:
        figures.append(Figure(HELD_OUT, known.mean(held_out)))
    note = f"A pattern that knows position and nothing of the text reaches {figures[1].estimate.value:.3f}."
    note += known.caveats(found.failed[row], more, "counts as IoU 0")
    return Finding(at_least(beyond, limits.beyond), note, tuple(figures))


def _per_token(nats: np.ndarray, tokens: np.ndarray) -> Estimate:
    return known.ratio(nats, tokens.astype(float))


TEXT_BLIND = Audit(
    "twin",
    "Text-blind twin",
    "Does the program know anything but position?",
    of="program",
    limits=TwinLimits,
    run=run,
    about=(
        "The twin is the head's mean attention on train passages, by position. What a program fits "
        "beyond it, it fits because of the text. Costs are KL per token (of an encoder, cosine "
        "distance of its final states) if the head were replaced, estimated from gradients."
    ),
    sources=(
        "How Much Does Attention Actually Attend? Questioning the Importance of Attention in "
        "Pretrained Transformers (2022)",
        "Optimal ablation for interpretability (2024)",
    ),
)
