"""The container's files: linted, and what they do is done here as far as it goes without a container."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from core.settings import Accounts, Settings
from tests.conftest import ROOT
from tests.fresh import environment

Instruction = tuple[str, str]  # its word and the rest
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def instructions() -> list[Instruction]:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("no hadolint here; pip install -r requirements-dev.txt")
    told = subprocess.run([hadolint, "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (0, "")


def test_the_context_is_what_is_copied_and_never_a_workspace_or_a_secret() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    assert {source for sources in copied for source in sources} == let_in
    assert not [one for one in let_in if fnmatch.fnmatch(".streamlit/secrets.toml", one)]


def test_compose_gives_the_app_a_volume_accounts_and_names_that_it_reads() -> None:
    app = COMPOSE["services"]["app"]
    assert app["volumes"] == ["data:/data"]
    assert "data" in COMPOSE["volumes"]
    assert set(Accounts.NAMES.values()) <= set(app["environment"])
    of_models = re.findall(r"^\| `((?:ANTHROPIC|OPENAI|HEADSCRIPT_CLAUDE|HEADSCRIPT_OPENAI)_\w+)`",
                           (ROOT / "README.md").read_text(), re.MULTILINE)  # fmt: skip
    assert len(of_models) == 6
    assert set(of_models) <= set(app["environment"])
    assert Settings.read(dict.fromkeys(app["environment"], "")) == Settings()
    given = dict(part.split("=") for word, rest in instructions() if word == "ENV" for part in rest.split())
    settings = Settings.read(given)
    assert settings.workspace.parent == settings.models_folder.parent == Path("/data")
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


@pytest.mark.slow
def test_the_steps_of_the_image_give_the_commands_that_are_started(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the package")
    pytest.importorskip("fastapi", reason="the image holds the API")
    programs = environment(tmp_path / "python")
    place = root = tmp_path / "root"
    for word, rest in instructions():
        if word == "WORKDIR":
            place = root / rest.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            _copy(rest, root, place)
        elif word == "RUN" and rest.startswith("python"):
            _run(rest.replace("/dist", f"{root}/dist"), place, programs)
    started = [instructions()[-1][1], str(COMPOSE["services"]["api"]["command"]).replace("'", '"')]
    for command in started:
        words = re.findall(r'"([^"]+)"', command)
        told = _run(shlex.join([*words, "--help"]), place, programs)
        assert f"Usage: headscript {words[1]}" in told


def _copy(rest: str, root: Path, place: Path) -> None:
    """A COPY, into `place`, from the context or from an earlier stage."""
    parts = rest.split()
    base = ROOT
    if parts[0].startswith("--from"):
        base, parts = root, parts[1:]
    target = place / parts[-1]
    for pattern in parts[:-1]:
        sources = list(base.glob(pattern.lstrip("/")))
        assert sources, f"COPY {pattern} copies nothing"
        for source in sources:
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)


def _run(command: str, place: Path, programs: Path) -> str:
    """A step's shell command without a network: what it installs has to be there, or be what was built."""
    there = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
    }
    told = subprocess.run(
        command, shell=True, cwd=place, env=os.environ | there, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout
