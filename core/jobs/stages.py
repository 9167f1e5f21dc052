"""The work of a job, stage by stage, in the worker's process. Each stage skips what is already done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from core.corpus import Corpus, load_corpus, require_splits, sentence_from_json
from core.evaluate import evaluate_hybrid
from core.extract import extract
from core.features import Features, annotate
from core.jobs.folder import EventWriter, JobFolder, Json
from core.language import ParsedProgram, parse
from core.models import LoadedModel, load, pick_device
from core.score import (
    BASELINES,
    Patterns,
    count_cells,
    in_blocks,
    js_distances,
    patterns,
    sentence_ious,
    summarise,
)
from core.store.attention import AttentionReader, AttentionWriter
from core.store.hybrids import spec_from_json
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.synthesis.search import prepare_search
from core.types import HeadId, HybridSpec, ModelInfo, Score, SearchLimits, Sentence, Split


def load_model(spec: Json, events: EventWriter) -> LoadedModel:
    """The model a job names, announced as a result."""
    events.progress("loading the model", 0, 0)
    loaded = load(
        spec["model"], Path(spec["models"]), spec["device"], lambda text: events.progress(text, 0, 0)
    )
    events.result("model", "model", asdict(loaded.info))
    events.note(f"{loaded.info.title} on {loaded.device}")
    return loaded


def read_corpus(spec: Json, events: EventWriter) -> Corpus:
    """The corpus a job names."""
    corpus = load_corpus(spec["corpus"], spec.get("limit"))
    if corpus.notice:
        events.note(corpus.notice)
    return corpus


def annotate_and_extract(
    workspace: Path, loaded: LoadedModel, corpus: Corpus, events: EventWriter
) -> list[Sentence]:
    """Token features and attention of every sentence that has none yet; the sentences there are now."""
    folder = attention_folder(workspace, loaded.info.id)
    tokens = TokenStore(folder)
    events.progress("reading the corpus", 0, len(corpus.sentences))
    held = tokens.sentences()
    new = [sentence for sentence in corpus.sentences if sentence.id not in held]
    if new:
        features = annotate(new, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length)
        tokens.add(features)
        _note_shortcomings(features, loaded.info, events)
    kept = _with_tokens(corpus, tokens, events)
    features = tokens.read([sentence.id for sentence in kept])
    writer = AttentionWriter(folder, loaded.info.layers, loaded.info.is_causal)
    held = writer.done()
    rows = [row for row, sentence in enumerate(features.sentences) if sentence not in held]
    done = len(features) - len(rows)
    events.progress("extracting attention", done, len(features))
    for added in writer.write(extract(loaded, features, rows)):
        done += added
        events.progress("extracting attention", done, len(features))
    writer.finish()
    stored = [asdict(sentence) for sentence in kept]
    events.result(
        "sentences", "sentences", {"model": loaded.info.id, "corpus": corpus.name, "sentences": stored}
    )
    return kept


def _with_tokens(corpus: Corpus, tokens: TokenStore, events: EventWriter) -> list[Sentence]:
    """The passages the tokenizer found anything in; a lone control character may come to nothing."""
    held = tokens.sentences()
    kept = [sentence for sentence in corpus.sentences if sentence.id in held]
    if len(kept) < len(corpus.sentences):
        events.note(
            f"left out {len(corpus.sentences) - len(kept)} passages in which the tokenizer finds no token"
        )
    return kept


def _note_shortcomings(features: Features, info: ModelInfo, events: EventWriter) -> None:
    if features.truncated:
        events.note(f"{features.truncated} passages were cut to the model's {info.max_length} tokens")
    if not features.has_syntax:
        events.note("the spaCy model is not installed, so parts of speech and the like stay empty")


def search_programs(
    workspace: Path,
    info: ModelInfo,
    sentences: list[Sentence],
    spec: Json,
    events: EventWriter,
    finished: set[str],
) -> None:
    """A program for every head the job names, layer by layer; each layer is scored and announced when done.

    The search is handed train and validation; scoring on test follows the choice.
    """
    require_splits(sentences)
    heads = _wanted_heads(spec, info)
    left = [layer for layer in heads if f"{_layer_name(layer)}.json" not in finished]
    if not left:
        return
    folder = attention_folder(workspace, info.id)
    attention = AttentionReader(folder)
    features = {split: _features(folder, sentences, split) for split in Split}
    chooser = attention.restricted({s.id for s in sentences if s.split != Split.TEST})
    events.progress("preparing candidate programs", 0, len(heads))
    limits = SearchLimits(**spec["limits"]) if spec.get("limits") else SearchLimits()
    device = pick_device(spec["device"])
    search = prepare_search(features[Split.TRAIN], features[Split.VALIDATION], info.is_causal, limits, device)
    events.note(f"choosing from {search.rules:,} rules and sets of words, on {device}")

    def read(layer: int) -> dict[str, np.ndarray]:
        return {sentence: maps[heads[layer]] for sentence, maps in chooser.layer(layer).items()}

    for layer, found in search.over_layers(left, read):
        chosen = dict(zip(heads[layer], found, strict=True))
        events.result("programs", _layer_name(layer), _scored(layer, chosen, features, attention, info))
        done = len(heads) - len(left) + left.index(layer) + 1
        events.progress("finding programs", done, len(heads))


def _wanted_heads(spec: Json, info: ModelInfo) -> dict[int, list[int]]:
    """Layer -> its heads that a job is about; all heads if it names none."""
    names = spec.get("heads")
    if names is None:
        return {layer: list(range(info.heads)) for layer in range(info.layers)}
    heads: dict[int, list[int]] = {}
    for head in sorted(map(HeadId.parse, names)):
        heads.setdefault(head.layer, []).append(head.head)
    return heads


def score_programs(
    workspace: Path,
    info: ModelInfo,
    sentences: list[Sentence],
    sources: list[str],
    origin: str,
    events: EventWriter,
    finished: set[str],
) -> None:
    """Score given programs on every head and split; `origin` is that of new ones.

    Programs are taken in blocks and a layer's heads too, so that what is held at once does not grow with
    the library or the model: at most MAX_CELLS cells of each.
    """
    folder = attention_folder(workspace, info.id)
    attention = AttentionReader(folder)
    held = {split: _features(folder, sentences, split) for split in Split}
    features = {split: found for split, found in held.items() if len(found)}
    cells = sum(count_cells(found, info.is_causal) for found in features.values())
    blocks = in_blocks([parse(source) for source in sources], cells)
    for number, programs in enumerate(blocks):
        names = [f"scores-{number:03}-{layer:03}" for layer in range(info.layers)]
        if all(f"{name}.json" in finished for name in names):
            continue
        produced = {split: patterns(programs, found, info.is_causal) for split, found in features.items()}
        for layer, name in enumerate(names):
            if f"{name}.json" not in finished:
                scores = [
                    score
                    for heads in in_blocks(range(info.heads), 2 * cells)  # maps are read as whole squares
                    for score in _layer_scores(produced, attention.layer(layer, heads), layer, heads, info)
                ]
                events.result("programs", name, _content(info, programs, origin, scores))
            events.progress(
                "scoring the library", number * info.layers + layer + 1, len(blocks) * info.layers
            )


def _layer_scores(
    produced: Mapping[Split, Patterns],
    maps: Mapping[str, np.ndarray],
    layer: int,
    heads: Sequence[int],
    info: ModelInfo,
) -> Iterator[Score]:
    """Every program's score on these heads of a layer, whose maps are given in this order."""
    for split, found in produced.items():
        for score in summarise(found, sentence_ious(found, maps, info.is_causal), layer, split):
            yield replace(score, head=HeadId(layer, heads[score.head.head]))


def measure_hybrid(
    loaded: LoadedModel, spec: HybridSpec, job: Json, features: Features, events: EventWriter
) -> None:
    """Perplexity and KL of one hybrid on the passages of `features`."""
    found = evaluate_hybrid(
        loaded, spec, features, lambda done, total: events.progress("measuring the hybrid", done, total)
    )
    events.result(
        "evaluation",
        "evaluation",
        {
            "model": spec.model,
            "programs": job["programs"],
            "title": job["title"],
            "share": len(spec.programs) / (loaded.info.layers * loaded.info.heads),
            "passages_from": job["passages_from"],
            "evaluation": asdict(found),
        },
    )


def find_programs(
    folder: JobFolder,
    workspace: Path,
    info: ModelInfo,
    sentences: list[Sentence],
    events: EventWriter,
    finished: set[str],
) -> None:
    """A program for every head asked for, then every program found scored on every head."""
    search_programs(workspace, info, sentences, folder.spec, events, finished)
    layers = [folder.result(f"{_layer_name(layer)}.json") for layer in _wanted_heads(folder.spec, info)]
    sources = {program["source"]: None for content in layers for program in content["programs"]}
    score_programs(workspace, info, sentences, list(sources), "search", events, finished)


def run(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    """Everything a job's spec asks for; what its folder shows as finished is not done again."""
    spec = folder.spec
    finished = {event["file"] for _, event in folder.events() if event["event"] == "result"}
    if spec["kind"] in ("build", "extract"):
        corpus = read_corpus(spec, events)
        if spec["kind"] == "build":
            require_splits(corpus.sentences)
        loaded = load_model(spec, events)
        sentences = annotate_and_extract(workspace, loaded, corpus, events)
        if spec["kind"] == "build":
            find_programs(folder, workspace, loaded.info, sentences, events, finished)
        return
    sentences = [sentence_from_json(row) for row in spec["sentences"]]
    if spec["kind"] == "hybrid":
        loaded = load_model(spec, events)
        hybrid_spec = spec_from_json(spec["model_id"], spec["programs"])
        features = annotate(sentences, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length)
        _note_shortcomings(features, loaded.info, events)
        measure_hybrid(loaded, hybrid_spec, spec, features, events)
        return
    info = ModelInfo(**spec["info"])
    if spec["kind"] == "synthesize":
        find_programs(folder, workspace, info, sentences, events, finished)
    else:
        score_programs(workspace, info, sentences, spec["programs"], "person", events, finished)


def _layer_name(layer: int) -> str:
    return f"layer-{layer:03}"


def _features(folder: Path, sentences: list[Sentence], split: Split) -> Features:
    return TokenStore(folder).read([sentence.id for sentence in sentences if sentence.split == split])


def _scored(
    layer: int,
    chosen: dict[int, ParsedProgram],
    features: dict[Split, Features],
    attention: AttentionReader,
    info: ModelInfo,
) -> Json:
    """Scores on every split of a layer's chosen programs, each on its head, and of the baselines on all.

    The Jensen-Shannon distance is measured on test, where it is shown.
    """
    baselines = [parse(source) for source in BASELINES.values()]
    distinct = list({program.id: program for program in [*baselines, *chosen.values()]}.values())
    wanted = {(program.id, head) for program in baselines for head in range(info.heads)}
    wanted |= {(program.id, head) for head, program in chosen.items()}
    maps = attention.layer(layer)
    scores: list[Score] = []
    for split, split_features in features.items():
        produced = patterns(distinct, split_features, info.is_causal)
        ious = sentence_ious(produced, maps, info.is_causal)
        distances = js_distances(produced, maps, info.is_causal) if split == Split.TEST else None
        found = summarise(produced, ious, layer, split, distances)
        scores += [score for score in found if (score.program, score.head.head) in wanted]
    proposals = [{"layer": layer, "head": head, "program": program.id} for head, program in chosen.items()]
    return {**_content(info, distinct, "search", scores), "proposals": proposals}


def _content(info: ModelInfo, programs: Sequence[ParsedProgram], origin: str, scores: list[Score]) -> Json:
    """A result file: programs and their scores."""
    baselines = {parse(source).id for source in BASELINES.values()}
    return {
        "model": info.id,
        "programs": [
            {"source": program.source, "origin": "baseline" if program.id in baselines else origin}
            for program in programs
        ],
        "scores": [asdict(score) for score in scores],
    }
