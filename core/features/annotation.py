"""From sentences to token attributes: model tokens and spaCy words aligned by character offsets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from core.features.kinds import ATTRIBUTES, Value
from core.features.left_context import LeftContext
from core.features.occurrence import Occurrence, is_of_word
from core.features.pipelines import chosen_pipeline, load_pipeline
from core.features.reading import ReadNow
from core.features.spans import PassageTokens, read_ids, read_text, require_offsets, surfaces_of
from core.features.table import FeatureBuilder, Features
from core.types import Sentence


def annotate(
    sentences: Sequence[Sentence],
    tokenizer: Any,
    embeddings: np.ndarray | None = None,
    max_length: int | None = None,
    pipeline: str | None = None,
) -> Features:
    """Every attribute of every token of `sentences`.

    `tokenizer` is a fast transformers tokenizer; `embeddings` [vocabulary, dimension] makes
    `similarity()` available, and sentences with a token beyond it are left out; sentences are cut at
    `max_length` tokens and counted in `truncated`.
    `pipeline` names the spaCy model that reads the syntax, or is `none`: then those attributes stay empty
    and `has_syntax` is False, as they do by default where the bundled model is not installed. Raises
    ModelError if the tokenizer cannot report character offsets or the pipeline named is not installed.
    """
    require_offsets(tokenizer)
    pipeline = chosen_pipeline(pipeline)
    parser = load_pipeline(pipeline)
    builder = FeatureBuilder()
    kept, read, texts = list[Sentence](), [], []
    truncated = 0
    for sentence in sentences:
        text, tokens = read_text(sentence.text, tokenizer)
        if max_length is not None and len(tokens.ids) > max_length:
            tokens = tokens.cut(max_length)
            text = text[: tokens.end]  # the parser takes no text of any length
            truncated += 1
        if embeddings is None or max(tokens.ids, default=0) < len(embeddings):
            kept.append(sentence)
            read.append(tokens)
            texts.append(text)
    documents: Any = [None] * len(texts) if parser is None else parser.pipe(texts)
    for sentence, text, tokens, document in zip(kept, texts, read, documents, strict=True):
        _add(builder, sentence.id, text, tokens, document)
    reading = ReadNow({one.id: text for one, text in zip(kept, texts, strict=True)}, tokenizer)
    return builder.build(embeddings, truncated, pipeline, reading)


def annotate_prefixes(
    sentence: Sentence,
    tokenizer: Any,
    embeddings: np.ndarray | None = None,
    max_length: int | None = None,
    pipeline: str | None = None,
) -> Features:
    """What could be said of a passage's tokens while it was written: its first token, its first two, ...

    Sentence i of the features holds the first i + 1 tokens, read as if the passage ended there.
    """
    require_offsets(tokenizer)
    pipeline = chosen_pipeline(pipeline)
    parser = load_pipeline(pipeline)
    text, tokens = read_text(sentence.text, tokenizer)
    tokens = tokens if max_length is None else tokens.cut(max_length)
    counts = range(1, len(tokens.ids) + 1)
    texts = [text[: tokens.first(count).end] for count in counts]
    documents: Any = [None] * len(texts) if parser is None else parser.pipe(texts)
    builder = FeatureBuilder()
    names = [f"{sentence.id}:{count}" for count in counts]
    for name, count, text, document in zip(names, counts, texts, documents, strict=True):
        _add(builder, name, text, tokens.first(count), document)
    reading = ReadNow(dict(zip(names, texts, strict=True)), tokenizer)
    return builder.build(embeddings, pipeline=pipeline, reading=reading)


def annotate_ids(
    ids: Sequence[int],
    tokenizer: Any,
    embeddings: np.ndarray | None = None,
    pipeline: str | None = None,
    text: str | None = None,
) -> Features:
    """Every attribute of every token of one passage that is known by its token ids, as while generating.

    `text` is what the first of them were read from, if that is known: it says what is not in the ids, as
    capitals are not where the tokenizer makes all letters small.
    """
    require_offsets(tokenizer)
    return _annotated({"": read_ids(ids, tokenizer, text)}, tokenizer, embeddings, pipeline)


def annotate_each(
    passages: Mapping[str, Sequence[int]],
    tokenizer: Any,
    embeddings: np.ndarray | None = None,
    pipeline: str | None = None,
) -> Features:
    """The same of several passages, by their names."""
    require_offsets(tokenizer)
    read = {name: read_ids(ids, tokenizer) for name, ids in passages.items()}
    return _annotated(read, tokenizer, embeddings, pipeline)


def _annotated(
    passages: Mapping[str, tuple[str, PassageTokens]],
    tokenizer: Any,
    embeddings: np.ndarray | None,
    pipeline: str | None,
) -> Features:
    """Of passages by name, each as the text that it spells, and its tokens."""
    pipeline = chosen_pipeline(pipeline)
    parser = load_pipeline(pipeline)
    builder = FeatureBuilder()
    for name, (spelt, tokens) in passages.items():
        _add(builder, name, spelt, tokens, None if parser is None else parser(spelt))
    texts = {name: spelt for name, (spelt, _) in passages.items()}
    return builder.build(embeddings, pipeline=pipeline, reading=ReadNow(texts, tokenizer))


def _add(builder: FeatureBuilder, name: str, text: str, tokens: PassageTokens, document: Any | None) -> None:
    occurrences = list(_occurrences(text, tokens, document))
    surfaces = [occurrence.surface for occurrence in occurrences]
    builder.add(name, tokens.ids, surfaces, [_row(occurrence) for occurrence in occurrences])


def _row(occurrence: Occurrence) -> dict[str, Value]:
    """Every attribute of one token."""
    has_word = occurrence.word is not None
    return {
        name: attribute.read(occurrence) if has_word or not attribute.from_parser else attribute.missing
        for name, attribute in ATTRIBUTES.items()
    }


def _occurrences(text: str, tokens: PassageTokens, document: Any | None) -> Iterator[Occurrence]:
    """The tokens of one passage, each with its word and what is to its left."""
    surfaces = surfaces_of(text, tokens)
    anchors = [_anchor(text, start, end) for start, end in tokens.spans]
    words = _words(tokens, anchors, document)
    first_token_of: dict[int, int] = {}  # spaCy word -> the first model token in it
    for at, word in enumerate(words):
        if word is not None:
            first_token_of.setdefault(word.i, at)
    reading = LeftContext()
    for at in range(len(tokens.spans)):
        word, is_special = words[at], tokens.special[at] is not None
        is_bare = not is_special and bool(surfaces[at].strip())
        yield Occurrence(
            at=at,
            count=len(tokens.spans),
            surface=surfaces[at],
            is_special=is_special,
            starts_word=is_bare and _starts_word(text, anchors[at]),
            context=reading.step(surfaces[at]),
            word=word,
            head=-1 if word is None else first_token_of.get(word.head.i, -1),
        )


def _anchor(text: str, start: int, end: int) -> int:
    """The first character of a token that is not white space; its start if all are."""
    for position in range(start, end):
        if not text[position].isspace():
            return position
    return start


def _starts_word(text: str, anchor: int) -> bool:
    if anchor == 0:
        return True
    return not (is_of_word(text[anchor]) and is_of_word(text[anchor - 1]))


def _words(tokens: PassageTokens, anchors: Sequence[int], document: Any | None) -> list[Any | None]:
    """The spaCy token that covers each model token's anchor; None for special and empty tokens."""
    by_character = (
        {}
        if document is None
        else {
            position: word
            for word in document
            for position in range(word.idx, word.idx + max(1, len(word.text)))
        }
    )
    return [
        by_character.get(anchor) if special is None and start < end else None
        for anchor, special, (start, end) in zip(anchors, tokens.special, tokens.spans, strict=True)
    ]
