"""What a job's events change in the database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from core.jobs.folder import JobFolder
from core.jobs.results import (
    AuditsFound,
    ConversionsFound,
    CostsEstimated,
    HybridMeasured,
    ProgramsFound,
    ResolvedFound,
    SentencesRead,
    WeightsRead,
)
from core.store.conversions import add_conversions
from core.store.failures import add_failures
from core.store.findings import add_finding
from core.store.gains import add_gains, best_fits
from core.store.hybrids import add_costs, add_curve, add_downstream, add_evaluation, add_hybrid, add_weights
from core.store.jobs import set_job_model, set_job_state
from core.store.library import add_programs, add_proposals
from core.store.models import add_model, add_sentences
from core.store.passages import read_passages
from core.store.resolved import add_resolved
from core.store.scores import read_scores, scores_in
from core.types import Curve, Json, ModelInfo, TaskAccuracy


@dataclass(frozen=True)
class Intake:
    """Applies the events of one job, as part of the transaction that notes that they were."""

    folder: JobFolder
    workspace: Path

    def __call__(self, cursor: duckdb.DuckDBPyConnection, number: int, event: Json) -> None:
        """Do what event `number` asks for."""
        if event["event"] == "end":
            set_job_state(cursor, self.folder.id, event["state"], event["message"])
        elif event["event"] == "damaged":
            raise ValueError(f"line {number} of events.jsonl is no event")
        elif event["event"] == "result":
            self._take_in(cursor, number, self.folder.result(event["what"], event["file"]))

    def _take_in(self, cursor: duckdb.DuckDBPyConnection, number: int, result: object) -> None:
        match result:
            case ModelInfo():
                add_model(cursor, result)
                set_job_model(cursor, self.folder.id, result.id)
            case WeightsRead():
                add_weights(cursor, result.model, result.fingerprint)
            case SentencesRead():
                passages = read_passages(self.workspace, result.passages)
                add_sentences(cursor, result.model, result.corpus, passages)
            case ProgramsFound():
                self._take_in_programs(cursor, number, result)
            case ConversionsFound():
                add_conversions(cursor, result.model, result.conversions)
            case ResolvedFound():
                self._take_in_resolved(cursor, result)
            case CostsEstimated():
                costs = {(cost.head, cost.program): cost.kl for cost in result.heads}
                add_costs(cursor, result.model, costs, result.passages, result.agreement)
            case HybridMeasured():
                hybrid = add_hybrid(cursor, result.model, result.hybrid)
                add_evaluation(cursor, hybrid, result.passages_from, result.evaluation, result.details)
            case Curve():
                add_curve(cursor, result)
            case AuditsFound():
                for stored in result.findings:
                    add_finding(cursor, result.model, stored)
            case TaskAccuracy():
                add_downstream(cursor, result)

    def _take_in_resolved(self, cursor: duckdb.DuckDBPyConnection, found: ResolvedFound) -> None:
        for layer in found.layers:
            new = add_programs(cursor, [(one.source, one.origin, one.parent) for one in layer.refits])
            read_scores(cursor, found.model, self.folder.scores(layer.given))
            names = {(head, program): chain for head, program, chain in layer.rests_on}
            add_proposals(cursor, found.model, [card for card in names if card[1] in new])
            scores = scores_in(self.folder.scores(layer.scores))
            add_resolved(cursor, found.model, layer.chosen, scores, names)

    def _take_in_programs(self, cursor: duckdb.DuckDBPyConnection, number: int, found: ProgramsFound) -> None:
        heads = sorted({head for head, _ in found.proposals})
        before = best_fits(cursor, found.model, {head.layer for head in heads})
        add_programs(cursor, [(one.source, one.origin, one.parent) for one in found.programs])
        if found.scores is not None:
            read_scores(cursor, found.model, self.folder.scores(found.scores))
        add_failures(cursor, found.model, found.failures)
        add_proposals(cursor, found.model, found.proposals)
        add_gains(cursor, self.folder.id, number, found.model, heads, before)
