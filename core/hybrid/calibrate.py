"""Calibration: the constants of all programs of a hybrid fitted together, through the frozen model.

The loss is KL(unmodified || hybrid) per token on train passages. What validation checks, to stop it and to
pick the best, is the running mean of the steps' constants, in which what batches disagree about cancels out
(Polyak and Juditsky 1992). Constants with which a program fails where it did not before are not taken: a
head whose program fails keeps its own attention, which would count as a gain. The model's weights never
change, and of a program's source only its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.features import Features
from core.hybrid import NO_PATTERNS, HeadMaps, Hybrid, ProgramPatterns, parsed, replaced, together
from core.hybrid.looking import Looking, Run
from core.hybrid.perplexity import Tell
from core.hybrid.predicted import asked, predictable, predicted, predictions
from core.language import Evaluated, Evaluator, Looks, ParsedProgram
from core.language.tune import Constants
from core.maps import like_batches
from core.models.attention import padded_tokens
from core.models.device import Halving
from core.models.pretrained import LoadedModel
from core.types import HeadId, HybridRequest, HybridSpec

STEPS = HybridRequest.steps
_BATCH_TOKENS = 256
_RATE = 0.06  # of the first steps: a factor of e ** 0.06
_MEMORY = (0.9, 0.98)  # of Adam's two averages
_AVERAGING = 9  # steps after which the running mean of the constants begins to change slowly
_CHECK_EVERY = 10  # steps
_PATIENCE = 2  # checks without a better validation KL


@dataclass(frozen=True)
class Calibrated:
    """A hybrid with fitted constants; KL is per token on validation, where no program failed anew."""

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
    halving: Halving | None = None,
) -> Calibrated:
    """The hybrid with its constants fitted on `train`, as new programs; `spec` itself if nothing is gained.

    `tell` hears steps done and in all; `halving` makes batches smaller where memory runs out. Raises
    HybridError as `evaluate_hybrid` does.
    """
    constants = Constants(parsed(loaded.info, spec))
    with replaced(loaded, NO_PATTERNS) as patched:
        descent = _Descent(patched, constants, train, validation, seed, halving or Halving())
        moves = torch.zeros(len(constants), requires_grad=True)
        optimizer = torch.optim.Adam([moves], lr=_RATE, betas=_MEMORY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
        mean = moves.detach().clone()
        best, first = mean.clone(), descent.validated(mean)
        history, reached = [(0, first.kl)], [first.kl]
        for step in range(1, steps + 1 if len(constants) else 1):
            tell(step - 1, steps)
            values = constants.values(moves)
            values.backward(descent.gradient(values.detach()))  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            mean.lerp_(moves.detach(), _AVERAGING / (step + _AVERAGING))
            if step % _CHECK_EVERY == 0 or step == steps:
                now = descent.validated(mean)
                if now.failures > first.failures:
                    now = _Validated(math.inf, now.failures)
                else:
                    history.append((step, now.kl))
                if now.kl < min(reached):
                    best = mean.clone()
                reached.append(now.kl)
                if _has_stalled(reached):
                    break
        fitted = constants.written(best)
        last = descent.validated_as_written(fitted)
    if last.kl >= first.kl or last.failures > first.failures:
        return Calibrated(spec, first.kl, first.kl, tuple(history))
    written = HybridSpec.of(spec.model, ((head, program.source) for head, program in fitted.items()))
    return Calibrated(written, first.kl, last.kl, tuple(history))


@dataclass(frozen=True)
class _Validated:
    kl: float  # per token
    failures: int  # (head, passage) pairs


def _has_stalled(reached: Sequence[float]) -> bool:
    return len(reached) > _PATIENCE and min(reached[-_PATIENCE:]) > min(reached)


class _Descent:
    """Gradients on train batches in turn, and KL on validation."""

    def __init__(
        self,
        patched: Hybrid,
        constants: Constants,
        train: Features,
        validation: Features,
        seed: int,
        halving: Halving,
    ) -> None:
        self.patched = patched
        self.constants = constants
        self._order = np.random.default_rng(seed)
        self._queue: list[int] = []
        train, validation = asked(patched.loaded, train), asked(patched.loaded, validation)
        self._train = train
        self._halving = halving
        self._batches, kept = (
            list(like_batches(features.lengths, predictable(patched.loaded, features), _BATCH_TOKENS))
            for features in (train, validation)
        )
        self._validation = [
            batch
            for rows in kept
            for _, batch in halving.run(
                rows,
                lambda part: _Batch.with_base(patched, validation, part),
                lambda part: padded_tokens(validation.lengths, part),
            )
        ]

    def gradient(self, values: Tensor) -> Tensor:
        """The gradient [literal] of the next batch's mean KL."""
        if not self._queue:
            self._queue = self._order.permutation(len(self._batches)).tolist()
        rows = self._batches[self._queue.pop()]
        parts = self._halving.run(
            rows,
            lambda part: self._summed_gradient(_Batch(self.patched, self._train, part), values),
            lambda part: padded_tokens(self._train.lengths, part),
        )
        found = torch.stack([gradient for _, gradient in parts]).sum(0)
        return found / int(predictions(self.patched.loaded, self._train)[rows].sum())

    def _summed_gradient(self, batch: _Batch, values: Tensor) -> Tensor:
        """The gradient [literal] of a batch's summed KL.

        First in every head's weights, then program by program in its literals, so that one program's
        intermediate values at a time are held. Programs that look are part of the pass, from the last to
        the first, so that what a head gives is also moved by those that read it.
        """
        fitted = values.clone().requires_grad_()
        looking = self._looking(batch, fitted)
        with torch.no_grad():
            patterns = batch.patterns(self._runs(batch, values), looking)
        weights = patterns.weights.requires_grad_()
        kl, _ = batch.kl(replace(patterns, weights=weights))
        of_weights, found = torch.autograd.grad(kl, (weights, fitted), materialize_grads=True)
        for at, (head, program) in enumerate(self.constants.programs.items()):
            if program.looks:
                continue
            own = values[self.constants.span(head)].clone().requires_grad_()
            produced = batch.evaluator.run(program, self.constants.named(head, own)).weights
            if produced.requires_grad:
                (gradient,) = torch.autograd.grad((produced * of_weights[:, at]).sum(), own)
                # not finite in values that another branch hides
                found[self.constants.span(head)] = gradient.nan_to_num(0.0, 0.0, 0.0)
        return found

    def validated(self, moves: Tensor) -> _Validated:
        """The hybrid with moved constants on validation."""
        values = self.constants.values(moves)
        return self._validated(
            lambda batch: batch.patterns(self._runs(batch, values), self._looking(batch, values))
        )

    def validated_as_written(self, programs: Mapping[HeadId, ParsedProgram]) -> _Validated:
        """These programs on validation, with the numbers in their source."""
        loaded = self.patched.loaded
        source = ProgramPatterns(programs, loaded.info.is_causal, loaded.device)
        return self._validated(lambda batch: source.patterns(batch.evaluator.features))

    def _validated(self, patterns: Callable[[_Batch], HeadMaps]) -> _Validated:
        kl, failures = 0.0, 0
        with torch.no_grad():
            for batch in self._validation:
                added, failed = batch.kl(patterns(batch))
                kl += added.item()
                failures += failed
        return _Validated(kl / sum(batch.predicted for batch in self._validation), failures)

    def _runs(self, batch: _Batch, values: Tensor) -> dict[HeadId, Evaluated | None]:
        """What programs give with these values; None for those that look."""
        return {
            head: None
            if program.looks
            else batch.evaluator.run(program, self.constants.named(head, values[self.constants.span(head)]))
            for head, program in self.constants.programs.items()
        }

    def _looking(self, batch: _Batch, values: Tensor) -> Looking | None:
        """The programs that look, with these values."""
        programs = self.constants.programs

        def start(looks: Looks) -> Run:
            evaluator = batch.reading(looks)

            def run(head: HeadId, own: Tensor | None) -> Evaluated:
                assert own is not None
                return evaluator.run(programs[head], self.constants.named(head, own))

            return run

        own = {head: values[self.constants.span(head)] for head in programs}
        looking = {head for head, program in programs.items() if program.looks}
        return Looking(programs, start, own).among(looking)


class _Batch:
    """Some passages: their features as tensors, and what the unmodified model predicts."""

    def __init__(self, patched: Hybrid, features: Features, rows: Sequence[int]) -> None:
        loaded = patched.loaded
        self._patched = patched
        self._features = features
        self._rows = rows
        self._tokens = predicted(loaded, features, rows)
        self._base: Tensor | None = None  # half [prediction, dimension]
        self.predicted = len(self._tokens)
        self.evaluator = Evaluator(features.select(rows), loaded.info.is_causal, loaded.device)

    @classmethod
    def with_base(cls, patched: Hybrid, features: Features, rows: Sequence[int]) -> _Batch:
        """A batch that is asked again and again: the unmodified model runs once for all."""
        batch = cls(patched, features, rows)
        batch._base = batch._unmodified().half()
        return batch

    def reading(self, looks: Looks) -> Evaluator:
        """Evaluates programs that look, where heads give these maps."""
        return Evaluator(self.evaluator.features, self.evaluator.causal, self.evaluator.device, looks=looks)

    def patterns(self, produced: Mapping[HeadId, Evaluated | None], looking: Looking | None) -> HeadMaps:
        """Patterns of programs that were run on this batch, and of those that look."""
        return together(produced, self.evaluator.features, self.evaluator.device, looking)

    def kl(self, patterns: HeadMaps) -> tuple[Tensor, int]:
        """Summed KL(unmodified || hybrid), nats; and (head, passage) pairs that kept their own attention."""
        base = self._unmodified() if self._base is None else self._base.float()
        passed = self._patched.passed(self._features, self._rows, patterns)
        return self._tokens.distance(base, self._tokens.read(passed.logits)).sum(), passed.failures

    def _unmodified(self) -> Tensor:
        with torch.no_grad():
            logits = self._patched.forward(self._features, self._rows, None)
            return self._tokens.read(logits)
