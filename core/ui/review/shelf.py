"""What the Review page reads, kept between key presses and fetched ahead of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock

import numpy as np
import streamlit as st

from core.audit.resting import resting_keys
from core.errors import HeadscriptError
from core.language import ParsedProgram, PlainProgram
from core.review import Opinions, Shelf
from core.scoring import Evidence, Examiner, Example, program_of
from core.store import AttentionReader
from core.types import Card, HeadId, ModelInfo, Split
from core.ui.parts import state
from core.ui.parts.thumbnails import Fired
from core.ui.review.fired import fired_lines
from core.ui.review.strongest import Looked

_EVIDENCE_BYTES_HELD = 2**26
_RESTS_HELD = 2048  # passages of a layer
_FIRED_HELD = 64  # cards


@st.cache_resource(show_spinner=False, max_entries=2)
def shelf(model: ModelInfo, revision: int) -> Shelf:
    """The model's cards; `revision` is `Library.revision()`."""
    workspace = state.owner().workspace
    return Shelf(workspace.cards, model, workspace.library.best_programs(model.id))


def current_shelf(model: ModelInfo) -> Shelf:
    """The model's cards as they are now."""
    return shelf(model, state.version())


@st.cache_resource(show_spinner=False, max_entries=2)
def opinions(model: str, verdicts: int, library: int) -> Opinions:
    """Every reviewer's latest word and the decided heads; asked for are the revisions of both."""
    log = state.owner().workspace.verdicts
    return Opinions(log.opinions(model), log.decided(model))


def current_opinions(model: ModelInfo) -> Opinions:
    """Every reviewer's latest word, and which heads are decided, as it is now."""
    return opinions(model.id, state.owner().workspace.verdicts.revision(), state.version())


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
        self._rests: OrderedDict[tuple[str, int, str], list[int]] = OrderedDict()
        self._fired: OrderedDict[tuple[str, ...], list[Fired]] = OrderedDict()
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(1, "evidence")

    def get(self, model: ModelInfo, found: Examiner, card: Card) -> Evidence:
        """The card's evidence on validation; raises WorkspaceError if attention or features are not there."""
        name = (model.id, len(found.sentences), *card.id)
        with self._lock:
            held = self._held.get(name)
        if held is None:
            held = found.compare(card.head, program_of(card.program.source))
            with self._lock:
                self._held[name] = held
                while len(self._held) > 1 and self._bytes() > _EVIDENCE_BYTES_HELD:
                    self._held.popitem(last=False)
        return held

    def looked(
        self,
        model: ModelInfo,
        found: Examiner,
        reader: AttentionReader,
        head: HeadId,
        examples: Sequence[Example],
    ) -> list[Looked]:
        """The examples of the evidence with their tokens and the keys at which the head's layer rests."""
        names = [(model.id, head.layer, example.sentence.id) for example in examples]
        missing = [
            sentence for _, _, sentence in names if (model.id, head.layer, sentence) not in self._rests
        ]
        if missing:
            maps: dict[str, np.ndarray] = {}
            with suppress(HeadscriptError, OSError, KeyError):
                maps = reader.restricted(missing).layer(head.layer)  # all at once: each read takes the layer
            with self._lock:
                for sentence in missing:
                    rests = resting_keys(maps[sentence], model.is_causal) if sentence in maps else [0]
                    self._rests[model.id, head.layer, sentence] = rests
                while len(self._rests) > _RESTS_HELD:
                    self._rests.popitem(last=False)
        return [
            Looked(found.tokens(one.sentence), one.head, one.program, self._rests.get(name, [0]))
            for name, one in zip(names, examples, strict=True)
        ]

    def fired(
        self, model: ModelInfo, found: Examiner, program: ParsedProgram, examples: Sequence[Example]
    ) -> list[Fired]:
        """Which lines had a say in each cell of the examples; of plain Python it is not known, so none."""
        if isinstance(program, PlainProgram):
            return []
        sentences = [example.sentence for example in examples]
        name = (model.id, program.source, *(sentence.id for sentence in sentences))
        with self._lock:
            held = self._fired.get(name)
        if held is None:
            lengths = [len(found.tokens(sentence)) for sentence in sentences]
            held = fired_lines(found.traced(program, sentences), lengths)
            with self._lock:
                self._fired[name] = held
                while len(self._fired) > _FIRED_HELD:
                    self._fired.popitem(last=False)
        return held

    def _bytes(self) -> int:
        return sum(evidence.nbytes for evidence in self._held.values())

    def prepare(self, model: ModelInfo, shelf: Shelf, cards: Sequence[Card]) -> None:
        """Fetch in the background what drawing these cards takes."""
        with suppress(HeadscriptError, OSError):  # what cannot be read is said when a card is drawn
            found = examiner(model, Split.VALIDATION)
            reader = state.owner().workspace.attention(model.id)
            for card in cards:
                self._pool.submit(self._prepare, model, found, reader, shelf, card)

    def _prepare(
        self, model: ModelInfo, found: Examiner, reader: AttentionReader, shelf: Shelf, card: Card
    ) -> None:
        with suppress(HeadscriptError, OSError):
            examples = self.get(model, found, card).examples
            self.looked(model, found, reader, card.head, examples)
            self.fired(model, found, program_of(card.program.source), examples)
            shelf.fits(card.program.id)
            shelf.candidates(card)
            shelf.baselines(card.head)


@st.cache_resource(show_spinner=False)
def evidence_shelf() -> EvidenceShelf:
    """One for all sessions."""
    return EvidenceShelf()
