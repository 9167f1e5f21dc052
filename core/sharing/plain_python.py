"""Files of plain Python taken in: which programs there are, and what came of scoring them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from core.sandbox import PlainSource
from core.store import Workspace
from core.types import PLAIN_ORIGIN, FailedPassages, Json, ModelInfo

_LONGEST_NAME = 80  # characters of a file's name that are kept


def origin_of(path: PurePath) -> str:
    """Where the programs of a file are said to come from."""
    name = "".join(one if one.isprintable() else "?" for one in path.name)
    return f"{PLAIN_ORIGIN}{name[-_LONGEST_NAME:]}"


def usable(programs: Sequence[PlainSource]) -> list[str]:
    """The texts of those that may be kept and run."""
    return [program.source for program in programs if not program.refused]


def import_report(workspace: Workspace, info: ModelInfo, programs: Sequence[PlainSource]) -> Json:
    """What a file holds and what came of it: how many programs failed; of each its needs and best head."""
    passages = len(workspace.models.sentences(info.id))
    failures = {one.id: workspace.failures.of_program(info.id, one.id) for one in programs}
    counts = {name: sum(failed.passages for failed in found) for name, found in failures.items()}
    best = {card for _, card in workspace.library.best_programs(info.id)}
    rows = []
    for one in programs:
        ious = workspace.catalogue.ious(info.id, one.id)[:1]
        rows.append(
            {
                "program": one.name,
                "needs": ", ".join(one.needs),
                "missing": ", ".join(one.missing),
                "best_head": str(ious[0][0]) if ious else None,
                "iou": ious[0][1] if ious else None,
                "failed": counts[one.id],
                "why": one.refused or why(failures[one.id], passages),
            }
        )
    return {
        "model": info.title,
        "programs": len(programs),
        "refused": sum(bool(one.refused) for one in programs),
        "failed_somewhere": sum(0 < counts[one.id] < passages for one in programs),
        "failed_everywhere": sum(counts[one.id] >= passages for one in programs),
        "best_of_heads": len({one.id for one in programs} & best),
        "passages": passages,
        "rows": rows,
    }


def why(failures: Sequence[FailedPassages], passages: int) -> str:
    """A program's failures in words; nothing where there is none."""
    return "; ".join(f"{one.kind} on {one.passages} of {passages} passages: {one.detail}" for one in failures)
