"""Attention that lies elsewhere: in another folder, and behind a server that speaks S3."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import WorkspaceError
from core.jobs import Jobs
from core.jobs.crew import Crew, Stage
from core.jobs.crew.local import LocalCrew
from core.jobs.folder import EventWriter, JobFolder, Place
from core.proposers import SearchLimits
from core.settings import Settings
from core.store import AttentionReader, AttentionWriter, Workspace
from core.store.attention import extracted_layers
from core.store.depot import address_of, below, depot
from core.store.snapshot import export_snapshot
from core.store.workspace import ELSEWHERE, attention_address, put_attention, shared_folder
from core.types import HeadId, SentenceAttention, Split
from tests.processes.jobs.found import check_attention, inline, plain
from tests.servers import s3


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


@pytest.mark.parametrize("kind", ["s3", "path"])
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

    check_attention(workspace, info, built)

    workspace.close()
    export_snapshot(workspace.folder, tmp_path / "copy")
    assert attention_address(tmp_path / "copy", info.id) == attention_address(workspace.folder, info.id)
    shared = shared_folder(workspace.folder, info.id, None)
    assert shared == (None if kind == "s3" else tmp_path / "mounted" / info.id)
    assert (workspace.folder / "attention" / info.id / ELSEWHERE).is_file()


class FarAway(LocalCrew):
    """Works as a node does that sees the attention and nothing of the workspace."""

    def __init__(self, told: EventWriter, workspace: Path) -> None:
        super().__init__(told)
        self._workspace = workspace

    def run(self, stage: Stage[Any, Any], units: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        sent = pickle.dumps((stage, dict(units)))
        away = self._workspace.rename(self._workspace.with_name("away"))
        try:
            found = list(super().run(*pickle.loads(sent)))
        finally:
            away.rename(self._workspace)
        yield from found


def test_plain_python_needs_nothing_of_the_workspace_where_its_units_are_worked_on(
    workspace_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: None
) -> None:
    expected = inline(Path(shutil.copytree(workspace_copy, tmp_path / "other")), plain)
    (held,) = (workspace_copy / "attention").iterdir()
    mounted = tmp_path / "mounted"
    (mounted / held.name).mkdir(parents=True)
    for path in held.glob("layer=*.parquet"):
        path.rename(mounted / held.name / path.name)
    assert put_attention(workspace_copy, held.name, str(mounted)) == mounted / held.name

    @contextmanager
    def far_away(folder: JobFolder, place: Place, task: Any, told: EventWriter, _: Any) -> Iterator[Crew]:
        yield FarAway(told, place.workspace)

    monkeypatch.setattr("core.jobs.worker.crew_for", far_away)
    assert inline(workspace_copy, plain) == expected
