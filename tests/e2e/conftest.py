"""A real server and a real browser."""

from __future__ import annotations

import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.conftest import fork
from tests.servers.ports import free_port

# A server's first page imports torch, which takes a while on a busy machine.
expect.set_options(timeout=60_000)

# Chromium without its own windows, where it is installed, takes a quarter less of the processor.
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _BROWSERS)), None)
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of a browser that fails is run once more; one that needs it is named at the end (`-rR`)."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flaky(reruns=1))


@contextmanager
def serve(workspace: Path, port: int = 0, secrets: Path | None = None, **environment: str) -> Iterator[str]:
    """The app on a free port or this one, as `streamlit run app.py` starts it; yields its address."""
    port = port or free_port()
    server = start_server(workspace, port, secrets, **environment)
    try:
        yield f"http://localhost:{port}"
    finally:
        stop_server(server)


@pytest.fixture(scope="session")
def address(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for tests that change nothing."""
    with serve(Path(shutil.copytree(built, tmp_path_factory.mktemp("served") / "workspace"))) as found:
        yield found


def start_server(
    workspace: Path, port: int, secrets: Path | None = None, **environment: str
) -> psutil.Process:
    """The app on this port, ready to answer, with a `secrets.toml` or none of Streamlit's own.

    It and its jobs are forked where everything is imported already.
    """
    options = {"server.headless": "true", "server.port": str(port)}
    if secrets is not None:
        options["secrets.files"] = str(secrets)
    given = [part for name, value in options.items() for part in (f"--{name}", value)]
    placed = {"HEADSCRIPT_WORKSPACE": str(workspace), "HEADSCRIPT_RUNNER": "forked"}
    log = workspace.parent / "server.log"
    server = fork(("streamlit", "run", "app.py", *given), log, **placed, **environment)
    try:
        _wait_until_healthy(f"http://localhost:{port}", server, log)
    except BaseException:
        server.kill()
        server.wait()
        raise
    return server


def stop_server(server: psutil.Process) -> None:
    """End the app as Ctrl-C does; one that goes on is an error, and killed."""
    server.terminate()
    try:
        server.wait(60)  # it finishes what it reads ahead
    except psutil.TimeoutExpired:
        server.kill()
        raise


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
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """One for all tests, since it keeps what it has compiled of Streamlit's scripts."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=CHROMIUM,
            args=_FLAGS,
            reduced_motion="reduce",
        )
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens a page; fails on script errors. Nothing that it stores in the browser outlives the test.

    Where a test is run once more, its reviewers are others: the first have decided already.
    """
    pages = []
    errors: list[str] = []
    attempt = getattr(request.node, "execution_count", 1)

    def run(address: str, width: int = 1440, height: int = 900, **media: object) -> Page:
        page = browser.new_page()
        pages.append(page)
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**media)
        page.goto(address if attempt == 1 else re.sub("(reviewer=[^&]+)", rf"\1-{attempt}", address))
        return page

    yield run
    for page in pages:
        page.evaluate("() => { try { localStorage.clear(); sessionStorage.clear() } catch { } }")
        page.close()
    browser.clear_cookies()
    browser.set_offline(False)
    assert errors == []
