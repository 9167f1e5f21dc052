"""The programs that a job chooses among, as its spec names them."""

from __future__ import annotations

from core.features import Features
from core.hybrid.choose import Chooser, CostEstimate
from core.jobs.folder import EventWriter, Json
from core.language import parse
from core.models.pretrained import LoadedModel
from core.types import HeadId


def chooser_of(spec: Json, loaded: LoadedModel, validation: Features, events: EventWriter) -> Chooser:
    """The candidates that a job's spec names; costs that were not known become a result."""
    heads = {HeadId(row["layer"], row["head"]): row for row in spec["candidates"]}
    parsed = {source: parse(source) for source in {row["source"] for row in heads.values()}}
    programs = {head: parsed[row["source"]] for head, row in heads.items()}

    def announce(costs: CostEstimate) -> None:
        rows = [
            {"layer": head.layer, "head": head.head, "program": programs[head].id, "kl": kl}
            for head, kl in costs.kl.items()
        ]
        content = {"model": loaded.info.id, "passages": costs.passages, "agreement": costs.agreement}
        events.result("costs", "costs", content | {"heads": rows})

    return Chooser(
        loaded,
        programs,
        {head: row["iou"] for head, row in heads.items()},
        validation,
        events,
        {head: row["cost"] for head, row in heads.items() if row.get("cost") is not None},
        spec["seed"],
        announce,
    )
