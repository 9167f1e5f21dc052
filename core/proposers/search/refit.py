"""Rules fitted to many heads at once: weights are softmaxes of constants times what the rules say.

The loss is the L1 distance of a row from the head's, averaged over a sentence's rows and then over
sentences: the linear twin of IoU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.maps import iou_from_l1, l1_and_slope
from core.proposers.search.goal import Goal
from core.proposers.search.layout import Layout

_NOTHING = -1e30  # the logit of padding
_FIRST_RATE = 0.4
_HIGHEST_RATE = 0.8
_GROWTH = 1.2
_SPREAD_EVERY = 4  # steps; it changes slowly
_LONGEST = 1.0  # step, in logs
_RIDGE = 1e-5  # of the spread
_LARGEST = math.log(2000)  # of what a rule may multiply a weight by, in logs


@dataclass(frozen=True)
class Fields:
    """How a model of H heads stands in every row cell."""

    weights: Tensor  # float32 [head, cell]
    ascent: Tensor  # float32 [head, cell]: how fast the loss falls as a logit rises
    targets: Tensor  # float32 [head, cell]: what the weights should be
    ious: Tensor  # float32 [head]


def fields(layout: Layout, logits: Tensor, targets: Tensor) -> Fields:
    """Weights, gradient and IoU of logits [head, cell] against `targets` [head, cell]."""
    weights, ascent = torch.empty_like(logits), torch.empty_like(logits)
    distances = logits.new_zeros(len(logits), len(layout.lengths))
    hidden = torch.where(layout.is_real, logits, _NOTHING)
    for block, rows in layout.row_views(hidden):
        held = rows.softmax(-1)
        wanted = targets[:, block.cells].view_as(held)
        apart, slope = l1_and_slope(held, wanted, lambda cells: cells.sum(-1))
        distances.index_add_(1, block.sentence, apart)
        weights[:, block.cells] = held.flatten(1)
        ascent[:, block.cells] = slope.flatten(1).neg_()
    ascent *= layout.share
    return Fields(weights, ascent, targets, iou_from_l1(distances, layout.lengths).mean(1))


def ious(layout: Layout, logits: Tensor, targets: Tensor) -> Tensor:
    """Mean IoU over sentences, float32 [head]."""
    distances = logits.new_zeros(len(logits), len(layout.lengths))
    hidden = torch.where(layout.is_real, logits, _NOTHING)
    for block, rows in layout.row_views(hidden):
        wanted = targets[:, block.cells].view_as(rows)
        distances.index_add_(1, block.sentence, (rows.softmax(-1) - wanted).abs_().sum(-1))
    return iou_from_l1(distances, layout.lengths).mean(1)


def logits_of(constants: Tensor, values: Sequence[Tensor], bases: Tensor) -> Tensor:
    """Logits [head, cell] of log constants [head, constant] and each head's values [constant, cell].

    Heads may have different numbers of constants: what stands beyond a head's own is not read. `bases`
    [head, cell] is added.
    """
    found = torch.stack([row[: len(own)] @ own for row, own in zip(constants, values, strict=True)])
    return found.add_(bases)


def limits_of(values: Tensor) -> Tensor:
    """How far from 0 the log constants [constant] of values [constant, cell] may go: laws have powers."""
    return torch.where(values.abs().amax(1) > 1, 1.5, _LARGEST)


def refit(
    layout: Layout,
    constants: Tensor,
    limits: Tensor,
    values: Sequence[Tensor],
    goal: Goal,
    steps: int,
) -> tuple[Tensor, Tensor]:
    """The best log constants [head, constant] seen on a descent from `constants`, and their IoU [head].

    They stay within `limits` of 0. A step is a rate times the gradient over the spread of a rule's values
    under the weights, which is 2 where all rows ask for more. The rate of each constant grows while its steps
    agree and halves when they turn.
    """
    places, best = constants.clone(), constants.clone()
    reached = constants.new_full((len(constants),), -1.0)
    rates = torch.full_like(places, _FIRST_RATE)
    spread, before, slope = (torch.zeros_like(places) for _ in range(3))
    for step in range(steps + 1):
        found = fields(layout, logits_of(places, values, goal.bases), goal.targets)
        better = found.ious > reached
        best[better], reached[better] = places[better], found.ious[better]
        if step == steps:
            break
        for at, own in enumerate(values):
            if step % _SPREAD_EVERY == 0:
                spread[at, : len(own)] = spread_of(layout, found.weights[at], own)
            slope[at, : len(own)] = own @ found.ascent[at]
        slope /= spread + _RIDGE
        agrees = slope.sign() * before.sign()
        rates = torch.where(agrees < 0, rates / 2, torch.where(agrees > 0, rates * _GROWTH, rates))
        rates = rates.clamp(max=_HIGHEST_RATE)
        places = (places + (rates * slope).clamp(-_LONGEST, _LONGEST)).clamp(-limits, limits)
        before = slope.clone()
    return best, reached


def spread_of(layout: Layout, weights: Tensor, values: Tensor) -> Tensor:
    """Variance of each of a head's values [constant, cell] under its weights [cell], averaged over rows."""
    total = weights.new_zeros(len(values))
    for block, held in layout.row_views(weights):
        part = values[:, block.cells].view(len(values), -1, block.keys)
        weighted = part * held
        share = layout.share[block.cells].view(-1, block.keys)[:, 0]
        square = (weighted * part).sum(-1)
        total += (square - weighted.sum(-1).square()).clamp(min=0) @ share
    return total
