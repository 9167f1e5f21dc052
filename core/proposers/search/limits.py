"""What the search may do."""

from __future__ import annotations

from dataclasses import dataclass

from core.proposers.proposer import limit
from core.types import Bounds

LOOKS = ("none", "earlier", "layer")
OBJECTIVES = ("iou", "output")


@dataclass(frozen=True)
class SearchLimits:
    """How long a program of the search may be, and what each of its rules has to be worth."""

    rules: int = limit(
        12,
        "Rules, at most",
        "most rules of a program",
        Bounds(above=0),
        offered=(1, 40),
        told="≤ {} rules",
        key="rules",
    )
    least_gain: float = limit(
        0.002,
        "Least gain",
        "IoU on validation that each rule must add to all others",
        Bounds(least=0),
        offered=(0.0, 0.1),
        step=0.001,
        places=3,
        told="each ≥ {}",
        key="gain",
    )
    look: str = limit(
        "layer",
        "Other heads",
        "which heads a program may look at: none, earlier layers', or lower ones of its layer too",
        choices=LOOKS,
        told="other heads: {}",
        key="look",
    )
    objective: str = limit(
        "iou",
        "Objective",
        "what programs are fitted to: the head's weights, or weights times the length of what the head "
        "writes of each token",
        choices=OBJECTIVES,
        told="fitted to: {}",
        key="objective",
    )
    tables: bool = limit(
        True,
        "Tables",
        "whether a line may be a table: a number for each of a few words or tags",
        key="tables",
    )
    refit: bool = limit(
        False,
        "Refit",
        "a second pass: fit what looks at other heads anew to what those heads' programs say, as it is read "
        "where no attention of the model is left",
        key="refit",
    )
