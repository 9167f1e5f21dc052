"""Perplexity against the share of heads replaced, for each order, with controls on the same heads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.audit.controls import controls
from core.hybrid import require_patchable
from core.hybrid.perplexity import Variant, evaluation, kl_beyond, measure, predictable
from core.jobs.folder import EventWriter, JobFolder
from core.jobs.work.candidates import chooser_of
from core.jobs.work.extract import load_model
from core.jobs.work.hybrid import features_of
from core.models.device import Halving
from core.types import Sentence, Split


def measure_curve(folder: JobFolder, workspace: Path, sentences: list[Sentence], events: EventWriter) -> None:
    """Orders and shares as the spec names them; controls replace the heads of the first order."""
    spec = folder.spec
    loaded = load_model(spec, events)
    require_patchable(loaded)
    passages = [sentence for sentence in sentences if sentence.id in set(spec["passages"])]
    others = [sentence for sentence in sentences if sentence.id not in set(spec["passages"])]
    features = features_of(workspace, loaded, passages, events)
    predictable(loaded, features)  # refuses passages that are too short before any work
    validation = features_of(workspace, loaded, [s for s in others if s.split == Split.VALIDATION], events)
    chooser = chooser_of(spec, loaded, validation, events)
    total = loaded.info.layers * loaded.info.heads
    counts = curve_counts(spec["shares"], total, len(chooser.programs))
    rows, variants = [], []
    for at, order in enumerate(spec["orders"]):
        heads = chooser.order(order, counts[-1])
        for count in counts:
            rows.append({"order": order, "control": False, "heads": count, "share": count / total})
            variants.append(Variant(chooser.source, frozenset(heads[:count])))
        if at == 0 and spec["controls"]:
            first = heads
    if spec["controls"]:
        donors = features_of(workspace, loaded, [s for s in others if s.split == Split.TRAIN], events)
        for name, source in controls(loaded, first, donors, spec["seed"]).items():
            for count in counts:
                rows.append({"order": name, "control": True, "heads": count, "share": count / total})
                variants.append(Variant(source, frozenset(first[:count])))

    def tell(done: int, total: int) -> None:
        events.progress(f"measuring {len(variants)} hybrids", done, total)

    losses = measure(loaded, variants, features, tell, Halving(events.note))
    for at, row in enumerate(rows):
        figures = evaluation(losses, at).figures()
        row |= {name: figures[name] for name in ("increase", "low", "high", "kl", "kept")}
        if row["control"]:  # beside the programs on the same heads, which come first
            row["beyond"] = kl_beyond(losses, at, counts.index(row["heads"]))
    content = {
        "model": loaded.info.id,
        "title": spec["title"],
        "passages_from": spec["passages_from"],
        "passages": len(features),
        "tokens": len(losses.rows),
        "programs": {str(head): program.id for head, program in sorted(chooser.programs.items())},
        "rows": rows,
    }
    events.result("curve", "curve", content)


def curve_counts(shares: Sequence[float], total: int, programs: int) -> list[int]:
    """Numbers of heads to replace: the shares of all heads that there are programs for, and every program."""
    asked = {round(share * total) for share in shares}
    return sorted({count for count in asked if 0 < count < programs} | {programs})
