"""What the scenes show, worked out before the first one: a head, an edit, and what a hybrid writes."""

from __future__ import annotations

import textwrap
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.errors import HeadscriptError
from core.types import Card, HeadId, HybridSpec, ModelInfo, Sentence, Split, is_plain
from core.ui.heads import passages
from core.ui.heads.passages import Passage
from core.ui.parts import state
from core.ui.parts.attention_view import Pins
from core.ui.parts.live import live_model
from core.ui.parts.state import SideBySide

if TYPE_CHECKING:
    from core.audit.edits import Edit

PROMPT = "Once upon a time, there was a little girl who"
_TOKENS = 48  # that are written
_SHARE = 0.25  # of the heads, where no hybrid is there
_MOST_LINES = 24  # of a program that is read from the back of a room, as the stage breaks them
_LETTERS = 70  # of such a line
_SHORT = (14, 34)  # tokens of a passage whose map is
_TRIED = 6  # passages
_EDITS = 4  # that are tried in each
_MOVES = 0.3  # of the squared change of the edit that moves the head most


@dataclass(frozen=True)
class Edited:
    """One token of the passage swapped, and how that changes the attention of head and program."""

    tokens: tuple[str, ...]
    place: int
    before: str
    head: np.ndarray  # float32 [query, key], after less before
    program: np.ndarray  # the same
    foresight: float
    tried: int  # swaps of which this is one
    overall: float  # their foresight, all together


@dataclass(frozen=True)
class Written:
    """A prompt, and how model and hybrid go on."""

    prompt: str
    model: str
    hybrid: str
    heads: int
    cost: str  # in words, where it was measured


@dataclass(frozen=True)
class Show:
    """Everything that the scenes show; a text where something cannot be had says why."""

    card: Card
    passage: Passage
    looks: dict[HeadId, np.ndarray]
    compared: SideBySide
    pins: Pins
    edited: Edited | str
    written: Written | str


@st.cache_resource(show_spinner=False, max_entries=2)
def prepared(model: ModelInfo, head: HeadId | None, library: int) -> Show:
    """The show about a head, or about the one that its text explains best; `library` is its revision."""
    card = _chosen(model, head)
    among = _short(model)
    passage, looks, compared = _passage(model, card, among)
    at = worth_pinning(compared)
    try:
        edited: Edited | str = _edited(model, card, among)
    except HeadscriptError as error:
        edited = str(error)
    try:
        written: Written | str = _written(model)
    except HeadscriptError as error:
        written = str(error)
    return Show(card, passage, looks, compared, Pins((at[0],), at), edited, written)


def _chosen(model: ModelInfo, head: HeadId | None) -> Card:
    """The best program of a head, else of all the short ones that of which most is left down to text.

    Where audits found programs that explain their heads, one of those.
    """
    workspace = state.owner().workspace
    every = workspace.cards.cards(model.id, workspace.library.best_programs(model.id))
    cards = [card for card in every if not is_plain(card.program.source)] or every
    named = [card for card in cards if card.head == head]
    if named:
        return named[0]
    standings = workspace.findings.standings(model.id)
    explained = [card for card in cards if card.id in standings and standings[card.id].explains] or cards
    short = [card for card in explained if shown_lines(card.program.source) <= _MOST_LINES] or explained
    return max(short, key=_left_down_to_text)


def shown_lines(source: str) -> int:
    """How many lines a program takes on the stage, where long ones go on below."""
    return sum(max(1, len(textwrap.wrap(line, _LETTERS))) for line in source.rstrip().split("\n"))


def _left_down_to_text(card: Card) -> float:
    resolved = card.resolved_iou(Split.VALIDATION)
    return (0.0 if np.isnan(resolved) else resolved) - card.baselines.get(Split.VALIDATION, 0.0)


def _short(model: ModelInfo) -> list[Sentence]:
    """Some test passages whose maps are read from the back of a room, prose first."""
    sentences = state.of_splits(model, [Split.TEST])
    lengths = state.owner().workspace.tokens(model.id).read([one.id for one in sentences]).lengths
    low, high = _SHORT
    short = [one for one, n in zip(sentences, lengths, strict=True) if low <= n <= high]
    short = sorted(short, key=_letters, reverse=True) or [sentences[int(lengths.argmin())]]
    return short[:_TRIED]


def _passage(
    model: ModelInfo, card: Card, among: list[Sentence]
) -> tuple[Passage, dict[HeadId, np.ndarray], SideBySide]:
    """The passage on which the program does as well as it usually does."""
    found = [_compared(model, card, passages.stored(model, one)) for one in among]
    usual = card.iou(Split.TEST)
    return min(found, key=lambda one: abs(passages.iou(one[2]) - usual))


def _letters(sentence: Sentence) -> float:
    """The share of letters: prose before code."""
    return sum(map(str.isalpha, sentence.text)) / max(1, len(sentence.text))


def _compared(
    model: ModelInfo, card: Card, passage: Passage
) -> tuple[Passage, dict[HeadId, np.ndarray], SideBySide]:
    looks = passages.looked_at(passages.parsed(card.program.source), card.head, passage)
    return passage, looks, passages.compare(model, card.head, card.program.source, passage, looks)


def worth_pinning(compared: SideBySide) -> tuple[int, int]:
    """The query and key that head and program both weigh most, apart from the first token and the query."""
    both = np.minimum(compared.head, compared.program)
    both[:, 0] = 0
    np.fill_diagonal(both, 0)
    query, key = np.unravel_index(int(both.argmax()), both.shape)
    return int(query), int(key)


def _edited(model: ModelInfo, card: Card, among: list[Sentence]) -> Edited | str:
    """Of some swaps of a token by one of its kind, the best foreseen among those that move the head."""
    edits = _swaps(model, among)
    if not edits:
        return "No token of these passages can be swapped without changing how they are cut into tokens."
    before = {row: _read(model, card, among[row].text) for row in {edit.row for edit in edits}}
    found = []
    for edit in edits:
        after = _read(model, card, edit.sentence.text)
        head = after.head - before[edit.row].head
        program = after.program - before[edit.row].program
        tokens, foresight = tuple(after.tokens), _foreseen([head], [program])
        found.append(Edited(tokens, edit.place, edit.before, head, program, foresight, 1, foresight))
    overall = _foreseen([one.head for one in found], [one.program for one in found])
    moved = [float((one.head**2).sum()) for one in found]
    moving = [one for one, by in zip(found, moved, strict=True) if by >= _MOVES * max(moved)]
    return replace(max(moving, key=lambda one: one.foresight), tried=len(found), overall=overall)


def _read(model: ModelInfo, card: Card, text: str) -> SideBySide:
    """Head and program on a text that the model reads now."""
    return _compared(model, card, passages.own(model, text))[2]


def _swaps(model: ModelInfo, among: list[Sentence]) -> list[Edit]:
    """Swaps of a token in each passage, of words where there are some."""
    from core.audit.edits import swaps  # brings transformers with the model
    from core.audit.passages import Passages

    workspace = state.owner().workspace
    reader, tokens = workspace.attention(model.id), workspace.tokens(model.id)
    loaded = live_model(model).loaded
    tested, donors = (
        Passages(tuple(some), tokens.read([one.id for one in some]), reader, model.is_causal)
        for some in (among, state.of_splits(model, [Split.TRAIN]))
    )
    edits = swaps(loaded, tested, donors, _EDITS)
    return [edit for edit in edits if _is_word(edit.before) and _is_word(edit.after)] or edits


def _is_word(token: str) -> bool:
    return token.startswith(" ") and token.strip().isalpha()


def _foreseen(head: list[np.ndarray], program: list[np.ndarray]) -> float:
    """1 where the program foretells every change, 0 where it is no better than "nothing changes"."""
    apart = sum(float(((one - other) ** 2).sum()) for one, other in zip(head, program, strict=True))
    return 1 - apart / max(1e-12, sum(float((one**2).sum()) for one in head))


def _written(model: ModelInfo) -> Written | str:
    """How the model and the newest hybrid go on; where there is none, one of a quarter of the heads."""
    from core.hybrid.generate import generate

    spec, live = _hybrid(model), live_model(model)
    texts = []
    for chosen in (HybridSpec.of(model.id, []), spec):
        with live.lock, closing(generate(live.loaded, chosen, PROMPT, _TOKENS)) as pieces:
            texts.append("".join(pieces))
    return Written(PROMPT, texts[0], texts[1], len(spec.programs), _cost(model))


def _cost(model: ModelInfo) -> str:
    """What the newest hybrid was measured to cost."""
    frame = state.owner().workspace.hybrids.frame(model.id)
    if frame.empty or np.isnan(frame.iloc[0].increase):
        return ""
    row = frame.iloc[0]
    return f"Perplexity {row.increase:+.1%} [{row.low:+.1%}, {row.high:+.1%}] on {int(row.tokens):,} tokens."


def _hybrid(model: ModelInfo) -> HybridSpec:
    workspace = state.owner().workspace
    frame = workspace.hybrids.frame(model.id)
    if len(frame):
        spec = workspace.hybrids.spec(str(frame.iloc[0].hybrid_id))
        assert spec is not None
        return spec
    found = workspace.library.best(model.id, Split.VALIDATION)
    best = [one for one in found if not is_plain(one.program.source)]
    best.sort(key=lambda one: -one.score.iou.value)
    count = round(_SHARE * model.head_count)
    return HybridSpec.of(model.id, [(one.score.head, one.program.source) for one in best[:count]])
