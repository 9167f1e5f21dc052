"""Programs of a workspace as Python files that need nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.errors import ProgramError, WorkspaceError
from core.files import disk_errors, replacing
from core.language import ParsedProgram, PlainProgram
from core.language.export import export
from core.store import Workspace
from core.types import HeadId, ModelInfo


def looked_at(
    program: ParsedProgram, programs: Mapping[HeadId, ParsedProgram]
) -> dict[HeadId, ParsedProgram]:
    """Those among `programs` of all heads that a program looks at, directly or through others."""
    found: dict[HeadId, ParsedProgram] = {}
    wanted = set(program.looks)
    while wanted:
        head = wanted.pop()
        if head in programs and head not in found:
            found[head] = programs[head]
            wanted |= found[head].looks
    return found


def export_programs(
    workspace: Workspace, model: ModelInfo, folder: Path
) -> tuple[list[HeadId], dict[HeadId, str]]:
    """Write every head's best program as a file of its own; which are written, and why others are not.

    What one looks at goes along as those heads' resolved programs.

    Raises WorkspaceError if there is none, or the folder cannot be written to.
    """
    best = workspace.library.parsed_best(model.id)
    behind = workspace.library.resolution(model.id).programs
    if not best:
        raise WorkspaceError(f"no head of {model.title} has a program yet; run `synthesize` first")
    written, refused = list[HeadId](), dict[HeadId, str]()
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for head, program in best.items():
            if isinstance(program, PlainProgram):
                refused[head] = "its best program is plain Python, which only the sandbox runs"
                continue
            try:
                text = export(program, looked_at(program, behind))
            except ProgramError as error:
                refused[head] = "; ".join(str(problem) for problem in error.problems)
                continue
            with replacing(folder / f"{head}.py") as scratch:
                scratch.write_text(text, encoding="utf-8")
            written.append(head)
    return written, refused
