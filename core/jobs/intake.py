"""What a job's events change in the database."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from core.corpus import sentence_from_json
from core.jobs.folder import JobFolder, Json
from core.store.gains import add_gains, best_fits
from core.store.hybrids import add_costs, add_curve, add_downstream, add_evaluation, add_hybrid, add_weights
from core.store.jobs import set_job_model, set_job_state
from core.store.library import add_program, add_proposals, add_scores
from core.store.models import add_model, add_sentences
from core.types import Estimate, Evaluation, HeadId, ModelInfo, Score, Split


@dataclass(frozen=True)
class Intake:
    """Applies the events of one job, as part of the transaction that notes that they were."""

    folder: JobFolder

    def __call__(self, cursor: duckdb.DuckDBPyConnection, number: int, event: Json) -> None:
        """Do what event `number` asks for."""
        if event["event"] == "end":
            set_job_state(cursor, self.folder.id, event["state"], event["message"])
        elif event["event"] == "damaged":
            raise ValueError(f"line {number} of events.jsonl is no event")
        elif event["event"] == "result":
            self._take_in(cursor, number, event["what"], self.folder.result(event["file"]))

    def _take_in(self, cursor: duckdb.DuckDBPyConnection, number: int, what: str, content: Json) -> None:
        match what:
            case "model":
                add_model(cursor, ModelInfo(**content))
                set_job_model(cursor, self.folder.id, content["id"])
            case "weights":
                add_weights(cursor, content["model"], content["fingerprint"])
            case "sentences":
                rows = [sentence_from_json(row) for row in content["sentences"]]
                add_sentences(cursor, content["model"], content["corpus"], rows)
            case "programs":
                self._take_in_programs(cursor, number, content)
            case "costs":
                add_costs(cursor, content)
            case "hybrid":
                pass  # comes with its evaluation; until then it lets a resumed job go on without choosing
            case "evaluation":
                hybrid = add_hybrid(cursor, content["model"], content["hybrid"])
                measured = Evaluation.of(content["evaluation"])
                add_evaluation(cursor, hybrid, content["passages_from"], measured, content["details"])
            case "curve":
                add_curve(cursor, content)
            case "downstream":
                add_downstream(cursor, content)

    def _take_in_programs(self, cursor: duckdb.DuckDBPyConnection, number: int, content: Json) -> None:
        model = content["model"]
        proposals = [(HeadId(p["layer"], p["head"]), p["program"]) for p in content.get("proposals", [])]
        heads = sorted({head for head, _ in proposals})
        before = best_fits(cursor, model, {head.layer for head in heads})
        for program in content["programs"]:
            add_program(cursor, program["source"], program["origin"])
        add_scores(cursor, model, [_score(row) for row in content["scores"]])
        add_proposals(cursor, model, proposals)
        add_gains(cursor, self.folder.id, number, model, heads, before)


def _score(row: Json) -> Score:
    iou = Estimate(row["iou"], row["low"], row["high"])
    told = {name: row[name] for name in ("program", "js_distance", "sentences", "failures")}
    return Score(head=HeadId(**row["head"]), split=Split(row["split"]), iou=iou, **told)
