"""Which heads' best programs produce nearly the same, found in the background."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

import numpy as np
import streamlit as st

from core.errors import HeadscriptError
from core.features import Features
from core.language import Looks, ParsedProgram, without_docstring
from core.scoring import program_ious, program_maps
from core.types import CardId, HeadId, ModelInfo, Split
from core.ui.parts import background, state

LEAST = 0.9  # IoU of two programs' maps, from which they are called alike
_SENTENCES = 8
_QUIET = 3.0  # seconds without a card being drawn, until it is worked out: it takes both cores for a while
_MOST = 1500  # heads, beyond which comparing all with all takes too long


@dataclass(frozen=True)
class Alike:
    """Every head's best program, and how much those that are compared have in common."""

    cards: tuple[CardId, ...]
    ious: np.ndarray  # float32 [card, card]

    def of(self, card: CardId) -> list[tuple[CardId, float]]:
        """The other heads' programs that are nearly the same, the nearest first."""
        if card not in self.cards:
            return []
        row = self.ious[self.cards.index(card)]
        near = [at for at in np.argsort(-row, kind="stable") if row[at] >= LEAST and self.cards[at] != card]
        return [(self.cards[at], float(row[at])) for at in near]


def compared(
    programs: Mapping[CardId, ParsedProgram], features: Features, is_causal: bool, looks: Looks | None
) -> Alike:
    """Each program once, however many heads it is the best of."""
    distinct = list({program.id: program for program in programs.values()}.values())
    place = {program.id: at for at, program in enumerate(distinct)}
    ious = program_ious(program_maps(distinct, features, is_causal, looks=looks))
    rows = [place[program.id] for program in programs.values()]
    return Alike(tuple(programs), ious[np.ix_(rows, rows)])


class AlikeShelf:
    """What is alike in the models looked at, worked out once for each state of their libraries."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], Future[Alike]] = {}
        self._lock = Lock()
        self._asked = 0.0

    def get(self, model: ModelInfo, wait: bool = False) -> Alike | None:
        """None until it is known, unless this may `wait`, and where it cannot be."""
        name = model.id, state.version()
        self._asked = 0.0 if wait else time.monotonic()
        with self._lock:
            if name not in self._found:
                self._found = {name: self._begin(model)}
            found = self._found[name]
        if not (wait or found.done()) or found.cancelled():
            return None
        try:
            return found.result()
        except (HeadscriptError, OSError, KeyError):  # the evidence says what is missing
            return None

    def _begin(self, model: ModelInfo) -> Future[Alike]:
        workspace = state.owner().workspace
        best = workspace.library.parsed_best(model.id)
        held = [sentence.id for sentence in state.of_splits(model, [Split.VALIDATION])]
        held = held[:: max(1, len(held) // _SENTENCES)][:_SENTENCES]
        if not held or not 1 < len(best) <= _MOST:
            nothing: Future[Alike] = Future()
            nothing.set_result(Alike((), np.zeros((0, 0), np.float32)))
            return nothing
        features = state.features(model.id, tuple(held))
        looks = workspace.attention(model.id).looks(features.sentences)
        programs: dict[CardId, ParsedProgram] = {
            (head, program.id): program for head, program in sorted(best.items())
        }
        found: Future[Alike] = Future()

        def work() -> None:
            while time.monotonic() - self._asked < _QUIET:
                if not background.pause(_QUIET / 10):
                    found.cancel()
                    return
            try:
                found.set_result(compared(programs, features, model.is_causal, looks))
            except Exception as error:  # told to whoever asks
                found.set_exception(error)

        background.begin(work, "alike")
        return found


@st.cache_resource(show_spinner=False)
def alike_shelf() -> AlikeShelf:
    """One for all sessions."""
    return AlikeShelf()


def differences(source: str, other: str) -> tuple[list[str], list[str]]:
    """The lines that only the first program has, and those that only the other has, without docstrings."""
    first, second = (
        [line.strip() for line in without_docstring(one).rstrip("\n").split("\n")] for one in (source, other)
    )
    return [line for line in first if line not in second], [line for line in second if line not in first]


def heads_in_words(heads: Sequence[HeadId], most: int = 12) -> str:
    """`L0H1, L2H3 …`."""
    return ", ".join(map(str, heads[:most])) + " …" * (len(heads) > most)
