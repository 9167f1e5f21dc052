"""Every command that the documents name is one that the command line takes."""

from __future__ import annotations

import re
import shlex

import pytest

from core.cli.app import _app
from tests.conftest import ROOT

_COMMAND = re.compile(r"^ {4}(?:python -m core|headscript) (.+?)(?:\s+#.*)?$", re.MULTILINE)
COMMANDS = sorted(
    {
        found[1]
        for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
        for found in _COMMAND.finditer(path.read_text())
        if "[" not in found[1] and "--help" not in found[1]
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_documents_is_one(command: str) -> None:
    app = _app()
    _, bound, _ = app.meta.parse_args(shlex.split(command))
    named, _, _ = app.parse_args(bound.args)
    assert named.__name__.strip("_") == bound.args[0]


def test_there_are_such_commands() -> None:
    assert 'export site FOLDER --programs accepted --no-names --licence "CC BY 4.0"' in COMMANDS
    assert len(COMMANDS) > 40
