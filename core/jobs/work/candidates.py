"""The programs that a job chooses among, as its task names them."""

from __future__ import annotations

from collections.abc import Sequence

from core.features import Features
from core.hybrid.choose import Chooser, CostEstimate
from core.jobs.folder import EventWriter
from core.jobs.results import CostsEstimated, HeadCost
from core.jobs.tasks import Candidate
from core.models.pretrained import LoadedModel
from core.scoring import program_of


def chooser_of(
    candidates: Sequence[Candidate],
    loaded: LoadedModel,
    validation: Features,
    events: EventWriter,
    seed: int,
) -> Chooser:
    """The candidates to choose among on these passages; costs that were not known become a result."""
    parsed = {source: program_of(source) for source in {candidate.source for candidate in candidates}}
    programs = {candidate.head: parsed[candidate.source] for candidate in candidates}

    def announce(costs: CostEstimate) -> None:
        heads = tuple(HeadCost(head, programs[head].id, kl) for head, kl in costs.kl.items())
        events.result("costs", CostsEstimated(loaded.info.id, costs.passages, costs.agreement, heads))

    return Chooser(
        loaded,
        programs,
        {candidate.head: candidate.iou for candidate in candidates},
        validation,
        events,
        {candidate.head: candidate.cost for candidate in candidates if candidate.cost is not None},
        seed,
        announce,
    )
