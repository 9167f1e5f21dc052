"""Keep and drop: whether the keys that a program ranks first are those that count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audit import known
from core.audit.contract import Audit, AuditVerdict, Cell, Figure, Finding, ProgramSubject
from core.types import Bounds, Estimate, HeadId, Told, option

if TYPE_CHECKING:
    from torch import Tensor

    from core.audit.shared import Reading

RANKS = ("program", "head", "twin", "random")
ERASERS = ("rows made to sum to 1", "the rest to the first token")
WAYS = ("kept alone", "dropped")


@dataclass(frozen=True)
class KeepLimits:
    """How many keys are kept or dropped."""

    keys: int = option(2, "keys of each row that are kept alone or dropped", Bounds(1, 50))


def probe(reading: Reading, limits: KeepLimits) -> Mapping[HeadId, Tensor]:
    "Estimated cost [eraser, way, rank, passage] of the head's attention with these keys alone,"
    "or without."
    import torch

    from core.audit import measures

    a = reading.a
    n = a.shape[-1]
    sees = reading.sees[:, None]
    draw = torch.Generator().manual_seed(0)
    random = torch.rand((len(a), 1, n, n), generator=draw).to(a.device).expand(a.shape)
    ranked = [reading.x, a, reading.t if reading.t is not None else torch.full_like(a, torch.nan), random]
    costs = []
    for by in ranked:
        first = by.masked_fill(~sees, -1).topk(min(limits.keys, n), dim=-1).indices
        picked = torch.zeros_like(a).scatter_(-1, first, 1.0)
        for kept in (a * picked, a * (1 - picked)):
            for renormalises in (True, False):
                changed = _whole(kept, a, renormalises)
                cost = measures.estimated_cost(a, changed, reading.g)
                costs.append(torch.where(by.isfinite().all(-1).all(-1), cost, torch.nan))
    shape = (len(RANKS), len(WAYS), len(ERASERS), *a.shape[:2])
    found = torch.stack(costs).reshape(shape).permute(2, 1, 0, 3, 4)
    return {head: found[..., at] for at, head in enumerate(reading.heads)}


def _whole(kept: Tensor, a: Tensor, renormalises: bool) -> Tensor:
    """Rows with the weight they had: scaled up, or the rest on the first token."""
    import torch

    before, total = a.sum(-1, keepdim=True), kept.sum(-1, keepdim=True)
    first = torch.zeros_like(kept)
    first[..., :1] = before - total
    if not renormalises:
        return kept + first
    return torch.where(total > 1e-6, kept * (before / total.clamp(min=1e-6)), kept + first)


def run(subject: ProgramSubject, limits: KeepLimits, told: Told) -> Finding:
    """The costs, and what the program's ranking saves against the twin's, by either way of erasing."""
    values = subject.probed(KEEP_AND_DROP, limits)
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    tokens = found.tokens.astype(float)
    if known.nothing(values[0, 0, 0]):
        return known.undecided(values[0, 0, 0], "what keeping keys costs")
    gains = [
        known.ratio(sign * (values[eraser, way, 2] - values[eraser, way, 0]), tokens)
        for eraser in range(len(ERASERS))
        for way, sign in enumerate((1, -1))  # kept alone it should cost less than the twin's, dropped more
    ]
    rows: list[tuple[Cell, ...]] = [
        (
            ERASERS[eraser],
            WAYS[way],
            *(round(known.ratio(values[eraser, way, rank], tokens).value, 5) for rank in range(len(RANKS))),
        )
        for eraser in range(len(ERASERS))
        for way in range(len(WAYS))
    ]
    names = [f"{way}, {eraser}" for eraser in ERASERS for way in WAYS]
    return Finding(
        _verdict(gains),
        f"Of each row {limits.keys} keys are kept alone or dropped, those that program, head, twin or chance "
        "rank first; estimated nats per token."
        + known.caveats(found.failed[row], values[0, 0, 0], ("ranks nothing")),
        tuple(Figure(f"better than the twin: {n}", g, "nats") for n, g in zip(names, gains, strict=True)),
        ("erased", "keys", *RANKS),
        tuple(rows),
    )


def _verdict(gains: list[Estimate]) -> AuditVerdict:
    """Only what both ways of erasing say counts."""
    low, high = np.array([[gain.low, gain.high] for gain in gains]).T
    if np.isnan(low).any():
        return "cannot tell"
    if (low > 0).all():
        return "passes"
    return "fails" if (high <= 0).all() else "cannot tell"


KEEP_AND_DROP = Audit(
    "keep-and-drop",
    "Keep and drop",
    "Are the program's favourite tokens the ones that count?",
    of="program",
    limits=KeepLimits,
    run=run,
    probe=probe,
    is_usual=False,
    about=(
        "A good ranking costs little where only its keys are kept, and much where they are dropped. "
        "What erasing means decides a lot, so it is done in two ways; where these disagree, nothing "
        "is concluded."
    ),
    sources=(
        "Is Attention Interpretable? (2019)",
        "ERASER: A Benchmark to Evaluate Rationalized NLP Models (2020)",
    ),
)
