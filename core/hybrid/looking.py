"""Programs that look at other heads, to be run when a forward pass has come to what they read.

Their weights are differentiable in what they read and in their constants, one program's intermediate values
at a time: for the gradient a program is run anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from core.language import Evaluated, Looks, ParsedProgram
from core.types import HeadId

Run = Callable[[HeadId, Tensor | None], Evaluated]  # a head's program, with the constants that it may have


@dataclass(frozen=True)
class Looking:
    """The looking programs among those of a hybrid, on some sentences."""

    programs: Mapping[HeadId, ParsedProgram]
    start: Callable[[Looks], Run]  # runs programs on these sentences, where the heads give these maps
    constants: Mapping[HeadId, Tensor] = field(default_factory=dict)  # of programs that are being fitted

    @property
    def watched(self) -> frozenset[HeadId]:
        """The heads that some program looks at."""
        return frozenset[HeadId]().union(*(program.looks for program in self.programs.values()))

    def among(self, heads: Set[HeadId]) -> Looking | None:
        """The programs of these heads only; None if none is left."""
        kept = {head: program for head, program in self.programs.items() if head in heads}
        return replace(self, programs=kept) if kept else None

    def run(self, run: Run, head: HeadId, seen: Mapping[HeadId, Tensor]) -> Evaluated:
        """One program by `run`, which reads the maps `seen`; differentiable where gradients are enabled."""
        constants = self.constants.get(head)
        with torch.no_grad():
            found = run(head, constants)
        looked = [one for one in sorted(self.programs[head].looks) if one in seen]
        inputs = [*(seen[one] for one in looked), *([] if constants is None else [constants])]
        if not torch.is_grad_enabled() or not any(given.requires_grad for given in inputs):
            return found

        def again(*given: Tensor) -> Tensor:
            maps = dict(zip(looked, given, strict=False))
            return self.start(maps)(head, None if constants is None else given[-1]).weights

        weights: Tensor = _RunAnew.apply(found.weights, again, *inputs)  # type: ignore[no-untyped-call]
        return Evaluated(weights, found.failures)


class _RunAnew(torch.autograd.Function):
    """Weights that were computed without a gradient, computed again for it."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, again: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        ctx.again = again
        ctx.save_for_backward(*inputs)
        return weights.view_as(weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        needed = ctx.needs_input_grad[2:]
        inputs = [
            given.detach().requires_grad_(is_needed)
            for given, is_needed in zip(ctx.saved_tensors, needed, strict=True)
        ]
        with torch.enable_grad():
            weights = ctx.again(*inputs)
        found = iter(
            torch.autograd.grad(
                weights, [given for given in inputs if given.requires_grad], gradient, materialize_grads=True
            )
            if weights.requires_grad
            else ()
        )
        # not finite in values that another branch hides
        passed = (
            next(found).nan_to_num(0.0, 0.0, 0.0) if is_needed and weights.requires_grad else None
            for is_needed in needed
        )
        return None, None, *passed
