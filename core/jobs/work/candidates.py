"""The programs that a job chooses among, as its task names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.features import Features
from core.hybrid import ProgramPatterns, require_patchable
from core.hybrid.choose import Chooser, CostEstimate
from core.hybrid.costs import Scores, joined, score_batches, scores
from core.hybrid.perplexity import Tell
from core.hybrid.predicted import asked
from core.jobs.crew import Bench, Stage, Station
from core.jobs.folder import Job
from core.jobs.place import Place
from core.jobs.results import CostsEstimated, HeadCost
from core.jobs.tasks import Candidate
from core.jobs.work.readings import carried
from core.language import ParsedProgram
from core.models.device import Halving
from core.models.pretrained import LoadedModel
from core.scoring import program_of
from core.types import HeadId, ModelInfo


def chooser_of(
    job: Job[Any], candidates: Sequence[Candidate], loaded: LoadedModel, validation: Features, seed: int
) -> Chooser:
    """The candidates to choose among on these passages; costs that were not known become a result."""
    parsed = {source: program_of(source) for source in {candidate.source for candidate in candidates}}
    programs = {candidate.head: parsed[candidate.source] for candidate in candidates}
    validation = asked(loaded, validation)

    def announce(costs: CostEstimate) -> None:
        heads = tuple(HeadCost(head, programs[head].id, kl) for head, kl in costs.kl.items())
        job.events.result("costs", CostsEstimated(loaded.info.id, costs.passages, costs.agreement, heads))

    stage = Stage(
        "estimating what each head costs",
        _Costing(job.place, loaded.info, programs, carried(validation, programs.values())),
        loaded.info.name,
    )

    def score(rows: Sequence[int], taken: frozenset[HeadId], seed: int, tell: Tell) -> Scores:
        units = {
            f"costs-{at:04}": _Drawn(tuple(batch), taken, seed)
            for at, batch in enumerate(score_batches(validation, rows))
        }
        found, done = [], 0
        for name, part in job.crew.run(stage, units):
            found.append((units[name].rows, part))
            done += len(units[name].rows)
            tell(done, len(rows))
        return joined(found, rows)

    return Chooser(
        loaded,
        programs,
        {candidate.head: candidate.iou for candidate in candidates},
        validation,
        job.events,
        {candidate.head: candidate.cost for candidate in candidates if candidate.cost is not None},
        seed,
        announce,
        score,
    )


@dataclass(frozen=True)
class _Drawn:
    """A block of passages, the heads that are replaced already, and the seed of what is drawn."""

    rows: tuple[int, ...]
    taken: frozenset[HeadId]
    seed: int


@dataclass(frozen=True)
class _Costing:
    """Estimates costs; a unit is a block of passages."""

    place: Place
    info: ModelInfo
    programs: Mapping[HeadId, ParsedProgram]
    validation: Features  # as the model is asked

    def __call__(self, bench: Bench) -> Station[_Drawn, Scores]:
        loaded = bench.model(self.place, self.info.name, self.info.id)
        require_patchable(loaded)
        source = ProgramPatterns(self.programs, self.info.is_causal, loaded.device)
        halving = Halving(bench.told.note)

        def work(unit: _Drawn) -> Scores:
            return scores(
                loaded, source, self.validation, unit.rows, unit.taken, seed=unit.seed, halving=halving
            )

        return Station(work)
