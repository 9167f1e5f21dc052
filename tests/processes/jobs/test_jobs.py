"""Jobs survive kills: every finished unit is there exactly once."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import JobError
from core.jobs import Jobs, Watch
from core.jobs.folder import EventWriter, Job, JobFolder
from core.jobs.kinds import KINDS
from core.jobs.place import Place
from core.jobs.results import ProgramsFound
from core.jobs.tasks import BuildTask, ScoreTask
from core.jobs.work.search import score_programs
from core.jobs.worker import work
from core.language import ParsedProgram, parse
from core.maps import cell_sum
from core.proposers import PROPOSERS, SearchLimits
from core.scoring import BASELINES, ProgramMaps, program_maps
from core.scoring.scores import MAX_CELLS
from core.settings import Settings
from core.store import AttentionWriter, TokenStore, Workspace
from core.store.jobs import CANCELLED
from core.store.workspace import attention_folder
from core.types import HeadId, ModelInfo, Sentence, SentenceAttention, Split
from tests import tiny
from tests.conftest import Forked, TinyModel

HEADS = tiny.LAYERS * tiny.HEADS
PASSAGES = 24

PLACE = Place(Path("workspace"), Path("models"), "cpu")
INFO = ModelInfo("model", "model", "llama", 1, 1, True, 1, 512)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture
def runner(workspace: Workspace, forked: Forked) -> Jobs:
    return Jobs(workspace, forked(workspace.folder))


@pytest.fixture
def inline(workspace: Workspace) -> Jobs:
    """The same without processes, for what is computed rather than how."""
    return Jobs(workspace, Settings(workspace.folder, device="cpu", runner="inline"))


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "passages.jsonl"
    rows = [{"text": s.text, "genre": s.genre} for s in tiny.short_passages(PASSAGES)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def check_complete(workspace: Workspace) -> None:
    (model,) = workspace.models.all()
    assert len(workspace.models.sentences(model.id)) == PASSAGES
    assert len(workspace.library.best(model.id, Split.TEST)) == HEADS
    for layer in range(model.layers):
        maps = workspace.attention(model.id).layer(layer)
        assert len(maps) == PASSAGES
        assert {m.shape[0] for m in maps.values()} == {tiny.HEADS}
    sentences = workspace.tokens(model.id).read().sentences
    assert len(sentences) == len(set(sentences)) == PASSAGES


@pytest.mark.parametrize("architecture", ["llama", "bert"])
def test_a_build_gives_every_head_a_scored_program(
    architecture: str, workspace: Workspace, inline: Jobs, tiny_model: TinyModel, corpus: str
) -> None:
    job = inline.start_build(str(tiny_model(architecture)), corpus)
    assert inline.wait(job).state == "done"
    check_complete(workspace)
    assert any("on cpu" in note for note in inline.notes(job))


def test_a_dead_owner_loses_nothing_and_reading_again_doubles_nothing(
    workspace: Workspace, runner: Jobs, tiny_model: TinyModel, corpus: str
) -> None:
    job = runner.start_build(str(tiny_model("gpt2")), corpus)
    while not any(event["event"] == "end" for _, event in runner.folder(job).events()):
        time.sleep(0.05)
    for _ in range(2):  # an owner that never saw the job run, then another
        other = Jobs(workspace, Settings(workspace.folder))
        assert next(one for one in other.refresh() if one.id == job).state == "done"
        check_complete(workspace)
    runner.wait(job)


def test_a_failed_job_says_why_and_leaves_the_workspace_usable(
    workspace: Workspace, runner: Jobs, tmp_path: Path
) -> None:
    job = runner.start_build(str(tmp_path / "nowhere"), "bundled")
    for _ in range(2):  # the first worker may not have left when the job is tried again
        with pytest.raises(JobError, match=r"nowhere does not exist"):
            runner.wait(job)
        runner.resume(job)
    runner.cancel(job)
    assert workspace.models.all() == []


def test_a_cancelled_job_stops_and_can_be_resumed(
    workspace: Workspace, runner: Jobs, tiny_model: TinyModel, corpus: str
) -> None:
    job = runner.start_build(str(tiny_model("gpt2")), corpus)
    while runner.folder(job).worker() is None:
        time.sleep(0.01)
    runner.cancel(job)
    assert (workspace.jobs.get(job).state, workspace.jobs.get(job).message) == ("stopped", "cancelled")
    runner.resume(job)
    assert runner.wait(job).state == "done"
    check_complete(workspace)


def scoring(workspace_copy: Path, settings: Settings | None = None) -> tuple[Workspace, Jobs, ModelInfo]:
    """An owner of a finished workspace, where scoring a program is a job of a few seconds."""
    workspace = Workspace.open(workspace_copy)
    runner = Jobs(workspace, settings or Settings(workspace.folder, device="cpu"))
    return workspace, runner, workspace.models.all()[0]


def test_a_second_job_waits_its_turn_and_starts_without_anyone_looking(
    workspace_copy: Path, forked: Forked
) -> None:
    workspace, runner, model = scoring(workspace_copy, forked(workspace_copy))
    first, second, third = (runner.start_scoring(model, [BASELINES[name]]) for name in list(BASELINES)[:3])
    assert [workspace.jobs.get(job).state for job in (first, second, third)] == [
        "running",
        "queued",
        "queued",
    ]
    runner.cancel(third)
    assert workspace.jobs.get(third).state == "stopped"
    watch = Watch(runner)
    while workspace.jobs.get(second).is_active:
        time.sleep(0.05)
    watch.stop()
    runner.wait(second)
    assert [workspace.jobs.get(job).state for job in (first, second, third)] == ["done", "done", "stopped"]
    assert not runner.folder(third).log.exists()
    workspace.close()


def test_a_queued_job_is_started_by_the_next_owner(workspace_copy: Path, forked: Forked) -> None:
    workspace, runner, model = scoring(workspace_copy, forked(workspace_copy))
    first = runner.start_scoring(model, [BASELINES["uniform"]])
    second = runner.start_scoring(model, [BASELINES["same token"]])
    other = Jobs(workspace, forked(workspace_copy))
    assert other.wait(second).state == "done"
    assert workspace.jobs.get(first).state == "done"
    runner.wait(first)
    workspace.close()


def test_a_job_that_needs_no_device_runs_beside_the_others_and_alone_gets_the_key(
    workspace_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, _, model = scoring(workspace_copy)
    runner = Jobs(workspace, Settings(workspace.folder, device="cpu", api_key="sk-secret"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    with_device = runner.start_search(model, None, SearchLimits(rules=3))
    asks = replace(KINDS["score"], needs_device=False, proposer=PROPOSERS["claude"])
    monkeypatch.setitem(KINDS._entries, "score", asks)
    beside = runner.start_scoring(model, [BASELINES["uniform"]])
    assert [workspace.jobs.get(job).state for job in (with_device, beside)] == ["running", "running"]
    environments: dict[str, dict[str, str]] = {}
    while len(environments) < 2:  # whichever starts first, and is done before the other starts
        for job in (with_device, beside):
            worker = runner.folder(job).worker()
            if worker is not None and job not in environments:
                assert "sk-secret" not in str(worker.cmdline())
                environments[job] = worker.environ()
        time.sleep(0.01)
    assert environments[beside]["ANTHROPIC_API_KEY"] == "sk-secret"
    assert "sk-secret" not in str(environments[with_device])
    assert "sk-secret" not in runner.folder(beside).path.joinpath("spec.json").read_text()
    runner.cancel(with_device)
    runner.cancel(beside)
    workspace.close()


def test_asking_the_same_again_goes_on_with_the_job_that_is_not_done(workspace_copy: Path) -> None:
    workspace, runner, model = scoring(workspace_copy)
    job = runner.start_search(model, [HeadId(1, 1)])
    assert runner.start_search(model, [HeadId(1, 1)]) == job
    runner.cancel(job)
    assert runner.start_search(model, [HeadId(1, 1)]) == job
    assert runner.start_search(model, [HeadId(1, 2)]) != job
    elsewhere = Jobs(workspace, Settings(workspace.folder, device="auto"))
    assert elsewhere.start_search(model, [HeadId(1, 1)]) != job
    for record in runner.refresh():
        runner.cancel(record.id)
    workspace.close()


def test_a_cancelled_job_stops_within_two_seconds_even_before_its_worker_is_up(workspace_copy: Path) -> None:
    workspace, runner, model = scoring(workspace_copy)
    job = runner.start_search(model)
    runner.cancel(job)
    assert workspace.jobs.get(job).state == "stopped"
    assert runner.folder(job).worker() is None
    workspace.close()


def test_a_job_whose_folder_is_gone_is_an_error_not_a_traceback(workspace: Workspace, runner: Jobs) -> None:
    for state in ("running", "queued"):
        workspace.jobs.add(f"gone-{state}", "score")
    workspace.jobs.set_state("gone-running", "running")
    runner.start_next()
    assert {record.state for record in runner.refresh()} == {"failed"}
    with pytest.raises(JobError, match="gone"):
        runner.resume("gone-queued")


def test_a_second_worker_on_the_same_job_does_nothing(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "score", PLACE, ScoreTask(INFO, "", ()))
    claim = folder.claim()
    assert claim is not None
    assert folder.claim() is None
    assert work(folder.path) == 0
    assert list(folder.events()) == []
    claim.release()


def test_a_worker_that_starts_after_its_job_was_called_off_does_nothing(workspace_copy: Path) -> None:
    """Its owner died while it started it, and the next one knows neither process nor claim."""
    workspace, runner, _ = scoring(workspace_copy)
    folder = JobFolder.create(workspace.folder / "jobs", "score", PLACE, ScoreTask(INFO, "", ()))
    workspace.jobs.add(folder.id, "score")
    workspace.jobs.set_state(folder.id, "running")
    runner.cancel(folder.id)
    assert work(folder.path) == 0
    assert list(folder.events()) == []
    workspace.close()


def test_a_half_written_event_is_read_once_it_is_whole(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "build", PLACE, BuildTask("model", "bundled"))
    events = folder.path / "events.jsonl"
    events.write_text('{"event": "note", "message": "a"}\n{"event": "no')
    assert [number for number, _ in folder.events()] == [1]
    with EventWriter(folder) as writer:
        writer.note("b")
    assert [(number, event["message"]) for number, event in folder.events()] == [(1, "a"), (2, "b")]


def test_a_process_with_a_recycled_number_is_not_the_worker(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "build", PLACE, BuildTask("model", "bundled"))
    claim = folder.claim()
    assert claim is not None
    assert folder.worker() is not None
    noted = json.loads((folder.path / "worker.json").read_text())
    (folder.path / "worker.json").write_text(json.dumps({**noted, "started": noted["started"] - 5}))
    assert folder.worker() is not None  # it is the clock that was set: the process holds the job
    claim.release()
    assert folder.worker() is None
    (folder.path / "worker.json").write_text("")  # what a power cut can leave
    assert folder.worker() is None


def test_a_worker_that_does_not_listen_is_killed(workspace_copy: Path) -> None:
    """One that is stopped, as by a debugger or a full machine, cannot end by itself.

    And who watches meanwhile does not take its end for a crash.
    """
    workspace, runner, model = scoring(workspace_copy)
    job = runner.start_search(model)
    while (worker := runner.folder(job).worker()) is None:
        time.sleep(0.01)
    worker.suspend()
    watch = Watch(runner)
    runner.cancel(job)
    watch.stop()
    assert (workspace.jobs.get(job).state, workspace.jobs.get(job).message) == ("stopped", CANCELLED)
    assert not worker.is_running()
    workspace.close()


@pytest.mark.parametrize("damage", ["result", "event", "spec", "text", "program"])
def test_a_damaged_job_fails_alone(damage: str, workspace_copy: Path, forked: Forked) -> None:
    workspace, runner, model = scoring(workspace_copy, forked(workspace_copy))
    folder = JobFolder.create(workspace.folder / "jobs", "score", PLACE, ScoreTask(INFO, "", ()))
    workspace.jobs.add(folder.id, "score")
    workspace.jobs.set_state(folder.id, "running")
    with EventWriter(folder) as events:
        events.note("before")
        events.result("scores", ProgramsFound(model.id))
    if damage == "result":
        (folder.path / "results" / "scores.json").write_text("")
    elif damage == "text":  # that a database cannot hold
        program = {"source": "def attend(q, k):\n    return 1.0\n", "origin": "\ud800"}
        (folder.path / "results" / "scores.json").write_text(
            json.dumps({"model": model.id, "programs": [program]})
        )
    elif damage == "program":  # of a later version of the language, say
        program = {"source": "def attend(q, k):\n    return q.aura\n", "origin": "person"}
        (folder.path / "results" / "scores.json").write_text(
            json.dumps({"model": model.id, "programs": [program]})
        )
    elif damage == "event":
        (folder.path / "events.jsonl").write_text("\0\0\0\n")
    else:
        (folder.path / "spec.json").write_text("")
        (folder.path / "results" / "scores.json").write_text("{}")
    runner.refresh()
    job = workspace.jobs.get(folder.id)
    assert job.state == "failed"
    assert "delete its folder" in job.message
    assert runner.notes(folder.id) == ([] if damage == "event" else ["before"])
    assert runner.wait(runner.start_scoring(model, [BASELINES["same token"]])).state == "done"
    workspace.close()


def test_the_choice_of_programs_does_not_depend_on_the_test_split(
    workspace: Workspace, inline: Jobs, tiny_model: TinyModel, corpus: str
) -> None:
    """Corrupt the attention of every test sentence, choose again: the same programs."""
    inline.wait(inline.start_build(str(tiny_model("llama")), corpus))
    (model,) = workspace.models.all()
    before = {b.score.head: b.program.id for b in workspace.library.best(model.id, Split.VALIDATION)}
    corrupt_test_attention(workspace, model.id, model.layers)
    inline.wait(inline.start_search(model))
    after = {b.score.head: b.program.id for b in workspace.library.best(model.id, Split.VALIDATION)}
    assert after == before


def test_scores_do_not_depend_on_how_many_programs_and_heads_are_held_at_once(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for two programs and one head at a time the scores are those of all at once."""
    workspace = Workspace.open(Path(shutil.copytree(built, tmp_path / "workspace")))
    info = workspace.models.all()[0]
    sentences = workspace.models.sentences(info.id)
    everywhere = [p.source for p in workspace.library.programs() if not parse(p.source).looks]
    sources, folder = everywhere[:5], workspace.folder
    workspace.close()
    found, held = [], []
    for cells in (MAX_CELLS, 2 * workspace_cells(folder, info.id, sentences)):
        monkeypatch.setattr("core.scoring.scores.MAX_CELLS", cells)
        monkeypatch.setattr("core.jobs.work.search.program_maps", spying_on(program_maps, held))
        place, task = Place(folder, folder, "cpu"), ScoreTask(info, "", tuple(sources))
        held_in = JobFolder.create(tmp_path / str(cells), "score", place, task)
        with EventWriter(held_in) as events:
            score_programs(Job(held_in, place, task, events), info, sentences, sources, "person")
        tables = [pq.read_table(path) for path in (held_in.path / "results").glob("*.parquet")]
        rows = pa.concat_tables(tables).to_pylist()
        found.append(
            {(row["program_id"], row["layer"], row["head"], row["split"]): row["iou"] for row in rows}
        )
    assert found[0] == pytest.approx(found[1])
    assert len(found[0]) == 5 * info.layers * info.heads * 3
    assert max(held[:3]) == 5
    assert max(held[3:]) == 2


def workspace_cells(folder: Path, model: str, sentences: list[Sentence]) -> int:
    tokens = TokenStore(attention_folder(folder, model)).read([sentence.id for sentence in sentences])
    return cell_sum(tokens.lengths, is_causal=True)


def spying_on(function: Callable[..., ProgramMaps], held: list[int]) -> Callable[..., ProgramMaps]:
    def spy(programs: Sequence[ParsedProgram], *arguments: Any) -> ProgramMaps:
        held.append(len(programs))
        return function(programs, *arguments)

    return spy


def corrupt_test_attention(workspace: Workspace, model: str, layers: int) -> None:
    held_out = {s.id for s in workspace.models.sentences(model, Split.TEST)}
    reader = workspace.attention(model)
    stacks = {layer: reader.layer(layer) for layer in range(layers)}
    for path in reader.folder.glob("layer=*.parquet"):
        path.unlink()
    writer = AttentionWriter(reader.folder, range(layers), is_causal=True)
    stream = []
    for sentence in stacks[0]:
        weights = [stacks[layer][sentence] for layer in range(layers)]
        if sentence in held_out:
            weights = [maps[::-1] * 0 + 1 / maps.shape[-1] for maps in weights]
        stream.append(SentenceAttention(sentence, np.stack(weights).astype("float16")))
    list(writer.write(stream))
    writer.finish()


def test_settings_can_name_another_models_folder(tmp_path: Path) -> None:
    settings = replace(Settings(tmp_path), models=tmp_path / "elsewhere")
    assert settings.models_folder == tmp_path / "elsewhere"
    assert Settings(tmp_path).models_folder == tmp_path / "models"
