"""Load-bearing: whether any attention would do as well as the head's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from core.audit import known
from core.audit.contract import Audit, Figure, Finding, ProgramSubject
from core.types import Bounds, Estimate, HeadId, Told, option

if TYPE_CHECKING:
    from torch import Tensor

    from core.audit.shared import Reading


@dataclass(frozen=True)
class LoadBearingLimits:
    """How often rows are shuffled, and what that has to cost."""

    shuffles: int = option(
        20, ("times that each row's weights are shuffled among the keys it sees"), Bounds(2, 1000)
    )
    idle: float = option(0.0005, "estimated nats per token below which any attention would do", Bounds(0))
    measured: int = option(0, "shuffles that are also put in the head's place, a pass each", Bounds(0, 1000))
    passages: int = option(12, "passages on which they are measured", Bounds(above=0))


def probe(reading: Reading, limits: LoadBearingLimits) -> Mapping[HeadId, Tensor]:
    """Estimated cost in nats of each shuffle, [shuffle, passage]."""
    import torch

    from core.audit import measures

    sees = reading.sees
    draw = torch.Generator().manual_seed(0)  # the same shuffles for every layer
    costs = []
    for _ in range(limits.shuffles):
        draws = torch.rand(sees.shape, generator=draw).to(reading.a.device)
        shuffled = measures.shuffled(reading.a, sees[:, None], draws[:, None])
        costs.append(measures.estimated_cost(reading.a, shuffled, reading.g))
    found = torch.stack(costs)  # [shuffle, passage, head]
    return {head: found[:, :, at] for at, head in enumerate(reading.heads)}


def run(subject: ProgramSubject, limits: LoadBearingLimits, told: Told) -> Finding:
    """What shuffled rows would cost, beside the program."""
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    costs, tokens = subject.probed(LOAD_BEARING, limits), found.tokens.astype(float)
    if known.nothing(costs[0]):
        return known.undecided(costs[0], "what shuffling costs")
    there = np.isfinite(costs).all(0)
    each = costs[:, there].sum(1) / tokens[there].sum()  # [shuffle]
    middle = costs[np.argsort(each)[len(each) // 2]]
    shuffled, own = known.ratio(middle, tokens), known.ratio(found.cost[row], tokens)
    as_cheap = float((each <= own.value).mean())
    explained = 1 - own.value / shuffled.value if shuffled.value else float("nan")
    note = (
        f"Rows shuffled among the keys they see would cost {shuffled.value:.4f} nats per token, the program "
        f"{own.value:.4f}; {as_cheap:.0%} of {len(each)} shuffles cost no more than the program."
    )
    is_idle = shuffled.high < limits.idle
    if is_idle:
        note += " Any attention would do here, so no program can be told from another by its cost."
    clear = shuffled.low >= limits.idle
    measured: tuple[Figure, ...] = ()
    if limits.measured:
        measured, said = _measured(subject, limits, told)
        note += said
    return Finding(
        "fails" if is_idle else "passes" if clear else "cannot tell",
        note + known.caveats(found.failed[row], costs[0], "counts as attending to nothing"),
        (
            Figure("estimated cost of shuffled rows", shuffled, "nats"),
            Figure("estimated cost", own, "nats"),
            Figure("shuffles that cost no more", Estimate(as_cheap), "share"),
            Figure("saved against shuffled rows", Estimate(explained), "share"),
            *measured,
        ),
    )


def _measured(
    subject: ProgramSubject, limits: LoadBearingLimits, told: Told
) -> tuple[tuple[Figure, ...], str]:
    """How far shuffled rows move what the model predicts, measured; and the program in their place."""
    import torch

    from core.audit import measures
    from core.audit.changed_head import ChangedHead, moved
    from core.hybrid import ProgramPatterns

    known.refuse_resolved(subject, "measured")
    loaded, head = subject.load(), subject.head
    features = subject.tested.features
    features = features.select(range(min(len(features), limits.passages)))
    window = loaded.info.window(head.layer)

    def source(seed: int) -> ChangedHead:
        def change(own: torch.Tensor, sentence: str) -> torch.Tensor:
            seen = torch.from_numpy(window.seen(len(own)))
            generator = torch.Generator().manual_seed(crc32(f"{seed} {sentence}".encode()))
            draws = torch.rand(own.shape, generator=generator)
            return measures.shuffled(own, seen.tril() if loaded.info.is_causal else seen, draws)

        return ChangedHead(loaded, head, change)

    own = ProgramPatterns({head: subject.program}, loaded.info.is_causal, loaded.device)
    program = moved(loaded, features, [own]).median(0)
    reached = []
    for seed in range(limits.measured):
        told.progress("measuring shuffled rows", seed, limits.measured)
        reached.append(moved(loaded, features, [source(seed)]).median(0))
    middle = float(np.median(reached))
    as_near = float(np.mean(np.array(reached) <= program))
    figures = (
        Figure("total variation of predictions, shuffled", Estimate(middle)),
        Figure("total variation of predictions, program", Estimate(program)),
        Figure("measured shuffles no farther than the program", Estimate(as_near), "share"),
    )
    return figures, (
        f" Measured: predictions move by {middle:.4f} (median total variation, or cosine distance of final "
        f"states) with shuffled rows, by {program:.4f} with the program."
    )


LOAD_BEARING = Audit(
    "load-bearing",
    "Load-bearing",
    "Would any attention do as well?",
    of="program",
    limits=LoadBearingLimits,
    run=run,
    probe=probe,
    about=(
        "Each row keeps its weights but gives them to other keys. Where that costs next to nothing, "
        "what the head attends to does not matter on these passages, and a cheap program proves "
        "nothing. Costs are estimated from gradients."
    ),
    sources=("Attention is not Explanation (2019)", "Attention is not not Explanation (2019)"),
)
