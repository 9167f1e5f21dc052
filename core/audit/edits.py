"""Edits: passages of which one token is swapped, to see whether a program foresees what a head does.

A token is swapped for one of the train passages with the same part of speech that begins a word where it
does, so that the passage is cut into tokens as before. The same edits serve all heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.audit.passages import Passages
from core.types import Sentence

if TYPE_CHECKING:
    from core.features import Features
    from core.models.pretrained import LoadedModel

_TRIES = 6  # drawn for each edit wanted: some do not keep the passage's tokens
Kind = tuple[str, bool]  # part of speech, and whether it begins a word


@dataclass(frozen=True)
class Edit:
    """A passage with one token swapped."""

    row: int  # of the passage, among those that are tested
    place: int  # of the token
    before: str  # the token as it stood, and as it stands
    after: str
    sentence: Sentence


def swaps(
    loaded: LoadedModel,
    tested: Passages,
    donors: Passages,
    wanted: int,
    seed: int = 0,
    of_any_kind: bool = False,
) -> list[Edit]:
    """So many edits of each passage, or fewer where no draw keeps the passage's other tokens.

    `of_any_kind` swaps tokens for others of any part of speech.

    The first token is never swapped, since heads rest on it, nor the last, which only its own row sees.
    """
    rng, most = np.random.default_rng(seed), loaded.info.max_length
    tokens = _by_kind(donors.features, set(loaded.tokenizer.all_special_tokens), of_any_kind)
    kinds = _kinds(tested.features, of_any_kind)
    edits: list[Edit] = []
    for row, sentence in enumerate(tested.sentences):
        span = tested.features.span(row)
        pieces, rest = _cut(sentence.text, tested.features.surfaces[span])
        ids = tested.features.token_ids[span]
        places = [at for at in range(1, len(pieces) - 1) if pieces[at].strip()]
        left = wanted
        for _ in range(_TRIES * wanted if places else 0):
            place = places[int(rng.integers(len(places)))]
            others = tokens.get(kinds[span.start + place], [])
            if not left or not others:
                continue
            after = others[int(rng.integers(len(others)))]
            text = "".join([*pieces[:place], after, *pieces[place + 1 :], rest])
            if _differs_there_alone(ids, loaded.tokenizer(text)["input_ids"], place, most):
                left -= 1
                edited = replace(sentence, id=f"{sentence.id}:{wanted - left}", text=text)
                edits.append(Edit(row, place, pieces[place], after, edited))
    return edits


def features_of(loaded: LoadedModel, edits: Sequence[Edit], pipeline: str) -> Features:
    """The edited passages as tokens, in their order."""
    from core.features import annotate

    sentences = [edit.sentence for edit in edits]
    return annotate(sentences, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length, pipeline)


def _by_kind(features: Features, special: set[str], of_any_kind: bool) -> dict[Kind, list[str]]:
    """The distinct tokens of each kind, as they stand in a text."""
    tokens: dict[Kind, dict[str, None]] = {}
    for token, kind in zip(features.surfaces, _kinds(features, of_any_kind), strict=True):
        if token.strip() and token not in special:
            tokens.setdefault(kind, {})[token] = None
    return {kind: list(found) for kind, found in tokens.items()}


def _kinds(features: Features, of_any_kind: bool) -> list[Kind]:
    pos = ["" if of_any_kind else features.texts[text] for text in features.columns["pos"]]
    return list(zip(pos, features.columns["is_word_start"].tolist(), strict=True))


def _cut(text: str, surfaces: Sequence[str]) -> tuple[list[str], str]:
    """A text in as many pieces as it has tokens, and what is left after them; special tokens have none."""
    pieces, reached = [], 0
    for token in surfaces:
        piece = token if text.startswith(token, reached) else ""
        pieces.append(piece)
        reached += len(piece)
    return pieces, text[reached:]


def _differs_there_alone(before: np.ndarray, after: Sequence[int], place: int, most: int) -> bool:
    """Whether the edited passage is cut into the same tokens but for the one that was swapped."""
    kept = np.asarray(after[:most])
    return len(before) == len(kept) and np.flatnonzero(before != kept).tolist() == [place]
