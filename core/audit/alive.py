"""Alive: whether a head does anything here, before anyone explains it."""

from __future__ import annotations

from dataclasses import dataclass

from core.audit import known
from core.audit.contract import Audit, AuditVerdict, Figure, Finding, ProgramSubject
from core.types import Bounds, Estimate, Told, option


@dataclass(frozen=True)
class AliveLimits:
    """Below which a head does too little."""

    size: float = option(
        0.45, ("of its layer's mean output size, below which a head is hardly alive"), Bounds(0)
    )
    silent: float = option(0.0005, "estimated nats per token that silencing a head costs at least", Bounds(0))


def run(subject: ProgramSubject, limits: AliveLimits, told: Told) -> Finding:
    """How much the head writes, and what silencing it would cost."""
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    size = known.ratio(found.size[row], found.layer_size[row])
    silent = known.ratio(found.silent_cost[row], found.tokens.astype(float))
    sink = known.mean(found.sink[row])
    if known.nothing(found.size[row]):
        return known.undecided(found.size[row], "what the head writes")
    verdict = _verdict(size, silent, limits)
    note = (
        f"The head writes {size.value:.2f} of what heads of its layer write on average; if it wrote nothing, "
        f"that would cost about {silent.value:.4f} nats per token."
    )
    if verdict == "fails":
        note += " Whatever stands in for so little costs next to nothing, which proves nothing."
    return Finding(
        verdict,
        note + known.caveats(found.failed[row][:0], found.size[row], ""),
        (
            Figure("output size, of its layer's mean", size),
            Figure("estimated cost of silence", silent, "nats"),
            Figure("weight on the first token", sink, "share"),
        ),
    )


def _verdict(size: Estimate, silent: Estimate, limits: AliveLimits) -> AuditVerdict:
    """It is alive if it writes enough or is missed; dead if clearly neither."""
    if size.low >= limits.size or silent.low >= limits.silent:
        return "passes"
    return "fails" if size.high < limits.size and silent.high < limits.silent else "cannot tell"


ALIVE = Audit(
    "alive",
    "Alive",
    "Does this head do anything here?",
    of="program",
    limits=AliveLimits,
    run=run,
    about=(
        "Size is the mean length of what the head writes after the output projection, relative to the"
        " mean over heads of its layer. Later layers may make up for a head that is silenced, so a "
        "small cost is a lower bound."
    ),
    sources=(
        "Identifying and Evaluating Inactive Heads in Pretrained LLMs (2025)",
        "Explorations of Self-Repair in Language Models (2024)",
    ),
)
