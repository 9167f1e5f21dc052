"""The files of a site."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.audit.resting import resting_keys
from core.display import CATEGORY_COLOURS, CIVIDIS, PUOR, PUOR_DARK, RUNGS, VERDICTS
from core.display.canvas import ATTENTION_VIEW, FOLDER, classic, script, style
from core.display.glossary import GLOSSARY
from core.files import disk_errors
from core.language import parse
from core.sharing.circuit import drawn
from core.sharing.site import attention
from core.sharing.site.content import Content, HeadEntry
from core.sharing.site.folder import SiteFolder, site_folder
from core.sharing.site.hybrids import write_hybrids
from core.sharing.site.pages import Pages
from core.sharing.site.plan import SitePlan
from core.store import Workspace
from core.types import HeadId

_ASSETS = Path(__file__).parent / "assets"
_VIEWS = {
    "attention": ATTENTION_VIEW,
    "why": ("element", "maps", "heads_why"),
    "circuit": ("element", "circuit"),
}


@dataclass(frozen=True)
class SiteWritten:
    """What was written."""

    folder: Path
    files: int
    bytes: int


def write_site(
    workspace: Workspace,
    plan: SitePlan,
    path: Path,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> SiteWritten:
    """Write a planned site; `told` hears how many heads of how many are done.

    Raises WorkspaceError where the folder holds something else or cannot be written, or the attention is
    not there.
    """
    content = Content(workspace, plan)
    pages = Pages(content, datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    with disk_errors(path), site_folder(path, plan.model.id) as folder:
        _write_assets(folder)
        _write_heads(workspace, content, pages, folder, told)
        _write_pages(content, pages, folder)
        write_hybrids(workspace, content, pages, folder)
    return SiteWritten(path, len(folder.files), folder.bytes)


def _write_assets(folder: SiteFolder) -> None:
    views = ",\n".join(f"{name}: {classic(*scripts)}" for name, scripts in _VIEWS.items())
    styles = {name: style(scripts[-1]) for name, scripts in _VIEWS.items()}
    own = (_ASSETS / "site.js").read_text(encoding="utf-8")
    parts = f"const COMPONENTS = {{\n{views}\n}};\n", f"const STYLES = {json.dumps(styles)};\n"
    folder.write("assets/site.js", "".join([*parts, script("maps"), script("code_words"), own]))
    folder.write("assets/site.css", style("theme") + (_ASSETS / "site.css").read_text(encoding="utf-8"))
    folder.write("assets/theme.js", (_ASSETS / "theme.js").read_bytes())
    folder.write("assets/icon.svg", (FOLDER / "icon.svg").read_bytes())


def _write_heads(
    workspace: Workspace,
    content: Content,
    pages: Pages,
    folder: SiteFolder,
    told: Callable[[int, int], None],
) -> None:
    """Every head's page and maps, and of the heads that are only looked at the maps."""
    plan = content.plan
    names = [sentence.id for sentence in plan.passages]
    features = workspace.tokens(plan.model.id).read(names)
    reader = workspace.attention(plan.model.id).restricted(names)
    looks = reader.looks(names)
    entries: dict[HeadId, HeadEntry | None] = {entry.card.head: entry for entry in content.entries}
    entries |= dict.fromkeys(plan.looked_at)
    is_causal = plan.model.is_causal
    read: list[dict[str, Any]] = []
    rests: dict[int, list[list[int]]] = {}  # by layer, of each passage
    for done, (head, entry) in enumerate(sorted(entries.items())):
        told(done, len(entries))
        maps = [np.asarray(one, np.float32) for one in looks[head]]
        if head.layer not in rests:
            layer = reader.layer(head.layer)
            rests[head.layer] = [resting_keys(layer[name], is_causal) for name in names]
        data: dict[str, Any] = {"maps": attention.packed(attention.in_bytes(maps, is_causal))}
        if entry is not None:
            program = parse(entry.card.program.source)
            found = attention.draw(program, features, looks, is_causal, plan.model.window(head.layer))
            read += found.steps
            ious = found.ious(maps)
            data |= {
                "program": attention.packed(attention.in_bytes(found.maps, is_causal)),
                "steps": found.steps,
                "cells": attention.packed(found.cells),
                "totals": found.totals,
                "rests": rests[head.layer],
                "ious": [round(iou, 3) for iou in ious],
                "failures": {str(at): one.detail for at, one in found.failures.items()},
            }
            folder.write(f"heads/{head}.html", pages.head(entry, ious))
        else:
            folder.write(f"heads/{head}.html", pages.looked_at(head))
        folder.data(f"data/{head}.js", "take", str(head), data)
    told(len(entries), len(entries))
    of_tokens = attention.attributes(features, read)
    folder.data(
        "data/passages.js",
        "passages",
        [
            {
                "genre": sentence.genre,
                "tokens": list(features.surfaces[features.span(at)]),
                "attributes": of_tokens[at],
            }
            for at, sentence in enumerate(plan.passages)
        ],
        {
            "causal": is_causal,
            "sequential": CIVIDIS,
            "diverging": PUOR,
            "divergingDark": PUOR_DARK,
        },
    )


def _write_pages(content: Content, pages: Pages, folder: SiteFolder) -> None:
    entries = content.entries
    folder.write("index.html", pages.overview())
    folder.write("heads.html", pages.heads())
    folder.write("circuit.html", pages.circuit())
    folder.write("decisions.html", pages.decisions())
    folder.write("glossary.html", pages.glossary(GLOSSARY))
    folder.write("about.html", pages.about())
    folder.write("README.md", pages.readme())
    folder.write(".nojekyll", "")
    folder.data("data/overview.js", "overview", [_told(entry) for entry in entries], _colours())
    folder.data("data/search.js", "search", {entry.name: entry.card.program.source for entry in entries})
    graph = drawn(content.model, content.circuit, "IoU") | {"links": "heads/{name}.html"}
    folder.data("data/circuit.js", "circuit", graph)


def _told(entry: HeadEntry) -> dict[str, Any]:
    """A head as the overview colours it and the list finds it."""
    card = entry.card
    return {
        "name": entry.name,
        "iou": round(entry.iou, 3),
        "resolved": None if entry.resolved is None else round(entry.resolved, 3),
        "lift": round(entry.lift, 3),
        "twin": None if np.isnan(card.over_twin) else round(card.over_twin, 3),
        "category": card.category,
        "verdict": entry.verdict,
        "rung": entry.rung,
        "summary": card.summary,
    }


def _colours() -> Mapping[str, Any]:
    return {
        "sequential": CIVIDIS,
        "diverging": PUOR,
        "category": CATEGORY_COLOURS,
        "verdict": VERDICTS,
        "rung": RUNGS,
    }
