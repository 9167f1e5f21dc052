"""What audits found of programs and of hybrids; of each audit on each subject the newest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from core import wire
from core.audit import Finding, Standing, standings, twins
from core.store.database import Database
from core.types import CardId, HeadId


@dataclass(frozen=True)
class StoredFinding:
    """A finding with what it is about."""

    audit: str  # Audit.name; its package may be gone since
    subject: CardId | str  # a head and a program's id, or a hybrid's id
    limits: Mapping[str, Any]  # the options it ran with, as plain values
    made_at: float  # seconds since 1970
    finding: Finding


@dataclass(frozen=True)
class _Told:
    standings: dict[CardId, Standing]
    twins: dict[HeadId, float]


_ROWS = (
    "SELECT audit, layer, head, program_id, hybrid_id, limits, made_at, content FROM findings "
    "WHERE model_id = ? AND "
)


class FindingTable:
    """The workspace's findings."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[tuple[int, float], _Told]] = {}

    def of_program(self, model: str, head: HeadId, program: str) -> list[StoredFinding]:
        """What every audit found of a program on a head, by the audit's name."""
        return self._stored(
            "layer = ? AND head = ? AND program_id = ? ORDER BY audit",
            [model, head.layer, head.head, program],
        )

    def of_hybrid(self, model: str, hybrid: str) -> list[StoredFinding]:
        """What every audit found of a hybrid, by the audit's name."""
        return self._stored("hybrid_id = ? ORDER BY audit", [model, hybrid])

    def of_audit(self, model: str, audit: str) -> list[StoredFinding]:
        """What an audit found of every program, by head, then of every hybrid."""
        return self._stored("audit = ? ORDER BY layer, head, program_id, hybrid_id", [model, audit])

    def of_programs(self, model: str) -> dict[CardId, dict[str, StoredFinding]]:
        """What every audit found of every program on its head, by the audit's name."""
        found: dict[CardId, dict[str, StoredFinding]] = {}
        for stored in self._stored("layer IS NOT NULL ORDER BY layer, head, program_id, audit", [model]):
            if not isinstance(stored.subject, str):
                found.setdefault(stored.subject, {})[stored.audit] = stored
        return found

    def standings(self, model: str) -> dict[CardId, Standing]:
        """Where each audited program stands on the ladder; corrected for how many there are.

        Asked again before anything was found, it is answered from memory.
        """
        return dict(self._told(model).standings)

    def twins(self, model: str) -> dict[HeadId, float]:
        """IoU on validation of the text-blind twin of each head of which it is known; from memory, too."""
        return dict(self._told(model).twins)

    def _told(self, model: str) -> _Told:
        revision = self.revision(model)
        known = self._known.get(model)
        if known is None or known[0] != revision:
            by_card = {
                card: {name: stored.finding for name, stored in found.items()}
                for card, found in self.of_programs(model).items()
            }
            known = revision, _Told(standings(by_card), twins(by_card))
            self._known[model] = known
        return known[1]

    def revision(self, model: str) -> tuple[int, float]:
        """What changes whenever something is found."""
        ((count, newest),) = self._database.rows(
            "SELECT count(*), coalesce(max(made_at), 0) FROM findings WHERE model_id = ?", [model]
        )
        return int(count), float(newest)

    def _stored(self, which: str, parameters: Sequence[Any]) -> list[StoredFinding]:
        return [_stored(*row) for row in self._database.rows(_ROWS + which, parameters)]


def _stored(
    audit: str, layer: int | None, head: int | None, program: str | None, hybrid: str | None,
    limits: str, made_at: float, content: str,
) -> StoredFinding:  # fmt: skip
    is_hybrid = layer is None or head is None
    subject = str(hybrid) if is_hybrid else (HeadId(int(layer or 0), int(head or 0)), str(program))
    finding = wire.load(Finding, content, f"the stored finding of {audit}")
    return StoredFinding(audit, subject, json.loads(limits), made_at, finding)


def add_finding(cursor: duckdb.DuckDBPyConnection, model: str, stored: StoredFinding) -> None:
    """Store a finding, replacing an older one of the same audit on the same subject."""
    if isinstance(stored.subject, str):
        key = stored.subject
        places: list[Any] = [None, None, None, stored.subject]
    else:
        head, program = stored.subject
        key, places = f"{head}/{program}", [head.layer, head.head, program, None]
    cursor.execute(
        "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "verdict = excluded.verdict, limits = excluded.limits, content = excluded.content, "
        "made_at = excluded.made_at WHERE excluded.made_at >= findings.made_at",
        [
            model,
            stored.audit,
            key,
            *places,
            stored.finding.verdict,
            json.dumps(stored.limits),
            wire.dump(stored.finding),
            stored.made_at,
        ],
    )
