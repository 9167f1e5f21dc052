"""Jobs survive kills: every finished unit is there exactly once."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import JobError
from core.jobs import JobRunner
from core.jobs.finding import score_programs
from core.jobs.folder import EventWriter, JobFolder
from core.language import ParsedProgram
from core.score import MAX_CELLS, Patterns, count_cells, patterns
from core.settings import Settings
from core.store import AttentionWriter, TokenStore, Workspace
from core.store.workspace import attention_folder
from core.types import Sentence, SentenceAttention, Split
from tests import tiny
from tests.conftest import TinyModel

HEADS = tiny.LAYERS * tiny.HEADS
PASSAGES = 24


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture
def runner(workspace: Workspace) -> JobRunner:
    return JobRunner(workspace, Settings(workspace.folder, device="cpu"))


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "passages.jsonl"
    rows = [{"text": s.text, "genre": s.genre} for s in tiny.short_passages(PASSAGES)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def check_complete(workspace: Workspace) -> None:
    (model,) = workspace.library.models()
    assert len(workspace.library.sentences(model.id)) == PASSAGES
    assert len(workspace.library.best(model.id, Split.TEST)) == HEADS
    for layer in range(model.layers):
        maps = workspace.attention(model.id).layer(layer)
        assert len(maps) == PASSAGES
        assert {m.shape[0] for m in maps.values()} == {tiny.HEADS}
    sentences = workspace.tokens(model.id).read().sentences
    assert len(sentences) == len(set(sentences)) == PASSAGES


@pytest.mark.parametrize("architecture", ["llama", "bert"])
def test_a_build_gives_every_head_a_scored_program(
    architecture: str, workspace: Workspace, runner: JobRunner, tiny_model: TinyModel, corpus: str
) -> None:
    job = runner.start_build(str(tiny_model(architecture)), corpus)
    assert runner.wait(job).state == "done"
    check_complete(workspace)
    assert any("on cpu" in note for note in runner.notes(job))


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_worker_goes_on_where_it_stopped(
    seed: int, workspace: Workspace, runner: JobRunner, tiny_model: TinyModel, corpus: str
) -> None:
    draw = random.Random(seed)
    job = runner.start_build(str(tiny_model("gpt2")), corpus)
    for events in (draw.randint(1, 12), draw.randint(13, 18)):
        kill_after_events(runner, job, events)
        while runner.refresh()[0].state == "running":
            time.sleep(0.01)
        if runner.refresh()[0].state == "stopped":
            runner.resume(job)
    runner.wait(job)
    check_complete(workspace)


def kill_after_events(runner: JobRunner, job: str, count: int) -> None:
    """Kill -9 the worker as soon as its event log holds `count` events, or when it ends."""
    folder = runner.folder(job)
    while len(list(folder.events())) < count:
        worker = folder.worker()
        if worker is None and any(event["event"] == "end" for _, event in folder.events()):
            return
        time.sleep(0.01)
    worker = folder.worker()
    if worker is not None:
        os.kill(worker.pid, signal.SIGKILL)


def test_a_dead_owner_loses_nothing_and_reading_again_doubles_nothing(
    workspace: Workspace, runner: JobRunner, tiny_model: TinyModel, corpus: str
) -> None:
    job = runner.start_build(str(tiny_model("gpt2")), corpus)
    while not any(event["event"] == "end" for _, event in runner.folder(job).events()):
        time.sleep(0.05)
    for _ in range(2):  # an owner that never saw the job run, then another
        other = JobRunner(workspace, Settings(workspace.folder))
        assert other.refresh()[0].state == "done"
        check_complete(workspace)
    runner.wait(job)


def test_a_failed_job_says_why_and_leaves_the_workspace_usable(
    workspace: Workspace, runner: JobRunner, tmp_path: Path
) -> None:
    job = runner.start_build(str(tmp_path / "nowhere"), "bundled")
    with pytest.raises(JobError, match=r"nowhere does not exist"):
        runner.wait(job)
    assert workspace.library.models() == []


def test_a_cancelled_job_stops_and_can_be_resumed(
    workspace: Workspace, runner: JobRunner, tiny_model: TinyModel, corpus: str
) -> None:
    job = runner.start_build(str(tiny_model("gpt2")), corpus)
    while runner.folder(job).worker() is None:
        time.sleep(0.01)
    runner.cancel(job)
    assert workspace.jobs.get(job).state == "stopped"
    runner.resume(job)
    assert runner.wait(job).state == "done"
    check_complete(workspace)


def test_a_second_job_waits_its_turn(
    workspace: Workspace, runner: JobRunner, tiny_model: TinyModel, corpus: str
) -> None:
    first = runner.start_build(str(tiny_model("gpt2")), corpus, search=False)
    second = runner.start_build(str(tiny_model("llama")), corpus, search=False)
    assert [record.state for record in runner.refresh()] == ["queued", "running"]
    assert runner.wait(second).state == "done"
    assert workspace.jobs.get(first).state == "done"


def test_a_half_written_event_is_read_once_it_is_whole(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "build", {})
    events = folder.path / "events.jsonl"
    events.write_text('{"event": "note", "message": "a"}\n{"event": "no')
    assert [number for number, _ in folder.events()] == [1]
    with EventWriter(folder) as writer:
        writer.note("b")
    assert [(number, event["message"]) for number, event in folder.events()] == [(1, "a"), (2, "b")]


def test_a_process_with_a_recycled_number_is_not_the_worker(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "build", {})
    folder.claim()
    assert folder.worker() is not None
    noted = json.loads((folder.path / "worker.json").read_text())
    (folder.path / "worker.json").write_text(json.dumps({**noted, "started": noted["started"] - 5}))
    assert folder.worker() is None


def test_the_choice_of_programs_does_not_depend_on_the_test_split(
    workspace: Workspace, runner: JobRunner, tiny_model: TinyModel, corpus: str
) -> None:
    """Corrupt the attention of every test sentence, choose again: the same programs."""
    runner.wait(runner.start_build(str(tiny_model("llama")), corpus))
    (model,) = workspace.library.models()
    before = {b.score.head: b.program.id for b in workspace.library.best(model.id, Split.VALIDATION)}
    corrupt_test_attention(workspace, model.id, model.layers)
    runner.wait(runner.start_search(model))
    after = {b.score.head: b.program.id for b in workspace.library.best(model.id, Split.VALIDATION)}
    assert after == before


def test_scores_do_not_depend_on_how_many_programs_and_heads_are_held_at_once(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for two programs and one head at a time the scores are those of all at once."""
    workspace = Workspace.open(Path(shutil.copytree(built, tmp_path / "workspace")))
    info = workspace.library.models()[0]
    sentences = workspace.library.sentences(info.id)
    sources = [program.source for program in workspace.library.programs()][:5]
    folder = workspace.folder
    workspace.close()
    found, held = [], []
    for cells in (MAX_CELLS, 2 * workspace_cells(folder, info.id, sentences)):
        monkeypatch.setattr("core.score.MAX_CELLS", cells)
        monkeypatch.setattr("core.jobs.finding.patterns", spying_on(patterns, held))
        job = JobFolder.create(tmp_path / str(cells), "score", {"device": "cpu"})
        with EventWriter(job) as events:
            score_programs(job, folder, info, sentences, sources, "person", events)
        scores = [row for name in job.finished() for row in job.result(name)["scores"]]
        found.append({(row["program"], str(row["head"]), row["split"]): row["iou"] for row in scores})
    assert found[0] == pytest.approx(found[1])
    assert len(found[0]) == 5 * info.layers * info.heads * 3
    assert max(held[:3]) == 5
    assert max(held[3:]) == 2


def workspace_cells(folder: Path, model: str, sentences: list[Sentence]) -> int:
    tokens = TokenStore(attention_folder(folder, model)).read([sentence.id for sentence in sentences])
    return count_cells(tokens, is_causal=True)


def spying_on(function: Callable[..., Patterns], held: list[int]) -> Callable[..., Patterns]:
    def spy(programs: Sequence[ParsedProgram], *arguments: Any) -> Patterns:
        held.append(len(programs))
        return function(programs, *arguments)

    return spy


def corrupt_test_attention(workspace: Workspace, model: str, layers: int) -> None:
    held_out = {s.id for s in workspace.library.sentences(model, Split.TEST)}
    reader = workspace.attention(model)
    stacks = {layer: reader.layer(layer) for layer in range(layers)}
    for path in reader.folder.glob("layer=*.parquet"):
        path.unlink()
    writer = AttentionWriter(reader.folder, layers, is_causal=True)
    stream = []
    for sentence in stacks[0]:
        weights = [stacks[layer][sentence] for layer in range(layers)]
        if sentence in held_out:
            weights = [maps[::-1] * 0 + 1 / maps.shape[-1] for maps in weights]
        stream.append(SentenceAttention(sentence, np.stack(weights).astype("float16")))
    list(writer.write(stream))
    writer.finish()


def test_the_worker_never_sees_the_api_key(
    runner: JobRunner, tiny_model: TinyModel, corpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    job = runner.start_build(str(tiny_model("gpt2")), corpus)
    while (worker := runner.folder(job).worker()) is None:
        time.sleep(0.01)
    assert "sk-secret" not in str(worker.environ()) + str(worker.cmdline())
    runner.cancel(job)


def test_settings_can_name_another_models_folder(tmp_path: Path) -> None:
    settings = replace(Settings(tmp_path), models=tmp_path / "elsewhere")
    assert settings.models_folder == tmp_path / "elsewhere"
    assert Settings(tmp_path).models_folder == tmp_path / "models"
