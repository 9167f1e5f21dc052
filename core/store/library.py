"""Programs and how well they fit heads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from core.language import Description, ParsedProgram
from core.scoring import chain_of, program_of
from core.scoring.reading import described
from core.store.database import Database, insert
from core.store.resolved import Resolution, ResolvedTable
from core.store.scores import add_scores
from core.types import BestProgram, CardId, Estimate, HeadId, Program, Score, Split, is_plain

_PROGRAMS = pa.schema(
    [
        ("program_id", pa.string()),
        ("source", pa.string()),
        ("origin", pa.string()),
        ("category", pa.string()),
        ("summary", pa.string()),
        ("lookahead", pa.bool_()),
        ("nodes", pa.int32()),
        ("parent", pa.string()),
        ("kind", pa.string()),
    ]
)

# Programs on heads, given as three lists of equal length, each with its score and its head's best baseline's
# on the split asked for.
_CHOSEN = """
WITH asked AS (
    SELECT unnest($layers::INTEGER[]) AS layer, unnest($heads::INTEGER[]) AS head,
           unnest($programs::TEXT[]) AS program_id
), baseline AS (
    SELECT layer, head, max(iou) AS baseline
    FROM scores JOIN programs USING (program_id)
    WHERE model_id = $model AND split = $split AND origin = 'baseline'
    GROUP BY layer, head
)
SELECT s.*, p.source, p.category, p.summary, p.lookahead, p.nodes, p.origin,
       b.baseline, s.iou - b.baseline AS lift, c.iou AS validation
FROM asked
JOIN scores s USING (layer, head, program_id)
JOIN scores c USING (layer, head, program_id)
JOIN programs p USING (program_id)
JOIN baseline b USING (layer, head)
WHERE c.model_id = $model AND s.model_id = $model AND s.split = $split AND c.split = 'validation'
ORDER BY layer, head
"""


class Library:
    """A workspace's programs, and how well they fit its models' heads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._best: dict[tuple[str, Split], tuple[int, pd.DataFrame]] = {}
        self._best_ids: dict[str, tuple[int, list[CardId]]] = {}
        self._resolved = ResolvedTable(database)
        self._resolutions: dict[str, tuple[int, Resolution]] = {}

    def program(self, program: str) -> Program | None:
        """The program with this id."""
        rows = self._database.rows("SELECT program_id, source FROM programs WHERE program_id = ?", [program])
        return Program(*rows[0]) if rows else None

    def programs(self) -> list[Program]:
        """Every program of the library."""
        rows = self._database.rows("SELECT program_id, source FROM programs ORDER BY program_id")
        return [Program(*row) for row in rows]

    def has_programs(self, model: str) -> bool:
        """Whether a program was scored on the model's test sentences."""
        return bool(
            self._database.rows(
                "SELECT 1 FROM scores WHERE model_id = ? AND split = ? LIMIT 1", [model, str(Split.TEST)]
            )
        )

    def best_programs(self, model: str) -> list[CardId]:
        """Every head with its best program on validation, in order.

        Asked again before anything changed, it is answered from memory.
        """
        revision = self.revision()
        known = self._best_ids.get(model)
        if known is None or known[0] != revision:
            rows = self._database.rows(
                "SELECT layer, head, program_id FROM best_programs WHERE model_id = ? ORDER BY layer, head",
                [model],
            )
            known = revision, [(HeadId(layer, head), program) for layer, head, program in rows]
            self._best_ids[model] = known
        return list(known[1])

    def parsed_best(self, model: str) -> dict[HeadId, ParsedProgram]:
        """Every head's best program on validation."""
        sources = dict(
            self._database.rows(
                "SELECT DISTINCT program_id, source FROM best_programs JOIN programs USING (program_id) "
                "WHERE model_id = ?",
                [model],
            )
        )
        return {head: _read(sources[program])[0] for head, program in self.best_programs(model)}

    def resolution(self, model: str) -> Resolution:
        """Which program stands for each head where no attention of the model is left, and what is reached.

        A score that was reached with other programs than stand for heads now is not known. Asked again before
        anything changed, it is answered from memory.
        """
        revision = self.revision()
        known = self._resolutions.get(model)
        if known is None or known[0] != revision:
            known = revision, self._resolved.resolution(model, self.parsed_best(model))
            self._resolutions[model] = known
        return known[1]

    def resolved(self, model: str, split: Split) -> dict[HeadId, Estimate]:
        """What the heads' best programs that look reach with the resolved programs of those, where known."""
        reached, best = self.resolution(model).reached, self.best_programs(model)
        return {card[0]: reached[card][split] for card in best if split in reached.get(card, {})}

    def resolved_cards(self, model: str) -> Mapping[CardId, Mapping[Split, Estimate]]:
        """The same by program and split, of all programs that are resolved."""
        return self.resolution(model).reached

    def to_resolve(self, model: str) -> dict[HeadId, list[tuple[str, float | None]]]:
        """The programs that may stand for each head, resolved, its best one first.

        Each is its source, and its IoU on validation where it looks at no head, so that this is known.
        """
        text, before = self._resolved.of_text(model), self._resolved.rows(model)
        found: dict[HeadId, list[tuple[str, float | None]]] = {}
        for head, program in self.parsed_best(model).items():
            looking = [program.source] if program.looks else []
            looking += [source for source, *_ in before.get(head, ())]
            found[head] = [(source, None) for source in dict.fromkeys(looking)]
            if head in text:
                found[head].insert(1 if program.looks else 0, text[head])
        return found

    def of_text(self, model: str) -> dict[HeadId, tuple[str, float]]:
        """Of every head the best program that looks at no other: its source, and its IoU on validation."""
        return self._resolved.of_text(model)

    def looks(self, program: Program) -> frozenset[HeadId]:
        """The heads that a program looks at."""
        return _read(program.source)[0].looks

    def unresolved(self, model: str) -> list[HeadId]:
        """The heads whose best program looks at others, and has no resolved score that still holds."""
        known = self.resolved(model, Split.VALIDATION)
        return [h for h, program in self.parsed_best(model).items() if program.looks and h not in known]

    def best_frame(self, model: str, split: Split) -> pd.DataFrame:
        """The best program of each head, chosen on validation, as a table with its score on `split`.

        Columns: those of scores, source, category, summary, lookahead, nodes, origin, baseline, lift,
        validation, looks (how many heads it looks at), resolved and its interval (NaN where not known). A
        head without a score on `split` is left out. Asked again before anything changed, it is answered from
        memory.
        """
        revision = self.revision()
        known = self._best.get((model, split))
        if known is None or known[0] != revision:
            known = revision, self._with_resolved(model, split, self.best_programs(model))
            self._best[model, split] = known
        return known[1].copy()

    def _with_resolved(self, model: str, split: Split, chosen: Sequence[CardId]) -> pd.DataFrame:
        frame = self._database.frame(
            _CHOSEN,
            {
                "model": model,
                "split": str(split),
                "layers": [head.layer for head, _ in chosen],
                "heads": [head.head for head, _ in chosen],
                "programs": [program for _, program in chosen],
            },
        )
        known, reached, looks = self.resolution(model).reached, [], []
        for row in frame.to_dict("records"):
            card = HeadId(row["layer"], row["head"]), row["program_id"]
            looked = len(self.looks(Program(row["program_id"], row["source"])))
            found = known.get(card, {}).get(split, Estimate(math.nan))
            reached.append(found if looked else Estimate(row["iou"], row["low"], row["high"]))
            looks.append(looked)
        return frame.assign(
            resolved=[one.value for one in reached],
            resolved_low=[one.low for one in reached],
            resolved_high=[one.high for one in reached],
            looks=looks,
        )

    def best_chains(self, model: str) -> dict[CardId, str]:
        """Of every head's best program what it rests on, resolved; see core.scoring.chains."""
        below = self.resolution(model).chains
        return {(h, one.id): chain_of(one, below) for h, one in self.parsed_best(model).items()}

    def best(self, model: str, split: Split) -> list[BestProgram]:
        """The best program of each head, chosen on validation, scored on `split`."""
        return _chosen(self.best_frame(model, split), split)

    def best_resolved(self, model: str, split: Split) -> list[BestProgram]:
        """The resolved program of each head, chosen on validation, scored on `split`."""
        chosen = [(head, program.id) for head, program in self.resolution(model).programs.items()]
        return _chosen(self._with_resolved(model, split, chosen), split)

    def head_scores(self, model: str, head: HeadId) -> pd.DataFrame:
        """Every program scored on a head: one row a program, IoU per split, best on validation first."""
        return self._database.frame(
            "SELECT program_id, source, category, summary, lookahead, nodes, origin, "
            "max(iou) FILTER (split = 'train') AS train, "
            "max(iou) FILTER (split = 'validation') AS validation, "
            "max(iou) FILTER (split = 'test') AS test, "
            "max(low) FILTER (split = 'test') AS low, max(high) FILTER (split = 'test') AS high, "
            "max(js_distance) FILTER (split = 'test') AS js_distance, "
            "max(failures) FILTER (split = 'test') AS failures "
            "FROM scores JOIN programs USING (program_id) WHERE model_id = ? AND layer = ? AND head = ? "
            "GROUP BY ALL ORDER BY validation DESC, nodes, program_id",
            [model, head.layer, head.head],
        )

    def scores(
        self,
        model: str,
        split: Split | None = None,
        head: HeadId | None = None,
        program: str | None = None,
        rows: tuple[int, int] | None = None,
    ) -> pd.DataFrame:
        """Scores by head, program and split: layer, head, program_id, split, iou, low, high, and so on.

        Of one split, head or program where it is named; `rows` are where to begin and how many to give.
        """
        first, count = rows or (0, None)
        return self._database.frame(
            "SELECT layer, head, program_id, split, iou, low, high, js_distance, sentences, failures "
            "FROM scores WHERE model_id = $model AND split = coalesce($split, split) "
            "AND layer = coalesce($layer, layer) AND head = coalesce($head, head) "
            "AND program_id = coalesce($program, program_id) "
            "ORDER BY layer, head, program_id, split LIMIT $count OFFSET $first",
            {
                "model": model,
                "split": None if split is None else str(split),
                "layer": None if head is None else head.layer,
                "head": None if head is None else head.head,
                "program": program,
                "first": first,
                "count": count,
            },
        )

    def heads_fitted(self, model: str, program: str, at_least: float) -> list[tuple[HeadId, float]]:
        """The heads that a program fits on validation with at least this IoU, best first."""
        rows = self._database.rows(
            "SELECT layer, head, iou FROM scores WHERE model_id = ? AND program_id = ? "
            "AND split = 'validation' AND iou >= ? ORDER BY iou DESC, layer, head",
            [model, program, at_least],
        )
        return [(HeadId(layer, head), iou) for layer, head, iou in rows]

    def save_edit(self, model: str, source: str, parent: str, scores: Sequence[Score]) -> str:
        """Keep a person's edit of a program with its scores on a head; its id. Raises ProgramError."""
        with self._database.transaction() as cursor:
            program = add_program(cursor, source, "person", parent)
            add_scores(cursor, model, scores)
            add_proposals(cursor, model, {(score.head, program) for score in scores})
        return program

    def revision(self) -> int:
        """A number that changes whenever a job has brought something new or a program was saved."""
        ((found,),) = self._database.rows(
            "SELECT (SELECT count(*) FROM job_events) + (SELECT count(*) FROM programs) "
            "+ (SELECT count(*) FROM scores) + (SELECT count(*) FROM resolved)"
        )
        return int(found)

    def borrowed(self, model: str) -> float | None:
        """Share of heads with a proposal whose best program is another; None if nothing was proposed."""
        rows = self._database.rows(
            "SELECT avg(CASE WHEN own.program_id IS NULL THEN 1.0 ELSE 0.0 END) FROM best_programs "
            "JOIN (SELECT DISTINCT layer, head FROM proposals WHERE model_id = $model) USING (layer, head) "
            "LEFT JOIN (SELECT * FROM proposals WHERE model_id = $model) own USING (layer, head, program_id) "
            "WHERE best_programs.model_id = $model",
            {"model": model},
        )
        share: float | None = rows[0][0]
        return share


def add_program(
    cursor: duckdb.DuckDBPyConnection, source: str, origin: str, parent: str | None = None
) -> str:
    """`add_programs` of one; its id."""
    return add_programs(cursor, [(source, origin, parent)])[0]


def add_programs(
    cursor: duckdb.DuckDBPyConnection, programs: Sequence[tuple[str, str, str | None]]
) -> list[str]:
    """Remember programs under the hash of their normalised source; their ids. Raises ProgramError.

    Each is its source, its origin and the program it was edited from, if any. A program that is there already
    stays as it is.
    """
    read = [(*_read(source), source, origin, parent) for source, origin, parent in programs]
    rows = {
        program.id: (
            program.id,
            source,
            origin,
            told.category,
            told.sentence,
            told.lookahead,
            told.nodes,
            parent,
            "plain" if is_plain(source) else "language",
        )
        for program, told, source, origin, parent in reversed(read)  # of two that say the same, the first
    }
    insert(cursor, "programs", _PROGRAMS, list(rows.values())[::-1], "ON CONFLICT DO NOTHING")
    return [program.id for program, *_ in read]


def _read(source: str) -> tuple[ParsedProgram, Description]:
    """A program and its description; a job names the same programs with every layer's scores."""
    return program_of(source), described(source)


def add_proposals(
    cursor: duckdb.DuckDBPyConnection, model: str, proposals: Iterable[tuple[HeadId, str]]
) -> None:
    """Remember which program was found for which head; adding one again changes nothing."""
    for head, program in proposals:
        cursor.execute(
            "INSERT INTO proposals VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [model, head.layer, head.head, program],
        )


def _chosen(frame: pd.DataFrame, split: Split) -> list[BestProgram]:
    return [
        BestProgram(
            Program(row["program_id"], row["source"]),
            _score(row, split),
            row["baseline"],
            Estimate(row["resolved"], row["resolved_low"], row["resolved_high"]),
        )
        for row in frame.to_dict("records")
    ]


def _score(row: Mapping[Any, Any], split: Split) -> Score:
    js = row["js_distance"]
    return Score(
        program=row["program_id"],
        head=HeadId(int(row["layer"]), int(row["head"])),
        split=split,
        iou=Estimate(row["iou"], row["low"], row["high"]),
        js_distance=math.nan if pd.isna(js) else js,
        sentences=int(row["sentences"]),
        failures=int(row["failures"]),
    )
