"""Which heads to replace first, and how many: by cost, by fit, or drawn at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from core.errors import HybridError
from core.hybrid.costs import Costs, Scores
from core.types import HeadId, HeadOrder


def estimated_kl(scores: Scores, passages: np.ndarray | None = None) -> dict[HeadId, float]:
    """KL per token that each head is expected to add, nats; of the passages of a mask.

    A program that fails leaves its head alone, which costs nothing: only passages where it ran count, and a
    head whose program fails on most passages has an infinite cost.
    """
    which = np.ones(len(scores.tokens), bool) if passages is None else passages
    squares = np.square(scores.drawn[:, which]).sum(1).mean(0) / 2
    return _per_token(scores, scores.slope[which].sum(0) + squares, which)


def measured_kl(costs: Costs, passages: np.ndarray | None = None) -> dict[HeadId, float]:
    """KL per token that each head alone costs, nats; of the passages of a mask, as `estimated_kl` counts."""
    which = np.ones(len(costs.tokens), bool) if passages is None else passages
    return _per_token(costs, costs.kl[which].sum(0), which)


def _per_token(of: Scores | Costs, summed: np.ndarray, which: np.ndarray) -> dict[HeadId, float]:
    """Sums [head] over passages as means over the tokens of those where the head's program ran."""
    ran = of.ran[which]
    tokens = (ran * of.tokens[which, None]).sum(0)
    means = np.where(2 * ran.sum(0) >= len(ran), summed / np.maximum(tokens, 1), np.inf)
    return dict(zip(of.heads, means.tolist(), strict=True))


def greedy(
    heads: Sequence[HeadId], count: int, scores_after: Callable[[frozenset[HeadId]], Scores], blocks: int = 10
) -> list[HeadId]:
    """The cheapest heads a block at a time, the rest estimated anew in the hybrid so far."""
    taken: list[HeadId] = []
    block = max(1, -(-len(heads) // blocks))
    while len(taken) < count:
        costs = estimated_kl(scores_after(frozenset(taken)))
        left = sorted(set(heads) - set(taken), key=lambda head: (costs[head], head))
        taken += left[: min(block, count - len(taken))]
    return taken


def largest_within(
    budget: float, most: int, increase_of: Callable[[int], float]
) -> tuple[int, dict[int, float]]:
    """The largest number of heads found to raise perplexity by at most `budget`, and what was measured.

    Bisects: `increase_of` measures a number of heads, 0.05 for +5 %.
    """
    measured: dict[int, float] = {}
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        measured[middle] = increase_of(middle)
        low, high = (middle, high) if measured[middle] <= budget else (low, middle - 1)
    return low, measured


def ranked(
    heads: Sequence[HeadId],
    order: HeadOrder,
    costs: Mapping[HeadId, float],
    fits: Mapping[HeadId, float],
    seed: int,
) -> list[HeadId]:
    """Heads in the order they are replaced: cheapest, best fitting on validation, or as drawn."""
    if order == "random":
        drawn = sorted(heads)
        random.Random(seed).shuffle(drawn)
        return drawn
    if order == "iou":
        return sorted(heads, key=lambda head: (-fits.get(head, 0.0), head))
    missing = [head for head in heads if head not in costs]
    if missing:
        raise HybridError(
            f"{len(missing)} heads have no cost yet, {missing[0]} among them; measure them first"
        )
    return sorted(heads, key=lambda head: (costs[head], head))
