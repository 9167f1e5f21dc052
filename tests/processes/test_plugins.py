"""An installed package adds a corpus, a runner, an attribute, an audit and a proposer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TinyModel, run_core

PACKAGE = Path(__file__).parents[1] / "plugin_package" / "headscript_proverbs.py"


def installed(folder: Path, source: str) -> Path:
    """A folder into which pip has installed a package of this source, whose entry point is `add`."""
    name, files = "headscript_proverbs-1.0", f"{PACKAGE.stem}.py"
    held = {
        files: source,
        f"{name}.dist-info/METADATA": "Metadata-Version: 2.1\nName: headscript-proverbs\nVersion: 1.0\n",
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}.dist-info/entry_points.txt": f"[headscript]\nproverbs = {PACKAGE.stem}:add\n",
    }
    held[f"{name}.dist-info/RECORD"] = "".join(f"{path},,\n" for path in [*held, f"{name}.dist-info/RECORD"])
    wheel = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for path, text in held.items():
            packed.writestr(path, text)
    target = folder / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
    environment = os.environ | {"PIP_CONFIG_FILE": os.devnull}
    subprocess.run([*command, str(target), str(wheel)], check=True, env=environment, capture_output=True)
    return target


def started(
    site: Path, *arguments: str, workspace: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`python -m core` where that package is installed, in an interpreter that starts for it."""
    return subprocess.run(
        [sys.executable, "-m", "core", *arguments, "--workspace", str(workspace), "--device", "cpu"],
        env=os.environ | where(site) | environment,
        capture_output=True,
        text=True,
    )


def forked(
    site: Path, *arguments: str, workspace: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same where the command line knows the options of our own entries only, which is enough for most."""
    return run_core(*arguments, workspace=workspace, **where(site), **environment)


def where(site: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(site), str(Path.cwd())])}


def test_a_package_adds_all_five_and_their_options(tmp_path: Path, tiny_model: TinyModel) -> None:
    site = installed(tmp_path, PACKAGE.read_text())
    workspace = tmp_path / "workspace"

    def run(*arguments: str, how: Callable[..., subprocess.CompletedProcess[str]] = forked) -> dict:
        result = how(site, *arguments, "--json", workspace=workspace, HEADSCRIPT_RUNNER="patient")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    run("extract", "--model", str(tiny_model("gpt2")), "--corpus", "proverbs")
    run("synthesize", "--proposer", "vowels", "--weight", "7", "--heads", "L0H1", how=started)
    best = run("best")["heads"]
    ours = next(row for row in best if (row["layer"], row["head"]) == (0, 1))
    proposed = tmp_path / "program.py"
    proposed.write_text("def attend(q, k):\n    return 1 + 7 * k.is_vowelled\n")
    scored = run("score", "--program", str(proposed))["heads"]
    assert len(scored) == 12
    assert ours["iou"] > 0
    audited = run("audit", "brevity", "--longest", "500", "--heads", "L0H1", how=started)
    assert "brevity" in json.dumps(audited)
    assert not any((workspace / "jobs").glob("*/worker.json"))  # its runner left none


@pytest.mark.parametrize(
    "fault", ["raise ValueError('a fault of theirs')", "tables.corpora.add(_Named('bundled'))"]
)
def test_a_package_that_cannot_add_is_named_and_can_be_left_out(fault: str, tmp_path: Path) -> None:
    source = (
        f"class _Named:\n    def __init__(self, name): self.name = name\n\ndef add(tables):\n    {fault}\n"
    )
    site = installed(tmp_path, source)
    refused = forked(site, "best", workspace=tmp_path / "workspace")
    assert refused.returncode == 2
    assert "the installed package headscript-proverbs cannot add to Headscript" in refused.stderr
    assert "HEADSCRIPT_PLUGINS=none" in refused.stderr
    assert "Traceback" not in refused.stderr
    without = forked(site, "best", "--help", workspace=tmp_path / "workspace", HEADSCRIPT_PLUGINS="none")
    assert (without.returncode, without.stderr) == (0, "")
