"""Token attributes as columns: all sentences end to end, texts interned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.errors import ModelError
from core.features.kinds import ATTRIBUTES, DTYPES, Value
from core.features.pipelines import BUNDLED, NO_PIPELINE
from core.features.reading import Reading, both

LEAST_TOKENS = 2  # of a passage: with one alone, every program does what every head does


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
    pipeline: str = BUNDLED  # the spaCy package that read the syntax, or NO_PIPELINE
    hidden: np.ndarray | None = None  # int32 [token]: the token id behind a mask, -1 where there is none
    reading: Reading | None = field(default=None, compare=False)  # their texts, where those are at hand
    _row_of: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def has_syntax(self) -> bool:
        """Whether a spaCy pipeline read the sentences; without, its attributes are empty."""
        return self.pipeline != NO_PIPELINE

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
            pipeline=self.pipeline,
            hidden=None if self.hidden is None else self.hidden[tokens],
            reading=self.reading,
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
        self,
        embeddings: np.ndarray | None = None,
        truncated: int = 0,
        pipeline: str = BUNDLED,
        reading: Reading | None = None,
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
                name: np.array(self._values[name], DTYPES[attribute.kind])
                for name, attribute in ATTRIBUTES.items()
            },
            texts=tuple(self._text_ids),
            surfaces=tuple(self._surfaces),
            vectors=vectors,
            vector_rows=vector_rows,
            truncated=truncated,
            pipeline=pipeline,
            reading=reading,
        )


def merge(old: Features, new: Features) -> Features:
    """The sentences of both, `old` first; sentences that `old` already has are not repeated.

    Raises ModelError if different spaCy pipelines read them.
    """
    if old.pipeline != new.pipeline:
        raise ModelError(
            f"the sentences there were read by the spaCy pipeline `{old.pipeline}`, the new ones by "
            f"`{new.pipeline}`; read all with one, as HEADSCRIPT_SPACY says"
        )
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
        pipeline=old.pipeline,
        reading=both(old.reading, new.reading),
    )


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, zero rows left as they are; float32 [row, dimension]."""
    rows = rows.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: np.ndarray = rows / np.where(lengths == 0, 1, lengths)
    return scaled
