"""Slack: how differently a head could attend and write the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audit import known
from core.audit.contract import Audit, Figure, Finding, ProgramSubject
from core.types import Bounds, HeadId, Told, option

if TYPE_CHECKING:
    from torch import Tensor

    from core.audit.shared import Reading

_MUCH = 0.3  # nats of Jensen-Shannon divergence, of ln 2 at most


@dataclass(frozen=True)
class SlackLimits:
    """How hard another attention is sought, and how alike it has to write."""

    steps: int = option(60, "steps of the search for another attention", Bounds(10, 5000))
    rows: int = option(3, "rows of each passage that are tried, the last ones", Bounds(1, 1000))
    apart: float = option(0.01, "squared output error that the other attention may have", Bounds(above=0))
    checked: int = option(
        0, "passages on which the other attention is put in the head's place and the model asked", Bounds(0)
    )


def probe(reading: Reading, limits: SlackLimits) -> Mapping[HeadId, Tensor]:
    """Mean Jensen-Shannon divergence [figure, passage] of the farthest attention, and of the program, where
    the program writes the same.
    """
    import torch

    if reading.z is None:
        return {head: torch.full((2, len(reading.a)), torch.nan) for head in reading.heads}
    found = {head: torch.full((2, len(reading.a)), torch.nan) for head in reading.heads}
    for row, length in enumerate(reading.lengths.tolist()):
        queries = range(max(1, length - limits.rows), length)
        if not queries:
            continue
        for at, head in enumerate(reading.heads):
            rows = reading.a[row, at, list(queries), :length]
            z = reading.z[row, at, :length]
            seen = reading.sees[row, list(queries), :length]
            other = farthest(rows, z, seen, limits.steps, limits.apart)
            program = reading.x[row, at, list(queries), :length]
            error = ((program - rows) @ z).square().sum(-1)
            same = error <= limits.apart * (rows @ z).square().sum(-1)
            found[head][0, row] = divergence(rows, other).mean()
            found[head][1, row] = same.float().mean()
    return found


def farthest(rows: Tensor, z: Tensor, seen: Tensor, steps: int, apart: float) -> Tensor:
    """Rows on the simplex of seen keys, as far from `rows` [query, key] as is found, that write the same.

    Moves along directions that hardly change what is written: the gradient of the divergence, projected on
    the null space of [z, 1] as far as it has one, then pulled back within `apart` of the squared length.
    """
    import torch

    best, best_far = rows.clone(), torch.zeros(len(rows))
    size = (rows @ z).square().sum(-1)
    for query in range(len(rows)):
        own, keys = rows[query, seen[query]], z[seen[query]]
        fixed = torch.cat([keys, torch.ones(len(keys), 1)], 1)  # sum and output
        _, values, right = torch.linalg.svd(fixed.T, full_matrices=True)
        rank = int((values > values.max() * 1e-5).sum())
        null = right[rank:]  # directions that write nothing
        if not len(null):
            continue
        draw = torch.Generator().manual_seed(query)
        pushes = torch.randn(2, len(own), generator=draw)
        for push in torch.cat([pushes, -pushes]):
            now = own.clone()
            for step in range(steps):
                slope = push if step == 0 else _slope(own, now)
                move = null.T @ (null @ slope)
                # Keys at 0 cannot fall: the direction keeps them, as far as the null space allows.
                for _ in range(8):
                    blocked = (now <= 1e-9) & (move < 0)
                    if not bool(blocked.any()):
                        break
                    kept = null[:, ~blocked]
                    free = _null_of(fixed[~blocked])
                    move = torch.zeros_like(move)
                    if len(free) and kept.shape[1]:
                        move[~blocked] = free.T @ (free @ slope[~blocked])
                falling = move < -1e-12
                if not bool((move.abs() > 1e-10).any()):
                    break
                most = (now[falling] / -move[falling]).min() if bool(falling.any()) else torch.tensor(1.0)
                now = (now + most * (1.0 if step % 2 else 0.5) * move).clamp(min=0)
                now = now / now.sum() * own.sum()
            error = ((now - own) @ keys).square().sum()
            far = divergence(own[None], now[None])[0]
            if error <= apart * size[query] and far > best_far[query]:
                best_far[query] = far
                best[query, seen[query]] = now
    return best


def _null_of(fixed: Tensor) -> Tensor:
    import torch

    if not len(fixed):
        return torch.zeros(0, 0)
    _, values, right = torch.linalg.svd(fixed.T, full_matrices=True)
    free: Tensor = right[int((values > values.max() * 1e-5).sum()) :]
    return free


def _slope(own: Tensor, now: Tensor) -> Tensor:
    """Gradient in `now` of its Jensen-Shannon divergence from `own`."""
    middle = (own + now) / 2
    return 0.5 * (now.clamp(min=1e-9) / middle.clamp(min=1e-9)).log()


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of rows, nats, at most ln 2."""
    import torch

    middle = (p + q) / 2
    nats: Tensor = torch.xlogy(p, p) + torch.xlogy(q, q) - 2 * torch.xlogy(middle, middle)
    return nats.sum(-1).clamp(min=0) / 2


def run(subject: ProgramSubject, limits: SlackLimits, told: Told) -> Finding:
    """How far another attention may lie, and whether the program lies within that."""
    values = subject.probed(SLACK, limits)
    if known.nothing(values[0]):
        return known.undecided(values[0], "what else the head could attend to")
    slack, same = known.mean(values[0]), known.mean(values[1])
    is_loose = slack.low > _MUCH
    note = (
        f"Rows that write the same within {limits.apart:.0%} lie up to {slack.value:.2f} nats from the "
        f"head's own; {math.log(2):.2f} is the most. The program writes the same on {same.value:.0%} of rows."
    )
    if is_loose:
        note += " Attention is hardly pinned down here: read what is written, not IoU."
    checked: tuple[Figure, ...] = ()
    if limits.checked:
        checked, said = _checked(subject, limits, told)
        note += said
    row = subject.shared.row(subject.head)
    failed = subject.shared.passages.failed[row]
    return Finding(
        "fails" if is_loose else "passes" if slack.high <= _MUCH else "cannot tell",
        note + known.caveats(failed, np.asarray(values[0]), "writes nothing"),
        (
            Figure("slack", slack, "nats"),
            Figure("rows on which the program writes the same", same, "share"),
            *checked,
        ),
    )


def _checked(subject: ProgramSubject, limits: SlackLimits, told: Told) -> tuple[tuple[Figure, ...], str]:
    """What the model does with the other attention in the head's place, beside the program there."""
    import torch

    from core.audit.changed_head import ChangedHead, moved
    from core.audit.recording import recording
    from core.display import COSTS
    from core.hybrid import ProgramPatterns
    from core.hybrid.predicted import asked, measure_of

    known.refuse_resolved(subject, "checked")
    loaded, head, shared = subject.load(), subject.head, subject.shared
    features = subject.tested.features
    features = asked(loaded, features.select(range(min(len(features), limits.checked))))
    if head.layer not in shared.projections:
        return (), " What the head writes cannot be read, so nothing was checked by a pass."
    others: dict[str, torch.Tensor] = {}
    with recording(loaded) as recorder:
        for row, sentence in enumerate(features.sentences):
            told.progress("seeking another attention", row, len(features))
            recorder.forward(features, [row])
            n = int(features.lengths[row])
            own = recorder.attention[head.layer][0, head.head].detach().float().cpu()
            z = recorder.written(head.layer, shared.projections[head.layer])[0, head.head].detach().cpu()
            seen = torch.from_numpy(loaded.info.window(head.layer).seen(n))
            seen = seen.tril() if loaded.info.is_causal else seen
            last = list(range(max(1, n - limits.rows), n))
            others[sentence] = own.clone()
            others[sentence][last] = farthest(own[last], z, seen[last], limits.steps, limits.apart)
    other = ChangedHead(loaded, head, lambda own, sentence: others[sentence])
    program = ProgramPatterns({head: subject.program}, loaded.info.is_causal, loaded.device)
    found, words = moved(loaded, features, [other, program]), COSTS[measure_of(loaded)]
    by_other, by_program = found.mean(0), found.mean(1)
    return (
        Figure(f"{words.short} with the other attention in its place", by_other),
        Figure(f"{words.short} with the program in its place", by_program),
    ), (
        f" Put in its place, the other attention moves predictions by {by_other.value:.5f} "
        f"({words.distance}), the program by {by_program.value:.5f}."
    )


SLACK = Audit(
    "slack",
    "Slack",
    "Could the head look elsewhere and write the same?",
    of="program",
    limits=SlackLimits,
    run=run,
    probe=probe,
    is_usual=False,
    about=(
        "The farthest attention that writes the same is sought on the last rows of each passage, "
        "along directions that the values cannot tell apart; what is found is a lower bound. Passages"
        " longer than the head's dimension always have such directions."
    ),
    sources=("On Identifiability in Transformers (2020)", "Attention is not Explanation (2019)"),
)
