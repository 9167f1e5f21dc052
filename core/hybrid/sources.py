"""Patterns to put in the place of heads: what programs produce on some sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from core.features import Features
from core.language import Evaluated, Evaluator, ParsedProgram
from core.maps import batches
from core.types import HeadId


@dataclass(frozen=True)
class HeadMaps:
    """Weights of some heads on some sentences."""

    heads: Sequence[HeadId]
    weights: Tensor  # float32 [sentence, head, query, key], in the order of `heads`
    mix: Tensor | None = None  # [sentence, head]: 1 where the head is replaced, 0 where it keeps its own

    @property
    def ran(self) -> Tensor:
        """Where a head is replaced: bool [sentence, head], on the CPU."""
        if self.mix is None:
            return torch.ones(self.weights.shape[:2], dtype=torch.bool)
        return (self.mix != 0).cpu()

    @property
    def failures(self) -> int:
        """(head, sentence) pairs that keep the head's own attention."""
        return 0 if self.mix is None else int((self.mix == 0).sum())


class PatternSource(Protocol):
    """Where a hybrid's patterns come from."""

    @property
    def heads(self) -> Sequence[HeadId]:
        """The heads that are replaced."""

    def patterns(self, features: Features) -> HeadMaps:
        """Their patterns on these sentences."""


class _NoPatterns:
    heads: Sequence[HeadId] = ()

    def patterns(self, features: Features) -> HeadMaps:
        return HeadMaps([], torch.zeros(len(features), 0, 0, 0))


NO_PATTERNS = _NoPatterns()  # a source without heads


class ProgramPatterns:
    """Programs as a source of patterns; a program that fails on a sentence leaves its head alone there."""

    def __init__(
        self, programs: Mapping[HeadId, ParsedProgram], causal: bool, device: str | torch.device
    ) -> None:
        self.programs = programs
        self.heads = sorted(programs)
        self.causal = causal
        self.device = device

    def patterns(self, features: Features) -> HeadMaps:
        """Every distinct program evaluated once."""
        evaluator = Evaluator(features, self.causal, self.device)
        produced = {program.id: evaluator.run(program) for program in set(self.programs.values())}
        return together({head: produced[self.programs[head].id] for head in self.heads}, features)


def together(produced: Mapping[HeadId, Evaluated], features: Features) -> HeadMaps:
    """What programs produced on some sentences, each for its head; one that failed leaves its head alone."""
    length = int(features.lengths.max(initial=0))
    if not produced:
        return HeadMaps([], torch.zeros(len(features), 0, length, length))
    results = [
        functional.pad(one.weights, (0, length - one.weights.shape[2], 0, length - one.weights.shape[1]))
        for one in produced.values()
    ]
    mix = torch.ones(len(features), len(results))
    for at, one in enumerate(produced.values()):
        mix[list(one.failures), at] = 0
    has_failed = bool((mix == 0).any())
    weights = torch.stack(results, 1)
    return HeadMaps(list(produced), weights, mix.to(weights.device) if has_failed else None)


_MOST_WEIGHTS = 2**24  # held at once of prefixes, of which the last rows are kept


class PrefixPatterns:
    """Programs that read no further than the query: every row from features of the passage up to it.

    What a left-to-right model could have seen; `prefixes` holds each passage as `annotate_prefixes` reads it.
    """

    def __init__(
        self,
        programs: Mapping[HeadId, ParsedProgram],
        prefixes: Mapping[str, Features],
        device: str | torch.device,
    ) -> None:
        self.programs = programs
        self.heads = sorted(programs)
        self.prefixes = prefixes
        self.device = device

    def patterns(self, features: Features) -> HeadMaps:
        """Row n of a passage is the last row of its first n + 1 tokens."""
        length = int(features.lengths.max(initial=0))
        weights = torch.zeros(len(features), len(self.heads), length, length, device=self.device)
        mix = torch.ones(weights.shape[:2])
        source = ProgramPatterns(self.programs, True, self.device)
        for row, sentence in enumerate(features.sentences):
            prefixes = self.prefixes[sentence]
            most = _MOST_WEIGHTS // max(1, len(self.heads))
            for some in batches(prefixes.lengths, range(len(prefixes)), pairs=most):
                read = source.patterns(prefixes.select(some))
                for at, last in enumerate(some):
                    weights[row, :, last, : last + 1] = read.weights[at, :, last, : last + 1]
                if read.mix is not None:  # one failing prefix is a failing passage
                    mix[row] = torch.minimum(mix[row], read.mix.amin(0).cpu())
        return HeadMaps(self.heads, weights, mix.to(self.device) if bool((mix == 0).any()) else None)
