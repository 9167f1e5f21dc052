"""What a desk reads of a model and writes, wherever it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.review.opinions import Opinions
from core.review.queue import View
from core.review.shelf import Shelf
from core.types import Action, CardId, HeadId, Verdict


class VerdictWriter(Protocol):
    """The log of verdicts, as far as a desk writes and reads it."""

    def record(
        self,
        model: str,
        head: HeadId,
        program: str,
        action: Action,
        reviewer: str,
        reason: str = "",
        note: str = "",
        uid: str | None = None,
    ) -> bool:
        """Append a decision; False if the event `uid` is in the log already."""

    def record_all(
        self, model: str, pairs: Sequence[CardId], action: Action, reviewer: str, reason: str = ""
    ) -> None:
        """Append the same decision on many programs; one undo takes all of them back."""

    def undo(self, model: str, reviewer: str) -> list[Verdict]:
        """Take back the reviewer's latest decision; what was taken back."""

    def recent(self, model: str, count: int, reviewer: str) -> list[Verdict]:
        """A reviewer's latest events, in the order in which `undo` takes them back."""

    def revision(self) -> int:
        """A number that changes with every event."""


class Records(Protocol):
    """What a desk reads of a model and writes: cards, verdicts, and where each reviewer is."""

    @property
    def verdicts(self) -> VerdictWriter:
        """The log."""

    def shelf(self) -> Shelf:
        """The model's cards as they are now."""

    def opinions(self) -> Opinions:
        """Every reviewer's word as it is now."""

    def keep(self, reviewer: str, view: View) -> None:
        """Keep a reviewer's view for their next session."""
