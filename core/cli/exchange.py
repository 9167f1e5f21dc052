"""The commands `export`, `import` and `snapshot`: what leaves and enters a workspace as files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from core.cli.hybrids import StoredHybrid, export_hybrid, import_hybrid
from core.cli.options import given, made_of, options_of
from core.cli.plain_python import Trust, import_plain_python
from core.cli.session import Given, Model, Now, Session
from core.errors import DecisionsError, WorkspaceError
from core.types import Json, SiteOptions

if TYPE_CHECKING:
    SiteChoice = Any
else:
    SiteChoice = options_of({Group("What a site shows", sort_key=2): SiteOptions})
_MAX_DECISIONS = 2**28  # bytes of a file of decisions: about 800,000 of them


def export(
    what: Annotated[
        Literal["library", "report", "site", "hybrid", "programs"],
        Parameter(
            help="library: every decision and the programs they are about, as JSON lines; report: the "
            "accepted programs as one HTML page; site: a folder of pages that any host serves and a browser "
            "opens from disk; hybrid: a folder with its programs, figures and model card; "
            "programs: a folder with each head's best program as a Python file that needs nothing else"
        ),
    ],
    path: Annotated[Path, Parameter(help="the file or folder to write")],
    /,
    *,
    now: Now,
    model: Model = None,
    hybrid_id: StoredHybrid = None,
    site: SiteChoice = None,
) -> Json:
    """Write decisions, a report, a site, a hybrid or programs as files.

    Example: python -m core export library decisions.jsonl

    Example: python -m core export site folder --programs accepted

    Example: python -m core export hybrid folder
    """
    if site is not None and what != "site":
        raise WorkspaceError(f"options of a site were given, but what is exported is {what}")
    match what:
        case "site":
            return export_site(now, model, path, site)
        case "hybrid":
            return export_hybrid(now, model, hybrid_id, path)
        case "report":
            return export_report(now, model, path)
        case "library":
            return export_library(now, path)
        case "programs":
            return export_programs(now, model, path)


def import_(
    path: Annotated[
        Path,
        Parameter(help="a file of decisions, a hybrid's folder or zip file, or a .py file of programs"),
    ],
    /,
    *,
    now: Now,
    model: Model = None,
    trust: Trust = False,
) -> Json:
    """Take in what `export library` or `export hybrid` wrote, or programs of other people in plain Python.

    Twice changes nothing; a file that contradicts what is here is refused as a whole. Programs are functions
    of a sentence and a tokenizer that give (name, matrix). They run in a process that can do no harm, and are
    scored on every head; --model says on whose.

    Example: python -m core import decisions.jsonl

    Example: python -m core import docs/plain_programs.py
    """
    if path.suffix == ".py" and path.is_file():
        return import_plain_python(now, path, model, trust)
    is_hybrid = path.is_dir() or (path.is_file() and zipfile.is_zipfile(path))
    return import_hybrid(now, path) if is_hybrid else import_library(now, path)


def snapshot(
    folder: Annotated[Path, Parameter(help="the folder to write, which becomes a workspace")],
    /,
    *,
    settings: Given,
) -> Json:
    """Write the workspace as it is now as a workspace of its own, also while the app runs.

    Jobs and downloaded models are left out. On the same disk attention takes no further room.

    Example: python -m core snapshot monday
    """
    from core.store import export_snapshot

    return {"folder": str(folder), "bytes": export_snapshot(settings.workspace, folder)}


def export_library(now: Session, path: Path) -> Json:
    """Write every decision and the programs they are about as JSON lines."""
    from core.sharing.decisions import export_lines

    lines = list(export_lines(now.workspace))
    hand_out(path, "".join(lines).encode())
    return {"file": str(path), "lines": len(lines)}


def export_report(now: Session, model: str | None, path: Path) -> Json:
    """Write the accepted programs of a model as one HTML page."""
    from core.sharing.accepted import curated_report

    page = curated_report(now.workspace, now.model(model))
    hand_out(path, page.encode())
    return {"file": str(path), "characters": len(page)}


def export_site(now: Session, model: str | None, folder: Path, options: Any) -> Json:
    """Write a model's programs as a static site; how large it will be is said first."""
    from core.sharing.site import plan_site, write_site

    info = now.model(model)
    plan = plan_site(now.workspace, info, made_of(SiteOptions, given(options), "export site"))
    now.terminal.say(f"The site: {plan.in_words}")
    written = write_site(now.workspace, plan, folder)
    return {"folder": str(folder), "heads": len(plan.cards), "files": written.files, "bytes": written.bytes}


def export_programs(now: Session, model: str | None, folder: Path) -> Json:
    """Write each head's best program as a Python file, with the programs of the heads that it looks at."""
    from core.sharing import standalone

    info = now.model(model)
    written, refused = standalone.export_programs(now.workspace, info, folder)
    for head, reason in refused.items():
        now.terminal.say(f"{head} was left out: {reason}")
    return {"folder": str(folder), "programs": len(written), "left_out": sorted(map(str, refused))}


def import_library(now: Session, path: Path) -> Json:
    """Take in what `export_library` wrote, here or elsewhere; all of it or nothing."""
    from core.files import read_text
    from core.sharing.decisions import import_lines

    try:
        lines = read_text(path, _MAX_DECISIONS).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DecisionsError(f"cannot read {path}: {error}") from error
    try:
        found = import_lines(now.workspace, lines)
    except DecisionsError as error:
        raise DecisionsError(f"{path}: {error}") from error
    if found.unscored:
        now.terminal.say(f"{len(found.unscored)} of the programs have no scores yet; run `score`")
    return {"programs": found.programs, "verdicts": found.verdicts, "known": found.known}


def hand_out(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, the one that a link leads to; what is no file is written into."""
    from core.files import disk_errors, write_whole

    with disk_errors(path.parent):
        path = path.resolve()
        if path.is_dir():
            raise WorkspaceError(f"{path} is a folder; name the file to write")
        if path.exists() and not path.is_file():  # a pipe, say
            path.write_bytes(content)
        else:
            write_whole(path, content)
