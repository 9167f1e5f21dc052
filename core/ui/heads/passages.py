"""The passages of the Heads page: one of the workspace, or a text of one's own that the model reads live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import streamlit as st

from core.audit.resting import resting_keys
from core.errors import CorpusError, WorkspaceError
from core.features import Features, annotate
from core.language import Evaluator, ParsedProgram
from core.maps import confined, iou_of, pooled, prepare_distances
from core.scoring import program_of
from core.types import Failure, HeadId, ModelInfo, Sentence, Split
from core.ui.parts import state
from core.ui.parts.live import LiveModel, live_model, loaded_model
from core.ui.parts.state import SideBySide

OWN = "own"  # the id of the text of one's own
MAX_OWN_TOKENS = 512  # of which all heads of a large model fit into memory
THUMBNAIL = 32  # cells along the side of a head's thumbnail


@dataclass(frozen=True)
class Passage:
    """One passage with its features and every head's attention on it."""

    id: str  # Sentence.id, or OWN
    text: str
    genre: str
    features: Features  # of this passage alone
    attention: Callable[[HeadId], np.ndarray]  # float32 [query, key]; KeyError if it was not extracted
    layer: Callable[[int], np.ndarray]  # float32 [head, query, key]


@dataclass(frozen=True)
class OwnText:
    """What the model does with a text of one's own; held in memory only."""

    features: Features
    weights: np.ndarray  # float16 [layer with heads, head, query, key]


@lru_cache(maxsize=256)
def parsed(source: str) -> ParsedProgram:
    """A program, read once; a page asks for the same one several times."""
    return program_of(source)


def stored(model: ModelInfo, sentence: Sentence) -> Passage:
    """A passage of the workspace."""
    reader = state.owner().workspace.attention(model.id)
    features = state.all_features(model.id, state.version())
    return Passage(
        sentence.id,
        sentence.text,
        f"{sentence.genre}, {sentence.split}",
        features.select([features.row(sentence.id)]),
        lambda head: reader.one(head, sentence.id),
        lambda layer: reader.layer(layer, sentence=sentence.id)[sentence.id],
    )


def own(model: ModelInfo, text: str) -> Passage:
    """A text of one's own, read live.

    Raises ModelError if the model cannot be had, CorpusError if there is no token in the text.
    """
    found = _read(model, text)
    place = {layer: at for at, layer in enumerate(model.attention_layers)}
    return Passage(
        OWN,
        text,
        "own text",
        found.features,
        lambda head: found.weights[place[head.layer], head.head].astype(np.float32),
        lambda layer: found.weights[place[layer]].astype(np.float32),
    )


@st.cache_resource(show_spinner="The model is reading your text", max_entries=2)
def _read(model: ModelInfo, text: str) -> OwnText:
    return _read_by(live_model(model), model, text)


def warm(model: ModelInfo) -> None:
    """Do ahead of time what the first text would wait for: the model, the parser, a pass through both.

    And first of all what the first maps would, which are compared on Heads.
    """
    prepare_distances()
    _read_by(loaded_model(model), model, "A word.")


def _read_by(live: LiveModel, model: ModelInfo, text: str) -> OwnText:
    from core.models.attention import extract

    loaded = live.loaded
    limit = min(MAX_OWN_TOKENS, model.longest)
    sentence = Sentence(OWN, text, "own text", Split.TEST)
    features = annotate([sentence], loaded.tokenizer, loaded.embeddings(), limit, loaded.pipeline)
    if not len(features) or not len(features.token_ids):
        raise CorpusError(
            "the tokenizer finds no token in this text that the model has; write a word or more"
        )
    with live.lock:
        return OwnText(features, next(extract(loaded, features, [0])).weights)


def looked_at(program: ParsedProgram, head: HeadId, passage: Passage) -> dict[HeadId, np.ndarray]:
    """Maps of the heads that a program looks at, float32 [query, key]; none if it may not stand for `head`.

    A head whose attention was not extracted is left out.
    """
    maps: dict[HeadId, np.ndarray] = {}
    for looked in sorted(program.looks) if program.may_stand_for(head) else ():
        with suppress(KeyError, IndexError, WorkspaceError):
            maps[looked] = passage.attention(looked)
    return maps


def compare(
    model: ModelInfo, head: HeadId, source: str, passage: Passage, looks: Mapping[HeadId, np.ndarray]
) -> SideBySide:
    """The head's map and the program's on a passage; `looks` holds the maps that the program looks at."""
    program = parsed(source)
    looked = {other: weights[None] for other, weights in looks.items()}
    result = Evaluator(passage.features, model.is_causal, looks=looked).run(program)
    weights = confined(result.weights[0], model.window(head.layer), model.is_causal)
    why_not = program.why_not_for(head)
    return SideBySide(
        list(passage.features.surfaces),
        passage.attention(head),
        weights.numpy(),
        Failure("unavailable", why_not) if why_not else result.failures.get(0),
    )


def resting_places(passage: Passage, layer: int, is_causal: bool) -> list[int]:
    """The keys at which a layer rests on a passage; the first alone where its attention was not extracted."""
    try:
        return resting_keys(passage.layer(layer), is_causal)
    except (KeyError, IndexError, WorkspaceError):
        return [0]


def iou(compared: SideBySide) -> float:
    """IoU of head and program on the passage compared; 0 if the program failed."""
    if compared.failure is not None:
        return 0.0
    return iou_of(compared.head, compared.program)


def worst_cell(compared: SideBySide) -> tuple[int, int]:
    """The query whose row the program gets most wrong, and the key it errs most on."""
    wrong = np.abs(compared.head - compared.program)
    query = int(wrong.sum(1).argmax())
    return query, int(wrong[query].argmax())


def thumbnails(model: ModelInfo, passage: Passage) -> np.ndarray:
    """Every head's map on a passage made small, float32 [layer with heads, head, query, key]."""
    return np.stack([pooled(passage.layer(layer), THUMBNAIL) for layer in model.attention_layers])
