"""What a reviewer sees of a head's program: figures of all splits beside the head's baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from core.store.database import Database
from core.store.findings import FindingTable
from core.store.library import Library
from core.types import Card, CardId, Estimate, HeadFit, HeadId, Program, Split

# Programs on heads, given as three lists of equal length, with their figures on every split; costs are of
# validation passages.
_CARDS = """
WITH asked AS (
    SELECT unnest($layers::INTEGER[]) AS layer, unnest($heads::INTEGER[]) AS head,
           unnest($programs::TEXT[]) AS program_id
), figures AS (
    SELECT layer, head, program_id, split, iou, low, high, failures
    FROM scores SEMI JOIN asked USING (layer, head, program_id)
    WHERE model_id = $model AND layer BETWEEN $first AND $last
), fits AS (
    SELECT layer, head, program_id, sum(failures) AS failures,
           any_value([iou, low, high]) FILTER (split = 'train') AS train,
           any_value([iou, low, high]) FILTER (split = 'validation') AS validation,
           any_value([iou, low, high]) FILTER (split = 'test') AS test
    FROM figures GROUP BY ALL
), baseline AS (
    SELECT layer, head, max(iou) FILTER (split = 'validation') AS baseline_validation,
           max(iou) FILTER (split = 'test') AS baseline_test
    FROM scores
    WHERE model_id = $model AND layer BETWEEN $first AND $last
      AND program_id IN (SELECT program_id FROM programs WHERE origin = 'baseline')
    GROUP BY ALL
), cost AS (
    SELECT layer, head, program_id, kl AS cost FROM head_costs WHERE model_id = $model
)
SELECT layer, head, program_id, p.source, category, summary, lookahead, nodes, origin, parent,
       train, validation, test, baseline_validation, baseline_test, failures, cost
FROM fits JOIN programs p USING (program_id) LEFT JOIN baseline USING (layer, head)
LEFT JOIN cost USING (layer, head, program_id)
ORDER BY layer, head
"""


class CardTable:
    """Heads and programs as review cards."""

    def __init__(self, database: Database, library: Library, findings: FindingTable) -> None:
        self._database = database
        self._library = library
        self._findings = findings

    def candidates(self, model: str, head: HeadId, count: int) -> list[str]:
        """The programs that fit a head best on validation and those a person wrote for it, best first.

        Baselines are left out.
        """
        rows = self._database.rows(
            "WITH ranked AS (SELECT program_id, origin, "
            "row_number() OVER (ORDER BY iou DESC, nodes, program_id) AS place "
            "FROM scores JOIN programs USING (program_id) WHERE model_id = $model AND layer = $layer "
            "AND head = $head AND split = 'validation' AND origin <> 'baseline'), "
            "proposed AS (SELECT program_id FROM proposals "
            "WHERE model_id = $model AND layer = $layer AND head = $head) "
            "SELECT program_id FROM ranked WHERE place <= $count "
            "OR (origin = 'person' AND program_id IN (FROM proposed)) ORDER BY place",
            {"model": model, "layer": head.layer, "head": head.head, "count": count},
        )
        return [str(program) for (program,) in rows]

    def baselines(self, model: str, head: HeadId, split: Split) -> list[tuple[str, float]]:
        """Each baseline's summary and IoU on a head, the best first."""
        rows = self._database.rows(
            "SELECT summary, iou FROM scores JOIN programs USING (program_id) WHERE model_id = ? "
            "AND layer = ? AND head = ? AND split = ? AND origin = 'baseline' "
            "ORDER BY iou DESC, nodes, program_id",
            [model, head.layer, head.head, str(split)],
        )
        return [(str(summary), float(iou)) for summary, iou in rows]

    def fits(self, model: str, programs: Sequence[str], at_least: float) -> dict[str, list[HeadFit]]:
        """The heads that each program fits on validation with at least this IoU, the best first."""
        rows = self._database.rows(
            "SELECT program_id, list([layer, head, iou] ORDER BY iou DESC, layer, head) FROM scores "
            "WHERE model_id = ? AND split = 'validation' AND iou >= ? "
            "AND program_id IN (SELECT unnest(?::TEXT[])) GROUP BY program_id",
            [model, at_least, list(programs)],
        )
        return {
            str(program): [(HeadId(int(layer), int(head)), float(iou)) for layer, head, iou in places]
            for program, places in rows
        }

    def cards(self, model: str, pairs: Sequence[CardId]) -> list[Card]:
        """These programs on these heads, by head; one that is not scored on its head is left out."""
        if not pairs:
            return []
        heads = [head for head, _ in pairs]
        rows = self._database.rows(
            _CARDS,
            {
                "model": model,
                "layers": [head.layer for head in heads],
                "heads": [head.head for head in heads],
                "programs": [program for _, program in pairs],
                "first": min(heads).layer,
                "last": max(heads).layer,
            },
        )
        resolved, twins = self._library.resolved_cards(model), self._findings.twins(model)
        return [
            replace(
                card,
                looks=len(self._library.looks(card.program)),
                resolved=resolved.get(card.id, {}),
                twin=twins.get(card.head, math.nan),
            )
            for card in map(_card, rows)
        ]


def _card(row: tuple[Any, ...]) -> Card:
    layer, head, program, source, category, summary, lookahead, nodes, origin, parent = row[:10]
    train, validation, test, baseline_validation, baseline_test, failures, cost = row[10:]
    return Card(
        head=HeadId(layer, head),
        program=Program(program, source),
        category=category,
        summary=summary,
        lookahead=lookahead,
        nodes=nodes,
        origin=origin,
        parent=parent,
        fits={
            split: Estimate(*found)
            for split, found in zip(Split, (train, validation, test), strict=True)
            if found is not None
        },
        baselines={
            split: float(found)
            for split, found in ((Split.VALIDATION, baseline_validation), (Split.TEST, baseline_test))
            if found is not None
        },
        failures=int(failures),
        cost=cost,
    )
