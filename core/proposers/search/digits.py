"""Constants of chosen rules with as few digits as fit as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from core.language.tune import FEWEST_DIGITS, rounded, spelt
from core.proposers.search.goal import Goal
from core.proposers.search.part_values import Values
from core.proposers.search.refit import ious, logits_of
from core.proposers.search.select import Chosen


def spelled(train: Values, chosen: Sequence[Chosen], goal: Goal) -> list[list[list[str]]]:
    """Each head's constants, rule by rule, as a program writes them; the rounding rule is that of `tune`."""
    layout = train.layout
    pad = torch.nn.utils.rnn.pad_sequence
    none = goal.targets.new_zeros(1, layout.cells)  # so that a head without rules has something to stack
    powers = [torch.cat([*map(train.columns, head.rules), none]) for head in chosen]
    logs = pad(
        [torch.tensor([*head.constants, 0.0], dtype=torch.float64) for head in chosen], batch_first=True
    )
    looks = pad([torch.tensor([*_looks(head), False]) for head in chosen], True)
    constants = torch.where(looks, logs.abs(), logs.exp())  # 1 where a head has no rule

    def fit(tried: Tensor, only: Tensor | None) -> Tensor:
        heads = torch.arange(len(chosen)) if only is None else only
        if not len(heads):
            return torch.zeros(0, dtype=torch.float64)
        moved = torch.where(looks[heads], tried * logs[heads].sign(), tried.log())
        values = [powers[head] for head in heads.tolist()]
        logits = logits_of(moved.float().to(layout.device), values, goal.bases[heads])
        return ious(layout, logits, goal.targets[heads]).double().cpu()

    reached = fit(constants, None)
    unmoved = torch.ones_like(constants)
    _, spellings = rounded(fit, unmoved, constants, torch.zeros_like(reached), reached)
    return [_by_rule(head, row) for row, head in zip(spellings, chosen, strict=True)]


def _looks(head: Chosen) -> Iterator[bool]:
    """Of each constant, whether it is the power of a look, which may be negative."""
    return (rule.look is not None for rule in head.rules for _ in range(rule.width))


def _by_rule(head: Chosen, spellings: Sequence[str | None]) -> list[list[str]]:
    signs = ("-" if look and log < 0 else "" for look, log in zip(_looks(head), head.constants, strict=True))
    plain = spelt(1.0, FEWEST_DIGITS)
    spelled = iter([sign + (text or plain) for sign, text in zip(signs, spellings, strict=False)])
    return [[next(spelled) for _ in range(rule.width)] for rule in head.rules]
