"""What a run with Claude may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.proposers.proposer import limit
from core.settings import CLAUDE_MODEL
from core.types import Bounds


class TalkLimits(Protocol):
    """What a conversation needs to know of any language model's limits."""

    @property
    def candidates(self) -> int:
        """Programs a call."""

    @property
    def rounds(self) -> int:
        """Refinements of a head after its first candidates, at most."""

    @property
    def batches(self) -> bool:
        """Whether a reply may be a day away."""


@dataclass(frozen=True)
class ClaudeLimits:
    """What a run with Claude may use."""

    model: str = limit(
        CLAUDE_MODEL,
        "Model",
        told="{}",
        is_option=False,
        choices=("claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"),
    )
    candidates: int = limit(
        3, "Candidates", "programs a call", Bounds(1, 10), offered=(1, 8), told="{} candidates"
    )
    rounds: int = limit(
        3,
        "Rounds",
        "refinements of a head after its first candidates, at most",
        Bounds(0, 10),
        told="{} rounds",
    )
    budget: float = limit(
        5.0,
        "Budget, USD",
        "USD; a call that could pass it is not made",
        Bounds(above=0),
        offered=(0.01, 10_000.0),
        told="budget ${:.2f}",
    )
    batches: bool = limit(
        False, "Batches", "Message Batches: half the price, answers within a day", told="batches"
    )
