"""Models, and the sentences that they were run on."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from core.store.database import Database
from core.types import ModelInfo, Sentence, Split, Traits
from core.wire import dump, load

_COLUMNS = "model_id, name, architecture, layers, heads, is_causal, parameters, max_length, traits"


class ModelTable:
    """A workspace's models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[ModelInfo]:
        """Every model, the latest first."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM models ORDER BY added_at DESC")
        return [ModelInfo(*row[:-1]).with_traits(load(Traits, row[-1], "a model's traits")) for row in rows]

    def sentences(self, model: str, *splits: Split) -> list[Sentence]:
        """The sentences a model was run on, in corpus order; of all splits if none is named."""
        rows = self._database.rows(
            "SELECT sentence_id, text, genre, split FROM sentences JOIN model_sentences USING (sentence_id) "
            "WHERE model_id = ? ORDER BY corpus, position",
            [model],
        )
        sentences = [Sentence(name, text, genre, Split(split)) for name, text, genre, split in rows]
        return [sentence for sentence in sentences if not splits or sentence.split in splits]


def add_model(cursor: duckdb.DuckDBPyConnection, info: ModelInfo) -> None:
    """Remember a model; one added before now lies where it was found last."""
    cursor.execute(
        f"INSERT INTO models ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET name = excluded.name, traits = excluded.traits",
        [
            info.id,
            info.name,
            info.architecture,
            info.layers,
            info.heads,
            info.is_causal,
            info.parameters,
            info.max_length,
            dump(info.traits),
        ],
    )


def add_sentences(
    cursor: duckdb.DuckDBPyConnection, model: str, corpus: str, sentences: Iterable[Sentence]
) -> None:
    """Remember that a model was run on these sentences, and that it is the latest."""
    cursor.execute("UPDATE models SET added_at = make_timestamp(epoch_us(now())) WHERE model_id = ?", [model])
    for position, sentence in enumerate(sentences):
        cursor.execute(
            "INSERT INTO sentences VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [sentence.id, sentence.text, sentence.genre, str(sentence.split)],
        )
        cursor.execute(
            "INSERT INTO model_sentences VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [model, sentence.id, corpus, position],
        )
