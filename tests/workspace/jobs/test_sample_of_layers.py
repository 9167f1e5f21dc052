"""A model of which some layers alone are extracted, and others later."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.errors import HybridError, JobError, WorkspaceError
from core.hybrid import parsed
from core.jobs import Jobs
from core.proposers import SearchLimits
from core.review import heads_in_share, heads_named
from core.scoring import BASELINES
from core.settings import Settings
from core.store import AttentionReader, Workspace, attention_folder
from core.types import HeadId, HybridRequest, HybridSpec, ModelInfo, Split, layer_numbers, layer_spans
from tests import tiny
from tests.workspace.pages.test_pages import OpenApp, go, open_app, text_of

__all__ = ["open_app"]
UNIFORM = BASELINES["uniform"]
CHOSEN = (0, 2)


def jobs_in(workspace: Workspace) -> Jobs:
    return Jobs(workspace, Settings(workspace.folder, device="cpu", runner="inline"))


def reader(folder: Path, info: ModelInfo) -> AttentionReader:
    return AttentionReader(attention_folder(folder, info.id))


@pytest.fixture(scope="module")
def sampled(built: Path, small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of the layers 0 and 2, with a program for every head of theirs; for reading only."""
    folder = tmp_path_factory.mktemp("sampled") / "workspace"
    workspace = Workspace.open(folder)
    jobs = jobs_in(workspace)
    jobs.wait(jobs.start_build(str(built.parent / "llama"), str(small_corpus), search=False, layers=CHOSEN))
    (info,) = workspace.models.all()
    jobs.wait(jobs.start_search(info, None, SearchLimits(rules=1)))
    workspace.close()
    return folder


@pytest.fixture
def workspace(sampled: Path, tmp_path: Path) -> Iterator[Workspace]:
    found = Workspace.open(Path(shutil.copytree(sampled, tmp_path / "workspace")))
    yield found
    found.close()


def test_layers_are_named_as_spans() -> None:
    assert layer_numbers("20, 0-3,2") == (0, 1, 2, 3, 20)
    assert layer_spans(layer_numbers("20,0-3,5")) == "0-3, 5, 20"
    for wrong in ("", "a", "3-1", "1-", "-1", "0,,1"):
        with pytest.raises(ValueError, match="names no layers; write 3, or 0-7, or 0-7,20"):
            layer_numbers(wrong)


def test_the_chosen_layers_are_those_of_a_whole_extraction_and_the_rest_is_not_there(
    workspace: Workspace, built: Path
) -> None:
    (info,) = workspace.models.all()
    assert (info.attention_layers, info.head_count) == ([0, 2], tiny.LAYERS * tiny.HEADS)
    assert info.traits.words == ["Layers that were not extracted: 1."]
    some, whole = reader(workspace.folder, info), reader(built, info)
    for layer in CHOSEN:
        expected = whole.layer(layer)
        for sentence, maps in some.layer(layer).items():
            np.testing.assert_array_equal(maps, expected.pop(sentence))
        assert not expected
    with pytest.raises(WorkspaceError, match=r"layer=01\.parquet is missing"):
        some.layer(1)


def test_heads_of_other_layers_are_neither_searched_nor_scored_nor_named(workspace: Workspace) -> None:
    (info,) = workspace.models.all()
    jobs_in(workspace).start_scoring(info, [UNIFORM])
    for split in Split:
        best = workspace.library.best(info.id, split)
        assert [one.score.head for one in best] == info.head_ids()
        assert {one.score.head.layer for one in best} == {*CHOSEN}
    (scored,) = workspace.database.rows("SELECT count(*) FROM scores WHERE layer = 1")
    assert scored == (0,)
    with pytest.raises(WorkspaceError, match="L1H0 is not in llama: that layer was not extracted; run `extr"):
        heads_named("L1H0", info)
    with pytest.raises(HybridError, match="L1H0 cannot be worked on: that layer was not extracted"):
        parsed(info, HybridSpec.of(info.id, [(HeadId(1, 0), UNIFORM)]))


def test_a_hybrid_leaves_heads_of_other_layers_alone_and_its_share_is_of_all(workspace: Workspace) -> None:
    (info,) = workspace.models.all()
    sources = {one.score.head: one.program.source for one in workspace.library.best(info.id, Split.TEST)}
    passages, jobs = workspace.models.sentences(info.id, Split.TEST), jobs_in(workspace)
    count = heads_in_share(0.5, info.head_count)
    jobs.wait(jobs.start_hybrid(info, sources, passages, "test", HybridRequest("half", count=count)))
    made = workspace.hybrids.frame(info.id).iloc[0]
    spec = workspace.hybrids.spec(str(made.hybrid_id))
    assert spec is not None
    assert (made.share, len(spec.programs)) == (0.5, 6)
    assert {head.layer for head, _ in spec.programs} <= {*CHOSEN}
    with pytest.raises(HybridError, match="12 heads were asked for, but only 8 have a program"):
        jobs.start_hybrid(info, sources, passages, "test", HybridRequest("all", count=info.head_count))


def test_what_is_missing_is_told_on_the_pages(workspace: Workspace, open_app: OpenApp) -> None:
    workspace.close()
    app = open_app(workspace.folder)
    assert not app.exception
    assert "Layers that were not extracted\\: 1\\." in [caption.value for caption in app.sidebar.caption]
    app.text_input("open-head").set_value("L1H0").run()
    assert "that layer was not extracted" in text_of(app)
    app.query_params.update(layer="1", head="0")
    assert "L1H0 cannot be worked on" in go(app, "heads").warning[0].value


def test_layers_that_are_added_are_of_all_passages_that_are_there(
    workspace: Workspace, small_corpus: Path, built: Path, tmp_path: Path
) -> None:
    """One more passage and one more layer: each is then there for what was there of the other."""
    (info,) = workspace.models.all()
    more = tmp_path / "more.txt"
    more.write_text("The old fox said to Anna that it was late, and Anna believed it.\n")
    jobs = jobs_in(workspace)
    with pytest.raises(JobError, match="has no heads in layer 3, 7; it has them in layers 0-2"):
        jobs.wait(jobs.start_build(info.name, str(more), search=False, layers=(1, 3, 7)))
    jobs.wait(jobs.start_build(info.name, str(more), search=False, layers=(1,)))
    (info,) = workspace.models.all()
    assert (info.attention_layers, info.traits.words) == ([0, 1, 2], [])
    some, whole = reader(workspace.folder, info), reader(built, info)
    names = {sentence.id for sentence in workspace.models.sentences(info.id)}
    for layer in range(tiny.LAYERS):
        maps = some.layer(layer)
        assert maps.keys() == names
        assert len(names) == len(whole.layer(layer)) + 1
    np.testing.assert_array_equal(
        np.concatenate([one.ravel() for _, one in sorted(whole.layer(1).items())]),
        np.concatenate([m.ravel() for name, m in sorted(some.layer(1).items()) if name in whole.layer(1)]),
    )
