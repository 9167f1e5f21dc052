"""Programs with every head they look at replaced by a program of that head, down to text.

Given the heads, a program that looks reads what the model's heads do. Resolved, it reads what their programs
say, and those what theirs say: no attention of the model is left in it. The two figures are never mixed.

Which program stands for a head then, its resolved program, is chosen on validation like its best one, but by
what it reaches resolved; see `core.store.resolved`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, overload

import numpy as np
import torch

from core.features import Features
from core.language import ParsedProgram
from core.scoring.reading import described
from core.scoring.scores import ProgramMaps, program_maps
from core.types import Failure, HeadId


class Resolved(Mapping[HeadId, Sequence[Any]]):
    """Heads as their programs say, on some sentences, evaluated when they are first asked for.

    A `Looks`: what one program looks at is what the programs of those heads produce. Every program may stand
    for its head, so this comes to an end. `programs` may grow, from the lowest head up.
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
            self._produced[head] = self.of([self._programs[head]])
        return self._produced[head]

    def of(self, programs: Sequence[ParsedProgram]) -> ProgramMaps:
        """What any programs give that look at these heads."""
        found = program_maps(programs, self._features, self._is_causal, self._device, self)
        for at, program in enumerate(programs):
            for row, why in self.failures_behind(program).items():
                found = _failing(found, at, row, why)
        return found

    def keep(self, head: HeadId, produced: ProgramMaps) -> None:
        """Note what a head's program gives, where that is known already."""
        self._produced[head] = produced

    def failures_behind(self, program: ParsedProgram) -> dict[int, Failure]:
        """By sentence why a program fails that looks at heads: the program of one of them does."""
        return {
            row: Failure("unavailable", f"the program of {looked} fails here: {failure.detail}")
            for looked in sorted(program.looks & self._programs.keys())
            for (_, row), failure in self.produced(looked).failures.items()
        }

    def hold_only(self, heads: Set[HeadId]) -> None:
        """Let go of what the programs of others give; that is evaluated again where it is asked for."""
        self._produced = {head: found for head, found in self._produced.items() if head in heads}

    def __getitem__(self, head: HeadId) -> Sequence[np.ndarray]:
        return _Unpacked(self.produced(head))

    def __contains__(self, head: object) -> bool:
        return head in self._programs

    def __iter__(self) -> Iterator[HeadId]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)


class _Unpacked(Sequence[np.ndarray]):
    """A program's map of each sentence [query, key], unpacked when it is asked for."""

    def __init__(self, produced: ProgramMaps) -> None:
        self._produced = produced

    @overload
    def __getitem__(self, at: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, at: slice) -> list[np.ndarray]: ...

    def __getitem__(self, at: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(at, slice):
            return [self[row] for row in range(*at.indices(len(self)))]
        return self._produced.map_of(0, at)

    def __len__(self) -> int:
        return len(self._produced.sentences)


def _failing(found: ProgramMaps, program: int, row: int, why: Failure) -> ProgramMaps:
    """The same with one sentence more on which a program fails; both by their places."""
    own = found.cells[row].clone()
    own[program] = 0
    cells = (*found.cells[:row], own, *found.cells[row + 1 :])
    return replace(found, cells=cells, failures={(program, row): why} | dict(found.failures))


def looked_at(
    programs: Iterable[ParsedProgram], known: Mapping[HeadId, ParsedProgram]
) -> dict[HeadId, ParsedProgram]:
    """Those among `known` of all heads that programs look at, directly or through others."""
    found: dict[HeadId, ParsedProgram] = {}
    wanted = {head for program in programs for head in program.looks}
    while wanted:
        head = wanted.pop()
        if head in known and head not in found:
            found[head] = known[head]
            wanted |= found[head].looks
    return found


Preference = tuple[float, int, str]


def preference(program: ParsedProgram, iou: float) -> Preference:
    """The less, the better a program is to stand for a head: the higher its IoU, the fewer its nodes."""
    return -iou, described(program.source).nodes, program.id


def chain_of(program: ParsedProgram, below: Mapping[HeadId, str]) -> str:
    """A name of all that a resolved program rests on, 16 hex digits; `below` are those of other heads.

    It changes when any program does that it reads, however far down.
    """
    parts = [program.id, *(f"{looked}={below.get(looked, '')}" for looked in sorted(program.looks))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def chains(programs: Mapping[HeadId, ParsedProgram]) -> dict[HeadId, str]:
    """Of each head's program what it rests on; see `chain_of`."""
    found: dict[HeadId, str] = {}
    for head in sorted(programs):  # what a program looks at comes before it
        found[head] = chain_of(programs[head], found)
    return found
