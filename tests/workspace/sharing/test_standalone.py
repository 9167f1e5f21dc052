"""Programs as files of their own, with those of the heads that they look at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.app import main
from core.language import parse
from core.scoring import looked_at
from core.types import HeadId


def look(head: str) -> str:
    return f'def attend(q, k):\n    return look("{head}", q, k)\n'


def test_what_a_program_looks_at_is_found_through_others_as_far_as_there_are_programs() -> None:
    every = {HeadId(2, 0): look("L1H0"), HeadId(1, 0): look("L0H3"), HeadId(1, 1): look("L0H0")}
    found = looked_at([parse(look("L2H0"))], {head: parse(source) for head, source in every.items()})
    assert found.keys() == {HeadId(2, 0), HeadId(1, 0)}
    assert found[HeadId(1, 0)].source == look("L0H3")


def test_the_command_line_writes_every_heads_best_program(
    workspace_copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "programs"
    assert main(["export", "programs", str(folder), "--json", "--workspace", str(workspace_copy)]) == 0
    told = json.loads(capsys.readouterr().out)
    files = sorted(folder.iterdir())
    assert told["programs"] == len(files) == 12
    assert told["left_out"] == []
    assert files[0].name == "L0H0.py"
    for path in files[:2]:
        compile(path.read_text(), str(path), "exec")
    run = [sys.executable, "-I", "-S", str(files[0])]
    assert subprocess.run(run, input=b"[]", capture_output=True, check=True).stdout == b"[]\n"
