"""A build: the first layer has its programs before the attention of the others is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from core.jobs.crew import Stage
from core.jobs.crew.local import LocalCrew
from core.jobs.folder import EventWriter, Job, JobFolder
from core.jobs.place import Place
from core.jobs.tasks import BuildTask
from core.jobs.work.build import build_workspace
from core.store import AttentionReader
from core.store.attention import extracted_layers
from core.store.workspace import attention_folder
from tests import tiny
from tests.conftest import TinyModel
from tests.stored import assert_same_attention


class AllAtOnce(LocalCrew):
    """Would work on a stage's units side by side from the start."""

    begins_alone = False


class Stopped(LocalCrew):
    """Is interrupted where the first layer is done."""

    last = "layer-000"

    def run(self, stage: Stage[Any, Any], units: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, found in super().run(stage, units):
            yield name, found
            if name == self.last:
                raise KeyboardInterrupt


class StoppedInAllLayers(Stopped):
    """Is interrupted where a chunk of passages has attention in all layers, before these are put together."""

    begins_alone, last = False, "000001"


@pytest.fixture
def task(tiny_model: TinyModel, small_corpus: Path) -> BuildTask:
    return BuildTask(str(tiny_model("llama")), str(small_corpus))


def folder_of(workspace: Path, task: BuildTask) -> JobFolder:
    place = Place(workspace, workspace, "cpu", "none")
    return JobFolder.create(workspace / "jobs", "build", place, task)


def build(folder: JobFolder, task: BuildTask, crew: type[LocalCrew] = LocalCrew) -> None:
    with EventWriter(folder) as events:
        build_workspace(Job(folder, folder.spec().place, task, events, crew(events)))


def results(folder: JobFolder) -> dict[str, bytes]:
    """All that was found."""
    return {path.name: path.read_bytes() for path in (folder.path / "results").iterdir()}


def extractions(folder: JobFolder) -> list[tuple[int, int]]:
    """Of how many passages attention was there when each extraction began, and of how many it was to be."""
    told = [event for _, event in folder.events() if event["event"] == "progress"]
    return [
        (after["done"], after["total"])
        for before, after in pairwise(told)
        if before["stage"] != after["stage"] == "extracting attention"
    ]


def stages(folder: JobFolder) -> list[str]:
    """What was worked on, one after another."""
    told = [event["stage"] for _, event in folder.events() if event["event"] == "progress" and event["total"]]
    return [stage for stage, _ in groupby(told)]


def test_the_first_layer_has_programs_before_the_others_are_read_and_everything_is_the_same(
    task: BuildTask, tmp_path: Path
) -> None:
    ahead, at_once = (folder_of(tmp_path / name, task) for name in ("ahead", "at once"))
    build(ahead, task)
    build(at_once, task, AllAtOnce)
    layers = ["extracting attention", "preparing candidate programs", "finding programs"]
    assert stages(at_once) == ["reading the corpus", *layers, "scoring the library"]
    assert stages(ahead) == ["reading the corpus", *layers, *layers, "scoring the library"]
    assert results(ahead) == results(at_once)
    info = ahead.result("model", "model.json")
    assert list(info.attention_layers) == list(range(tiny.LAYERS))
    places = (attention_folder(tmp_path / name, info.id) for name in ("ahead", "at once"))
    assert_same_attention(*map(AttentionReader, places), info)


def test_a_build_that_was_stopped_after_the_first_layer_goes_on_with_the_others(
    task: BuildTask, tmp_path: Path
) -> None:
    stopped, whole = (folder_of(tmp_path / name, task) for name in ("stopped", "whole"))
    with pytest.raises(KeyboardInterrupt):
        build(stopped, task, Stopped)
    info = stopped.result("model", "model.json")
    assert extracted_layers(attention_folder(tmp_path / "stopped", info.id)) == [0]
    build(stopped, task)
    build(whole, task)
    assert results(stopped) == results(whole)
    announced = [event["file"] for _, event in stopped.events() if event["event"] == "result"]
    assert len(announced) == len(set(announced))
    assert list(stopped.result("model", "model.json").attention_layers) == list(range(tiny.LAYERS))


def test_attention_in_all_layers_that_was_begun_is_kept_before_the_first_layer_goes_ahead(
    task: BuildTask, tmp_path: Path
) -> None:
    stopped = folder_of(tmp_path, task)
    with pytest.raises(KeyboardInterrupt):
        build(stopped, task, StoppedInAllLayers)
    build(stopped, task)
    (first, _), (again, total) = extractions(stopped)
    assert (first, again) == (0, total)


def test_a_large_model_does_not_stay_in_memory_for_a_search(
    task: BuildTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.jobs.work.build._SMALL", 100)
    folder = folder_of(tmp_path, task)
    build(folder, task)
    assert len(extractions(folder)) == 1
