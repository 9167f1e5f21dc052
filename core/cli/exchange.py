"""The commands `export` and `import`: the curated library leaves and enters a workspace."""

from __future__ import annotations

from pathlib import Path

from core.cli.programs import Json, Session
from core.errors import DecisionsError, WorkspaceError
from core.files import disk_errors, replacing
from core.sharing.accepted import curated_report
from core.sharing.decisions import export_lines, import_lines


def export_library(now: Session, path: Path) -> Json:
    """Write every decision and the programs they are about as JSON lines."""
    lines = list(export_lines(now.workspace))
    _write(path, "".join(lines))
    return {"file": str(path), "lines": len(lines)}


def export_report(now: Session, model: str | None, path: Path) -> Json:
    """Write the accepted programs of a model as one HTML page."""
    page = curated_report(now.workspace, now.model(model))
    _write(path, page)
    return {"file": str(path), "characters": len(page)}


def import_library(now: Session, path: Path) -> Json:
    """Take in what `export_library` wrote, here or elsewhere; all of it or nothing."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DecisionsError(f"cannot read {path}: {error}") from error
    try:
        found = import_lines(now.workspace, lines)
    except DecisionsError as error:
        raise DecisionsError(f"{path}: {error}") from error
    if found.unscored:
        now.terminal.say(f"{len(found.unscored)} of the programs have no scores yet; run `score`")
    return {"programs": found.programs, "verdicts": found.verdicts, "known": found.known}


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all, the one that a link leads to; what is no file is written into."""
    with disk_errors(path.parent):
        path = path.resolve()
        if path.is_dir():
            raise WorkspaceError(f"{path} is a folder; name the file to write")
        if path.exists() and not path.is_file():  # a pipe, say
            path.write_text(text, encoding="utf-8")
            return
        with replacing(path) as scratch:
            scratch.write_text(text, encoding="utf-8")
