"""Jobs on hybrids, in workers of their own: curves, measurements, refusals."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import HybridError
from core.jobs import JobRunner
from core.jobs.curving import curve_counts
from core.settings import Settings
from core.store import Workspace
from core.types import HeadId, HybridRequest, ModelInfo, Sentence, Split
from tests import tiny


class Desk:
    """An owner of a finished workspace of a tiny llama."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace.open(folder)
        self.runner = JobRunner(self.workspace, Settings(folder, device="cpu"))
        (self.model,) = self.workspace.library.models()

    @property
    def sources(self) -> dict[HeadId, str]:
        best = self.workspace.library.best(self.model.id, Split.VALIDATION)
        return {found.score.head: found.program.source for found in best}

    @property
    def held_out(self) -> list[Sentence]:
        return self.workspace.library.sentences(self.model.id, Split.TEST)

    def few(self, count: int) -> dict[HeadId, str]:
        return dict(list(self.sources.items())[:count])


@pytest.fixture
def desk(workspace_copy: Path) -> Iterator[Desk]:
    opened = Desk(workspace_copy)
    yield opened
    opened.workspace.close()


def test_a_curve_of_few_programs_ends_with_all_of_them(desk: Desk) -> None:
    job = desk.runner.start_curve(desk.model, desk.few(2), desk.held_out[:2], "test", "few", ["iou"], [0.5])
    desk.runner.wait(job)
    curve = desk.workspace.hybrids.curve(desk.model.id)
    assert curve is not None
    assert {row["heads"] for row in curve["rows"]} == {2}
    assert {row["order"] for row in curve["rows"] if not row["control"]} == {"iou"}


def test_counts_of_a_curve_are_shares_of_all_heads_and_every_program() -> None:
    assert curve_counts([0.05, 0.1, 1.0], 270, 13) == [13]
    assert curve_counts([0.05, 0.1, 1.0], 270, 20) == [14, 20]
    assert curve_counts([0.0, 0.5, 1.0], 12, 12) == [6, 12]


@pytest.mark.parametrize("count", [None, 0])
def test_nothing_is_started_without_programs_or_for_an_encoder(desk: Desk, count: int | None) -> None:
    encoder = ModelInfo("bert-1", "bert", "bert", tiny.LAYERS, tiny.HEADS, False, 1, 256)
    request = HybridRequest("none", count=count, budget=0.05)
    for model, sources, message in (
        (desk.model, {}, "no head has a program"),
        (encoder, desk.sources, "is an encoder"),
    ):
        with pytest.raises(HybridError, match=message):
            desk.runner.start_hybrid(model, sources, desk.held_out, "test", request)
        with pytest.raises(HybridError, match=message):
            desk.runner.start_curve(model, sources, desk.held_out, "test", "none")
    assert {record.kind for record in desk.runner.refresh()} <= {"extract", "synthesize"}
