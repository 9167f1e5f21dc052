"""The package: built from the source distribution, installed into a fresh environment, used anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from core import __version__
from tests.conftest import ROOT, TinyModel, call_core
from tests.fresh import environment
from tests.servers.ports import free_port

pytest.importorskip("hatchling", reason="hatchling builds the package; pip install -r requirements-dev.txt")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from nothing but what the source distribution holds."""
    folder = tmp_path_factory.mktemp("dist")
    _build(ROOT, "sdist", folder)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    _build(folder / archive.name.removesuffix(".tar.gz"), "wheel", folder)
    return next(folder.glob("*.whl"))


def _build(source: Path, target: str, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="module")
def headscript(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in a fresh environment, which sees the packages that Headscript needs but no checkout."""
    programs = environment(tmp_path_factory.mktemp("fresh"))
    command = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--quiet"]
    offline = os.environ | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    subprocess.run([*command, "--no-deps", str(wheel)], check=True, env=offline, capture_output=True)
    return programs / "headscript"


def test_the_wheel_holds_what_the_app_needs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        told = packed.read(f"headscript-{__version__}.dist-info/METADATA").decode()
    listed = ["git", "ls-files", "core", "pages", "app.py"]
    kept = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {name if name.startswith("core/") else f"headscript_app/{name}" for name in kept} <= names
    assert "headscript_app/.streamlit/config.toml" in names
    assert {name.split("/")[0] for name in names} == {
        "core",
        "headscript_app",
        f"headscript-{__version__}.dist-info",
    }
    assert not [name for name in names if "secrets" in name or "__pycache__" in name]
    needed = (ROOT / "requirements.txt").read_text()
    assert "Requires-Dist: torch==2.13.0" in told
    assert told.count("Requires-Dist: ") > sum(line[:1].isalpha() for line in needed.splitlines())
    assert "Provides-Extra: serve" in told


def test_the_command_answers_from_any_folder_as_a_checkout_does(
    headscript: Path, built: Path, tmp_path: Path
) -> None:
    told = _run(headscript, tmp_path, "best", "--help")
    assert told.startswith("Usage: headscript best")
    assert "python -m core" not in told
    found = _run(headscript, tmp_path, "best", "--json", "--workspace", os.path.relpath(built, tmp_path))
    assert found == call_core("best", "--json", workspace=built).stdout


@pytest.mark.slow
def test_the_installed_app_draws_its_pages_under_its_own_configuration(
    headscript: Path, tmp_path: Path
) -> None:
    with _app(headscript, tmp_path) as host:
        with pytest.raises(InvalidStatus):
            connect(f"ws://{host}/_stcore/stream", additional_headers={"Origin": "http://example.org"})
        assert b"Build the demo workspace" in _first_page(host)
    assert (tmp_path / "study" / "workspace.duckdb").is_file()


@pytest.mark.slow
def test_a_job_of_the_installed_command_runs_in_a_process_of_its_own(
    headscript: Path, tiny_model: TinyModel, tmp_path: Path
) -> None:
    model = str(tiny_model("llama"))
    found = _run(headscript, tmp_path, "extract", "--model", model, "--limit", "8", "--json")
    assert json.loads(found)["sentences"] == 8
    found = _run(headscript, tmp_path, "synthesize", "--heads", "L0H1", "--rules", "2", "--json")
    assert json.loads(found)["heads"] == 12
    assert (tmp_path / "workspace" / "workspace.duckdb").is_file()


def test_the_version_is_stated_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


def _run(command: Path, folder: Path, *arguments: str) -> str:
    """What the installed command says on stdout when it is called in this folder."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [command, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@contextmanager
def _app(command: Path, folder: Path) -> Iterator[str]:
    """The installed app on a free port; its host and port once it answers."""
    host = f"localhost:{free_port()}"
    given = [command, "app", "--workspace", "study", "--no-browser", "--port", host.split(":")[1]]
    log = folder / "app.log"
    with log.open("wb") as told:
        server = subprocess.Popen(given, cwd=folder, stdout=told, stderr=told)
    try:
        for _ in range(240):
            assert server.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://{host}/_stcore/health", timeout=5)
                break
            except OSError:
                time.sleep(0.1)
        yield host
    finally:
        server.terminate()
        server.wait(20)


def _first_page(host: str) -> bytes:
    """What a browser is sent until the app's first page is drawn."""
    asked, sent = BackMsg(), b""
    asked.rerun_script.query_string = ""
    with connect(f"ws://{host}/_stcore/stream", subprotocols=[Subprotocol("streamlit")]) as browser:
        browser.send(asked.SerializeToString())
        while True:
            part = browser.recv(timeout=60)
            assert isinstance(part, bytes)
            sent += part
            message = ForwardMsg()
            message.ParseFromString(part)
            assert message.delta.new_element.exception.message == ""
            if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY and message.HasField(
                "script_finished"
            ):
                return sent
