"""The accepted programs of a model with what speaks for each."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import UTC, datetime

from core.audit import RUNGS
from core.display import counted
from core.review import Opinions
from core.scoring import program_of
from core.sharing.report import Entry, report
from core.store import Workspace
from core.types import Action, ModelInfo, Split


def curated(workspace: Workspace, model: ModelInfo) -> list[Entry]:
    """Every program that stands accepted and is scored on its head, in the order of heads.

    Raises WorkspaceError if attention or token features are not there.
    """
    accepted = {
        (verdict.head, verdict.program): verdict
        for verdict in workspace.verdicts.standing(model.id)
        if verdict.action == Action.ACCEPT
    }
    cards = workspace.cards.cards(model.id, list(accepted))
    if not cards:
        return []
    opinions = Opinions(workspace.verdicts.opinions(model.id))
    examiner, standings = workspace.examiner(model, Split.VALIDATION), workspace.findings.standings(model.id)
    return [
        Entry(
            card,
            accepted[card.head, card.program.id],
            examiner.compare(card.head, program_of(card.program.source), worst=1),
            standings.get(card.id),
            opinions.in_words(card.id) if card.id in opinions.disputed else "",
        )
        for card in cards
    ]


def curated_report(workspace: Workspace, model: ModelInfo) -> str:
    """The curated library as one self-contained HTML page."""
    entries = curated(workspace, model)
    ious = [entry.card.iou(Split.TEST) for entry in entries]
    heads = len({entry.card.head for entry in entries})
    rungs = Counter(entry.standing.rung for entry in entries if entry.standing is not None)
    figures = {
        "model": f"{model.title}, {model.layers} layers × {model.heads} heads",
        "accepted": f"{counted(len(entries), 'program')} for {counted(heads, 'head')}",
        "mean IoU, test": f"{statistics.fmean(ious):.3f}" if ious else "–",
        "mean lift, test": (
            f"{statistics.fmean(entry.card.lift(Split.TEST) for entry in entries):+.3f}" if ious else "–"
        ),
        "audits say": ", ".join(f"{rungs[rung]} {rung}" for rung in reversed(RUNGS) if rungs[rung]) or "–",
        "disputed": str(sum(bool(entry.disputed) for entry in entries)),
        "reviewers": ", ".join(sorted({entry.verdict.reviewer for entry in entries})) or "–",
    }
    made_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return report(model, entries, figures, made_at)
