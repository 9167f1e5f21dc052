"""A model behind the OpenAI chat API as a job: its accounts, killed and resumed, within limits."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.jobs import Jobs
from core.proposers import PROPOSERS, OpenAILimits
from core.settings import Settings
from core.store import Workspace
from core.types import HeadId
from tests.conftest import Forked
from tests.processes.jobs.test_llm import folder, planted_workspace, replies, results, workspace
from tests.servers.openai import OpenAIServer

__all__ = ["folder", "planted_workspace", "workspace"]  # fixtures
KEY = "sk-openai-key-that-nobody-may-see"
OTHER = "sk-ant-key-of-another-service"
HEADS = [HeadId(layer, head) for layer in range(2) for head in range(2)]
OPENAI = PROPOSERS["openai"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    with OpenAIServer(key=KEY) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.address)
        monkeypatch.setenv("HEADSCRIPT_PATIENCE", "0.01")
        monkeypatch.setenv("ANTHROPIC_API_KEY", OTHER)
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        yield running


def test_a_killed_run_goes_on_and_asks_nothing_twice(
    server: OpenAIServer, workspace: Workspace, forked: Forked
) -> None:
    settings = forked(workspace.folder, openai_url=server.address, openai_model="by-rule")
    runner = Jobs(workspace, settings)
    (info,) = workspace.models.all()
    server.hold(2)
    limits = OpenAILimits(model="by-rule", base_url=server.address, candidates=2, rounds=1)
    job = runner.start_proposals(info, OPENAI, HEADS, limits, {"OPENAI_API_KEY": KEY})
    at = runner.folder(job)
    while len(replies(at)) < 2 or not server.waiting:
        time.sleep(0.01)
        assert not any(event["event"] == "end" for _, event in at.events()), at.log.read_text()
    worker = at.worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    server.let_go()
    while runner.refresh()[0].state == "running":
        time.sleep(0.01)
    kept = replies(at)
    assert runner.start_proposals(info, OPENAI, HEADS[::-1], limits) == job
    runner.wait(job)
    asked = [json.loads(line)["call"] for line in (at.path / "paid.jsonl").read_text().splitlines()]
    assert len(results(at)) == len(HEADS)
    assert all(asked.count(name.removesuffix(".json")) == 1 for name in kept)
    assert {f"{call}.json" for call in asked} == replies(at)
    *_, paid = (event for _, event in at.events() if event["event"] == "cost")
    assert paid["usd"] == 0
    assert paid["lost_tokens"] > 0
    assert paid["input"] + paid["cached"] + paid["output"] <= server.tokens
    origins = {program.origin for result in results(at) for program in result.programs}
    assert origins == {"baseline", "openai"}
    holds_key = [path for path in workspace.folder.rglob("*") if path.is_file() and _holds(path, KEY)]
    assert holds_key == []


def _holds(path: Path, text: str) -> bool:
    return text.encode() in path.read_bytes()


def test_a_limit_on_calls_ends_the_job_well(server: OpenAIServer, workspace: Workspace) -> None:
    """And no other service's key is in the worker's environment."""
    settings = Settings(workspace.folder, device="cpu", openai_url=server.address, openai_model="by-rule")
    runner = Jobs(workspace, settings)
    (info,) = workspace.models.all()
    limits = OpenAILimits(model="by-rule", candidates=2, rounds=0, calls=3)
    server.hold(0)
    job = runner.start_proposals(info, OPENAI, HEADS, limits, {"OPENAI_API_KEY": KEY})
    while (worker := runner.folder(job).worker()) is None:
        time.sleep(0.01)
    assert worker.environ()["OPENAI_API_KEY"] == KEY
    assert OTHER not in str(worker.environ())
    server.let_go()
    assert runner.wait(job).state == "done"
    assert server.arrived == 3
    assert 1 <= len(results(runner.folder(job))) <= 3
    notes = runner.notes(job)
    assert "may take no more than 5,000,000 tokens and 3 calls" in notes[0]
    assert f"3 calls for {server.tokens:,} tokens of 5,000,000" in notes[-1]
    assert "the budget could not hold" in notes[-1]
