from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import WorkspaceError
from core.features import ATTRIBUTES, BUNDLED, NO_PIPELINE, Features, annotate, attribute, unit_rows
from core.proposers.search.grammar import grammar_of
from core.store.tokens import TokenStore
from core.types import Sentence, Split
from tests import tiny

TEXTS = ("The cat sat.", "“Birds fly 🦊,” she said.", "x = 1\ny = 2")


@pytest.fixture(scope="module")
def three() -> Features:
    embeddings = np.random.default_rng(0).normal(size=(tiny.VOCABULARY, 4)).astype(np.float32)
    sentences = [Sentence(f"s{at}", text, "text", Split.TRAIN) for at, text in enumerate(TEXTS)]
    return annotate(sentences, tiny.tokenizer(vocabulary=600), embeddings, max_length=12)


def store(folder, *parts: Features) -> TokenStore:
    for part in parts:
        TokenStore(folder).add(part)
    return TokenStore(folder)


def assert_same(found: Features, expected: Features) -> None:
    assert found.sentences == expected.sentences
    assert found.surfaces == expected.surfaces
    for row in range(len(expected)):
        for ours, theirs in zip(found.tokens(row), expected.tokens(row), strict=True):
            assert ours.values == theirs.values
            np.testing.assert_allclose(ours.vector, theirs.vector, atol=1e-3)  # kept as float16


def test_what_is_added_is_read(tmp_path, three):
    found = store(tmp_path, three).read()
    assert_same(found, three)
    assert found.token_ids.tolist() == three.token_ids.tolist()
    assert {name: column.dtype for name, column in found.columns.items()} == {
        name: column.dtype for name, column in three.columns.items()
    }


def test_flags_survive(tmp_path, three):
    found = store(tmp_path, three).read()
    assert (found.truncated, found.has_syntax) == (three.truncated, True) == (1, True)


@pytest.mark.parametrize(
    ("metadata", "pipeline"),
    [
        ({"has_syntax": "1"}, BUNDLED),  # as version 0.1 wrote it
        ({"has_syntax": "0"}, NO_PIPELINE),
        ({"pipeline": "de_core_news_sm"}, "de_core_news_sm"),
    ],
)
def test_the_pipeline_is_remembered_with_the_tokens(tmp_path, three, metadata, pipeline):
    assert TokenStore(tmp_path).pipeline() is None
    tokens = store(tmp_path, three)
    assert tokens.pipeline() == BUNDLED
    table = pq.read_table(tokens.path)
    pq.write_table(table.replace_schema_metadata(metadata), tokens.path)
    assert tokens.pipeline() == tokens.read().pipeline == pipeline


@pytest.mark.parametrize("name", list(ATTRIBUTES))
def test_a_table_older_than_an_attribute_is_read_with_its_default(tmp_path, three, name):
    tokens = store(tmp_path, three)
    pq.write_table(pq.read_table(tokens.path).drop_columns([name]), tokens.path)
    found = tokens.read()
    assert {token.values[name] for token in found.tokens(1)} == {ATTRIBUTES[name].default}
    assert found.columns[name].dtype == three.columns[name].dtype
    for other in set(ATTRIBUTES) - {name}:
        ours, theirs = ([token.values[other] for token in table.tokens(1)] for table in (found, three))
        assert ours == theirs
    tokens.add(three)  # and such a table can be added to
    assert len(tokens.read()) == len(three)


def test_an_attribute_added_later_stands_in_an_old_workspace_and_ends_no_search(tmp_path, three, monkeypatch):
    tokens = store(tmp_path, three)
    monkeypatch.setattr(ATTRIBUTES, "_entries", dict(ATTRIBUTES))
    attribute("vowels", "number", "number of vowels", default=2.0)(lambda token: len(token.bare))
    found = tokens.read()
    assert {token.values["vowels"] for token in found.tokens(0)} == {2.0}
    phrases = {part.of("{t}"): part.phrase for part in grammar_of(found, is_causal=True).tokens}
    assert phrases["{t}.vowels < 4"] == "tokens whose vowels is below 4"


def test_parts_added_one_after_another_are_the_whole(tmp_path, three):
    assert_same(store(tmp_path, three.select([0]), three.select([1, 2])).read(), three)


def test_adding_a_sentence_again_changes_nothing(tmp_path, three):
    assert_same(store(tmp_path, three, three.select([1])).read(), three)


def test_sentences_are_read_in_the_order_asked_for(tmp_path, three):
    assert_same(store(tmp_path, three).read(["s2", "s0"]), three.select([2, 0]))


def test_sentences_lists_what_is_there(tmp_path, three):
    assert TokenStore(tmp_path).sentences() == set()
    assert store(tmp_path, three).sentences() == {"s0", "s1", "s2"}


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"PAR1 not really")])
def test_a_missing_or_damaged_file_says_what_to_do(tmp_path, three, damage):
    store = TokenStore(tmp_path)
    store.add(three)
    damage(store.path)
    with pytest.raises(WorkspaceError, match=r"tokens\.parquet is missing or damaged .* delete the folder"):
        store.read()


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("position", ["zero"]),
        ("token_id", [None]),
        ("sentence_id", [3.5]),
        ("text", [7]),
        ("is_first", ["yes"]),
    ],
)
def test_columns_of_another_type_say_what_to_do(tmp_path, three, name, column):
    store = TokenStore(tmp_path)
    store.add(three)
    table = pq.read_table(store.path)
    at = table.column_names.index(name)
    pq.write_table(table.set_column(at, name, pa.array(column * len(table))), store.path)
    with pytest.raises(WorkspaceError, match=r"tokens\.parquet is missing or damaged .* delete the folder"):
        store.read()


def test_unknown_sentence_is_a_key_error(tmp_path, three):
    with pytest.raises(KeyError, match="s9"):
        store(tmp_path, three).read(["s9"])


def test_features_without_vectors_are_read_without(tmp_path, three):
    bare = replace(three, vectors=None, vector_rows=None)
    assert store(tmp_path, bare).read().vectors is None


def test_adding_sentences_without_vectors_drops_the_stale_ones(tmp_path, three):
    bare = replace(three.select([1]), vectors=None, vector_rows=None)
    assert store(tmp_path, three.select([0]), bare).read().vectors is None


def test_pandas_reads_the_tokens_as_plain_columns(tmp_path, three):
    table = pd.read_parquet(store(tmp_path, three).path)
    first = table[table.sentence_id == "s0"]
    assert first.surface.tolist() == ["The", " c", "at", " s", "at", "."]
    assert first.text.tolist() == ["The", "c", "at", "s", "at", "."]
    assert first.word.tolist() == ["The", "cat", "cat", "sat", "sat", "."]
    assert first.position.tolist() == first["index"].tolist() == [0, 1, 2, 3, 4, 5]
    assert set(ATTRIBUTES) <= set(table.columns)


def test_stored_vectors_keep_unit_length(tmp_path, three):
    vectors = store(tmp_path, three).read().vectors
    np.testing.assert_allclose(vectors, unit_rows(vectors), atol=1e-3)


def test_a_file_where_the_folder_should_be_is_an_error_in_words(tmp_path, three):
    (tmp_path / "model").write_text("in the way")
    with pytest.raises(WorkspaceError, match="cannot write to"):
        TokenStore(tmp_path / "model").add(three)
