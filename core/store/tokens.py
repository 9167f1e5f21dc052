"""Token features in Parquet, parsed once: `tokens.parquet`, one row per token of every sentence.

Columns: `sentence_id`, `position`, `token_id`, `surface`, then every attribute of a token under its own
name; texts are strings, `head`, `prev` and `next` positions in the sentence (-1: none). Where a table lacks
an attribute's column, as one written before it existed does, all tokens have its default. The metadata
names the spaCy pipeline that read the sentences.
`embeddings.parquet` holds the unit-length input embedding of each token id that occurs, as float16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.features import ATTRIBUTES, BUNDLED, NO_PIPELINE, Attribute, Features, merge
from core.files import disk_errors, replacing
from core.store.parquet import damage_told, open_parquet
from core.store.readings import StoredReading


@dataclass(frozen=True)
class TokenStore:
    """One model's token features under `folder` (`attention/<model>`)."""

    folder: Path

    @property
    def path(self) -> Path:
        """The token table."""
        return self.folder / "tokens.parquet"

    def add(self, features: Features) -> None:
        """Store these sentences beside those already there."""
        reading, new = features.reading, features.sentences
        if self.path.is_file():
            features = merge(self.read(), features)
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if reading is not None:
                self.reading.add(reading, new)
            if features.vectors is not None and features.vector_rows is not None:
                self._write_vectors(features.token_ids, features.vectors, features.vector_rows)
            else:
                self._vectors_path.unlink(missing_ok=True)
            with replacing(self.path) as scratch:
                pq.write_table(_to_table(features), scratch, compression="zstd")

    def sentences(self) -> set[str]:
        """Ids of the sentences already annotated."""
        if not self.path.is_file():
            return set()
        with damage_told(self.path):
            return set(open_parquet(self.path).read(["sentence_id"])["sentence_id"].unique().to_pylist())

    def pipeline(self) -> str | None:
        """The spaCy pipeline that read the sentences there, and is to read others; None if there are none."""
        return _pipeline(open_parquet(self.path).schema_arrow.metadata or {}) if self.path.is_file() else None

    def read(self, sentences: Sequence[str] | None = None) -> Features:
        """The features of these sentences, in this order; of all that are stored if None."""
        with damage_told(self.path):
            table = open_parquet(self.path).read()
            table.validate(full=True)  # lengths and places that a damaged file only claims
            _require_types(table)
            features = _from_table(table, self._vectors_path, self.reading)
        if sentences is None:
            return features
        return features.select([features.row(sentence) for sentence in sentences])

    @property
    def reading(self) -> StoredReading:
        """What the sentences were read from."""
        return StoredReading(self.folder)

    @property
    def _vectors_path(self) -> Path:
        return self.folder / "embeddings.parquet"

    def _write_vectors(self, token_ids: np.ndarray, vectors: np.ndarray, rows: np.ndarray) -> None:
        ids, first = np.unique(token_ids, return_index=True)
        packed = [row.astype("<f2").tobytes() for row in vectors[rows[first]]]
        with replacing(self._vectors_path) as scratch:
            table = pa.table({"token_id": ids, "vector": pa.array(packed, pa.binary())})
            pq.write_table(table, scratch, compression="zstd")


def _to_table(features: Features) -> pa.Table:
    lengths = features.lengths
    texts = pa.array(features.texts, pa.string())
    columns = {
        "sentence_id": pa.array(np.repeat(np.array(features.sentences, object), lengths), pa.string()),
        "position": np.concatenate([np.arange(n, dtype=np.int32) for n in lengths]),
        "token_id": features.token_ids,
        "surface": pa.array(features.surfaces, pa.string()),
    }
    for name, attribute in ATTRIBUTES.items():
        column = features.columns[name]
        columns[name] = (
            pa.DictionaryArray.from_arrays(pa.array(column), texts) if attribute.kind == "text" else column
        )
    flags = {"truncated": str(features.truncated), "pipeline": features.pipeline}
    return pa.table(columns).replace_schema_metadata({"format": "headscript tokens 1", **flags})


_IS: Mapping[str, Callable[[pa.DataType], bool]] = {
    "number": lambda kind: bool(pa.types.is_floating(kind)),
    "boolean": lambda kind: bool(pa.types.is_boolean(kind)),
    "text": lambda kind: bool(pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind)),
    "token": lambda kind: bool(pa.types.is_integer(kind)),
}


def _require_types(table: pa.Table) -> None:
    """Raises TypeError where a column is of another type, or lacks values."""
    kinds = {"sentence_id": "text", "position": "token", "token_id": "token", "surface": "text"}
    for name, kind in (kinds | {name: attribute.kind for name, attribute in ATTRIBUTES.items()}).items():
        if name in table.column_names or name in kinds:
            column = table[name]
            if not _IS[kind](column.type) or column.null_count:
                raise TypeError(f"the column {name} holds {column.type}, {column.null_count} of it nothing")


def _from_table(table: pa.Table, vectors_path: Path, reading: StoredReading) -> Features:
    sentence = np.array(table["sentence_id"].to_pylist(), object)
    starts = np.flatnonzero(table["position"].to_numpy() == 0)
    interned: dict[str, int] = {"": 0}
    columns = {}
    for name, attribute in ATTRIBUTES.items():
        column = _column(table, attribute)
        if attribute.kind != "text":
            columns[name] = column.to_numpy(zero_copy_only=False)
            continue
        encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
        ids = [interned.setdefault(text, len(interned)) for text in encoded.dictionary.to_pylist()]
        columns[name] = np.array(ids, np.int32)[encoded.indices.to_numpy()]
    token_ids = table["token_id"].to_numpy()
    vectors = vector_rows = None
    if vectors_path.is_file():
        stored = open_parquet(vectors_path).read()
        vectors = np.stack([np.frombuffer(v, "<f2") for v in stored["vector"].to_pylist()]).astype(np.float32)
        vector_rows = np.searchsorted(stored["token_id"].to_numpy(), token_ids).astype(np.int32)
    metadata = table.schema.metadata or {}
    return Features(
        sentences=tuple(sentence[starts]),
        offsets=np.concatenate([starts, [len(sentence)]]).astype(np.int64),
        token_ids=token_ids,
        columns=columns,
        texts=tuple(interned),
        surfaces=tuple(table["surface"].to_pylist()),
        vectors=vectors,
        vector_rows=vector_rows,
        truncated=int(metadata.get(b"truncated", b"0")),
        pipeline=_pipeline(metadata),
        reading=reading,
    )


def _column(table: pa.Table, attribute: Attribute) -> pa.Array:
    """An attribute of every token; its default where the table is older than the attribute."""
    if attribute.name in table.column_names:
        return table[attribute.name].combine_chunks()
    types = {"number": pa.float32(), "boolean": pa.bool_(), "text": pa.string(), "token": pa.int32()}
    return pa.array([attribute.default] * len(table), types[attribute.kind])


def _pipeline(metadata: Mapping[bytes, bytes]) -> str:
    """The pipeline a table names; tables of version 0.1 say only whether there was one."""
    had_one = metadata.get(b"has_syntax", b"1") == b"1"
    return metadata.get(b"pipeline", (BUNDLED if had_one else NO_PIPELINE).encode()).decode()
