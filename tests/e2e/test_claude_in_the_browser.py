"""Claude as the proposer in the browser: estimate, cost, and a run that outlives app and worker."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.jobs.folder import JobFolder
from core.proposers.llm.ledger import CallLog
from core.store import Workspace
from tests.e2e.conftest import serve, start_server, stop_server
from tests.servers.claude import ClaudeServer
from tests.servers.ports import free_port

OpenPage = Callable[..., Page]
KEY = "sk-ant-a-key-that-nobody-may-see"


@pytest.fixture
def claude() -> Iterator[ClaudeServer]:
    """Slow enough to be watched."""
    with ClaudeServer(key=KEY, delay=1.0) as server:
        yield server


def metric(page: Page, label: str) -> Locator:
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def choose_claude(page: Page) -> None:
    page.get_by_role("radio", name="Claude").click()


def test_without_a_key_the_page_says_how_to_get_going_and_offers_the_search(
    workspace_copy: Path, open_page: OpenPage
) -> None:
    with serve(workspace_copy, ANTHROPIC_API_KEY="") as address:
        page = open_page(f"{address}/synthesize")
        choose_claude(page)
        expect(page.get_by_text("Claude needs an API key")).to_be_visible()
        expect(page.get_by_text("The search finds a program for every head without a key.")).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("^Start on"))).to_have_count(0)


def test_a_run_beside_a_search_is_paid_once_though_app_and_worker_are_killed(
    workspace_copy: Path, open_page: OpenPage, claude: ClaudeServer
) -> None:
    port = free_port()
    address = f"http://localhost:{port}/synthesize"
    secrets = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": claude.address}
    server = start_server(workspace_copy, port, **secrets)
    claude.hold(4)  # calls, so that the run goes on for as long as it is looked at
    try:
        page = open_page(address)
        start_claude(page)
        start_a_search(page)
        expect(page.get_by_test_id("stProgress").filter(has_text="Search for programs").first).to_be_visible()
        expect(page.get_by_test_id("stProgress").filter(has_text="Ask Claude").first).to_be_visible()
        expect(metric(page, "Cost so far").first).to_have_text(re.compile(r"\$0\.0[1-9]"))
        server.kill()
        server.wait()
        kill_claude(workspace_copy)
        claude.let_go()
        server = start_server(workspace_copy, port, **secrets)
        again = open_page(address)
        again.get_by_role("button", name="Resume").first.click()
        expect(again.get_by_test_id("stProgress").filter(has_text="Ask Claude").first).to_be_visible()
        expect(again.get_by_test_id("stProgress")).to_have_count(0, timeout=120_000)
        expect(again.get_by_text("4 of 4", exact=True).first).to_be_visible()
    finally:
        stop_server(server)
    check_the_account(workspace_copy, claude)
    held = [
        path for path in workspace_copy.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()
    ]
    assert held == []


def test_heads_that_were_declined_are_chosen_again_whatever_the_filters_say(
    workspace_copy: Path, open_page: OpenPage, tmp_path: Path
) -> None:
    """With the key from Streamlit's secrets instead of the environment."""
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(f'ANTHROPIC_API_KEY = "{KEY}"\n')
    with ClaudeServer(key=KEY) as claude:
        claude.faults.extend(["", "", "refusal"])
        given = {"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": claude.address}
        with serve(workspace_copy, secrets=secrets, **given) as address:
            page = open_page(f"{address}/synthesize")
            start_claude(page)
            page.get_by_role("button", name="Choose 1 head left out").first.click(timeout=60_000)
            expect(page.get_by_text("1 of 12 heads")).to_be_visible()
            expect(page.get_by_label("Heads by name")).to_have_value(re.compile(r"^L1H\d$"))


def start_claude(page: Page) -> None:
    field = page.get_by_label("Heads by name")
    field.fill("L1H*")
    field.press("Enter")
    expect(page.get_by_text("4 of 12 heads")).to_be_visible()
    choose_claude(page)
    expect(page.get_by_text(re.compile(r"About \$0\.\d+ for 4 heads"))).to_be_visible()
    budget = page.get_by_role("spinbutton", name="Budget, USD")
    budget.fill("0.02")
    budget.press("Enter")
    expect(page.get_by_text("The budget ends it before that.")).to_be_visible()
    budget.fill("2")
    budget.press("Enter")
    expect(page.get_by_text("The budget ends it before that.")).to_have_count(0)
    page.get_by_role("button", name="Start on 4 heads").click()
    expect(page.get_by_test_id("stProgress").filter(has_text="Ask Claude").first).to_be_visible()


def start_a_search(page: Page) -> None:
    expect(page.get_by_role("radio", name="Search")).to_have_count(1)  # the page has made room for the run
    page.get_by_role("radio", name="Search").click()
    expect(page.get_by_role("spinbutton", name="Rules, at most")).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Budget, USD")).to_have_count(0)  # nor Claude's own Start
    page.get_by_role("button", name="Start on 4 heads").click()


def kill_claude(folder: Path) -> None:
    """Kill -9 the worker that the dead app left behind."""
    (job,) = (folder / "jobs").glob("*-claude-*")
    worker = JobFolder(job).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)


def check_the_account(folder: Path, claude: ClaudeServer) -> None:
    """The ledger agrees with what the server billed, but for replies that were under way."""
    workspace = Workspace.open(folder)
    (job,) = [job for job in workspace.jobs.all() if job.kind == "claude"]
    heads = [gain.head for gain in workspace.gains.of_job(job.id)]
    workspace.close()
    assert job.state == "done"
    assert len(heads) == len(set(heads)) == 4
    log = CallLog(folder / "jobs" / job.id)
    assert 0 < job.cost <= claude.dollars + 1e-9
    assert claude.dollars <= job.cost + sum(log.outstanding().values()) + 1e-9
