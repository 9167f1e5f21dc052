"""Off the sink: whether a program is right elsewhere than where heads rest."""

from __future__ import annotations

from dataclasses import dataclass

from core.audit import known
from core.audit.contract import Audit, Figure, Finding, ProgramSubject, at_least
from core.types import Told

OFF_SINK = "off-sink IoU"


@dataclass(frozen=True)
class OffSinkLimits:
    """Nothing to set."""


def run(subject: ProgramSubject, limits: OffSinkLimits, told: Told) -> Finding:
    """IoU of program and twin without the keys at which the layer rests."""
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    more = found.off_sink[row] - found.twin_off_sink[row]
    if known.nothing(more):
        return known.undecided(more, "what happens off the sink")
    beyond = known.mean(more)
    sink = known.mean(found.sink[row])
    note = (
        f"The head rests {sink.value:.0%} of its weight on the first token. Without it and other resting "
        "places, rows made to sum to 1 again, this is what program and twin share with the head."
    )
    return Finding(
        at_least(beyond, known.LEAST),
        note + known.caveats(found.failed[row], more, "counts as 0"),
        (
            Figure(OFF_SINK, known.mean(found.off_sink[row])),
            Figure("off-sink IoU of the twin", known.mean(found.twin_off_sink[row])),
            Figure("off-sink IoU beyond the twin", beyond),
            Figure("weight on the first token", sink, "share"),
        ),
    )


OFF_THE_SINK = Audit(
    "off-sink",
    "Off the sink",
    "Is the program right where it matters, or only at the first token?",
    of="program",
    limits=OffSinkLimits,
    run=run,
    about=(
        "Most heads rest much of their weight on the first token, where it says little; IoU over all "
        "keys rewards a program for resting there too. A key is a resting place if it is the first, "
        "or heads of the layer give it more than 0.3 on average."
    ),
    sources=(
        "When Attention Sink Emerges in Language Models: An Empirical View (2024)",
        "Efficient Streaming Language Models with Attention Sinks (2023)",
    ),
)
