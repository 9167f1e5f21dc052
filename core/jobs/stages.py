"""The work of a job, stage by stage, in the worker's process. Each stage skips what is already done."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from core.corpus import Corpus, load_corpus, require_splits, sentence_from_json
from core.evaluate import evaluate_hybrid
from core.extract import extract
from core.features import Features, annotate
from core.jobs.folder import EventWriter, JobFolder, Json
from core.language import ParsedProgram, parse
from core.models import LoadedModel, load
from core.score import BASELINES, js_distances, patterns, sentence_ious, summarise
from core.store.attention import AttentionReader, AttentionWriter
from core.store.hybrids import spec_from_json
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.synthesis.search import prepare_search
from core.types import HybridSpec, ModelInfo, Score, Sentence, Split


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
    workspace: Path, info: ModelInfo, sentences: list[Sentence], events: EventWriter, finished: set[str]
) -> None:
    """A first program for every head, layer by layer, each layer scored and announced when it is done.

    The search is handed train and validation; scoring on test follows the choice.
    """
    require_splits(sentences)
    folder = attention_folder(workspace, info.id)
    attention = AttentionReader(folder)
    features = {split: _features(folder, sentences, split) for split in Split}
    chooser = attention.restricted({s.id for s in sentences if s.split != Split.TEST})
    names = [_layer_name(layer) for layer in range(info.layers)]
    if all(f"{name}.json" in finished for name in names):
        return
    events.progress("preparing candidate programs", 0, info.layers)
    search = prepare_search(features[Split.TRAIN], features[Split.VALIDATION], info.is_causal)
    for layer, name in enumerate(names):
        if f"{name}.json" not in finished:
            chosen = search.propose(chooser.layer(layer))
            content = _scored(layer, chosen, features, attention, info)
            events.result("programs", name, content)
        events.progress("finding programs", layer + 1, info.layers)


def score_programs(
    workspace: Path,
    info: ModelInfo,
    sentences: list[Sentence],
    sources: list[str],
    origin: str,
    events: EventWriter,
    finished: set[str],
) -> None:
    """Score given programs on every head and split, layer by layer; `origin` is that of new ones."""
    folder = attention_folder(workspace, info.id)
    attention = AttentionReader(folder)
    programs = [parse(source) for source in sources]
    produced = {
        split: patterns(programs, _features(folder, sentences, split), info.is_causal)
        for split in Split
        if any(sentence.split == split for sentence in sentences)
    }
    for layer in range(info.layers):
        name = f"scores-{layer:03}"
        if f"{name}.json" not in finished:
            maps = attention.layer(layer)
            scores = [
                score
                for split, found in produced.items()
                for score in summarise(found, sentence_ious(found, maps, info.is_causal), layer, split)
            ]
            events.result("programs", name, _content(info, programs, origin, scores))
        events.progress("scoring the library", layer + 1, info.layers)


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
    """A program for every head, then every program found scored on every head."""
    search_programs(workspace, info, sentences, events, finished)
    layers = [folder.result(f"{_layer_name(layer)}.json") for layer in range(info.layers)]
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
    chosen: list[ParsedProgram],
    features: dict[Split, Features],
    attention: AttentionReader,
    info: ModelInfo,
) -> Json:
    """Scores on every split of a layer's chosen programs, each on its head, and of the baselines on all.

    The Jensen-Shannon distance is measured on test, where it is shown.
    """
    baselines = [parse(source) for source in BASELINES.values()]
    distinct = list({program.id: program for program in [*baselines, *chosen]}.values())
    wanted = {(program.id, head) for program in baselines for head in range(info.heads)}
    wanted |= {(program.id, head) for head, program in enumerate(chosen)}
    maps = attention.layer(layer)
    scores: list[Score] = []
    for split, split_features in features.items():
        produced = patterns(distinct, split_features, info.is_causal)
        ious = sentence_ious(produced, maps, info.is_causal)
        distances = js_distances(produced, maps, info.is_causal) if split == Split.TEST else None
        found = summarise(produced, ious, layer, split, distances)
        scores += [score for score in found if (score.program, score.head.head) in wanted]
    return _content(info, distinct, "search", scores)


def _content(info: ModelInfo, programs: list[ParsedProgram], origin: str, scores: list[Score]) -> Json:
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
