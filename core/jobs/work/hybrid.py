"""From programs to a hybrid and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.audit.piqa import read_questions
from core.audit.questions import accuracy
from core.features import Features, annotate, annotate_prefixes
from core.hybrid import PrefixPatterns, ProgramPatterns, parsed, require_patchable
from core.hybrid.perplexity import Losses, Variant, evaluation, measure, predictable
from core.jobs.folder import EventWriter, JobFolder, Json
from core.jobs.work.calibrate import TRAIN_PASSAGES, as_they_are, calibrated, calibrated_within
from core.jobs.work.candidates import chooser_of
from core.jobs.work.extract import load_model, note_shortcomings, reading_as_stored
from core.language import ParsedProgram, describe
from core.models.device import Halving
from core.models.pretrained import LoadedModel
from core.store.hybrids import spec_from_json, spec_to_json
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.types import HeadId, Sentence, Split

_SHOWN_PASSAGES = 60  # with the damage to each token
_STRICT_PASSAGES = 20  # they take as many evaluations as they have tokens


def measure_hybrid(
    folder: JobFolder, workspace: Path, sentences: list[Sentence], events: EventWriter
) -> None:
    """Choose heads, calibrate if that was asked for, and measure perplexity and KL on passages.

    A hybrid that the spec gives is measured as it is.
    """
    spec = folder.spec
    loaded = load_model(spec, events)
    require_patchable(loaded)
    passages = [sentence for sentence in sentences if sentence.id in set(spec["passages"])]
    features = features_of(workspace, loaded, passages, events)
    predictable(loaded, features)  # refuses passages that are too short before any work
    if "given" in spec:
        made = spec["given"]
    elif "hybrid.json" in folder.finished():
        made = folder.result("hybrid.json")
    else:
        made = _made(spec, workspace, loaded, sentences, events)
        events.result("hybrid", "hybrid", made)
    hybrid = spec_from_json(loaded.info.id, made["programs"])
    programs = parsed(loaded.info, hybrid)
    source = ProgramPatterns(programs, loaded.info.is_causal, loaded.device)

    def tell(done: int, total: int) -> None:
        events.progress("measuring the hybrid", done, total)

    losses = measure(loaded, [Variant(source, frozenset(source.heads))], features, tell, Halving(events.note))
    genre_of = {sentence.id: sentence.genre for sentence in passages}
    genres = np.array([genre_of[features.sentences[row]] for row in losses.rows])
    details = {
        "genres": {
            genre: evaluation(losses, tokens=genres == genre).figures() for genre in sorted(set(genres))
        },
        "strict": _strict(loaded, programs, features, passages, events) if spec["strict"] else None,
        "damage": _damage(losses, features),
    }
    content = {
        "model": hybrid.model,
        "hybrid": made,
        "passages_from": spec["passages_from"],
        "evaluation": evaluation(losses).figures(),
        "details": details,
    }
    events.result("evaluation", "evaluation", content)


def _made(
    spec: Json, workspace: Path, loaded: LoadedModel, sentences: list[Sentence], events: EventWriter
) -> Json:
    """The hybrid: its programs, and how they were chosen."""
    splits = {
        split: [s for s in sentences if s.split == split and s.id not in set(spec["passages"])]
        for split in Split
    }
    validation = features_of(workspace, loaded, splits[Split.VALIDATION], events)
    chooser = chooser_of(spec, loaded, validation, events)
    count, budget = spec["count"], spec["budget"]
    heads = chooser.order(spec["order"], len(chooser.programs) if count is None else count)
    if count is None:
        count = chooser.within(budget, heads)
    chosen = as_they_are(chooser, heads[:count])
    history: Sequence[tuple[int, float]] = ()
    if spec["calibrate"]:
        train = features_of(workspace, loaded, splits[Split.TRAIN][:TRAIN_PASSAGES], events)
        fitted = (
            calibrated(chooser, heads[:count], train)
            if budget is None
            else calibrated_within(chooser, budget, heads, count, train)
        )
        chosen, history = fitted.spec, fitted.history
    parents = {head: chooser.programs[head].id for head, _ in chosen.programs}
    return {
        "programs": [
            {**row, "parent": parents[head]}
            for row, (head, _) in zip(spec_to_json(chosen), chosen.programs, strict=True)
        ],
        "title": spec["title"],
        "share": len(chosen.programs) / (loaded.info.layers * loaded.info.heads),
        "order": spec["order"],
        "budget": budget,
        "calibration": history,
    }


def features_of(
    workspace: Path, loaded: LoadedModel, sentences: list[Sentence], events: EventWriter
) -> Features:
    """Token features of these sentences: from the workspace where it holds them all, else read afresh."""
    tokens = TokenStore(attention_folder(workspace, loaded.info.id))
    if {sentence.id for sentence in sentences} <= tokens.sentences():
        return tokens.read([sentence.id for sentence in sentences])
    features = annotate(
        sentences, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length, tokens.pipeline()
    )
    note_shortcomings(features, loaded.info, events)
    return features


def _strict(
    loaded: LoadedModel,
    programs: Mapping[HeadId, ParsedProgram],
    features: Features,
    passages: list[Sentence],
    events: EventWriter,
) -> Json | None:
    """The cost where programs see no further than the query, beside the usual one on the same passages."""
    if not any(describe(program).lookahead for program in programs.values()):
        return None
    few = passages[:_STRICT_PASSAGES]
    embeddings = loaded.embeddings()
    prefixes = {}
    for done, passage in enumerate(few):
        events.progress("reading passages token by token", done, len(few))
        prefixes[passage.id] = annotate_prefixes(
            passage, loaded.tokenizer, embeddings, loaded.info.max_length, features.pipeline
        )
    usual = ProgramPatterns(programs, True, loaded.device)
    strict = PrefixPatterns(programs, prefixes, loaded.device)
    variants = [Variant(source, frozenset(programs)) for source in (usual, strict)]
    chosen = features.select([features.row(passage.id) for passage in few])
    losses = measure(
        loaded,
        variants,
        chosen,
        lambda done, total: events.progress("measuring without lookahead", done, total),
        Halving(events.note),
    )
    return {"usual": evaluation(losses, 0).figures(), "strict": evaluation(losses, 1).figures()}


def _damage(losses: Losses, features: Features) -> list[Json]:
    """Of the first passages every token with its loss in both models, nats; the first token has none."""
    found: list[Json] = []
    for row in np.unique(losses.rows)[:_SHOWN_PASSAGES]:
        tokens = losses.rows == row
        found.append(
            {
                "tokens": list(features.surfaces[features.span(row)]),
                "base": [round(float(loss), 3) for loss in losses.base[tokens]],
                "changed": [round(float(loss), 3) for loss in losses.changed[0, tokens]],
                "kl": [round(float(kl), 3) for kl in losses.kl[0, tokens]],
            }
        )
    return found


def measure_downstream(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    """How often the model and a hybrid are right: on a PIQA-format file, or on tasks of lm-eval."""
    spec = folder.spec
    questions = read_questions(Path(spec["questions"]), spec["limit"]) if spec["questions"] else []
    loaded = reading_as_stored(load_model(spec, events), workspace)
    require_patchable(loaded)
    hybrid = spec_from_json(loaded.info.id, spec["programs"])
    if spec["tasks"]:
        from core.audit.harness import task_accuracies

        events.progress(f"answering {', '.join(spec['tasks'])}", 0, 0)
        found = task_accuracies(loaded, hybrid, spec["tasks"], spec["limit"])
    else:
        found = {
            spec["title"]: accuracy(
                loaded, hybrid, questions, lambda done, total: events.progress("answering", done, total)
            )
        }
    for task, reached in found.items():
        content = {"hybrid": spec["hybrid"], "task": task, **reached.figures()}
        events.result("downstream", f"downstream-{len(folder.finished())}", content)
