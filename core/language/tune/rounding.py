"""Few digits where they do: constants rounded as far as IoU on the fitted sentences hardly drops."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.language.tune.literals import HIGHEST, LOWEST, MAX_DIGITS, spelt

MAY_COST = 0.001  # IoU that the rounding of a program's constants may cost
FEWEST_DIGITS = 2

Ious = Callable[[Tensor, Tensor | None], Tensor]  # constants [pair, C], and of which pairs


def rounded(
    ious: Ious, start: Tensor, fitted: Tensor, before: Tensor, reached: Tensor
) -> tuple[Tensor, list[list[str | None]]]:
    """Rounded constants [pair, C] and how each is written; None for one that did not move.

    Two digits if that costs less than MAY_COST and does not lose against `before`; else one literal after
    the other gets as few as the others leave room for.
    """
    moved = fitted != start
    floor = torch.maximum(reached - MAY_COST, before)
    digits = torch.where(moved, FEWEST_DIGITS, 0)
    constants = _at(fitted, digits)
    hard = torch.nonzero(ious(constants, None) < floor)[:, 0]
    if len(hard):
        digits[hard] = _one_by_one(ious, fitted[hard], moved[hard], floor[hard], hard)
        constants = _at(fitted, digits)
    spellings = [
        [spelt(value, count) if count else None for value, count in zip(values, counts, strict=True)]
        for values, counts in zip(fitted.tolist(), digits.tolist(), strict=True)
    ]
    return constants, spellings


def _one_by_one(ious: Ious, fitted: Tensor, moved: Tensor, floor: Tensor, only: Tensor) -> Tensor:
    """Digits [pair, C] of the pairs `only`: MAX_DIGITS at first, then each literal down to what it needs."""
    digits = torch.where(moved, MAX_DIGITS, 0)
    is_settled = ~moved
    for count in range(FEWEST_DIGITS, MAX_DIGITS):
        for at in range(fitted.shape[1]):
            tried = digits.clone()
            tried[:, at] = torch.where(is_settled[:, at], digits[:, at], count)
            if torch.equal(tried, digits):
                continue
            suffices = ious(_at(fitted, tried), only) >= floor
            digits[:, at] = torch.where(suffices, tried[:, at], digits[:, at])
            is_settled[:, at] |= suffices
    return digits


def _at(constants: Tensor, digits: Tensor) -> Tensor:
    """Constants with so many significant digits, 0 for as they are."""
    values = [
        [float(spelt(value, count)) if count else value for value, count in zip(row, counts, strict=True)]
        for row, counts in zip(constants.tolist(), digits.tolist(), strict=True)
    ]
    return torch.tensor(values, dtype=constants.dtype).view(constants.shape).clamp(LOWEST, HIGHEST)
