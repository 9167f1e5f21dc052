"""Programs of a workspace as Python files that need nothing else."""

from __future__ import annotations

from pathlib import Path

from core.errors import ProgramError, WorkspaceError
from core.files import disk_errors, replacing
from core.language import PlainProgram
from core.language.export import export
from core.scoring import looked_at
from core.store import Workspace
from core.types import HeadId, ModelInfo


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
                text = export(program, looked_at([program], behind))
            except ProgramError as error:
                refused[head] = "; ".join(str(problem) for problem in error.problems)
                continue
            with replacing(folder / f"{head}.py") as scratch:
                scratch.write_text(text, encoding="utf-8")
            written.append(head)
    return written, refused
