"""What passages were read from, kept beside their tokens: `texts.parquet` and `tokenizer.json`.

`texts.parquet` holds `sentence_id` and `text`, the passage as it was read; `tokenizer.json` what
`core.features.describe_tokenizer` gives. Workspaces of older versions have neither until plain Python is
scored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.features import Reading
from core.files import read_text, replacing, write_json
from core.store.parquet import damage_told, open_parquet

_MAX_TOKENIZER = 2**28  # bytes; those of large vocabularies take some 30 MB


@dataclass(frozen=True)
class StoredReading:
    """The reading of the passages in a model's folder."""

    folder: Path

    @property
    def is_whole(self) -> bool:
        """Whether there is one."""
        return self._texts_path.is_file() and self._tokenizer_path.is_file()

    def texts(self, sentences: Sequence[str]) -> list[str | None]:
        """The text of each passage; None where it is not kept."""
        if not self._texts_path.is_file():
            return [None] * len(sentences)
        held = _texts(self._texts_path, self._texts_path.stat().st_mtime_ns)
        return [held.get(sentence) for sentence in sentences]

    def tokenizer(self) -> Mapping[str, Any] | None:
        """The tokenizer; None where it is not kept."""
        if not self._tokenizer_path.is_file():
            return None
        return _tokenizer(self._tokenizer_path, self._tokenizer_path.stat().st_mtime_ns)

    def add(self, reading: Reading, sentences: Sequence[str]) -> None:
        """Keep what is known of these passages beside what is there."""
        texts = zip(sentences, reading.texts(sentences), strict=True)
        new = {sentence: text for sentence, text in texts if text is not None}
        if self._texts_path.is_file():
            new = dict(_texts(self._texts_path, self._texts_path.stat().st_mtime_ns)) | new
        tokenizer = reading.tokenizer()
        if not new or tokenizer is None:
            return
        with replacing(self._texts_path) as scratch:
            table = pa.table({"sentence_id": list(new), "text": list(new.values())})
            pq.write_table(table, scratch, compression="zstd")
        write_json(self._tokenizer_path, dict(tokenizer))

    @property
    def _texts_path(self) -> Path:
        return self.folder / "texts.parquet"

    @property
    def _tokenizer_path(self) -> Path:
        return self.folder / "tokenizer.json"


@lru_cache(maxsize=4)
def _texts(path: Path, version: int) -> Mapping[str, str]:
    with damage_told(path):
        table = open_parquet(path).read(["sentence_id", "text"])
        table.validate(full=True)
        return dict(zip(table["sentence_id"].to_pylist(), table["text"].to_pylist(), strict=True))


@lru_cache(maxsize=4)
def _tokenizer(path: Path, version: int) -> Mapping[str, Any]:
    with damage_told(path):
        read = json.loads(read_text(path, _MAX_TOKENIZER))
        if not isinstance(read, dict) or not isinstance(read.get("backend"), str):
            raise TypeError("it holds no tokenizer")
        return read
