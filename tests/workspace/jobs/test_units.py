"""Units of work: the same whoever works on them, in whatever order, and however often it was stopped."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.corpus import Corpus
from core.hybrid import ProgramPatterns
from core.hybrid.costs import joined, score_batches, scores
from core.jobs.crew import Crew, Heard, Stage, Station
from core.jobs.crew.local import LocalCrew
from core.jobs.folder import EventWriter, Job, JobFolder
from core.jobs.place import Place
from core.jobs.tasks import ExtractTask
from core.jobs.work.extract import annotate_and_extract
from core.language import parse
from core.models import LoadedModel
from core.models.pretrained import load
from core.scoring import BASELINES
from core.store import AttentionReader, TokenStore
from core.store.workspace import attention_folder
from tests import tiny
from tests.conftest import TinyLoaded, TinyModel

PASSAGES = 80  # three chunks


class Backwards(LocalCrew):
    """Takes the last unit first, and goes away after so many."""

    def __init__(self, told: Any, most: int) -> None:
        super().__init__(told)
        self.most, self.done = most, list[str]()

    def run(self, stage: Stage[Any, Any], units: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, found in super().run(stage, dict(reversed(units.items()))):
            yield name, found
            self.done.append(name)
            if len(self.done) == self.most:
                raise KeyboardInterrupt


def extracted(workspace: Path, loaded: LoadedModel, most: int | None = None) -> list[str]:
    """Extract, in order or, with `most`, so many units from the last; the units done."""
    place, task = Place(workspace, workspace, "cpu", "none"), ExtractTask("gpt2", "a few")
    folder = JobFolder.create(workspace / "jobs", "extract", place, task)
    with EventWriter(folder) as events:
        crew: Crew = LocalCrew(events) if most is None else Backwards(events, most)
        job = Job(folder, place, task, events, crew)
        annotate_and_extract(job, loaded, Corpus("a few", tuple(tiny.short_passages(PASSAGES))))
    return crew.done if isinstance(crew, Backwards) else []


def test_attention_is_the_same_bit_by_bit_in_whatever_order_and_however_often_it_was_stopped(
    tmp_path: Path, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded("gpt2")
    extracted(tmp_path / "whole", loaded)
    with pytest.raises(KeyboardInterrupt):
        extracted(tmp_path / "parts", loaded, most=1)
    assert len(extracted(tmp_path / "parts", loaded, most=99)) == 2  # of three units one was done
    for layer in range(loaded.info.layers):
        whole, parts = (
            AttentionReader(attention_folder(tmp_path / name, loaded.info.id)).layer(layer)
            for name in ("whole", "parts")
        )
        assert list(parts) == list(whole)
        assert all(np.array_equal(parts[sentence], whole[sentence]) for sentence in whole)


def test_a_stage_that_needs_no_model_is_begun_when_the_one_before_has_left_memory(
    tiny_model: TinyModel,
) -> None:
    crew, loaded = LocalCrew(Heard()), load(str(tiny_model("gpt2")), device="cpu")
    crew.bench.keep(loaded)
    weights = weakref.ref(loaded.model)
    del loaded

    def is_there(unit: str) -> bool:
        return weights() is not None

    stages = [
        Stage("reads", lambda bench: Station(is_there), "gpt2"),
        Stage("counts", lambda bench: Station(is_there)),
    ]
    assert [dict(crew.run(stage, {"it": "it"})) for stage in stages] == [{"it": True}, {"it": False}]


def test_costs_of_batches_taken_in_any_order_are_those_of_all(
    tmp_path: Path, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded("gpt2")
    extracted(tmp_path, loaded)
    features = TokenStore(attention_folder(tmp_path, loaded.info.id)).read()
    programs = {head: parse(BASELINES["same token"]) for head in loaded.info.head_ids()}
    source = ProgramPatterns(programs, True, loaded.device)
    rows = list(range(0, PASSAGES, 2))
    parts = [
        (batch, scores(loaded, source, features, batch, seed=3))
        for batch in reversed(score_batches(features, rows))
    ]
    assert len(parts) > 1
    found, expected = joined(parts, rows), scores(loaded, source, features, rows, seed=3)
    for name in ("tokens", "slope", "drawn", "ran"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
