"""Files of strangers: ordinary ones, of their own folder, and no larger than they may be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.corpus import load_corpus
from core.errors import CorpusError, HybridError, ModelError
from core.files import read_bytes
from core.hybrid import read_spec
from core.models.names import placed
from core.types import HeadId

SOURCE = "def attend(q, k):\n    return 1.0\n"


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 * 2**30)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_out(path: Path) -> None:
    secret = path.parents[2] / "secret"
    secret.write_text("a key")
    path.symlink_to(secret)


def pipe(path: Path) -> None:
    os.mkfifo(path)


STRANGE = [pipe, device, sparse, link_out]


def hybrid_folder(folder: Path) -> Path:
    (folder / "programs").mkdir(parents=True)
    written = {"format": 1, "model": {"name": "m", "id": "m"}, "heads": [str(HeadId(0, 0))], "figures": {}}
    (folder / "hybrid.json").write_text(json.dumps(written))
    (folder / "programs" / f"{HeadId(0, 0)}.py").write_text(SOURCE)
    return folder


@pytest.mark.parametrize("make", STRANGE)
@pytest.mark.parametrize("name", ["hybrid.json", "programs/L0H0.py"])
def test_a_hybrids_folder_holds_ordinary_small_files_of_its_own(
    tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    folder = hybrid_folder(tmp_path / "deep" / "er")
    assert dict(read_spec(folder).spec.programs)[HeadId(0, 0)] == SOURCE
    (folder / name).unlink()
    make(folder / name)
    with pytest.raises(HybridError, match=r"no ordinary file|leads out of|larger than"):
        read_spec(folder)


@pytest.mark.parametrize("make", STRANGE)
def test_a_models_folder_holds_ordinary_small_files_of_its_own(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "a" / "model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert placed(str(folder)).kind == "folder"
    make(folder / "tokenizer.json")
    with pytest.raises(
        ModelError, match=r"tokenizer\.json is (no ordinary file|larger than|a link that leads)"
    ):
        placed(str(folder))


def test_the_hubs_cache_may_keep_a_models_files_in_its_blobs(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "123").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/123")
    assert placed(str(snapshot)).kind == "folder"


@pytest.mark.parametrize("name", ["c.txt", "c.jsonl", "c.csv"])
def test_a_corpus_that_is_too_large_is_not_read(tmp_path: Path, name: str) -> None:
    sparse(tmp_path / name)
    with pytest.raises(CorpusError, match="larger than"):
        load_corpus(tmp_path / name)


def test_a_file_is_read_up_to_its_limit_and_no_byte_further(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_bytes(path, 4)
    with pytest.raises(OSError, match="larger than 9 bytes"):
        read_bytes(Path("/proc/self/maps"), 9)  # says that it has no bytes


def test_a_parquet_file_that_unpacks_to_too_much_stops_at_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    one = pa.DictionaryArray.from_arrays(pa.array(np.zeros(100_000, np.int32)), pa.array(["x" * 100_000]))
    pq.write_table(pa.table({"text": one}), path)  # 10 GB of text in 100 kB
    assert path.stat().st_size < 200_000
    with pytest.raises(CorpusError, match=r"more than 1,073,741,824 bytes of passages.*--limit"):
        load_corpus(path)
    assert len(load_corpus(path, limit=1).sentences) == 1


def test_parquet_is_read_the_same_with_and_without_a_dictionary(tmp_path: Path) -> None:
    table = pa.table({"text": ["one", None, "two", "three"], "genre": ["a", "b", None, "a"]})
    for number, options in enumerate(({}, {"use_dictionary": False})):
        pq.write_table(table, tmp_path / f"{number}.parquet", **options)
        found = load_corpus(tmp_path / f"{number}.parquet")
        assert [(s.text, s.genre) for s in found.sentences] == [("one", "a"), ("two", "text"), ("three", "a")]
    pq.write_table(table.set_column(1, "genre", pa.array([1, 2, 3, 4])), tmp_path / "n.parquet")
    assert [s.genre for s in load_corpus(tmp_path / "n.parquet").sentences] == ["1", "3", "4"]


def test_a_damaged_parquet_file_is_an_error_in_words_whatever_byte_is_wrong(tmp_path: Path) -> None:
    path, rng = tmp_path / "c.parquet", np.random.default_rng(0)
    pq.write_table(pa.table({"text": [f"passage {n}" for n in range(200)]}), path)
    whole = path.read_bytes()
    for _ in range(300):
        changed = bytearray(whole)
        for at in rng.integers(4, len(whole) - 4, 3):
            changed[at] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        with suppress(CorpusError):
            assert load_corpus(path).sentences
