"""Shared fixtures. No test reaches for the network."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from filelock import FileLock

from core.settings import Settings, cores

if TYPE_CHECKING:  # the process that only hands out tests need not wait for torch
    from core.models.pretrained import LoadedModel

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub, which reads it once
os.environ["HEADSCRIPT_WARM"] = "no"  # no app loads its model unless a test asks for it
os.environ["OMP_NUM_THREADS"] = "1"  # before torch: the cores have test processes enough

ROOT = Path(__file__).parents[1]
TinyModel = Callable[[str], Path]
TinyLoaded = Callable[[str], "LoadedModel"]
Forked = Callable[..., Settings]


def pytest_xdist_auto_num_workers() -> int:
    """Two test processes more than there are cores: with one more the cores idle a third of the time."""
    return min(cores() + 2, 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand out files with a browser, which keeps cores busy, and files of processes, which wait, in turn.

    They go first, since they take longest: no test process is left alone with one at the end.
    """
    lanes: dict[str, dict[Path, list[pytest.Item]]] = {}
    for item in items:
        lane = item.path.relative_to(ROOT / "tests").parts[0]
        lanes.setdefault(lane, {}).setdefault(item.path, []).append(item)
    pairs = zip_longest(*(lanes.pop(lane, {}).values() for lane in ("e2e", "processes")), fillvalue=[])
    rest = (tests for files in lanes.values() for tests in files.values())
    items[:] = [item for files in (*pairs, rest) for tests in files for item in tests]


def pytest_configure(config: pytest.Config) -> None:
    """Start the fork server that all test processes share, in the one that outlives the others."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="headscript-"))
    os.environ["HEADSCRIPT_FORK_SERVER"] = str(folder / "fork-server")
    with socket.socket(socket.AF_UNIX) as listening, (folder / "log").open("wb") as log:
        listening.bind(str(folder / "fork-server"))
        listening.listen(128)
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.forks", str(listening.fileno())],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[listening.fileno()],
        )
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    config.add_cleanup(server.communicate)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """The folder of a tiny random model of this architecture; for reading only."""
    root = tmp_path_factory.mktemp("models")
    from tests import tiny

    return cache(lambda architecture: tiny.save(root / architecture, architecture))


@pytest.fixture(scope="session")
def tiny_loaded(tiny_model: TinyModel) -> TinyLoaded:
    """A tiny model, loaded once for all tests."""
    from core.models.pretrained import load

    return cache(lambda architecture: load(str(tiny_model(architecture)), device="cpu"))


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 short passages of the bundled corpus as JSON lines, all genres and splits among them."""
    from tests import tiny

    path = tmp_path_factory.mktemp("corpus") / "small.jsonl"
    rows = [{"text": s.text, "genre": s.genre} for s in tiny.short_passages(32)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, tiny_model: TinyModel, small_corpus: Path) -> Path:
    """A finished workspace of a tiny llama, built by the command line; for reading only.

    It is built once, and each test process has a copy: of one folder, one process at a time is let in.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built"
    with FileLock(f"{shared}.lock"):
        if not (shared / "complete").exists():
            model = shutil.copytree(tiny_model("llama"), shared / "llama", dirs_exist_ok=True)
            for command in (
                ["extract", "--model", str(model), "--corpus", str(small_corpus)],
                ["synthesize"],
            ):
                call_core(*command, workspace=shared / "workspace").check_returncode()
            (shared / "complete").touch()
    return Path(shutil.copytree(shared, tmp_path_factory.mktemp("own") / "built")) / "workspace"


@pytest.fixture(scope="session")
def fork_server() -> Path:
    """The address of a process that has imported what workers, commands and apps need.

    It is in the environment as well, for the apps and commands that run there with the runner `forked`.
    """
    return Path(os.environ["HEADSCRIPT_FORK_SERVER"])


@pytest.fixture(scope="session")
def forked(fork_server: Path) -> Forked:
    """Settings by which a workspace's jobs are forked there."""
    return lambda folder, **given: Settings(
        folder, device="cpu", runner="forked", fork_server=fork_server, **given
    )


@pytest.fixture(scope="session")
def locks() -> None:
    """Skips what runs plain Python where the kernel does not lock it in."""
    from core.errors import SandboxError
    from tests.sandboxed import sandbox

    try:
        sandbox().close()
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.fixture
def workspace_copy(built: Path, tmp_path: Path) -> Path:
    """A finished workspace of one's own."""
    return Path(shutil.copytree(built, tmp_path / "workspace"))


def run_core(
    *arguments: str, workspace: Path, check: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`python -m core ...` in a process of its own, forked where everything is imported already."""
    from core.jobs.runners.fork_server import Request
    from core.jobs.runners.forked import ForkedProcess
    from tests.servers.forks import EXIT_CODE

    given = _on_the_cpu(arguments, workspace)
    with tempfile.TemporaryDirectory() as place:
        ended, output, told = (Path(place, name) for name in ("ended", "output", "told"))
        request = Request(tuple(given), os.environ | environment | {EXIT_CODE: str(ended)})
        with Path(os.devnull).open("rb") as nothing, output.open("wb") as out, told.open("wb") as err:
            files = [nothing.fileno(), out.fileno(), err.fileno()]
            command = ForkedProcess(Path(os.environ["HEADSCRIPT_FORK_SERVER"]), request, files)
        while command.is_alive():
            time.sleep(0.01)
        result = subprocess.CompletedProcess(
            given, int(ended.read_text()), output.read_text(), told.read_text()
        )
    if check:
        result.check_returncode()
    return result


def fork(arguments: Sequence[str], log: Path, **environment: str) -> psutil.Process:
    """`streamlit ...` or `python -m core ...`, forked as above, in the background."""
    from core.jobs.runners.fork_server import Request
    from core.jobs.runners.forked import ForkedProcess

    request = Request(tuple(arguments), os.environ | environment)
    with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
        files = [nothing.fileno(), output.fileno(), output.fileno()]
        forked = ForkedProcess(Path(os.environ["HEADSCRIPT_FORK_SERVER"]), request, files)
    while (process := forked.process()) is None:
        assert forked.is_alive(), "the fork server ended"
        time.sleep(0.01)
    forked.close()
    return process


def call_core(*arguments: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    """What `python -m core ...` does, jobs included, in this process, which need not start one."""
    from core.cli.app import main

    given = _on_the_cpu(arguments, workspace)
    output, told = StringIO(), StringIO()
    with redirect_stdout(output), redirect_stderr(told), pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSCRIPT_RUNNER", os.environ.get("HEADSCRIPT_RUNNER", "inline"))
        code = main(given)
    return subprocess.CompletedProcess(given, code, output.getvalue(), told.getvalue())


def _on_the_cpu(arguments: Sequence[str], workspace: Path) -> list[str]:
    return [*arguments, "--workspace", str(workspace), "--device", "cpu"]
