"""A model's programs as cards, read when they are asked for and kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from core.scoring import FITS
from core.types import Card, CardId, HeadFit, HeadId, ModelInfo, Split

CANDIDATES = 4  # programs of a head to flip through, besides those that a person wrote for it


class CardReader(Protocol):
    """Where cards come from."""

    def cards(self, model: str, pairs: Sequence[CardId]) -> list[Card]:
        """These programs on these heads; one that is not scored on its head is left out."""

    def candidates(self, model: str, head: HeadId, count: int) -> list[str]:
        """The programs that fit a head best and those a person wrote for it, best first."""

    def fits(self, model: str, programs: Sequence[str], at_least: float) -> dict[str, list[HeadFit]]:
        """The heads that each program fits on validation with at least this IoU, the best first."""

    def baselines(self, model: str, head: HeadId, split: Split) -> list[tuple[str, float]]:
        """Each baseline's summary and IoU on a head, the best first."""


class Shelf:
    """A model's cards as they are at one revision of the library; `best` names each head's best program."""

    def __init__(self, reader: CardReader, model: ModelInfo, best: Sequence[CardId]) -> None:
        self._reader = reader
        self._model = model
        self.best = reader.cards(model.id, best)
        self._known: dict[CardId, Card] = {card.id: card for card in self.best}
        self._best_of = {card.head: card.id for card in self.best}
        self._candidates: dict[HeadId, list[Card]] = {}
        self._fits: dict[str, list[HeadFit]] = {}
        self._baselines: dict[HeadId, list[tuple[str, float]]] = {}

    def cards(self, ids: Iterable[CardId]) -> list[Card]:
        """These cards in this order; those that are not scored are left out."""
        wanted = list(ids)
        missing = [name for name in wanted if name not in self._known]
        for card in self._reader.cards(self._model.id, missing):
            self._known[card.id] = card
        return [self._known[name] for name in wanted if name in self._known]

    def candidates(self, card: Card) -> list[Card]:
        """The programs that fit the card's head best and those written for it, the card's own among them."""
        head = card.head
        if head not in self._candidates:
            programs = self._reader.candidates(self._model.id, head, CANDIDATES)
            ids = [self._best_of.get(head, card.id), *((head, program) for program in programs)]
            self._candidates[head] = self.cards(dict.fromkeys(ids))
        candidates = self._candidates[head]
        return candidates if card in candidates else [*candidates, card]

    def fits(self, program: str) -> list[HeadFit]:
        """The heads that a program fits on validation, the best first."""
        if program not in self._fits:
            # Finding them takes one pass over all scores, so the best programs' are found together.
            wanted = [program] if self._fits else [program, *(card.program.id for card in self.best)]
            places = self._reader.fits(self._model.id, wanted, FITS)
            self._fits |= {name: places.get(name, []) for name in wanted}
        return self._fits[program]

    def baselines(self, head: HeadId) -> list[tuple[str, float]]:
        """The head's baselines on validation, the best first."""
        if head not in self._baselines:
            self._baselines[head] = self._reader.baselines(self._model.id, head, Split.VALIDATION)
        return self._baselines[head]
