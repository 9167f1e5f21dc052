"""A program of plain Python among those of the language: it gives weights, and nothing of it can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.errors import Problem, ProgramError
from core.features import Features
from core.language.nodes import Block
from core.language.reading.program import NOT_READ, ParsedProgram
from core.types import Failure

# Features, and whether a query sees only what is before it -> of each sentence float32 [query, key]
# or why there is none.
Produce = Callable[[Features, bool], Sequence[np.ndarray | Failure]]


class PlainProgram(ParsedProgram):
    """One that the sandbox runs: whoever asks for its body is told in words that it has none."""

    produce: Produce

    def __init__(self, source: str, docstring: str, identity: str, nodes: int, produce: Produce) -> None:
        """`nodes` counts those of its syntax tree; `produce` runs it."""
        known: dict[str, Any] = {
            "source": source,
            "docstring": docstring,
            "id": identity,
            "features": frozenset(),
            "nodes": nodes,
            "looks": frozenset(),
            "produce": produce,
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)

    @property
    def body(self) -> Block:
        """Raises ProgramError: what is plain Python has no tree of the language."""
        raise ProgramError([Problem(1, 1, NOT_READ)])

    @property
    def lookahead(self) -> bool:
        """It is handed the whole passage."""
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlainProgram) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"PlainProgram({self.id})"
