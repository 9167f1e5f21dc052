"""Ranks: how attention orders keys, beside what gradients and erasing say; for comparison with papers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.audit import known
from core.audit.contract import Audit, Figure, Finding, ProgramSubject
from core.types import Bounds, HeadId, Told, option

if TYPE_CHECKING:
    from torch import Tensor

    from core.audit.shared import Reading

_WHO = ("head", "program", "twin")
_WHAT = ("gradient × attention", "leaving a key out")


@dataclass(frozen=True)
class RankLimits:
    """Which rows are ranked."""

    keys: int = option(5, "keys that a row sees at least", Bounds(3, 100))


def probe(reading: Reading, limits: RankLimits) -> Mapping[HeadId, Tensor]:
    """Mean Kendall tau-b over rows [against, whose, passage]."""
    import torch

    a = reading.a
    n = a.shape[-1]
    by_gradient = (a * reading.g).abs().mean(0)
    against = [by_gradient, left_out(a, reading.z) if reading.z is not None else None]
    whose = [a, reading.x, reading.t]
    places = torch.arange(n, device=a.device)
    seen = reading.sees
    rows = (seen.sum(-1) >= limits.keys) & (places < reading.lengths[:, None])  # [passage, query]
    unknown = torch.full(a.shape[:2], torch.nan, device=a.device)
    taus = [
        torch.stack([unknown if x is None or y is None else mean_tau(x, y, seen, rows) for x in whose])
        for y in against
    ]
    found = torch.stack(taus)  # [against, whose, passage, head]
    return {head: found[..., at] for at, head in enumerate(reading.heads)}


def left_out(a: Tensor, z: Tensor) -> Tensor:
    """How far a query's output moves if a key is left out and the row made to sum to what it did."""
    o = a @ z
    gram = (z @ z.transpose(-1, -2)).diagonal(dim1=-2, dim2=-1)[..., None, :]  # |z_j|^2
    total = a.sum(-1, keepdim=True).clamp(min=1e-9)
    mean = o / total
    apart = gram - 2 * (mean @ z.transpose(-1, -2)) + mean.square().sum(-1, keepdim=True)
    share = a / total
    return share / (1 - share).clamp(min=1e-6) * total * apart.clamp(min=0).sqrt()


def mean_tau(x: Tensor, y: Tensor, sees: Tensor, rows: Tensor) -> Tensor:
    """Kendall tau-b of rows of two maps over the keys that each sees, mean over `rows`, [passage, head]."""
    import torch

    sums = torch.zeros(x.shape[:2], device=x.device)
    for query in range(x.shape[-2]):  # a row at a time: pairs of keys are many
        which = rows[:, query]
        if not bool(which.any()):
            continue
        seen = sees[:, query]
        pairs = (seen[:, :, None] & seen[:, None, :])[:, None]
        dx = (x[:, :, query, :, None] - x[:, :, query, None, :]).sign() * pairs
        dy = (y[:, :, query, :, None] - y[:, :, query, None, :]).sign() * pairs
        spread = (dx.abs().sum((-1, -2)) * dy.abs().sum((-1, -2))).sqrt()
        tau = (dx * dy).sum((-1, -2)) / spread.clamp(min=1)
        sums += torch.where(which[:, None], tau, 0.0)
    count = rows.sum(1)[:, None]
    return torch.where(count > 0, sums / count.clamp(min=1), torch.nan)


def run(subject: ProgramSubject, limits: RankLimits, told: Told) -> Finding:
    """The rank correlations; they decide nothing."""
    values = subject.probed(RANKS, limits)
    if known.nothing(values[0, 0]):
        return known.undecided(values[0, 0], f"ranks of rows that see {limits.keys} keys")
    figures = [
        Figure(f"{who} and {what}", known.mean(values[at, place]))
        for at, what in enumerate(_WHAT)
        for place, who in enumerate(_WHO)
        if not known.nothing(values[at, place])
    ]
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    return Finding(
        "cannot tell",
        "Rank correlations are here for comparison with papers and decide nothing: most keys have "
        "almost no weight, and how these are ordered is noise."
        + known.caveats(found.failed[row], values[0, 0], ("ties all keys")),
        tuple(figures),
    )


RANKS = Audit(
    "ranks",
    "Ranks mislead",
    "Do weights order tokens as gradients and erasing do, as in Jain and Wallace?",
    of="program",
    limits=RankLimits,
    run=run,
    probe=probe,
    is_usual=False,
    about=(
        "Kendall's tau-b of each row with |gradient × attention| and with how far the output moves if"
        " a key is left out, mean over rows. 1: the same order, 0: none in common."
    ),
    sources=(
        "Attention is not Explanation (2019)",
        ("Is Attention Explanation? An Introduction to the Debate (2022)"),
    ),
)
