"""Calibration: the constants of all programs of a hybrid fitted together, through the frozen model.

The loss is KL(unmodified || hybrid) per token on train passages; validation stops it and picks the best
constants seen. The model's weights never change, and of a program's source only its numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.errors import ProgramError
from core.evaluate.perplexity import PredictedTokens, Tell, divergence, predictable
from core.extract import batches
from core.features import Features
from core.hybrid import Hybrid, Patterns, ProgramPatterns, parsed, replaced
from core.language import Evaluator, ParsedProgram
from core.language.tune_literals import HIGHEST, LOWEST, Literal, literals, rewritten, spelt
from core.models import LoadedModel
from core.types import HeadId, HybridSpec

STEPS = 120
_BATCH_TOKENS = 384
_RATE = 0.1  # the first steps of a literal: a factor of e ** 0.1, or 0.1 times its value
_BASE_PACE = 0.1  # of that, for the base of a power: distance raises it to 10 or 50
_MEMORY = (0.9, 0.98)  # of Adam's two averages
_NEGLIGIBLE = 1e-8
_CHECKS = 6  # of validation on the way
_PATIENCE = 2  # checks without a better validation KL
_DIGITS = 3


@dataclass(frozen=True)
class Calibrated:
    """A hybrid with fitted constants; KL is per token on validation."""

    spec: HybridSpec
    before: float
    after: float
    history: tuple[tuple[int, float], ...]  # (step, validation KL)


def calibrate(
    loaded: LoadedModel,
    spec: HybridSpec,
    train: Features,
    validation: Features,
    steps: int = STEPS,
    seed: int = 0,
    tell: Tell = lambda done, total: None,
) -> Calibrated:
    """The hybrid with its constants fitted on `train`, as new programs; `spec` itself if nothing is gained.

    Raises HybridError as `evaluate_hybrid` does.
    """
    programs = parsed(loaded.info, spec)
    constants = _Constants(programs)
    source = ProgramPatterns(programs, loaded.info.is_causal, loaded.device)
    with replaced(loaded, source) as patched:
        descent = _Descent(patched, programs, train, validation, seed)
        reached = [(0, descent.validation_kl(constants.values(constants.start)))]
        best, places = constants.start, constants.start.clone()
        first, second = torch.zeros_like(places), torch.zeros_like(places)
        tell(0, steps)
        for step in range(steps if len(places) else 0):
            gradient = constants.gradient(places, descent.gradients(constants.values(places)))
            first.lerp_(gradient, 1 - _MEMORY[0])
            second.lerp_(gradient.square(), 1 - _MEMORY[1])
            direction = (first / (1 - _MEMORY[0] ** (step + 1))) / (
                (second / (1 - _MEMORY[1] ** (step + 1))).sqrt() + _NEGLIGIBLE
            )
            rate = _RATE * (1 + np.cos(np.pi * step / steps)) / 2
            places = constants.within(places - rate * constants.pace * direction)
            if (step + 1) % max(1, steps // _CHECKS) == 0:
                reached.append((step + 1, descent.validation_kl(constants.values(places))))
                if reached[-1][1] <= min(kl for _, kl in reached):
                    best = places.clone()
                if len(reached) > _PATIENCE and min(kl for _, kl in reached[-_PATIENCE:]) > min(
                    kl for _, kl in reached
                ):
                    break
            tell(step + 1, steps)
        fitted = constants.written(best)
        after = descent.validation_kl_of(fitted)
    if after >= reached[0][1]:
        return Calibrated(spec, reached[0][1], reached[0][1], tuple(reached))
    rewritten_spec = HybridSpec.of(spec.model, ((head, program.source) for head, program in fitted.items()))
    return Calibrated(rewritten_spec, reached[0][1], after, tuple(reached))


class _Constants:
    """The literals of all programs as one vector of places: logarithms of scales, multiples of others."""

    def __init__(self, programs: Mapping[HeadId, ParsedProgram]) -> None:
        self.programs = programs
        self.literals: list[tuple[HeadId, Literal]] = [
            (head, literal) for head, program in sorted(programs.items()) for literal in literals(program)
        ]
        self._first = torch.tensor([literal.value for _, literal in self.literals])
        self._is_scale = torch.tensor([literal.is_scale for _, literal in self.literals], dtype=torch.bool)
        self.pace = torch.tensor([_BASE_PACE if one.is_base else 1.0 for _, one in self.literals])
        self.start = torch.where(self._is_scale, self._first.log(), 1.0)
        self._low = torch.where(self._is_scale, np.log(LOWEST), LOWEST / self._first)
        self._high = torch.where(self._is_scale, np.log(HIGHEST), HIGHEST / self._first)

    def within(self, places: Tensor) -> Tensor:
        """Places whose literals the language allows."""
        return places.clamp(self._low, self._high)

    def values(self, places: Tensor) -> Tensor:
        """The literals' values [literal]."""
        return torch.where(self._is_scale, places.exp(), places * self._first).clamp(LOWEST, HIGHEST)

    def gradient(self, places: Tensor, gradient: Tensor) -> Tensor:
        """A gradient in the values as one in the places."""
        return gradient * torch.where(self._is_scale, self.values(places), self._first)

    def written(self, places: Tensor) -> dict[HeadId, ParsedProgram]:
        """The programs with the literals that moved; one that would break the language's limits as it was."""
        changes: dict[HeadId, dict[Literal, str]] = {}
        moved = (places != self.start).tolist()
        for (head, literal), value, has_moved in zip(
            self.literals, self.values(places).tolist(), moved, strict=True
        ):
            if has_moved:
                changes.setdefault(head, {})[literal] = spelt(value, _DIGITS)
        fitted = dict(self.programs)
        for head, spellings in changes.items():
            try:
                fitted[head] = rewritten(self.programs[head], spellings)
            except ProgramError:
                continue
        return fitted


class _Descent:
    """Gradients on train batches in turn, and KL on validation."""

    def __init__(
        self,
        patched: Hybrid,
        programs: Mapping[HeadId, ParsedProgram],
        train: Features,
        validation: Features,
        seed: int,
    ) -> None:
        self.patched = patched
        self.programs = dict(sorted(programs.items()))
        self.places = _places(self.programs)
        rows = predictable(patched.loaded, train)
        self._order = np.random.default_rng(seed)
        self._train = [_Batch(patched, train, rows) for rows in batches(train.lengths, rows, _BATCH_TOKENS)]
        rows = predictable(patched.loaded, validation)
        self._validation = [
            _Batch(patched, validation, rows) for rows in batches(validation.lengths, rows, _BATCH_TOKENS)
        ]
        self._queue: list[int] = []

    def gradients(self, values: Tensor) -> Tensor:
        """The gradient [literal] of a batch's mean KL."""
        if not self._queue:
            self._queue = self._order.permutation(len(self._train)).tolist()
        batch = self._train[self._queue.pop()]
        with torch.no_grad():
            patterns = batch.patterns(self.programs, self.places, values)
        weights = patterns.weights.requires_grad_()
        kl = batch.kl(self.patched, Patterns(patterns.heads, weights, patterns.mix)) / batch.predicted
        (of_weights,) = torch.autograd.grad(kl, weights)
        found = torch.zeros_like(values)
        for at, (head, program) in enumerate(self.programs.items()):
            where = self.places[head]
            if where.start == where.stop:
                continue
            own = values[where].clone().requires_grad_()
            produced = batch.evaluator.run(program, _named(program, own)).weights
            if produced.requires_grad:
                (gradient,) = torch.autograd.grad((produced * of_weights[:, at]).sum(), own)
                found[where] = gradient.nan_to_num(0.0, 0.0, 0.0)
        return found

    def validation_kl(self, values: Tensor) -> float:
        """KL per token."""
        with torch.no_grad():
            found = [
                batch.kl(self.patched, batch.patterns(self.programs, self.places, values)).item()
                for batch in self._validation
            ]
        return sum(found) / sum(batch.predicted for batch in self._validation)

    def validation_kl_of(self, programs: Mapping[HeadId, ParsedProgram]) -> float:
        """KL per token of these programs as they are written."""
        with torch.no_grad():
            places = {head: slice(0, 0) for head in programs}
            found = [
                batch.kl(self.patched, batch.patterns(programs, places, torch.zeros(0))).item()
                for batch in self._validation
            ]
        return sum(found) / sum(batch.predicted for batch in self._validation)


def _places(programs: Mapping[HeadId, ParsedProgram]) -> dict[HeadId, slice]:
    places, start = {}, 0
    for head, program in programs.items():
        count = len(literals(program))
        places[head] = slice(start, start + count)
        start += count
    return places


def _named(program: ParsedProgram, values: Tensor) -> dict[tuple[int, int], Tensor]:
    if not len(values):
        return {}
    return {literal.position: value for literal, value in zip(literals(program), values, strict=True)}


class _Batch:
    """Some passages: their features as tensors, and what the unmodified model predicts."""

    def __init__(self, patched: Hybrid, features: Features, rows: Sequence[int]) -> None:
        loaded = patched.loaded
        self.features = features
        self.rows = rows
        self.tokens = PredictedTokens(features, rows, loaded.device)
        self.predicted = len(self.tokens)
        self.evaluator = Evaluator(features.select(rows), loaded.info.is_causal, loaded.device)
        self._base: Tensor | None = None  # half [token, vocabulary]

    def patterns(
        self, programs: Mapping[HeadId, ParsedProgram], places: Mapping[HeadId, slice], values: Tensor
    ) -> Patterns:
        """What the programs produce with these constants."""
        found = [
            self.evaluator.run(program, _named(program, values[places[head]]))
            for head, program in programs.items()
        ]
        weights = torch.stack([one.weights for one in found], 1)
        mix = torch.ones(weights.shape[:2])
        for at, one in enumerate(found):
            mix[list(one.failures), at] = 0
        return Patterns(list(programs), weights, mix.to(weights.device) if bool((mix == 0).any()) else None)

    def kl(self, patched: Hybrid, patterns: Patterns) -> Tensor:
        """Summed KL(unmodified || hybrid), nats."""
        if self._base is None:
            with torch.no_grad():
                logits = patched.forward(self.features, self.rows, None)
                self._base = self.tokens.log_probabilities(logits).half()
        logits = patched.forward(self.features, self.rows, patterns)
        changed = self.tokens.log_probabilities(logits)
        return divergence(self._base.float(), changed).sum()
