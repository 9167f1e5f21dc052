from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import WorkspaceError
from core.store.attention import (
    CHUNK_SENTENCES,
    AttentionReader,
    AttentionWriter,
    from_bytes,
    layer_path,
    to_bytes,
)
from core.types import HeadId, SentenceAttention

LAYERS, HEADS = 2, 3


def passage(number: int, is_causal: bool = True) -> SentenceAttention:
    """Random row-stochastic maps of 2 to 6 tokens, the same for the same number."""
    rng = np.random.default_rng(number)
    n = 2 + number % 5
    weights = rng.random((LAYERS, HEADS, n, n)) + 0.01
    weights = np.tril(weights) if is_causal else weights
    weights /= weights.sum(-1, keepdims=True)
    return SentenceAttention(f"s{number}", weights.astype(np.float16))


def passages(*numbers: int) -> list[SentenceAttention]:
    return [passage(number) for number in numbers]


def writer_at(folder: Path, is_causal: bool = True) -> AttentionWriter:
    return AttentionWriter(folder, range(LAYERS), is_causal)


def store(folder: Path, stream: list[SentenceAttention], is_causal: bool = True) -> AttentionReader:
    writer = writer_at(folder, is_causal)
    assert sum(writer.write(stream)) == len(stream)
    writer.finish()
    return AttentionReader(folder)


def stored(folder: Path, layer: int) -> list[tuple[int, str]]:
    """(head, sentence) of every row of a layer file."""
    table = pq.read_table(layer_path(folder, layer), partitioning=None)
    return list(zip(table["head"].to_pylist(), table["sentence_id"].to_pylist(), strict=True))


def all_pairs(*numbers: int) -> list[tuple[int, str]]:
    return [(head, f"s{number}") for head in range(HEADS) for number in sorted(numbers)]


# One map


def test_causal_map_is_packed_as_its_lower_triangle():
    weights = np.array([[1, 0, 0], [0.25, 0.75, 0], [0.5, 0, 0.5]])
    assert np.frombuffer(to_bytes(weights, True), "<f2").tolist() == [1, 0.25, 0.75, 0.5, 0, 0.5]
    np.testing.assert_array_equal(from_bytes(to_bytes(weights, True), 3, True), weights)


def test_encoder_map_is_packed_whole():
    weights = np.array([[0.25, 0.75], [0.5, 0.5]])
    assert np.frombuffer(to_bytes(weights, False), "<f2").tolist() == [0.25, 0.75, 0.5, 0.5]
    np.testing.assert_array_equal(from_bytes(to_bytes(weights, False), 2, False), weights)


# Reading


@pytest.mark.parametrize("is_causal", [True, False])
def test_what_is_written_is_read(tmp_path, is_causal):
    written = [passage(number, is_causal) for number in range(5)]
    reader = store(tmp_path, written, is_causal)
    for layer in range(LAYERS):
        maps = reader.layer(layer)
        assert list(maps) == [one.sentence for one in written]
        for one in written:
            np.testing.assert_array_equal(maps[one.sentence], one.weights[layer].astype(np.float32))


def test_head_gives_its_maps_of_every_sentence(tmp_path):
    found = list(store(tmp_path, passages(1, 2)).head(HeadId(1, 2)))
    assert [(one.head, one.sentence) for one in found] == [(HeadId(1, 2), "s1"), (HeadId(1, 2), "s2")]
    np.testing.assert_array_equal(found[1].weights, passage(2).weights[1, 2].astype(np.float32))


def test_a_layer_gives_all_heads_on_one_sentence(tmp_path):
    maps = store(tmp_path, passages(*range(40))).layer(1, sentence="s37")
    assert list(maps) == ["s37"]
    np.testing.assert_array_equal(maps["s37"], passage(37).weights[1].astype(np.float32))


def test_one_gives_one_map(tmp_path):
    reader = store(tmp_path, passages(*range(40)))
    expected = passage(37).weights[0, 1].astype(np.float32)
    np.testing.assert_array_equal(reader.one(HeadId(0, 1), "s37"), expected)


@pytest.mark.parametrize(("head", "sentence"), [(HeadId(0, 1), "s9"), (HeadId(0, 8), "s1")])
def test_a_map_that_was_not_extracted_is_a_key_error(tmp_path, head, sentence):
    with pytest.raises(KeyError, match=f"no attention of {head} on sentence {sentence}"):
        store(tmp_path, passages(1)).one(head, sentence)


def test_missing_layer_says_to_extract(tmp_path):
    with pytest.raises(WorkspaceError, match="extract the model's attention first"):
        AttentionReader(tmp_path).layer(0)


def test_a_row_group_holds_one_head(tmp_path):
    store(tmp_path, passages(*range(CHUNK_SENTENCES + 5)))
    metadata = pq.ParquetFile(layer_path(tmp_path, 0)).metadata
    spans = [metadata.row_group(at).column(0).statistics for at in range(metadata.num_row_groups)]
    assert [(span.min, span.max) for span in spans] == [(0, 0), (1, 1), (2, 2)] * 2


def test_reading_a_head_opens_only_its_row_groups(tmp_path, monkeypatch):
    reader = store(tmp_path, passages(*range(CHUNK_SENTENCES + 5)))
    opened: list[int] = []
    read = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda file, at, *rest, **options: opened.append(at) or read(file, at, *rest, **options),
    )
    assert len(list(reader.head(HeadId(0, 1)))) == CHUNK_SENTENCES + 5
    assert opened == [1, 4]


def row_groups_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The row groups whose maps are read from here on."""
    read, whole = list[int](), pq.ParquetFile.read_row_group

    def counted(file, group, columns=None, **options):
        if columns is None:
            read.append(group)
        return whole(file, group, columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    return read


def test_what_is_looked_at_is_read_once_and_no_other_block_of_sentences(tmp_path, monkeypatch):
    names = [f"s{number}" for number in range(69, -1, -1)]  # of three blocks, in another order
    looks = store(tmp_path, passages(*range(70))).looks(names)
    read = row_groups_read(monkeypatch)
    assert [HeadId(1, head) in looks for head in range(4)] == [True, True, True, False]
    assert HeadId(2, 0) not in looks
    assert read == []
    maps = looks[HeadId(1, 2)]
    for place in (0, 3, 5):  # s69, s66 and s64, of one block
        np.testing.assert_array_equal(maps[place], passage(69 - place).weights[1, 2])
    assert len(read) == 1
    assert [one.tolist() for one in maps] == [
        passage(number).weights[1, 2].tolist() for number in range(69, -1, -1)
    ]
    assert len(read) == len(set(read)) == 3
    assert list(looks) == [HeadId(1, 2)]


def test_of_what_is_looked_at_only_so_much_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr("core.store.attention._LOOK_BYTES", 2_000)  # of a block's 1,152
    looks = store(tmp_path, passages(*range(64))).looks([f"s{number}" for number in range(64)])
    read = row_groups_read(monkeypatch)
    for head in range(HEADS):
        for number in (1, 40):
            np.testing.assert_array_equal(looks[HeadId(0, head)][number], passage(number).weights[0, head])
    assert list(looks) == [HeadId(0, HEADS - 1)]
    assert looks[HeadId(0, 0)][1].tolist() == passage(1).weights[0, 0].tolist()
    assert len(read) == 2 * HEADS + 1


def test_a_sentence_that_was_not_extracted_is_a_key_error_where_it_is_looked_at(tmp_path):
    looks = store(tmp_path, passages(1)).looks(["s1", "s2"])
    assert looks[HeadId(0, 0)][0].shape == (3, 3)
    with pytest.raises(KeyError, match="s2"):
        looks[HeadId(0, 0)][1]


def test_restricted_reader_sees_only_its_sentences(tmp_path):
    reader = store(tmp_path, passages(1, 2, 3)).restricted({"s1", "s3", "s8"})
    assert list(reader.layer(0)) == ["s1", "s3"]
    assert [one.sentence for one in reader.head(HeadId(0, 0))] == ["s1", "s3"]
    with pytest.raises(KeyError):
        reader.one(HeadId(0, 0), "s2")


def test_a_map_can_be_read_without_headscript(tmp_path):
    store(tmp_path, passages(1, 2))
    table = pq.read_table(tmp_path / "layer=01.parquet", filters=[("head", "==", 2)])
    row = table.to_pylist()[0]
    weights = np.zeros((row["n"], row["n"]))
    weights[np.tril_indices(row["n"])] = np.frombuffer(row["weights"], "<f2")
    np.testing.assert_array_equal(weights, passage(1).weights[1, 2])
    assert row["sentence_id"] == "s1"


@pytest.mark.parametrize(("is_causal", "shape"), [(True, b"lower triangle"), (False, b"full")])
def test_the_file_says_which_shape_it_holds(tmp_path, is_causal, shape):
    store(tmp_path, [passage(1, is_causal)], is_causal)
    assert pq.read_schema(layer_path(tmp_path, 0)).metadata[b"shape"] == shape


# Going on after a stop


def stopped_after(count: int) -> Iterator[SentenceAttention]:
    yield from passages(*range(count))
    raise KeyboardInterrupt


def test_a_stopped_write_keeps_its_finished_chunks(tmp_path):
    writer = writer_at(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        list(writer.write(stopped_after(CHUNK_SENTENCES + 3)))
    assert writer.done() == {f"s{number}" for number in range(CHUNK_SENTENCES)}
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["000001.parquet"]


def test_going_on_after_a_stop_gives_every_sentence_once(tmp_path):
    writer, total = writer_at(tmp_path), CHUNK_SENTENCES + 8
    with pytest.raises(KeyboardInterrupt):
        list(writer.write(stopped_after(CHUNK_SENTENCES + 3)))
    left = [number for number in range(total) if f"s{number}" not in writer.done()]
    assert len(left) == 8
    store(tmp_path, passages(*left))
    assert sorted(stored(tmp_path, 0)) == sorted(all_pairs(*range(total)))


def test_finishing_twice_changes_nothing(tmp_path):
    store(tmp_path, passages(1, 2))
    before = layer_path(tmp_path, 0).read_bytes()
    writer_at(tmp_path).finish()
    assert layer_path(tmp_path, 0).read_bytes() == before


def test_finishing_nothing_writes_nothing(tmp_path):
    writer_at(tmp_path).finish()
    assert list(tmp_path.iterdir()) == []


def test_merge_stopped_between_layers_doubles_nothing_when_repeated(tmp_path, monkeypatch):
    writer = writer_at(tmp_path)
    list(writer.write(passages(1, 2)))
    replace = Path.replace

    def stop_at_second_layer(source: Path, target: Path) -> Path:
        if target == layer_path(tmp_path, 1):
            raise KeyboardInterrupt
        return replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop_at_second_layer)
        with pytest.raises(KeyboardInterrupt):
            writer.finish()
    assert writer.done() == {"s1", "s2"}
    writer.finish()
    assert [stored(tmp_path, layer) for layer in range(LAYERS)] == [all_pairs(1, 2)] * 2
    assert not (tmp_path / "partial").exists()


def test_a_second_corpus_is_added_to_the_first(tmp_path):
    store(tmp_path, passages(1, 2))
    reader = store(tmp_path, passages(3))
    assert list(reader.layer(0)) == ["s1", "s2", "s3"]
    np.testing.assert_array_equal(reader.one(HeadId(1, 0), "s1"), passage(1).weights[1, 0])


def test_a_sentence_written_again_is_kept_once(tmp_path):
    store(tmp_path, passages(1, 2))
    store(tmp_path, passages(2, 3))
    assert sorted(stored(tmp_path, 1)) == sorted(all_pairs(1, 2, 3))


# A full disk


@pytest.fixture
def full_disk(monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", refuse)


def test_full_disk_while_writing_leaves_no_partial_file(tmp_path, full_disk):
    with pytest.raises(WorkspaceError, match="is full; free some space and run the same command again"):
        list(writer_at(tmp_path).write(passages(1)))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_full_disk_while_merging_keeps_what_was_finished(tmp_path, monkeypatch, request):
    store(tmp_path, passages(1))
    list(writer_at(tmp_path).write(passages(2)))
    request.getfixturevalue("full_disk")
    with pytest.raises(WorkspaceError, match="is full"):
        writer_at(tmp_path).finish()
    assert writer_at(tmp_path).done() == {"s1", "s2"}
    assert list(AttentionReader(tmp_path).layer(0)) == ["s1"]


def test_a_file_where_the_folder_should_be_is_an_error_in_words(tmp_path):
    (tmp_path / "model").write_text("in the way")
    with pytest.raises(WorkspaceError, match="cannot write to"):
        list(writer_at(tmp_path / "model").write(passages(1)))


@pytest.mark.parametrize(
    "changed",
    [
        {"n": pa.array([10**9] * HEADS, pa.int32())},  # a false length
        {"n": pa.array([-1] * HEADS, pa.int32())},
        {"n": pa.array(["three"] * HEADS)},  # a false type
        {"weights": pa.array([None] * HEADS, pa.binary())},
    ],
)
def test_a_file_with_false_lengths_or_types_is_an_error_in_words(tmp_path, changed):
    reader = store(tmp_path, passages(1))
    path = layer_path(tmp_path, 0)
    table = pq.read_table(path, partitioning=None)
    for name, column in changed.items():
        table = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(table, path)
    with pytest.raises(WorkspaceError, match=r"layer=00\.parquet is missing or damaged"):
        list(reader.head(HeadId(0, 0)))
