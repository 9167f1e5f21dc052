"""Fitting the constants of programs to heads: literals move, everything else of the source stays.

    fitted = tune([(program, maps), ...], features)
    fitted[0].program        the same source with other numbers
    fitted[0].before, .after IoU on these sentences, never less after than before

Gradient descent (Adam, cosine decay) on the L1 distance of a row, averaged over a sentence's rows and then
over sentences: what IoU = (n - d/2) / (n + d/2) averages, made linear. Of all constants seen those with
the best IoU are kept, the first ones among them. Programs that differ in literals only are fitted all at
once: products of their literals (`tune_products`) as softmaxes, others through the evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.errors import ProgramError
from core.features import Features
from core.language.nodes import Block
from core.language.reading.program import ParsedProgram
from core.language.tensor.evaluator import Evaluator
from core.language.tune.general import GeneralLoss, evaluators_of
from core.language.tune.literals import HIGHEST, LOWEST, Literal, literals, rewritten
from core.language.tune.products import Product, as_product, with_values
from core.language.tune.rounding import MAY_COST, rounded
from core.language.tune.rows import ProductLoss
from core.language.values.looks import Looks
from core.maps import cell_sum

FitTarget = tuple[ParsedProgram, Tensor]

STEPS = 80
_RATE = 0.3  # the first step of a literal: a factor of e ** 0.3, or 0.3 times its value
_BASE_PACE = 0.1  # of that, for the base of a power: distance raises it to 10 or 50
_MEMORY = (0.8, 0.95)  # of Adam's two averages; short, as there are few steps
_NEGLIGIBLE = 1e-9  # a gradient this small is rounding noise
_LEAST_GAIN = 1e-5  # IoU; less is no reason to touch a program
_PART_CELLS = 2**20  # of one head in one mini-batch
_HELD_CELLS = 2**27  # of all heads fitted together: 512 MB
_FULL_PASSES = 8  # over all sentences, when steps see only a part of them


@dataclass(frozen=True)
class Fitted:
    """A program with its constants fitted to a head, and its IoU on the sentences they were fitted on."""

    program: ParsedProgram
    before: float
    after: float


class Loss(Protocol):
    """What a fit goes down: P programs alike but for C literals, each with a head of its own."""

    parts: int  # mini-batches that the sentences are divided into

    def ious(self, constants: Tensor, only: Tensor | None = None) -> Tensor:
        """Mean IoU over all sentences, float64 [pair], of constants [pair, C]; of the pairs `only`."""

    def step(self, part: int, constants: Tensor) -> tuple[Tensor, Tensor | None]:
        """The loss's gradient [pair, C] on a part, and `ious` where the part is everything."""

    def is_exact(self, constants: Tensor) -> Tensor:
        """bool [pair]: whether `ious` is surely what the evaluator gives."""


def tune(
    pairs: Sequence[FitTarget],
    features: Features,
    causal: bool = True,
    device: str | torch.device = "cpu",
    steps: int = STEPS,
    seed: int = 0,
    looks: Looks | None = None,
) -> list[Fitted]:
    """Each program with its constants fitted to its head, in the order given.

    A pair is a program and the head's attention on `features`, float [sentence, query, key], padded to
    the longest sentence. `seed` orders the sentences where there are too many for one step; the same
    pairs, seed and device give the same programs. `looks` holds what programs look at.
    """
    evaluator = Evaluator(features, causal, device, looks=looks)
    if not evaluator.length:  # no sentence has a token
        return [Fitted(program, 0.0, 0.0) for program, _ in pairs]
    parts = _parts(features, causal, seed)
    general = evaluators_of(features, parts, evaluator)
    fits = [_Fit(program, target, literals(program)) for program, target in pairs]
    done: dict[int, Fitted] = {}
    for chosen, product in _products(fits, evaluator, causal):
        size = evaluator.length
        targets = [fits[at].target[:, :size, :size] for at in chosen]
        members = [fits[at] for at in chosen]
        ends = _fitted(members, ProductLoss(product, evaluator, targets, parts), steps)
        for at, fit, end in zip(chosen, members, ends, strict=True):
            checked = end if end.is_exact else _measured(end, _general([fit], general, parts))
            if checked is not None:
                done[at] = _written(fit, checked)
    for chosen in _alike(fits, [at for at in range(len(fits)) if at not in done]):
        members = [fits[at] for at in chosen]
        ends = _fitted(members, _general(members, general, parts), steps)
        for at, fit, end in zip(chosen, members, ends, strict=True):
            done[at] = _written(fit, end)
    return [done[at] for at in range(len(fits))]


@dataclass(frozen=True)
class _Fit:
    program: ParsedProgram
    target: Tensor
    literals: tuple[Literal, ...]


def _products(
    fits: Sequence[_Fit], evaluator: Evaluator, causal: bool
) -> Iterator[tuple[list[int], Product]]:
    """Fits of the same product, as many together as memory allows."""
    groups: dict[Product, list[int]] = {}
    for at, fit in enumerate(fits):
        product = as_product(fit.program, fit.literals) if fit.literals else None
        if product is not None:
            groups.setdefault(product, []).append(at)
    together = max(1, _HELD_CELLS // (1 + cell_sum(evaluator.features.lengths, causal)))
    for product, members in groups.items():
        for start in range(0, len(members), together):
            yield members[start : start + together], product


@dataclass(frozen=True)
class _End:
    """Where the fit of one program came to."""

    start: Tensor  # float64 [C]
    constants: Tensor  # float64 [C], rounded
    spellings: Sequence[str | None]  # None: has not moved
    before: float
    after: float
    is_exact: bool  # both are surely what the evaluator gives


def _alike(fits: Sequence[_Fit], which: Sequence[int]) -> Iterator[list[int]]:
    """Of `which` fits those of programs that differ in the values of their literals only."""
    groups: dict[Block, list[int]] = {}
    for at in which:
        positions = [literal.position for literal in fits[at].literals]
        groups.setdefault(with_values(fits[at].program.body, dict.fromkeys(positions, 1.0)), []).append(at)
    yield from groups.values()


def _general(
    fits: Sequence[_Fit], evaluators: Sequence[Evaluator], parts: Sequence[Sequence[int]]
) -> GeneralLoss:
    return GeneralLoss(
        fits[0].program.body, fits[0].literals, evaluators, [fit.target for fit in fits], parts
    )


def _fitted(fits: Sequence[_Fit], loss: Loss, steps: int) -> list[_End]:
    """Descend and round, for fits that differ in the values of their literals only."""
    rows = [[literal.value for literal in fit.literals] for fit in fits]
    start = torch.tensor(rows, dtype=torch.float64).view(len(fits), -1)
    before = loss.ious(start)
    final, after = start, before
    spellings: list[list[str | None]] = [[None] * start.shape[1] for _ in fits]
    if steps and start.numel():
        best, reached = _descend(loss, start, before, fits[0].literals, steps)
        final, spellings = rounded(loss.ious, start, best, before, reached)
        after = loss.ious(final)
    is_exact = loss.is_exact(start) & loss.is_exact(final)
    return [
        _End(start[at], final[at], spellings[at], float(before[at]), float(after[at]), bool(is_exact[at]))
        for at in range(len(fits))
    ]


def _measured(end: _End, loss: GeneralLoss) -> _End | None:
    """The end with the evaluator's own IoUs; None where it falls short of them."""
    before, after = (float(loss.ious(constants[None])) for constants in (end.start, end.constants))
    falls_short = after < before or after < end.after - MAY_COST
    return None if falls_short else replace(end, before=before, after=after)


def _written(fit: _Fit, end: _End) -> Fitted:
    """The program at the end of its fit; as it was, if it gained nothing."""
    unchanged = Fitted(fit.program, end.before, end.before)
    if end.after - end.before < _LEAST_GAIN:
        return unchanged
    named = zip(fit.literals, end.spellings, strict=True)
    changes = {literal: spelling for literal, spelling in named if spelling is not None}
    try:
        return Fitted(rewritten(fit.program, changes), end.before, end.after)
    except ProgramError:  # a limit of the language: too long a source, or literals whose product is too large
        return unchanged


def _descend(
    loss: Loss, start: Tensor, before: Tensor, shape: Sequence[Literal], steps: int
) -> tuple[Tensor, Tensor]:
    """The best constants seen [pair, C] and their IoU [pair], `start` among them; `shape` is one pair's C."""
    is_scale = torch.tensor([literal.is_scale for literal in shape])
    pace = torch.tensor([_BASE_PACE if literal.is_base else 1.0 for literal in shape], dtype=torch.float64)
    places = torch.where(is_scale, start.log(), torch.ones_like(start))
    low = torch.where(is_scale, np.log(LOWEST), LOWEST / start)
    high = torch.where(is_scale, np.log(HIGHEST), HIGHEST / start)
    first, second = torch.zeros_like(places), torch.zeros_like(places)
    best, reached = start.clone(), before.clone()
    check_every = max(1, steps // _FULL_PASSES)
    for step in range(steps + 1):
        constants = torch.where(is_scale, places.exp(), places * start).clamp(LOWEST, HIGHEST)
        gradient, ious = loss.step(step % loss.parts, constants)
        if ious is None and (step == steps or step % check_every == 0):
            ious = loss.ious(constants)
        if ious is not None:
            better = ious > reached
            best[better], reached[better] = constants[better], ious[better]
        gradient = gradient * torch.where(is_scale, constants, start)
        first.lerp_(gradient, 1 - _MEMORY[0])
        second.lerp_(gradient.square(), 1 - _MEMORY[1])
        direction = (first / (1 - _MEMORY[0] ** (step + 1))) / (
            (second / (1 - _MEMORY[1] ** (step + 1))).sqrt() + _NEGLIGIBLE
        )
        rate = _RATE * (1 + np.cos(np.pi * step / steps)) / 2
        places = (places - rate * pace * direction).clamp(low, high)
    return best, reached


def _parts(features: Features, causal: bool, seed: int) -> list[list[int]]:
    """The rows of the sentences in mini-batches; one, in order, if all fit."""
    count = -(-cell_sum(features.lengths, causal) // _PART_CELLS)
    if count <= 1:
        return [list(range(len(features)))]
    order = np.random.default_rng(seed).permutation(len(features))
    return [sorted(part.tolist()) for part in np.array_split(order, min(count, len(features)))]
