"""What the Review page reads, kept between key presses and fetched ahead of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock

import streamlit as st

from core.errors import HeadscriptError
from core.language import parse
from core.review.queue import Opinions, Pair, pair
from core.scoring import Evidence, Examiner
from core.store import Workspace
from core.store.cards import Place
from core.types import Card, HeadId, ModelInfo, Split
from core.ui.parts import state

CANDIDATES = 4  # programs of a head to flip through, besides those that a person wrote for it
FITS = 0.6  # validation IoU from which a program is said to fit another head
_EVIDENCE_BYTES_HELD = 2**26


class Shelf:
    """A model's cards as they are at one revision of the library."""

    def __init__(self, workspace: Workspace, model: ModelInfo) -> None:
        self._workspace = workspace
        self._model = model
        self.best = workspace.cards.cards(model.id, workspace.cards.best(model.id))
        self._known: dict[Pair, Card] = {pair(card): card for card in self.best}
        self._best_of = {card.head: pair(card) for card in self.best}
        self._candidates: dict[HeadId, list[Card]] = {}
        self._fits: dict[str, list[Place]] = {}
        self._baselines: dict[HeadId, list[tuple[str, float]]] = {}

    def cards(self, pairs: Iterable[Pair]) -> list[Card]:
        """These cards in this order; those that are not scored are left out."""
        wanted = list(pairs)
        missing = [one for one in wanted if one not in self._known]
        for card in self._workspace.cards.cards(self._model.id, missing):
            self._known[pair(card)] = card
        return [self._known[one] for one in wanted if one in self._known]

    def candidates(self, card: Card) -> list[Card]:
        """The programs that fit the card's head best and those written for it, the card's own among them."""
        head = card.head
        if head not in self._candidates:
            names = self._workspace.cards.candidates(self._model.id, head, CANDIDATES)
            pairs = [self._best_of.get(head, pair(card)), *((head, name) for name in names)]
            self._candidates[head] = self.cards(dict.fromkeys(pairs))
        found = self._candidates[head]
        return found if card in found else [*found, card]

    def fits(self, program: str) -> list[Place]:
        """The heads that a program fits well on validation, the best first."""
        if program not in self._fits:
            # Finding them takes one pass over all scores, so the best programs' are found together.
            wanted = [program] if self._fits else [program, *(card.program.id for card in self.best)]
            found = self._workspace.cards.fits(self._model.id, wanted, FITS)
            self._fits |= {name: found.get(name, []) for name in wanted}
        return self._fits[program]

    def baselines(self, head: HeadId) -> list[tuple[str, float]]:
        """The head's baselines on validation, the best first."""
        if head not in self._baselines:
            found = self._workspace.cards.baselines(self._model.id, head, Split.VALIDATION)
            self._baselines[head] = found
        return self._baselines[head]


@st.cache_resource(show_spinner=False, max_entries=2)
def shelf(model: ModelInfo, revision: int) -> Shelf:
    """The model's cards; `revision` is `Library.revision()`."""
    return Shelf(state.owner().workspace, model)


def current_shelf(model: ModelInfo) -> Shelf:
    """The model's cards as they are now."""
    return shelf(model, state.version())


@st.cache_resource(show_spinner=False, max_entries=2)
def opinions(model: str, revision: int) -> Opinions:
    """Every reviewer's latest word; `revision` is `VerdictLog.revision()`."""
    return Opinions(state.owner().workspace.verdicts.opinions(model))


def current_opinions(model: ModelInfo) -> Opinions:
    """Every reviewer's latest word as it is now."""
    return opinions(model.id, state.owner().workspace.verdicts.revision())


@st.cache_resource(show_spinner=False, max_entries=6)
def _examiner(model: ModelInfo, split: Split, sentences: int) -> Examiner:
    return state.owner().workspace.examiner(model, split)


def examiner(model: ModelInfo, split: Split) -> Examiner:
    """Compares programs with heads on the sentences of a split; kept until there are more sentences."""
    return _examiner(model, split, len(state.sentences(model.id, state.version())))


class EvidenceShelf:
    """The latest evidence, and the next cards' ahead of time."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int, HeadId, str], Evidence] = OrderedDict()
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(1, "evidence")

    def get(self, model: ModelInfo, found: Examiner, card: Card) -> Evidence:
        """The card's evidence on validation; raises WorkspaceError if attention or features are not there."""
        name = (model.id, len(found.sentences), *pair(card))
        with self._lock:
            held = self._held.get(name)
        if held is None:
            held = found.compare(card.head, parse(card.program.source))
            with self._lock:
                self._held[name] = held
                while len(self._held) > 1 and self._bytes() > _EVIDENCE_BYTES_HELD:
                    self._held.popitem(last=False)
        return held

    def _bytes(self) -> int:
        return sum(evidence.nbytes for evidence in self._held.values())

    def prepare(self, model: ModelInfo, shelf: Shelf, cards: Sequence[Card]) -> None:
        """Fetch in the background what drawing these cards takes."""
        with suppress(HeadscriptError, OSError):  # what cannot be read is said when a card is drawn
            found = examiner(model, Split.VALIDATION)
            for card in cards:
                self._pool.submit(self._prepare, model, found, shelf, card)

    def _prepare(self, model: ModelInfo, found: Examiner, shelf: Shelf, card: Card) -> None:
        with suppress(HeadscriptError, OSError):
            self.get(model, found, card)
            shelf.fits(card.program.id)
            shelf.candidates(card)
            shelf.baselines(card.head)


@st.cache_resource(show_spinner=False)
def evidence_shelf() -> EvidenceShelf:
    """One for all sessions."""
    return EvidenceShelf()
