"""Whose program: whether a program is this head's own, or another head's would do as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from core.audit import known
from core.audit.contract import Audit, Cell, Figure, Finding, ProgramSubject, all_above
from core.types import Bounds, HeadId, Told, option

if TYPE_CHECKING:
    from torch import Tensor

    from core.audit.shared import Reading
    from core.language import ParsedProgram

KINDS = ("same layer", "same category", "any head")


@dataclass(frozen=True)
class WhoseLimits:
    """How many other heads' programs are tried."""

    draws: int = option(5, "other heads' programs of each kind that are tried", Bounds(1, 50))
    seed: int = option(0, "of which programs are drawn", Bounds(0))


@lru_cache(maxsize=4096)
def _category(source: str) -> str:
    from core.language import describe, parse

    return describe(parse(source)).category


def others(
    head: HeadId, programs: Mapping[HeadId, ParsedProgram], limits: WhoseLimits
) -> dict[str, list[HeadId]]:
    """Heads whose programs are tried on this one, by kind; a program that is the same is no other."""
    own = programs[head]
    rng = np.random.default_rng([limits.seed, head.layer, head.head])
    strangers = [other for other in sorted(programs) if programs[other].id != own.id]
    of_kind = {
        "same layer": [other for other in strangers if other.layer == head.layer],
        "same category": [o for o in strangers if _category(programs[o].source) == _category(own.source)],
        "any head": strangers,
    }
    return {
        kind: [heads[at] for at in rng.permutation(len(heads))[: limits.draws]]
        for kind, heads in of_kind.items()
    }


def probe(reading: Reading, limits: WhoseLimits) -> Mapping[HeadId, Tensor]:
    """IoU, output distance and cost [kind, figure, passage] of others' programs, means over the draws."""
    import torch

    from core.audit import measures

    found = {}
    for at, head in enumerate(reading.heads):
        a, g = reading.a[:, at], reading.g[:, :, at]
        z = None if reading.z is None else reading.z[:, at]
        kinds = []
        for heads in others(head, reading.programs, limits).values():
            unknown = torch.full_like(reading.lengths, torch.nan, dtype=a.dtype)
            tried = [torch.stack([unknown] * 3)]
            for other in heads:
                x = reading.pattern(reading.programs[other], keep=True)
                apart = unknown if z is None else measures.written_apart(a, x, z)
                tried.append(torch.stack([measures.iou(a, x), apart, measures.estimated_cost(a, x, g)]))
            kinds.append(torch.stack(tried[1:]).mean(0) if heads else tried[0])
        found[head] = torch.stack(kinds)
    return found


def run(subject: ProgramSubject, limits: WhoseLimits, told: Told) -> Finding:
    """The program beside other heads' programs on the same head."""
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    values, tokens = subject.probed(WHOSE, limits), found.tokens.astype(float)
    if known.nothing(values[2, 0]):
        return Finding("cannot tell", "No other head was audited with it whose program could be tried.")
    rows: list[tuple[Cell, ...]] = []
    figures = []
    for kind, (iou, apart, cost) in zip(KINDS, values, strict=True):
        if known.nothing(iou):
            continue
        less = known.mean(found.iou[row] - iou)
        figures.append(Figure(f"IoU beyond {kind}'s", less))
        own, other = known.ratio(found.cost[row], tokens), known.ratio(cost, tokens)
        rows.append(
            (
                kind,
                round(known.mean(iou).value, 3),
                round(known.ratio(apart, found.written[row]).value, 3),
                round(other.value, 5),
                round(other.value / own.value, 2) if own.value else None,
            )
        )
    own_row: tuple[Cell, ...] = (
        "own", round(known.mean(found.iou[row]).value, 3),
        round(known.ratio(found.apart[row], found.written[row]).value, 3),
        round(known.ratio(found.cost[row], tokens).value, 5), 1.0,
    )  # fmt: skip
    saved = known.ratio(values[2, 2] - found.cost[row], tokens)
    figures.append(Figure("estimated cost below any head's", saved, "nats"))
    return Finding(
        all_above(figure.estimate for figure in figures),
        "Other heads' programs on this head, each figure a mean over those tried."
        + known.caveats(found.failed[row], values[2, 0], "counts as IoU 0"),
        tuple(figures),
        ("whose", "IoU", "output error", "estimated cost", "cost, times its own"),
        (own_row, *rows),
    )


WHOSE = Audit(
    "whose",
    "Whose program",
    "Is it this head's program, or would another's do?",
    of="program",
    limits=WhoseLimits,
    run=run,
    probe=probe,
    is_usual=False,
    about=(
        "Programs of other heads take its place: of the same layer, of the same category, of any. If "
        "they fit and cost as little, the program says nothing of this head in particular. Costs are "
        "estimated from gradients."
    ),
    sources=("Explaining Attention with Program Synthesis (2026), its assignment controls",),
)
