"""From programs to a hybrid and what it costs."""

from __future__ import annotations

from dataclasses import asdict

from core.device import Halving
from core.evaluate import evaluate_hybrid
from core.features import annotate
from core.jobs.extracting import load_model, note_shortcomings
from core.jobs.folder import EventWriter, Json
from core.store.hybrids import spec_from_json
from core.types import Sentence


def measure_hybrid(spec: Json, sentences: list[Sentence], events: EventWriter) -> None:
    """Perplexity and KL of one hybrid on passages."""
    loaded = load_model(spec, events)
    hybrid = spec_from_json(spec["model_id"], spec["programs"])
    features = annotate(sentences, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length)
    note_shortcomings(features, loaded.info, events)
    found = evaluate_hybrid(
        loaded,
        hybrid,
        features,
        lambda done, total: events.progress("measuring the hybrid", done, total),
        Halving(events.note),
    )
    events.result(
        "evaluation",
        "evaluation",
        {
            "model": hybrid.model,
            "programs": spec["programs"],
            "title": spec["title"],
            "share": len(hybrid.programs) / (loaded.info.layers * loaded.info.heads),
            "passages_from": spec["passages_from"],
            "evaluation": asdict(found),
        },
    )
