"""Attention in Parquet: one file per layer, one row per (head, sentence).

Columns: `head` int16, `sentence_id` string, `n` int32, `weights` binary. `weights` is little-endian
float16: the cells as `maps.pack` orders them; the file's metadata entry `shape` says whether of the lower
triangle or of all n x n, as for an encoder; its entry `rows` whether every row sums to 1 or, as in a layer
with sinks, some of the attention goes to no token and a row sums to what is left. Each row group holds one
head's rows of one batch of sentences, so a reader that wants one head, or one (head, sentence), skips the
rest by the row groups' statistics.

Writing is in chunks. A chunk is one file in `partial/`, complete or absent, with the row groups of one or
more batches of sentences: each layer's heads, layer after layer, which its metadata entry `layers` names.
`finish` merges chunks into the layer files, replacing each in one step. Killed at any point, what was
finished is still there. Every layer file comes to hold the same sentences: a layer that is extracted later
than others is so of all of theirs.
"""

from __future__ import annotations

import os
import re
import socket
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import WorkspaceError
from core.maps import cell_count, pack, unpack
from core.store.depot import Address, Depot, below, depot
from core.types import AttentionMap, HeadId, SentenceAttention

CHUNK_SENTENCES = 32
_PARTIAL = "partial"
Take = Callable[[Sequence[tuple[str, np.ndarray]]], None]  # sentence ids with maps [head, query, key]
_COLUMNS = (("head", pa.int16()), ("sentence_id", pa.string()), ("n", pa.int32()), ("weights", pa.binary()))
# Softmax weights are nearly incompressible noise in their low bits; a fast codec takes what there is.
_WRITE_OPTIONS = {"compression": "zstd", "compression_level": 1, "use_dictionary": ["sentence_id"]}
# A chunk lives until the merge; compressing it would cost more time than everything else here.
_CHUNK_OPTIONS = {"compression": "none", "use_dictionary": False}


def to_bytes(weights: np.ndarray, is_causal: bool) -> bytes:
    """A map [query, key] as stored: its cells as float16."""
    return pack(weights, is_causal).astype("<f2", copy=False).tobytes()


def from_bytes(stored: bytes, n: int, is_causal: bool) -> np.ndarray:
    """The map that `to_bytes` stored, float32 [query, key]; raises ValueError if it is not of n tokens."""
    if n < 0 or len(stored) != 2 * cell_count(n, is_causal):
        raise ValueError(f"{len(stored)} bytes are not a map of {n} tokens")
    return unpack(np.frombuffer(stored, "<f2").astype(np.float32), n, is_causal)


@dataclass(frozen=True)
class AttentionWriter:
    """Writes one model's attention under `folder` (`attention/<model>`), wherever that is."""

    folder: Address
    layers: Sequence[int]  # those that have heads, in the order of a SentenceAttention
    is_causal: bool
    sinks: Collection[int] = ()  # layers in which part of the attention goes to no token

    @property
    def _depot(self) -> Depot:
        return depot(self.folder)

    @property
    def _chunks(self) -> list[str]:
        return [f"{_PARTIAL}/{name}" for name in self._depot.names(_PARTIAL)]

    def done(self) -> set[str]:
        """Sentence ids whose attention is on disk in all of the layers, merged or not."""
        merged = [self._merged(layer) for layer in self.layers]
        found = set.intersection(*merged) if merged else set()
        for chunk in self._chunks:
            file = self._depot.parquet(chunk)
            if set(self.layers) <= set(self._layers_of(file)):
                found.update(_sentences_in(file))
        return found

    def begun(self) -> set[str]:
        """Sentence ids whose attention is on disk in some layer."""
        return set().union(*(self._merged(layer) for layer in extracted_layers(self.folder)))

    def _merged(self, layer: int) -> set[str]:
        name = _layer_name(layer)
        return set(_sentences_in(self._depot.parquet(name))) if self._depot.has(name) else set()

    def write(self, stream: Iterable[SentenceAttention]) -> Iterator[int]:
        """Store a stream chunk by chunk; yields how many sentences each finished chunk added.

        Raises WorkspaceError when the disk is full; finished chunks stay.
        """
        chunk: list[SentenceAttention] = []
        for attention in stream:
            chunk.append(attention)
            if len(chunk) == CHUNK_SENTENCES:
                self._write_chunk(chunk)
                yield len(chunk)
                chunk = []
        if chunk:
            self._write_chunk(chunk)
            yield len(chunk)

    def finish(self) -> None:
        """Merge all chunks into the layer files. Safe to repeat after a kill at any point."""
        if chunks := self._chunks:
            for layer in self.layers:
                self._merge(layer, chunks)
        self._depot.remove(_PARTIAL)

    def _write_chunk(self, chunk: list[SentenceAttention]) -> None:
        numbers = (
            int(name.partition("-")[0].removesuffix(".parquet")) for name in self._depot.names(_PARTIAL)
        )
        with self.chunk(f"{1 + max(numbers, default=0):06}") as take:
            for place in range(len(self.layers)):
                take([(attention.sentence, attention.weights[place]) for attention in chunk])

    @contextmanager
    def chunk(self, name: str) -> Iterator[Take]:
        """Write a chunk; what is yielded takes the maps of its sentences, layer after layer.

        After the last layer other sentences may follow, from the first on. The file is there when the block
        ends well. Names begin with a number, which orders chunks. Raises WorkspaceError.
        """
        writer = f"{socket.gethostname()}-{os.getpid()}."
        with (
            self._depot.writing(f"{_PARTIAL}/{name}.parquet", writer) as scratch,
            pq.ParquetWriter(scratch, self._schema(), **_CHUNK_OPTIONS) as file,
        ):

            def take(maps: Sequence[tuple[str, np.ndarray]]) -> None:
                for head in range(maps[0][1].shape[0]):
                    file.write_table(self._rows([(name, of_heads[head]) for name, of_heads in maps], head))

            yield take

    def _rows(self, maps: Sequence[tuple[str, np.ndarray]], head: int) -> pa.Table:
        return pa.table(
            {
                "head": [head] * len(maps),
                "sentence_id": [name for name, _ in maps],
                "n": [weights.shape[-1] for _, weights in maps],
                "weights": [to_bytes(weights, self.is_causal) for _, weights in maps],
            },
            self._schema(),
        )

    def _merge(self, layer: int, chunks: list[str]) -> None:
        """Layer file = its old row groups + those of every chunk it does not hold yet."""
        name, held = _layer_name(layer), self._merged(layer)
        with (
            self._depot.writing(name) as scratch,
            pq.ParquetWriter(scratch, self._schema(layer), **_WRITE_OPTIONS) as writer,
        ):
            if self._depot.has(name):
                old = self._depot.parquet(name)
                for group in range(old.num_row_groups):
                    writer.write_table(old.read_row_group(group, use_threads=False))
            for batches in _gathered(self._new(chunk, layer, held) for chunk in chunks):
                for head in range(batches[0].heads):
                    writer.write_table(pa.concat_tables([batch.rows(head) for batch in batches]))

    def _new(self, chunk: str, layer: int, held: set[str]) -> Iterator[_Batch]:
        """The batches of a chunk with rows of a layer that are not held, which then are."""
        file = self._depot.parquet(chunk)
        heads, layers = 1 + _head_of(file, file.num_row_groups - 1), self._layers_of(file)
        if layer not in layers:
            return
        for first in range(layers.index(layer) * heads, file.num_row_groups, len(layers) * heads):
            column = file.read_row_group(first, ["sentence_id"])["sentence_id"]  # the same for every head
            sentences = column.to_pylist()
            new = [sentence not in held for sentence in sentences]
            if any(new):
                held.update(sentences)
                yield _Batch(file, first, heads, pa.array(new))

    def _layers_of(self, chunk: pq.ParquetFile) -> Sequence[int]:
        """The layers in a chunk, in its order; one of an older version, which does not say, has all."""
        told = (chunk.schema_arrow.metadata or {}).get(b"layers")
        return self.layers if told is None else [int(layer) for layer in told.split()]

    def _schema(self, layer: int | None = None) -> pa.Schema:
        shape = "lower triangle" if self.is_causal else "full"
        rows = "sum to at most 1" if layer in self.sinks else "sum to 1"
        told = {"format": "headscript attention 1", "shape": shape, "rows": rows}
        if layer is None:
            told["layers"] = " ".join(map(str, self.layers))
        return pa.schema(_COLUMNS, metadata=told)


@dataclass(frozen=True)
class AttentionReader:
    """Reads one model's attention; with `only`, as if no other sentence were stored.

    A stage that must not see the test split is handed a reader without it.
    """

    folder: Address
    only: frozenset[str] | None = None

    def restricted(self, sentences: Collection[str]) -> AttentionReader:
        """This reader, seeing only these sentence ids."""
        return AttentionReader(self.folder, frozenset(sentences))

    def layer(
        self, layer: int, heads: Collection[int] | None = None, sentence: str | None = None
    ) -> dict[str, np.ndarray]:
        """Sentence id -> its maps in this layer, float32 [head, query, key], heads in ascending order.

        Of all heads, or of these only: other heads' row groups are not read. Of all sentences, or of one.
        """
        file = self._open(layer)
        maps: dict[str, list[np.ndarray]] = {}
        groups = range(file.num_row_groups)
        wanted = [group for group in groups if heads is None or _head_of(file, group) in heads]
        for row in self.rows(file, sorted(wanted, key=lambda group: _head_of(file, group)), layer, sentence):
            maps.setdefault(row.sentence, []).append(row.weights)
        return {sentence: np.stack(heads) for sentence, heads in maps.items()}

    def head(self, head: HeadId, sentence: str | None = None) -> Iterator[AttentionMap]:
        """This head's maps, of every sentence or of one; other heads' row groups are not read."""
        file = self._open(head.layer)
        groups = [group for group in range(file.num_row_groups) if _head_of(file, group) == head.head]
        yield from self.rows(file, groups, head.layer, sentence)

    def one(self, head: HeadId, sentence: str) -> np.ndarray:
        """One map, float32 [query, key]; raises KeyError if that sentence was not extracted."""
        for found in self.head(head, sentence):
            return found.weights
        raise KeyError(f"no attention of {head} on sentence {sentence}")

    def looks(self, sentences: Sequence[str]) -> HeadMapsOnDisk:
        """What programs look at: every head's maps of these sentences, in this order, read when asked for."""
        return HeadMapsOnDisk(self.restricted(sentences), tuple(sentences))

    def _open(self, layer: int) -> pq.ParquetFile:
        if not self.has(layer):
            raise WorkspaceError(
                f"{below(self.folder, _layer_name(layer))} is missing; extract the model's attention first"
            )
        return depot(self.folder).parquet(_layer_name(layer))

    def blocks(self, layer: int) -> _Blocks:
        """Where a layer's maps lie."""
        file = self._open(layer)
        with depot(self.folder).reading(_layer_name(layer)):
            return _Blocks.of_file(file)

    def has(self, layer: int) -> bool:
        """Whether this layer's attention is there."""
        return depot(self.folder).has(_layer_name(layer))

    def rows(
        self, file: pq.ParquetFile, groups: list[int], layer: int, sentence: str | None = None
    ) -> Iterator[AttentionMap]:
        """The maps in some row groups of a layer's file, of all sentences that are seen or of one."""
        is_causal = (file.schema_arrow.metadata or {}).get(b"shape") != b"full"
        for group in groups:
            with depot(self.folder).reading(_layer_name(layer)):
                if (
                    sentence is not None
                    and sentence not in file.read_row_group(group, ["sentence_id"])[0].to_pylist()
                ):
                    continue
                table = file.read_row_group(group, use_threads=False)  # one column holds nearly everything
                table.validate(full=True)  # lengths and places that a damaged file only claims
                for head, name, n, stored in zip(
                    *(column.to_pylist() for column in table.columns), strict=True
                ):
                    if (sentence is None or name == sentence) and (self.only is None or name in self.only):
                        yield AttentionMap(HeadId(layer, head), name, from_bytes(stored, n, is_causal))


@dataclass(frozen=True)
class _Blocks:
    """Where a layer's maps lie: each head's row groups, one for each block of sentences, the same for all."""

    file: pq.ParquetFile
    groups: dict[int, list[int]]
    of: dict[str, int]  # sentence -> its block

    @classmethod
    def of_file(cls, file: pq.ParquetFile) -> _Blocks:
        groups: dict[int, list[int]] = {}
        for group in range(file.num_row_groups):
            groups.setdefault(_head_of(file, group), []).append(group)
        columns = (file.read_row_group(group, ["sentence_id"])["sentence_id"] for group in groups.get(0, []))
        return cls(
            file, groups, {name: at for at, column in enumerate(columns) for name in column.to_pylist()}
        )


_LOOK_BYTES = 2**28  # of maps that were looked at last
_Place = tuple[HeadId, int]  # a head, and a block of sentences


class HeadMapsOnDisk(Mapping[HeadId, Sequence[np.ndarray]]):
    """Maps float16 [query, key] by head, read block by block when asked for; the last stay in memory."""

    def __init__(self, reader: AttentionReader, sentences: tuple[str, ...]) -> None:
        self._reader, self._sentences = reader, sentences
        self._layers: dict[int, _Blocks] = {}
        self._held: OrderedDict[_Place, dict[str, np.ndarray]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __contains__(self, head: object) -> bool:
        if not isinstance(head, HeadId) or not (head.layer in self._layers or self._reader.has(head.layer)):
            return False
        with self._lock:
            return head.head in self._blocks(head.layer).groups

    def __getitem__(self, head: HeadId) -> Sequence[np.ndarray]:
        if head not in self:
            raise KeyError(head)
        return _MapsOfHead(self, head, len(self._sentences))

    def __iter__(self) -> Iterator[HeadId]:
        return iter(dict.fromkeys(head for head, _ in self._held))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def one(self, head: HeadId, row: int) -> np.ndarray:
        """The map of a head on the sentence in this place; raises KeyError if that was not extracted."""
        sentence = self._sentences[row]
        with self._lock:
            return self._block((head, self._blocks(head.layer).of[sentence]))[sentence]

    def _blocks(self, layer: int) -> _Blocks:
        if layer not in self._layers:
            self._layers[layer] = self._reader.blocks(layer)
        return self._layers[layer]

    def _block(self, place: _Place) -> dict[str, np.ndarray]:
        if place in self._held:
            self._held.move_to_end(place)
            return self._held[place]
        (head, block), blocks = place, self._blocks(place[0].layer)
        maps = self._reader.rows(blocks.file, [blocks.groups[head.head][block]], head.layer)
        read = self._held[place] = {one.sentence: one.weights.astype(np.float16) for one in maps}
        self._bytes += _size(read)
        while len(self._held) > 1 and self._bytes > _LOOK_BYTES:
            self._bytes -= _size(self._held.popitem(last=False)[1])
        return read


def _size(maps: Mapping[str, np.ndarray]) -> int:
    return sum(one.nbytes for one in maps.values())


@dataclass(frozen=True)
class _MapsOfHead(Sequence[np.ndarray]):
    """A head's maps, each read when it is asked for."""

    held: HeadMapsOnDisk
    head: HeadId
    sentences: int

    def __getitem__(self, row: Any) -> Any:
        return self.held.one(self.head, range(self.sentences)[row])

    def __len__(self) -> int:
        return self.sentences


@dataclass(frozen=True)
class _Batch:
    """A layer's row groups of one batch of a chunk, head after head."""

    file: pq.ParquetFile
    first: int  # row group of head 0
    heads: int
    new: pa.BooleanArray  # which of its sentences are wanted

    def rows(self, head: int) -> pa.Table:
        return self.file.read_row_group(self.first + head, use_threads=False).filter(self.new)


def _gathered(chunks: Iterable[Iterable[_Batch]]) -> Iterator[list[_Batch]]:
    """Batches of all chunks, in order, as many together as have CHUNK_SENTENCES sentences."""
    gathered: list[_Batch] = []
    for batch in chain.from_iterable(chunks):
        gathered.append(batch)
        if sum(len(held.new) for held in gathered) >= CHUNK_SENTENCES:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def layer_path(folder: Path, layer: int) -> Path:
    """Where a layer's attention lies, on a disk."""
    return folder / _layer_name(layer)


def _layer_name(layer: int) -> str:
    return f"layer={layer:02}.parquet"


def extracted_layers(folder: Address) -> list[int]:
    """The layers whose attention lies in a model's folder."""
    names = (re.fullmatch(r"layer=(\d+)\.parquet", name) for name in depot(folder).names())
    return sorted(int(name[1]) for name in names if name)


def _head_of(file: pq.ParquetFile, group: int) -> int:
    head: int = file.metadata.row_group(group).column(0).statistics.min
    return head


def _sentences_in(file: pq.ParquetFile) -> list[str]:
    """Sentence ids of the first head's row groups."""
    groups = [group for group in range(file.num_row_groups) if _head_of(file, group) == 0]
    if not groups:
        return []
    sentences: list[str] = file.read_row_groups(groups, ["sentence_id"])["sentence_id"].to_pylist()
    return sentences
