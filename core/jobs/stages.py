"""The work of a job, stage by stage, in the worker's process. Each stage skips what is already done.

What a kind of job does not need is not imported: transformers and spaCy take longer than a small search.
"""

from __future__ import annotations

from pathlib import Path

from core.corpus import require_splits, sentence_from_json
from core.jobs.folder import EventWriter, JobFolder
from core.types import ModelInfo


def run(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    """Everything a job's spec asks for; what its folder shows as finished is not done again."""
    spec = folder.spec
    if spec["kind"] in ("build", "extract"):
        from core.jobs.extracting import annotate_and_extract, load_model, read_corpus

        corpus = read_corpus(spec, events)
        if spec["kind"] == "build":
            require_splits(corpus.sentences)
        loaded = load_model(spec, events)
        sentences = annotate_and_extract(workspace, loaded, corpus, events)
        if spec["kind"] == "build":
            from core.jobs.finding import find_programs

            find_programs(folder, workspace, loaded.info, sentences, events)
        return
    sentences = [sentence_from_json(row) for row in spec["sentences"]]
    if spec["kind"] == "hybrid":
        from core.jobs.measuring import measure_hybrid

        measure_hybrid(spec, sentences, events)
        return
    info = ModelInfo(**spec["info"])
    if spec["kind"] == "claude":
        from core.jobs.proposing import propose_programs

        propose_programs(folder, workspace, info, sentences, events)
        return
    from core.jobs.finding import find_programs, score_programs

    if spec["kind"] == "synthesize":
        find_programs(folder, workspace, info, sentences, events)
    else:
        score_programs(folder, workspace, info, sentences, spec["programs"], "person", events)
