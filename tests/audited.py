"""Findings of the first audits, as if they had been run."""

from __future__ import annotations

from core.audit import Figure, Finding
from core.audit.foresight import FORESIGHT
from core.audit.text_blind import BEYOND
from core.audit.written import BELOW
from core.store import Workspace
from core.store.findings import StoredFinding, add_finding
from core.types import CardId, Estimate

_TESTED = {"twin": BEYOND, "written": BELOW, "foresight": FORESIGHT}


def add_first_audits(
    workspace: Workspace, model: str, card: CardId, foresight: float, chain: str = ""
) -> None:
    """A program that is clearly better than the twin, and foresees edits as well as said."""
    with workspace.database.transaction() as cursor:
        for audit, figure in _TESTED.items():
            value = foresight if audit == "foresight" else 0.3
            finding = Finding("passes", "", (Figure(figure, Estimate(value, value - 0.05, value + 0.05)),))
            add_finding(cursor, model, StoredFinding(audit, card, {}, 1.0, finding, chain))
