"""The fit of programs of any form: the evaluator's own weights, differentiated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.features import Features
from core.language.nodes import Block
from core.language.tensor.evaluator import Evaluator, normalised
from core.language.tune.literals import Literal
from core.language.values.looks import SomeLooks
from core.maps import iou_from_l1

_TOGETHER = 16  # programs evaluated at once: a tensor of a batch is 8 MB then


class GeneralLoss:
    """Distance of P programs, alike but for C literals, from a head each; the same as ProductLoss."""

    def __init__(
        self,
        body: Block,
        literals: Sequence[Literal],
        evaluators: Sequence[Evaluator],  # of each part of the sentences
        targets: Sequence[Tensor],  # [sentence, query, key] of each program
        parts: Sequence[Sequence[int]],
    ) -> None:
        self.body = body
        self.positions = [literal.position for literal in literals]
        self.parts = len(parts)
        self._sentences = sum(len(part) for part in parts)
        self._parts = list(zip(evaluators, parts, strict=True))
        self._targets = targets

    def ious(self, constants: Tensor, only: Tensor | None = None) -> Tensor:
        """Mean IoU over all sentences, float64 [pair], of constants [pair, C]; of the pairs `only`."""
        which = list(range(len(constants))) if only is None else only.tolist()
        with torch.no_grad():
            totals = torch.zeros(len(constants), dtype=torch.float64)
            for part in range(len(self._parts)):
                for pairs in _slices(len(constants)):
                    found = self._distances(part, constants[pairs].float(), which[pairs])
                    totals[pairs] += self._ious(*found, part).sum(1)
        return totals / self._sentences

    def step(self, part: int, constants: Tensor) -> tuple[Tensor, Tensor | None]:
        """The loss's gradient in the constants [pair, C], and `ious` where the part is everything."""
        gradients, ious = [], []
        lengths = self._lengths(part)
        which = list(range(len(constants)))
        for pairs in _slices(len(constants)):
            values = constants[pairs].float().requires_grad_()
            distances, failed = self._distances(part, values, which[pairs])
            counted = torch.where(failed, 0.0, distances / lengths)
            loss = (counted.sum(1) / (~failed).sum(1).clamp(min=1)).sum()
            gradient = torch.zeros_like(values)
            if loss.requires_grad:
                found = torch.autograd.grad(loss, values)[0]
                gradient = found.nan_to_num(0.0, 0.0, 0.0)  # of values that another branch hides
            gradients.append(gradient.double())
            ious.append(self._ious(distances.detach(), failed, part).sum(1) / self._sentences)
        return torch.cat(gradients), torch.cat(ious) if len(self._parts) == 1 else None

    def is_exact(self, constants: Tensor) -> Tensor:
        """True: this is the evaluator itself."""
        return torch.ones(len(constants), dtype=torch.bool)

    def _lengths(self, part: int) -> Tensor:
        return torch.from_numpy(self._parts[part][0].features.lengths).clamp(min=1)

    def _distances(self, part: int, values: Tensor, which: Sequence[int]) -> tuple[Tensor, Tensor]:
        """L1 distance of each of these pairs on each sentence of a part, and whether the program failed."""
        distances, failed = self._together(part, values, which)
        if failed and len(which) > 1:  # it is not known for which of them
            alone = [self._distances(part, values[at, None], [pair]) for at, pair in enumerate(which)]
            return torch.cat([found for found, _ in alone]), torch.cat([found for _, found in alone])
        evaluator = self._parts[part][0]
        mask = torch.zeros(len(which), len(evaluator.features), dtype=torch.bool)
        mask[:, [*failed, *evaluator.too_long]] = True
        return distances, mask

    def _together(self, part: int, values: Tensor, which: Sequence[int]) -> tuple[Tensor, list[int]]:
        """The distances [pair, sentence], and the sentences on which any of the pairs failed."""
        evaluator, sentences = self._parts[part]
        columns = values.to(evaluator.device).unbind(1)
        failed: list[int] = []
        found: list[Tensor] = []
        rows: list[int] = []
        for batch, value, failures in evaluator.values(
            self.body, dict(zip(self.positions, columns, strict=True))
        ):
            weights, n = normalised(value, batch), batch.length
            at = [sentences[row] for row in batch.rows]
            wanted = torch.stack([self._targets[pair][at, :n, :n] for pair in which])
            apart = (weights - wanted.to(evaluator.device)).abs().sum((-1, -2))
            found.append(apart.cpu())
            rows += batch.rows
            failed += [batch.rows[row] for row in failures]
        missing = sorted(set(range(len(evaluator.features))) - set(rows))  # without tokens, or too long
        found.append(values.new_zeros(len(which), len(missing)))
        order = torch.tensor([*rows, *missing], dtype=torch.int64).argsort()
        return torch.cat(found, 1)[:, order], failed

    def _ious(self, distances: Tensor, failed: Tensor, part: int) -> Tensor:
        """IoU [pair, sentence], float64."""
        lengths = torch.from_numpy(self._parts[part][0].features.lengths)
        ious = iou_from_l1(distances, lengths).double().nan_to_num(1.0)
        return torch.where(failed, 0.0, ious)


def evaluators_of(features: Features, parts: Sequence[Sequence[int]], like: Evaluator) -> list[Evaluator]:
    """An evaluator for each part; the one given if the only part is everything."""
    if len(parts) == 1:
        return [like]
    return [
        Evaluator(
            features.select(part),
            like.causal,
            like.device,
            like.max_elements,
            None if like.looks is None else SomeLooks(like.looks, part),
        )
        for part in parts
    ]


def _slices(count: int) -> list[slice]:
    return [slice(start, start + _TOGETHER) for start in range(0, count, _TOGETHER)]
