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
    chain: str = ""  # core.scoring.chains, where heads that it looks at were their programs; else empty


@dataclass(frozen=True)
class _Told:
    standings: dict[CardId, Standing]
    twins: dict[HeadId, float]


_ROWS = (
    "SELECT audit, layer, head, program_id, hybrid_id, limits, made_at, content, chain FROM findings "
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
            "layer = ? AND head = ? AND program_id = ? AND chain = '' ORDER BY audit",
            [model, head.layer, head.head, program],
        )

    def of_hybrid(self, model: str, hybrid: str) -> list[StoredFinding]:
        """What every audit found of a hybrid, by the audit's name."""
        return self._stored("hybrid_id = ? ORDER BY audit", [model, hybrid])

    def of_audit(self, model: str, audit: str) -> list[StoredFinding]:
        """What an audit found of every program given the heads, by head, then of every hybrid."""
        return self._stored(
            "audit = ? AND chain = '' ORDER BY layer, head, program_id, hybrid_id", [model, audit]
        )

    def of_programs(
        self, model: str, chains: Mapping[CardId, str] | None = None
    ) -> dict[CardId, dict[str, StoredFinding]]:
        """What every audit found of every program on its head, by the audit's name.

        Given the heads; or, with the `chains` that programs rest on now, resolved, where these were asked.
        """
        found: dict[CardId, dict[str, StoredFinding]] = {}
        which = "chain = ''" if chains is None else "chain <> ''"
        for stored in self._stored(
            f"layer IS NOT NULL AND {which} ORDER BY layer, head, program_id, audit", [model]
        ):
            if isinstance(stored.subject, str):
                continue
            if chains is None or chains.get(stored.subject) == stored.chain:
                found.setdefault(stored.subject, {})[stored.audit] = stored
        return found

    def standings(self, model: str, chains: Mapping[CardId, str] | None = None) -> dict[CardId, Standing]:
        """Where each audited program stands on the ladder; corrected for how many there are.

        Given the heads, or resolved, as in `of_programs`. Asked again before anything was found, what is
        given the heads is answered from memory.
        """
        if chains is None:
            return dict(self._told(model).standings)
        return standings(_plain(self.of_programs(model, chains)))

    def twins(self, model: str) -> dict[HeadId, float]:
        """IoU on validation of the text-blind twin of each head of which it is known; from memory, too."""
        return dict(self._told(model).twins)

    def _told(self, model: str) -> _Told:
        revision = self.revision(model)
        known = self._known.get(model)
        if known is None or known[0] != revision:
            by_card = _plain(self.of_programs(model))
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


def _plain(found: Mapping[CardId, Mapping[str, StoredFinding]]) -> dict[CardId, dict[str, Finding]]:
    return {card: {name: one.finding for name, one in of_card.items()} for card, of_card in found.items()}


def _stored(
    audit: str, layer: int | None, head: int | None, program: str | None, hybrid: str | None,
    limits: str, made_at: float, content: str, chain: str,
) -> StoredFinding:  # fmt: skip
    is_hybrid = layer is None or head is None
    subject = str(hybrid) if is_hybrid else (HeadId(int(layer or 0), int(head or 0)), str(program))
    finding = wire.load(Finding, content, f"the stored finding of {audit}")
    return StoredFinding(audit, subject, json.loads(limits), made_at, finding, chain)


def add_finding(cursor: duckdb.DuckDBPyConnection, model: str, stored: StoredFinding) -> None:
    """Store a finding, replacing an older one of the same audit on the same subject."""
    if isinstance(stored.subject, str):
        key = stored.subject
        places: list[Any] = [None, None, None, stored.subject]
    else:
        head, program = stored.subject
        key = "/".join(filter(None, (str(head), program, stored.chain)))
        places = [head.layer, head.head, program, None]
    cursor.execute(
        "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
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
            stored.chain,
        ],
    )
