"""From a model and a corpus to attention on disk. Skips what is already there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import transformers

from core.corpus import Corpus, load_corpus
from core.display import counted
from core.errors import CorpusError
from core.features import LEAST_TOKENS, Features, annotate
from core.jobs.folder import Job
from core.jobs.results import SentencesRead, WeightsRead
from core.jobs.tasks import ExtractTask, Task
from core.models.attention import extract
from core.models.device import Halving
from core.models.pretrained import LoadedModel, load
from core.store.attention import AttentionWriter
from core.store.passages import keep_passages
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.types import ModelInfo, Sentence, Told


def load_model(job: Job[Task], name: str, model: str | None = None) -> LoadedModel:
    """The model of this name, announced as a result; raises ModelError if its id is not `model` by now."""
    events = job.events
    events.progress("loading the model", 0, 0)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    loaded = load(
        name,
        job.place.models,
        job.place.device,
        lambda text: events.progress(text, 0, 0),
        model,
    )
    held = attention_folder(job.place.workspace, "")
    loaded = loaded.known_as([path.name for path in held.iterdir()] if held.is_dir() else [])
    events.result_anew("model", loaded.info)
    events.result_anew("weights", WeightsRead(loaded.info.id, loaded.weights()))
    events.note(f"{loaded.info.title} on {loaded.device}")
    return loaded


def reading_as_stored(workspace: Path, loaded: LoadedModel) -> LoadedModel:
    """The model with the spaCy pipeline that read its tokens in the workspace, for texts read afresh."""
    tokens = TokenStore(attention_folder(workspace, loaded.info.id))
    return replace(loaded, pipeline=tokens.pipeline())


def read_corpus(job: Job[ExtractTask]) -> Corpus:
    """The corpus a job names."""
    corpus = load_corpus(job.task.corpus, job.task.limit)
    if corpus.notice:
        job.events.note(corpus.notice)
    return corpus


def annotate_and_extract(job: Job[ExtractTask], loaded: LoadedModel, corpus: Corpus) -> list[Sentence]:
    """Token features and attention of every sentence that has none yet; the sentences there are now."""
    events, workspace = job.events, job.place.workspace
    folder = attention_folder(workspace, loaded.info.id)
    tokens = TokenStore(folder)
    events.progress("reading the corpus", 0, len(corpus.sentences))
    held = tokens.sentences()
    new = [sentence for sentence in corpus.sentences if sentence.id not in held]
    if new:
        wanted = job.place.spacy_pipeline
        pipeline = tokens.pipeline() or wanted
        if wanted not in (None, pipeline):
            events.note(f"read with `{pipeline}`, as the sentences there were, not with `{wanted}`")
        features = annotate(new, loaded.tokenizer, loaded.embeddings(), loaded.info.longest, pipeline)
        long_enough = [row for row, n in enumerate(features.lengths) if n >= LEAST_TOKENS]
        if long_enough:
            tokens.add(features.select(long_enough))
        note_shortcomings(features, loaded.info, events)
    kept = _with_tokens(corpus, tokens, events)
    features = tokens.read([sentence.id for sentence in kept])
    info = loaded.info
    writer = AttentionWriter(folder, info.attention_layers, info.is_causal, info.traits.sinks)
    held = writer.done()
    rows = [row for row, sentence in enumerate(features.sentences) if sentence not in held]
    done = len(features) - len(rows)
    events.progress("extracting attention", done, len(features))
    for added in writer.write(extract(loaded, features, rows, halving=Halving(events.note))):
        done += added
        events.progress("extracting attention", done, len(features))
    writer.finish()
    passages = keep_passages(workspace, kept)
    events.result_anew("sentences", SentencesRead(loaded.info.id, corpus.name, passages))
    return kept


def _with_tokens(corpus: Corpus, tokens: TokenStore, events: Told) -> list[Sentence]:
    """The passages of two tokens or more; a lone control character may come to none."""
    held = tokens.sentences()
    kept = [sentence for sentence in corpus.sentences if sentence.id in held]
    short = len(corpus.sentences) - len(kept)
    if not kept:
        raise CorpusError(f"no passage of {corpus.name} has {LEAST_TOKENS} tokens; give longer text")
    if short:
        events.note(
            f"left out {counted(short, 'passage')} of fewer than {LEAST_TOKENS} tokens, on which every "
            "program does what every head does, or with tokens that the model has no embedding of"
        )
    return kept


def note_shortcomings(features: Features, info: ModelInfo, events: Told) -> None:
    """Say what the features lack: passages that were cut, no parts of speech."""
    for sentence in info.traits.words:
        events.note(sentence.rstrip("."))
    if features.truncated:
        events.note(f"{features.truncated} passages were cut to the first {info.longest} tokens")
    if not features.has_syntax:
        events.note("no spaCy pipeline read the text, so parts of speech and the like stay empty")
