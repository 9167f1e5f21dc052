"""The fit of one program of any form: the evaluator's own weights, differentiated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.features import Features
from core.language.evaluate import Evaluator
from core.language.parse import ParsedProgram
from core.language.tune_literals import Literal


class GeneralLoss:
    """Distance of one program from one head; the same as ProductLoss with a single pair."""

    def __init__(
        self,
        program: ParsedProgram,
        literals: Sequence[Literal],
        evaluators: Sequence[Evaluator],  # of each part of the sentences
        target: Tensor,  # [sentence, query, key]
        parts: Sequence[Sequence[int]],
    ) -> None:
        self.program = program
        self.positions = [literal.position for literal in literals]
        self.parts = len(parts)
        self._sentences = sum(len(part) for part in parts)
        self._parts = []
        for evaluator, part in zip(evaluators, parts, strict=True):
            size = evaluator.length
            self._parts.append((evaluator, target[list(part), :size, :size].to(evaluator.device).float()))

    def ious(self, constants: Tensor, only: Tensor | None = None) -> Tensor:
        """Mean IoU over all sentences, float64 [1]; constants [1, C]."""
        with torch.no_grad():
            if only is not None and not len(only):
                return torch.zeros(0, dtype=torch.float64)
            values = constants[0].float()
            found = [self._ious(*self._distances(part, values), part) for part in range(len(self._parts))]
        return torch.cat(found).sum().view(1) / self._sentences

    def step(self, part: int, constants: Tensor) -> tuple[Tensor, Tensor | None]:
        """The loss's gradient in the constants [1, C], and `ious` where the part is everything."""
        values = constants[0].float().requires_grad_()
        distances, failed = self._distances(part, values)
        lengths = self._lengths(part)
        keep = [row for row in range(len(lengths)) if row not in failed]
        gradient = torch.zeros_like(values)
        if keep:
            loss = (distances[keep] / lengths[keep]).mean()
            if loss.requires_grad:
                found = torch.autograd.grad(loss, values)[0]
                gradient = found.nan_to_num(0.0, 0.0, 0.0)  # of values that another branch hides
        ious = self._ious(distances.detach(), failed, part)
        whole = ious.sum().view(1) / self._sentences if len(self._parts) == 1 else None
        return gradient.double().view(1, -1), whole

    def is_exact(self, constants: Tensor) -> Tensor:
        """True: this is the evaluator itself."""
        return torch.ones(1, dtype=torch.bool)

    def _lengths(self, part: int) -> Tensor:
        evaluator = self._parts[part][0]
        return torch.from_numpy(evaluator.features.lengths)

    def _distances(self, part: int, values: Tensor) -> tuple[Tensor, list[int]]:
        evaluator, target = self._parts[part]
        constants = dict(zip(self.positions, values.to(evaluator.device), strict=True))
        evaluated = evaluator.run(self.program, constants)
        distances = (evaluated.weights - target).abs().sum((1, 2)).cpu()
        return distances, list(evaluated.failures)

    def _ious(self, distances: Tensor, failed: Sequence[int], part: int) -> Tensor:
        lengths = self._lengths(part)
        ious = ((lengths - distances / 2) / (lengths + distances / 2)).double().nan_to_num(1.0)
        ious[list(failed)] = 0
        return ious


def evaluators_of(features: Features, parts: Sequence[Sequence[int]], like: Evaluator) -> list[Evaluator]:
    """An evaluator for each part; the one given if the only part is everything."""
    if len(parts) == 1:
        return [like]
    return [Evaluator(features.select(part), like.causal, like.device, like.max_elements) for part in parts]
