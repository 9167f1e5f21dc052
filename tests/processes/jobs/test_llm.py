"""Claude's programs as a job: over the command line, killed and resumed, in batches, the key kept."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from core import wire
from core.cli.programs import synthesize_with_claude
from core.cli.session import Session
from core.cli.terminal import Terminal
from core.errors import JobError
from core.jobs import Jobs
from core.jobs.folder import JobFolder
from core.jobs.results import ProgramsFound
from core.jobs.work.llm_results import result_name
from core.language import Evaluator, parse
from core.proposers import ClaudeLimits
from core.proposers.llm.batches import Batches
from core.proposers.llm.claude import Claude, connect
from core.proposers.llm.ledger import CallLog, Submission
from core.proposers.llm.prompt import quoted
from core.proposers.llm.provider import Request
from core.scoring import BASELINES
from core.settings import Patience, Settings
from core.store import AttentionWriter, Workspace
from core.types import Failure, HeadId, SentenceAttention, Split
from tests import tiny
from tests.conftest import Forked, call_core, run_core
from tests.pure.proposers.test_search import PLANTED
from tests.servers.claude import ClaudeServer, prompt_of

KEY = "sk-ant-a-key-that-nobody-may-see"
FIRST_MOSTLY = """def attend(q, k):
    weight = 1.0
    if k.is_first:
        weight *= 20
    return weight
"""
QUICK = Patience().times(0.01)
HEADS = [HeadId(layer, head) for layer in range(2) for head in range(2)]


@pytest.fixture(scope="session")
def planted_workspace(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny workspace with attention that programs made, a different one a head; for reading only."""
    folder = Path(shutil.copytree(built, tmp_path_factory.mktemp("planted") / "workspace"))
    workspace = Workspace.open(folder)
    (info,) = workspace.models.all()
    tokens = workspace.tokens(info.id)
    features = tokens.read(sorted(tokens.sentences()))
    evaluator = Evaluator(features)
    weights = [evaluator.run(parse(source)).weights.numpy() for source in PLANTED.values()]
    workspace.close()
    for path in (folder / "attention" / info.id).glob("layer=*.parquet"):
        path.unlink()
    writer = AttentionWriter(folder / "attention" / info.id, info.attention_layers, is_causal=True)
    stream = []
    for row, (sentence, n) in enumerate(zip(features.sentences, features.lengths, strict=True)):
        heads = np.stack([weights[at % len(weights)][row, :n, :n] for at in range(tiny.HEADS)])
        layers = np.broadcast_to(heads, (info.layers, *heads.shape))
        stream.append(SentenceAttention(sentence, layers.astype("float16")))
    list(writer.write(stream))
    writer.finish()
    return folder


@pytest.fixture
def folder(planted_workspace: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(planted_workspace, tmp_path / "workspace"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClaudeServer]:
    with ClaudeServer(key=KEY) as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.address)
        monkeypatch.setenv("HEADSCRIPT_PATIENCE", "0.01")
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
        yield running


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    opened = Workspace.open(folder)
    yield opened
    opened.close()


@pytest.fixture
def runner(workspace: Workspace, forked: Forked) -> Jobs:
    return Jobs(workspace, forked(workspace.folder))


def results(job: JobFolder) -> list[ProgramsFound]:
    """What came of each head that is done."""
    return [job.result("programs", name) for name in sorted(job.finished()) if name.startswith("head-")]


def replies(job: JobFolder) -> set[str]:
    return {path.name for path in (job.path / "replies").glob("[!.]*.json")}


def test_the_command_line_proposes_scores_and_accounts(
    server: ClaudeServer, folder: Path, forked: Forked, monkeypatch: pytest.MonkeyPatch, fork_server: Path
) -> None:
    """And the best known program is where it starts, and IoU on validation climbs."""
    with closing(Workspace.open(folder)) as workspace:
        workspace.database.run("DELETE FROM scores")  # of the attention that was there before
        runner = Jobs(workspace, forked(workspace.folder))
        sources = [*BASELINES.values(), FIRST_MOSTLY]
        runner.wait(runner.start_scoring(workspace.models.all()[0], sources))
    assert FIRST_MOSTLY in {best_programs(folder)[HeadId(1, head)] for head in (0, 2, 3)}
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    asked = [
        "synthesize",
        "--proposer",
        "claude",
        "--heads",
        "L1H0,L1H2,L1H3",
        "--rounds",
        "2",
        "--candidates",
        "2",
    ]
    budget = ["--budget", "1", "--json"]
    result = run_core(*asked, *budget, workspace=folder, HEADSCRIPT_RUNNER="forked")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["usd"] == pytest.approx(server.dollars, abs=1e-9)
    assert answer["calls"] == len(server.calls)
    assert "at most $1.00" in result.stderr
    assert "3 heads may cost about $" in result.stderr
    assert f"{len(server.calls)} calls for $" in result.stderr
    (job,) = (folder / "jobs").glob("*-claude-*")
    climbs = [one.talk.ious for one in results(JobFolder(job))]
    assert len(climbs) == 3
    assert all(list(ious) == sorted(ious) for ious in climbs)
    assert any(ious[-1] > ious[0] + 0.01 for ious in climbs)
    shown = "\n".join(prompt_of(call) for call in server.calls)
    assert FIRST_MOSTLY.strip() in shown
    texts = {split: [quoted(text[:50])[1:-1] for text in texts_of(folder, split)] for split in Split}
    assert any(text in shown for text in texts[Split.TRAIN])
    assert not any(text in shown for text in texts[Split.VALIDATION] + texts[Split.TEST])
    found = scores_of(folder, HeadId(1, 2))
    of_claude = found[found.origin == "claude"]
    assert len(of_claude) >= 2  # its own, and another head's, for all are scored on every head
    assert of_claude[["train", "validation", "test"]].notna().all(axis=None)


def best_programs(folder: Path) -> dict[HeadId, str]:
    workspace = Workspace.open(folder)
    (info,) = workspace.models.all()
    found = {b.score.head: b.program.source for b in workspace.library.best(info.id, Split.VALIDATION)}
    workspace.close()
    return found


def texts_of(folder: Path, split: Split) -> list[str]:
    workspace = Workspace.open(folder)
    found = workspace.models.sentences(workspace.models.all()[0].id, split)
    workspace.close()
    return [sentence.text for sentence in found]


def scores_of(folder: Path, head: HeadId) -> pd.DataFrame:
    workspace = Workspace.open(folder)
    found = workspace.library.head_scores(workspace.models.all()[0].id, head)
    workspace.close()
    return found


def test_without_a_key_the_command_line_says_how_to_get_going(server: ClaudeServer, folder: Path) -> None:
    result = call_core("synthesize", "--proposer", "claude", workspace=folder)
    assert result.returncode == 2
    assert "ANTHROPIC_API_KEY" in result.stderr
    assert "--proposer search" in result.stderr
    assert not list((folder / "jobs").glob("*-claude-*"))


@pytest.mark.parametrize(
    "arguments", [["--budget", "0"], ["--budget", "nan"], ["--candidates", "11"], ["--rounds", "-1"]]
)
def test_limits_that_cannot_be_exit_with_2(arguments: list[str], folder: Path) -> None:
    result = call_core("synthesize", "--proposer", "claude", *arguments, workspace=folder)
    assert result.returncode == 2
    assert arguments[1] in result.stderr


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))])
def test_a_killed_run_goes_on_by_the_same_command_and_pays_for_no_reply_twice(
    seed: int, server: ClaudeServer, runner: Jobs, workspace: Workspace
) -> None:
    (info,) = workspace.models.all()
    draw = random.Random(seed)
    limits = ClaudeLimits(candidates=2, rounds=1)
    after = draw.randint(2, 5)
    server.hold(after)
    job = runner.start_claude(info, HEADS, limits, api_key=KEY)
    folder = runner.folder(job)
    kill_with_a_call_under_way(runner, job, server, after)
    server.let_go()
    kept = replies(folder)
    assert len(kept) >= 2
    names = ",".join(map(str, HEADS))
    now = Session(workspace, runner, Settings(workspace.folder, api_key=KEY), Terminal())
    answer = synthesize_with_claude(now, None, names, limits)
    assert [record.id for record in runner.refresh() if record.kind == "claude"] == [job]
    asked = [json.loads(line)["call"] for line in (folder.path / "paid.jsonl").read_text().splitlines()]
    assert len(results(folder)) == len(HEADS)
    assert all(asked.count(name.removesuffix(".json")) == 1 for name in kept)
    assert {f"{call}.json" for call in asked} == replies(folder)
    assert len(asked) - len(replies(folder)) in range(1, 5)  # those that were under way
    assert server.arrived <= len(asked)
    assert answer["usd"] < server.dollars <= answer["usd"] + answer["lost"]


def kill_with_a_call_under_way(runner: Jobs, job: str, server: ClaudeServer, after: int) -> None:
    """Kill -9 the worker once it has so many replies and waits for another; return when it is gone."""
    folder = runner.folder(job)
    while len(replies(folder)) < after or not server.waiting:
        time.sleep(0.01)
        assert not any(event["event"] == "end" for _, event in folder.events()), folder.log.read_text()
    worker = folder.worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    while runner.refresh()[0].state == "running":
        time.sleep(0.01)


def test_in_batches_a_head_fails_and_the_budget_ends_the_job_well(
    server: ClaudeServer, runner: Jobs, workspace: Workspace
) -> None:
    """The worst heads come first: those it leaves out have the best programs already."""
    (info,) = workspace.models.all()
    server.faults.extend(["", "refusal"])
    limits = ClaudeLimits(candidates=2, rounds=0, batches=True, budget=0.05)
    heads = info.head_ids()[:6]
    job = runner.start_claude(info, heads, limits, api_key=KEY)
    runner.wait(job)
    folder = runner.folder(job)
    found = results(folder)
    assert 1 < len(found) < len(heads)
    assert [one.talk.failures for one in found if one.talk and one.talk.failures] == [
        (Failure("refused", "the model declined to answer"),)
    ]
    assert sum(bool(one.proposals) for one in found) == len(found) - 1
    fits = {b.score.head: b.score.iou.value for b in workspace.library.best(info.id, Split.VALIDATION)}
    proposed = {name for name in folder.finished() if name.startswith("head-")}
    done = [head for head in heads if f"{result_name(head)}.json" in proposed]
    assert max(fits[head] for head in done) <= min(fits[head] for head in heads if head not in done)
    *_, paid = (event["usd"] for _, event in folder.events() if event["event"] == "cost")
    assert paid == pytest.approx(server.dollars, abs=1e-9)
    assert paid < 0.05
    *_, last = runner.notes(job)
    assert "because a call failed: 1;" in last
    assert f"the budget could not hold: {len(heads) - len(found)}" in last


def kill(runner: Jobs, job: str) -> None:
    worker = runner.folder(job).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    while runner.refresh()[0].state == "running":
        time.sleep(0.01)


def test_calls_of_a_batch_that_a_kill_kept_from_being_submitted_cost_nothing(
    server: ClaudeServer, tmp_path: Path
) -> None:
    class Killed(CallLog):
        def submitting(self, calls: Sequence[str]) -> Submission:
            self.left = len(calls) - 1
            return super().submitting(calls)

        def asking(self, call: str, most: float) -> None:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            super().asking(call, most)

    requests = [Request(f"call-{n}", [{"role": "user", "content": "?"}]) for n in range(3)]
    with closing(connect(KEY, server.address)) as client:
        claude = Claude(client, ClaudeLimits(batches=True))
        with pytest.raises(KeyboardInterrupt):
            Batches(claude, Killed(tmp_path), QUICK).answer(requests, lambda name: 0.5)
        Batches(claude, CallLog(tmp_path), QUICK).settle_open()
    assert server.batches == {}
    assert sum(CallLog(tmp_path).outstanding().values()) == 0


@pytest.mark.slow
def test_a_batch_survives_a_kill(server: ClaudeServer, runner: Jobs, workspace: Workspace) -> None:
    (info,) = workspace.models.all()
    job = runner.start_claude(info, HEADS, ClaudeLimits(candidates=2, rounds=1, batches=True), api_key=KEY)
    folder = runner.folder(job)
    while not (folder.path / "batches.jsonl").is_file():
        time.sleep(0.01)
    kill(runner, job)
    runner.resume(job)
    runner.wait(job)
    assert len(results(folder)) == len(HEADS)
    assert len(server.calls) == len(replies(folder))
    *_, paid = (event["usd"] for _, event in folder.events() if event["event"] == "cost")
    assert paid == pytest.approx(server.dollars, abs=1e-9)
    assert len(server.batches) <= 4  # a round, its repairs, a refinement, its repairs


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_cancelled_run_cancels_its_batch_and_reads_what_that_had_answered(
    is_resumed: bool, server: ClaudeServer, runner: Jobs, workspace: Workspace
) -> None:
    (info,) = workspace.models.all()
    server.looks = 10**6
    limits = ClaudeLimits(candidates=2, rounds=0, batches=True)
    job = runner.start_claude(info, HEADS, limits, api_key=KEY)
    folder = runner.folder(job)
    while not any(found.batch for found in CallLog(folder.path).open_submissions()):
        time.sleep(0.01)
    if is_resumed:
        kill(runner, job)
        looks = server.batches["msgbatch_0"]["looks"]
        runner.resume(job)
        while server.batches["msgbatch_0"]["looks"] == looks:
            time.sleep(0.01)
    worker = folder.worker()
    assert worker is not None
    for _ in range(20):  # as from several tabs
        with suppress(psutil.NoSuchProcess):
            worker.terminate()
        time.sleep(0.001)
    runner.cancel(job)
    answered = {line["result"]["type"] for line in server.batches["msgbatch_0"]["lines"]}
    assert answered == {"succeeded", "canceled"}
    assert any("is billed, and read on resuming" in note for note in runner.notes(job))
    server.looks = 1
    runner.resume(job)
    runner.wait(job)
    assert len(results(folder)) == len(HEADS)
    assert len(server.batches["msgbatch_1"]["lines"]) == len(HEADS) - 1
    *_, paid = (event["usd"] for _, event in folder.events() if event["event"] == "cost")
    assert paid == pytest.approx(server.dollars, abs=1e-9)


@pytest.mark.parametrize("batches", [False, True])
def test_heads_that_a_passing_fault_left_out_are_asked_about_again(
    batches: bool, server: ClaudeServer, runner: Jobs, workspace: Workspace
) -> None:
    """By the same button; and the same question in another order is the same run."""
    (info,) = workspace.models.all()
    limits = ClaudeLimits(candidates=2, rounds=0, batches=batches)
    server.faults.append("")
    server.always = "529"
    job = runner.start_claude(info, HEADS, limits, api_key=KEY)
    with pytest.raises(JobError, match="3 heads got no answer"):
        runner.wait(job)
    assert len(results(runner.folder(job))) == 1
    server.always = ""
    assert runner.start_claude(info, HEADS[::-1], limits, api_key=KEY) == job
    runner.wait(job)
    assert len(results(runner.folder(job))) == len(server.calls) == len(HEADS)


@pytest.mark.parametrize("batches", [False, True])
def test_a_head_that_breaks_down_does_not_end_the_run(
    batches: bool, server: ClaudeServer, runner: Jobs, workspace: Workspace
) -> None:
    """Its best program is one of a later version of the language, say."""
    (info,) = workspace.models.all()
    limits = ClaudeLimits(candidates=2, rounds=0, batches=batches)
    job = runner.start_claude(info, HEADS, limits, api_key=KEY)
    runner.cancel(job)
    folder = runner.folder(job)
    spec = folder.spec()
    known = {**spec.task["known"], "L0H1": "def attend(q, k):\n    return q.aura\n"}
    spec = replace(spec, task={**spec.task, "known": known})
    (folder.path / "spec.json").write_text(wire.dump(spec))
    runner.resume(job)
    runner.wait(job)
    assert sum(bool(one.proposals) for one in results(folder)) == len(HEADS) - 1
    assert any(note.startswith("L0H1: error: ProgramError: line 2") for note in runner.notes(job))


def test_the_key_is_nowhere_but_in_the_environment_of_the_worker_that_asks(
    server: ClaudeServer, workspace: Workspace
) -> None:
    runner = Jobs(workspace, Settings(workspace.folder, device="cpu"))
    (info,) = workspace.models.all()
    server.hold(0)
    server.faults.extend(["400", "529"])  # both quote the key
    job = runner.start_claude(info, HEADS[:3], ClaudeLimits(candidates=1, rounds=0), api_key=KEY)
    folder = runner.folder(job)
    while (worker := folder.worker()) is None:
        time.sleep(0.01)
    assert worker.environ()["ANTHROPIC_API_KEY"] == KEY
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        assert KEY.encode() not in read_if_there(process)
    server.let_go()
    runner.wait(job)
    workspace.close()
    held = [path for path in workspace.folder.rglob("*") if path.is_file()]
    assert len(held) > 20
    assert [path for path in held if KEY.encode() in path.read_bytes()] == []


def read_if_there(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_worker_that_does_not_ask_gets_no_key(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    runner = Jobs(workspace, Settings.read({**os.environ, "HEADSCRIPT_WORKSPACE": str(workspace.folder)}))
    (info,) = workspace.models.all()
    job = runner.start_search(info, HEADS[:1])
    while (worker := runner.folder(job).worker()) is None:
        time.sleep(0.01)
    assert KEY not in str(worker.environ()) + str(worker.cmdline())
    runner.cancel(job)


def test_a_worker_that_asks_imports_neither_streamlit_nor_spacy_nor_transformers() -> None:
    code = "import sys, core.jobs.work.llm, core.proposers.llm.claude; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = {name.split(".")[0] for name in loaded.stdout.split()}
    assert "anthropic" in names
    assert not names & {"streamlit", "spacy", "transformers"}
