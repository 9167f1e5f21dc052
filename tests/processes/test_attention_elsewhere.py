"""Attention that lies elsewhere: in another folder, and behind a server that speaks S3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.errors import WorkspaceError
from core.jobs import Jobs
from core.proposers import SearchLimits
from core.settings import Settings
from core.store import AttentionReader, AttentionWriter, Workspace
from core.store.attention import extracted_layers
from core.store.depot import address_of, below, depot
from core.store.snapshot import export_snapshot
from core.store.workspace import ELSEWHERE, attention_address, attention_folder, shared_folder
from core.types import HeadId, SentenceAttention, Split
from tests.servers import s3
from tests.stored import assert_same_attention


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    before = dict(os.environ)
    try:
        with s3.bucket() as uri:
            yield uri
    finally:
        os.environ.clear()
        os.environ.update(before)


def attention_of(name: str, seed: int) -> SentenceAttention:
    """Two layers of two heads on five tokens."""
    draw = np.random.default_rng(seed).random((2, 2, 5, 5)).astype(np.float16)
    return SentenceAttention(name, np.tril(draw))


def fail_within(writer: AttentionWriter, one: SentenceAttention) -> None:
    with writer.chunk("000009-lost") as take:
        take([(one.sentence, one.weights[0])])
        raise ZeroDivisionError


@pytest.mark.slow  # moto answers uploads in parts with an error in some environments
def test_files_in_a_store_are_whole_or_absent_and_merge_as_on_a_disk(bucket: str, tmp_path: Path) -> None:
    at = below(address_of(bucket), "model")
    given = [attention_of(f"s{number}", number) for number in range(3)]
    for where in (at, tmp_path):
        writer = AttentionWriter(where, (0, 3), is_causal=True)
        assert list(writer.write(given[:2])) == [2]
        with pytest.raises(ZeroDivisionError):
            fail_within(writer, given[2])
        assert depot(where).names("partial") == ["000001.parquet"]
        assert writer.done() == {"s0", "s1"}
        writer.finish()
        assert list(writer.write(given)) == [3]
        writer.finish()
        assert depot(where).names("partial") == []
        assert extracted_layers(where) == [0, 3]
    there, here = AttentionReader(at), AttentionReader(tmp_path)
    for layer in (0, 3):
        expected = here.layer(layer)
        found = there.layer(layer)
        assert found.keys() == expected.keys() == {"s0", "s1", "s2"}
        for name, maps in found.items():
            np.testing.assert_array_equal(maps, expected[name])
    looks = there.looks(["s1", "s0"])
    assert HeadId(3, 1) in looks
    assert HeadId(1, 1) not in looks
    np.testing.assert_array_equal(looks[HeadId(3, 1)][1], given[0].weights[1, 1])
    with pytest.raises(WorkspaceError, match=r"layer=01\.parquet\?.* is missing; extract"):
        there.layer(1)


def test_a_store_that_does_not_answer_is_told(bucket: str) -> None:
    gone = bucket.replace("s3://headscript/", "s3://nobodys-bucket/")
    with pytest.raises(
        WorkspaceError, match=r"s3://nobodys-bucket/attention/a\.parquet cannot be read or wr"
    ):
        depot(gone).parquet("a.parquet")
    with pytest.raises(WorkspaceError, match="'gopher://moon/x' is no place that pyarrow knows"):
        address_of("gopher://moon/x")


@pytest.mark.parametrize("kind", [pytest.param("s3", marks=pytest.mark.slow), "path"])
def test_a_workspace_whose_attention_lies_elsewhere_works_on_the_same(
    kind: str, request: pytest.FixtureRequest, built: Path, small_corpus: Path, tmp_path: Path
) -> None:
    elsewhere = request.getfixturevalue("bucket") if kind == "s3" else str(tmp_path / "mounted")
    workspace = Workspace.open(tmp_path / "workspace")
    settings = Settings(workspace.folder, device="cpu", runner="inline", attention=elsewhere)
    jobs = Jobs(workspace, settings)
    jobs.wait(jobs.start_build(str(built.parent / "llama"), str(small_corpus), search=False))
    (info,) = workspace.models.all()
    assert not list(workspace.folder.rglob("layer=*"))
    jobs = Jobs(workspace, Settings(workspace.folder, device="cpu", runner="inline"))  # it knows where
    jobs.wait(jobs.start_search(info, [HeadId(2, 1)], SearchLimits(rules=1)))
    (found,) = {one.score.head for one in workspace.library.best(info.id, Split.TEST) if one.lift}
    assert found == HeadId(2, 1)

    usual = AttentionReader(attention_folder(built, info.id))
    assert_same_attention(workspace.attention(info.id), usual, info)

    workspace.close()
    export_snapshot(workspace.folder, tmp_path / "copy")
    assert attention_address(tmp_path / "copy", info.id) == attention_address(workspace.folder, info.id)
    shared = shared_folder(workspace.folder, info.id, None)
    assert shared == (None if kind == "s3" else tmp_path / "mounted" / info.id)
    assert (workspace.folder / "attention" / info.id / ELSEWHERE).is_file()
