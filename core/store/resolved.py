"""Programs without the model: what stands for each head, and what programs that look reach with that.

A head's resolved program is the one that does best on validation with the resolved programs of the heads that
it looks at: its best program given the heads, that one fitted anew to what resolved programs say, or its best
one of text alone. It is the best program as long as that was not resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import duckdb

from core.language import ParsedProgram
from core.scoring import chain_of, program_of
from core.scoring.resolved import Preference, preference
from core.store.database import Database
from core.types import CardId, Estimate, HeadId, Score, Split

# Of every head the best program among all but these, in the order of the view `best_programs`.
_BEST_WITHOUT = """
SELECT layer, head, arg_min(source, (-iou, nodes, program_id)), max(iou)
FROM scores JOIN programs USING (program_id)
WHERE model_id = ? AND split = 'validation' AND program_id NOT IN (SELECT unnest(?::TEXT[]))
GROUP BY layer, head ORDER BY layer, head
"""


@dataclass(frozen=True)
class Resolution:
    """A model's heads with no attention of the model left."""

    programs: Mapping[HeadId, ParsedProgram]  # that stand for them
    chains: Mapping[HeadId, str]  # what those rest on
    reached: Mapping[
        CardId, Mapping[Split, Estimate]
    ]  # by programs that look; what no longer holds is left out


def add_resolved(
    cursor: duckdb.DuckDBPyConnection,
    model: str,
    heads: Iterable[HeadId],
    scores: Sequence[Score],
    names: Mapping[CardId, str],
) -> None:
    """Store resolved scores with the chains that they were reached with; all older ones of `heads` go."""
    for head in heads:
        cursor.execute(
            "DELETE FROM resolved WHERE model_id = ? AND layer = ? AND head = ?",
            [model, head.layer, head.head],
        )
    for score in scores:
        at = [model, score.head.layer, score.head.head, str(score.split)]
        figures = [score.program, score.iou.value, score.iou.low, score.iou.high, score.failures]
        cursor.execute(
            "INSERT INTO resolved (model_id, layer, head, split, program_id, iou, low, high, failures, "
            "chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*at, *figures, names[score.head, score.program]],
        )


class ResolvedTable:
    """Resolved scores of programs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looks: dict[str, bool] = {}  # by Program.id; read once, as a library may hold thousands

    def of_text(self, model: str) -> dict[HeadId, tuple[str, float]]:
        """Of every head the best program that looks at no other: its source, and its IoU on validation."""
        rows = self._database.rows(
            "SELECT program_id, source FROM programs WHERE kind = 'language' AND contains(source, 'look')"
        )
        for program, source in rows:
            if program not in self._looks:
                self._looks[program] = bool(program_of(source).looks)
        looking = [program for program, _ in rows if self._looks[program]]
        rows = self._database.rows(_BEST_WITHOUT, [model, looking])
        return {HeadId(layer, head): (str(source), float(iou)) for layer, head, source, iou in rows}

    def resolution(self, model: str, best: Mapping[HeadId, ParsedProgram]) -> Resolution:
        """Which program stands for each head, from the lowest up; `best` are the heads' best programs."""
        held, text = self.rows(model), self.of_text(model)
        programs, names = dict[HeadId, ParsedProgram](), dict[HeadId, str]()
        reached = dict[CardId, dict[Split, Estimate]]()
        for head in sorted(best):
            ranked = list[tuple[Preference, ParsedProgram]]()
            if head in text:
                source, iou = text[head]
                program = program_of(source)
                ranked.append((preference(program, iou), program))
            for source, chain, found in held.get(head, ()):
                program = program_of(source)
                if chain == chain_of(program, names):
                    reached[head, program.id] = found
                    if Split.VALIDATION in found:
                        ranked.append((preference(program, found[Split.VALIDATION].value), program))
            is_known = not best[head].looks or Split.VALIDATION in reached.get((head, best[head].id), {})
            programs[head] = min(ranked, key=itemgetter(0))[1] if ranked and is_known else best[head]
            names[head] = chain_of(programs[head], names)
        return Resolution(programs, names, reached)

    def rows(self, model: str) -> dict[HeadId, list[tuple[str, str, dict[Split, Estimate]]]]:
        """Of every head its programs' sources, chains and scores."""
        rows = self._database.rows(
            "SELECT layer, head, source, chain, "
            "list({'split': split, 'iou': iou, 'low': low, 'high': high}) "
            "FROM resolved JOIN programs USING (program_id) WHERE model_id = ? GROUP BY ALL "
            "ORDER BY layer, head, source",
            [model],
        )
        found: dict[HeadId, list[tuple[str, str, dict[Split, Estimate]]]] = {}
        for layer, head, source, chain, scores in rows:
            own = {Split(one["split"]): Estimate(one["iou"], one["low"], one["high"]) for one in scores}
            found.setdefault(HeadId(layer, head), []).append((source, chain, own))
        return found
