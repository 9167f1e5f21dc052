"""A real server and a real browser."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from core.jobs.runners.fork_server import Request
from core.jobs.runners.forked import ForkedProcess, ForkServer

APPS = "HEADSCRIPT_TEST_APPS"  # the environment variable that names the server which forks apps

# A server's first page imports torch, which takes a while on a busy machine.
expect.set_options(timeout=60_000)

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(autouse=True, scope="session")
def _fork_servers(fork_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Apps find the one for their jobs in their environment, and are forked themselves from another."""
    server = ForkServer(tmp_path_factory.mktemp("apps") / "log", ("tests.servers.app",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(APPS, str(server.address))
        yield
    server.close()


@contextmanager
def serve(workspace: Path, port: int = 0, **environment: str) -> Iterator[str]:
    """The app on a free port or this one, as `streamlit run app.py` starts it; yields its address."""
    port = port or free_port()
    server = start_server(workspace, port, **environment)
    try:
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def address(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for tests that change nothing."""
    with serve(Path(shutil.copytree(built, tmp_path_factory.mktemp("served") / "workspace"))) as found:
        yield found


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def start_server(workspace: Path, port: int, **environment: str) -> psutil.Process:
    """The app on this port, ready to answer; it and its jobs are forked where torch is imported already.

    One with a home of its own is started anew, since Streamlit looks there when it is imported.
    """
    arguments = ("app.py", "--server.headless", "true", "--server.port", str(port))
    log = workspace.parent / "server.log"
    placed = {"HEADSCRIPT_WORKSPACE": str(workspace), "HEADSCRIPT_RUNNER": "forked"}
    is_forked = APPS in os.environ and "HOME" not in environment
    start = _forked if is_forked else _started
    server = start(arguments, os.environ | placed | environment, log)
    try:
        _wait_until_healthy(f"http://localhost:{port}", server, log)
    except BaseException:
        server.kill()
        server.wait()
        raise
    return server


def _started(arguments: tuple[str, ...], environment: dict[str, str], log: Path) -> psutil.Process:
    command = [sys.executable, "-m", "streamlit", "run", *arguments]
    with log.open("ab") as output:
        return psutil.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)


def _forked(arguments: tuple[str, ...], environment: dict[str, str], log: Path) -> psutil.Process:
    with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
        files = [nothing.fileno(), output.fileno(), output.fileno()]
        app = ForkedProcess(Path(environment[APPS]), Request(arguments, environment), files)
    while (process := app.process()) is None:
        assert app.is_alive(), "the fork server ended"
        time.sleep(0.01)
    app.close()
    return process


def _wait_until_healthy(address: str, server: psutil.Process, log: Path) -> None:
    for _ in range(240):
        is_running = server.is_running() and server.status() != psutil.STATUS_ZOMBIE
        assert is_running, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"the app did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page in a session of its own and fails on script errors."""
    contexts = []
    errors: list[str] = []

    def run(address: str, **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield run
    for context in contexts:
        context.close()
    assert errors == []
