"""Programs of a workspace as Python files that need nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.errors import ProgramError, WorkspaceError
from core.files import disk_errors, replacing
from core.language import ParsedProgram, PlainProgram
from core.language.export import export
from core.scoring import program_of
from core.store import Workspace
from core.types import HeadId, ModelInfo, Split


def best_sources(workspace: Workspace, model: ModelInfo) -> dict[HeadId, str]:
    """Each head's best program on validation."""
    best = workspace.library.best(model.id, Split.VALIDATION)
    return {found.score.head: found.program.source for found in best}


def looked_at(program: ParsedProgram, sources: Mapping[HeadId, str]) -> dict[HeadId, ParsedProgram]:
    """The programs among `sources` of all heads that a program looks at, directly or through others."""
    found: dict[HeadId, ParsedProgram] = {}
    wanted = set(program.looks)
    while wanted:
        head = wanted.pop()
        if head in sources and head not in found:
            found[head] = program_of(sources[head])
            wanted |= found[head].looks
    return found


def export_programs(workspace: Workspace, model: ModelInfo, folder: Path) -> dict[HeadId, str]:
    """Write every head's best program as a file of its own; why not, for those that cannot be one.

    Raises WorkspaceError if there is none, or the folder cannot be written to.
    """
    sources = best_sources(workspace, model)
    if not sources:
        raise WorkspaceError(f"no head of {model.title} has a program yet; run `synthesize` first")
    refused = {}
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for head, source in sources.items():
            program = program_of(source)
            if isinstance(program, PlainProgram):
                refused[head] = "its best program is plain Python, which only the sandbox runs"
                continue
            try:
                text = export(program, looked_at(program, sources))
            except ProgramError as error:
                refused[head] = "; ".join(str(problem) for problem in error.problems)
                continue
            with replacing(folder / f"{head}.py") as scratch:
                scratch.write_text(text, encoding="utf-8")
    return refused
