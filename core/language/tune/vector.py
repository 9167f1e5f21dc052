"""The fitted literals of many programs as one vector."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from core.errors import ProgramError
from core.language.reading.program import ParsedProgram
from core.language.tensor.expressions import Position
from core.language.tune.literals import HIGHEST, LOWEST, Literal, literals, rewritten, spelt
from core.types import HeadId

_BASE_PACE = 0.1  # of a move, for the base of a power: distance raises it to 10 or 50
_DIGITS = 3


class Constants:
    """Every literal of every program, moved from where it stands by a vector of moves [literal].

    A literal that scales a weight moves by a factor of e ** move, another by move times its value.
    """

    def __init__(self, programs: Mapping[HeadId, ParsedProgram]) -> None:
        self.programs = dict(sorted(programs.items()))
        self._literals = {head: literals(program) for head, program in self.programs.items()}
        every = [literal for found in self._literals.values() for literal in found]
        self._first = torch.tensor([literal.value for literal in every])
        self._is_scale = torch.tensor([literal.is_scale for literal in every], dtype=torch.bool)
        self._pace = torch.tensor([_BASE_PACE if literal.is_base else 1.0 for literal in every])
        ends = torch.tensor([0, *(len(found) for found in self._literals.values())]).cumsum(0).tolist()
        self._spans = {
            head: slice(start, end) for head, start, end in zip(self._literals, ends, ends[1:], strict=False)
        }

    def __len__(self) -> int:
        return len(self._first)

    def values(self, moves: Tensor) -> Tensor:
        """The literals' values [literal]; differentiable."""
        paced = self._pace * moves
        moved = torch.where(self._is_scale, self._first * paced.exp(), self._first * (1 + paced))
        return moved.clamp(LOWEST, HIGHEST)

    def span(self, head: HeadId) -> slice:
        """Where a head's literals lie in the vector."""
        return self._spans[head]

    def named(self, head: HeadId, own: Tensor) -> dict[Position, Tensor]:
        """A head's values as the evaluator takes them."""
        return {
            literal.position: value for literal, value in zip(self._literals[head], own.unbind(), strict=True)
        }

    def written(self, moves: Tensor) -> dict[HeadId, ParsedProgram]:
        """The programs with the literals that moved; one that would break the language's limits as it was."""
        values, fitted = self.values(moves), dict(self.programs)
        for head, found in self._literals.items():
            where = self.span(head)
            moved = zip(found, values[where].tolist(), moves[where].tolist(), strict=True)
            changes: dict[Literal, str] = {
                literal: spelt(value, _DIGITS) for literal, value, move in moved if move
            }
            try:
                fitted[head] = rewritten(self.programs[head], changes)
            except ProgramError:
                continue
        return fitted
