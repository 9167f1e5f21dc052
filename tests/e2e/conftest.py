"""A real server and a real browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

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
def _fork_server(fork_server: Path) -> None:
    """Apps that tests start find it in their environment."""


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


def start_server(workspace: Path, port: int, **environment: str) -> subprocess.Popen[bytes]:
    """The app on this port, ready to answer; its jobs are forked where torch is imported already."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    log = workspace.parent / "server.log"
    placed = {"HEADSCRIPT_WORKSPACE": str(workspace), "HEADSCRIPT_RUNNER": "forked"}
    with log.open("ab") as output:
        server = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | placed | environment,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_healthy(f"http://localhost:{port}", server, log)
    except BaseException:
        server.kill()
        server.wait()
        raise
    return server


def _wait_until_healthy(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, log.read_text()
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
