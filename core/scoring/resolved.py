"""Programs with every head they look at replaced by that head's own program, down to text.

Given the heads, a program that looks reads what the model's heads do. Resolved, it reads what their programs
say, and those what theirs say: no attention of the model is left in it. The two figures are never mixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from core.features import Features
from core.language import ParsedProgram
from core.scoring.scores import ProgramMaps, program_maps
from core.types import Failure, HeadId


class Resolved(Mapping[HeadId, list[Any]]):
    """Heads as their programs say, on some sentences, evaluated when they are first asked for.

    A `Looks`: what one program looks at is what the programs of those heads produce. Every program may stand
    for its head, so this comes to an end.
    """

    def __init__(
        self,
        programs: Mapping[HeadId, ParsedProgram],
        features: Features,
        is_causal: bool,
        device: str | torch.device = "cpu",
    ) -> None:
        self._programs = programs
        self._features = features
        self._is_causal = is_causal
        self._device = device
        self._produced: dict[HeadId, ProgramMaps] = {}

    def produced(self, head: HeadId) -> ProgramMaps:
        """What a head's program gives; it fails where one fails that it looks at."""
        if head not in self._produced:
            program = self._programs[head]
            found = program_maps([program], self._features, self._is_causal, self._device, self)
            for row, why in self.failures_behind(program).items():
                found = _failing(found, row, why)
            self._produced[head] = found
        return self._produced[head]

    def failures_behind(self, program: ParsedProgram) -> dict[int, Failure]:
        """By sentence why a program fails that looks at heads: the program of one of them does."""
        return {
            row: Failure("unavailable", f"the program of {looked} fails here: {failure.detail}")
            for looked in sorted(program.looks & self._programs.keys())
            for (_, row), failure in self.produced(looked).failures.items()
        }

    def __getitem__(self, head: HeadId) -> list[np.ndarray]:
        found = self.produced(head)
        return [found.map_of(0, at) for at in range(len(found.sentences))]

    def __contains__(self, head: object) -> bool:
        return head in self._programs

    def __iter__(self) -> Iterator[HeadId]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)


def _failing(found: ProgramMaps, row: int, why: Failure) -> ProgramMaps:
    """The same with one sentence more on which the only program fails."""
    cells = tuple(torch.zeros_like(own) if at == row else own for at, own in enumerate(found.cells))
    failures = {(0, row): why} | dict(found.failures)
    return ProgramMaps(found.programs, found.sentences, cells, failures, found.is_causal)


def chains(programs: Mapping[HeadId, ParsedProgram]) -> dict[HeadId, str]:
    """For each head a name of all that its resolved program rests on: 16 hex digits.

    It changes when any program does that it reads, however far down.
    """
    found: dict[HeadId, str] = {}
    for head in sorted(programs):  # what a program looks at comes before it
        program = programs[head]
        parts = [program.id, *(f"{looked}={found.get(looked, '')}" for looked in sorted(program.looks))]
        found[head] = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return found
