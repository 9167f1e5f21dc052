"""From a model and a corpus to attention on disk. Skips what is already there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import transformers

from core.corpus import Corpus, load_corpus
from core.display import counted
from core.errors import CorpusError, ModelError, WorkspaceError
from core.features import LEAST_TOKENS, Features, annotate
from core.jobs.crew import Bench, Stage, Station
from core.jobs.folder import Job
from core.jobs.place import Place
from core.jobs.results import SentencesRead, WeightsRead
from core.jobs.tasks import ExtractTask, Task
from core.maps import like_batches
from core.models.attention import BATCH_TOKENS, MAP_BUDGET, padded_tokens, read_layers
from core.models.device import Halving
from core.models.pretrained import LoadedModel
from core.store.attention import CHUNK_SENTENCES, AttentionWriter, extracted_layers
from core.store.passages import keep_passages
from core.store.tokens import TokenStore
from core.store.workspace import attention_address, attention_folder, put_attention
from core.types import ModelInfo, Sentence, Told, layer_spans


def load_model(job: Job[Task], name: str, model: str | None = None) -> LoadedModel:
    """The model of this name, announced as a result; raises ModelError if its id is not `model` by now."""
    events, bench = job.events, job.crew.bench
    events.progress("loading the model", 0, 0)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    loaded = bench.model(job.place, name, model)
    held = attention_folder(job.place.workspace, "")
    loaded = loaded.known_as([path.name for path in held.iterdir()] if held.is_dir() else [])
    if layers := extracted_layers(attention_address(job.place.workspace, loaded.info.id)):
        loaded = loaded.extracted(layers)
    bench.keep(loaded)
    if not _is_told(job, loaded.info.id):
        events.result_anew("model", loaded.info)
    events.result_anew("weights", WeightsRead(loaded.info.id, loaded.weights()))
    events.note(f"{loaded.info.title} on {loaded.device}")
    return loaded


def _is_told(job: Job[Task], model: str) -> bool:
    """Whether this job announced the model, perhaps with layers that it has still to extract."""
    file = "model.json"
    return file in job.folder.finished() and job.folder.result("model", file).id == model


def load_to_extract(job: Job[ExtractTask]) -> LoadedModel:
    """The task's model with the layers whose attention is to be there; raises ModelError if it lacks one."""
    loaded, asked = load_model(job, job.task.model), job.task.layers
    held = extracted_layers(attention_address(job.place.workspace, loaded.info.id))
    whole = loaded.extracted(range(loaded.info.layers)).info
    if asked is None:
        return replace(loaded, info=whole)
    if lacking := sorted(set(asked) - set(whole.attention_layers)):
        raise ModelError(
            f"{whole.title} has no heads in layer {layer_spans(lacking)}; it has them in layers "
            f"{layer_spans(whole.attention_layers)}"
        )
    return loaded.extracted([*held, *asked])


def read_corpus(job: Job[ExtractTask]) -> Corpus:
    """The corpus a job names."""
    corpus = load_corpus(job.task.corpus, job.task.limit)
    if corpus.notice:
        job.events.note(corpus.notice)
    return corpus


def annotate_and_extract(job: Job[ExtractTask], loaded: LoadedModel, corpus: Corpus) -> None:
    """Token features and attention of every sentence that has none yet."""
    extract_attention(job, loaded, corpus, annotate_passages(job, loaded, corpus))


def annotate_passages(job: Job[ExtractTask], loaded: LoadedModel, corpus: Corpus) -> list[Sentence]:
    """Token features of every sentence that has none yet; all of the corpus that have tokens."""
    events = job.events
    tokens = TokenStore(attention_folder(job.place.workspace, loaded.info.id))
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
    return _with_tokens(corpus, tokens, events)


def is_begun(job: Job[ExtractTask], info: ModelInfo) -> bool:
    """Whether there is a layer of a model's attention, or passages whose layers wait to be put together."""
    writer = _writer(job, info)
    return bool(extracted_layers(writer.folder) or writer.done())


def _writer(job: Job[ExtractTask], info: ModelInfo) -> AttentionWriter:
    at = put_attention(job.place.workspace, info.id, job.place.attention)
    return AttentionWriter(at, info.attention_layers, info.is_causal, info.traits.sinks)


def extract_attention(
    job: Job[ExtractTask],
    loaded: LoadedModel,
    corpus: Corpus,
    passages: list[Sentence],
    layers: Sequence[int] | None = None,
) -> None:
    """The model's attention on passages of the corpus that have token features, where there is none yet.

    In all layers that are to be extracted, or first in these of them; the model is announced with all.
    """
    events, workspace = job.events, job.place.workspace
    info = loaded.info if layers is None else loaded.info.extracted(layers)
    job.crew.bench.keep(loaded)
    writer = _writer(job, info)
    held = writer.done()
    behind = writer.begun() - held  # of other corpora, where layers are added
    tokens = TokenStore(attention_folder(workspace, info.id))
    features = tokens.read([*dict.fromkeys([*(passage.id for passage in passages), *sorted(behind)])])
    units = {
        f"{number:06}": rows
        for number, block in enumerate(_blocks(features, info), start=1)
        if (rows := tuple(row for row in block if features.sentences[row] not in held))
    }
    done = len(features) - sum(map(len, units.values()))
    events.progress("extracting attention", done, len(features))
    stage = Stage("extracting attention", _Extraction(job.place, info, features, writer), info.name)
    for _, added in job.crew.run(stage, {name: (name, rows) for name, rows in units.items()}):
        done += added
        events.progress("extracting attention", done, len(features))
    writer.finish()
    events.result_anew("model", loaded.info)
    events.result_anew("sentences", SentencesRead(info.id, corpus.name, keep_passages(workspace, passages)))


_Chunk = tuple[str, tuple[int, ...]]  # its number, and rows of the features


def _blocks(features: Features, info: ModelInfo) -> Iterator[list[int]]:
    """Rows of all features, shortest first, cut where batches end: the same however much is done of them."""
    block: list[int] = []
    for batch in _batches(features, range(len(features)), info):
        block += batch
        if len(block) >= CHUNK_SENTENCES:
            yield block
            block = []
    if block:
        yield block


def _batches(features: Features, rows: Sequence[int], info: ModelInfo) -> Iterator[list[int]]:
    return like_batches(features.lengths, rows, BATCH_TOKENS, MAP_BUDGET // info.heads)


@dataclass(frozen=True)
class _Extraction:
    """Writes attention; a unit is a block of passages with all layers, and comes to how many they are."""

    place: Place
    info: ModelInfo
    features: Features
    writer: AttentionWriter

    def __call__(self, bench: Bench) -> Station[_Chunk, int]:
        at = self.writer.folder
        if isinstance(at, Path) and not at.is_dir():  # what is written into one that is made here is lost
            raise WorkspaceError(f"{at} is not there: attention has to lie where every node sees it")
        loaded = replace(bench.model(self.place, self.info.name, self.info.id), info=self.info)
        halving = Halving(bench.told.note)

        def work(unit: _Chunk) -> int:
            number, rows = unit
            parts = halving.run(rows, partial(self._write, loaded, number), self._width)
            return sum(len(part) for part, _ in parts)

        return Station(work)

    def _write(self, loaded: LoadedModel, number: str, rows: Sequence[int]) -> None:
        names = [self.features.sentences[row] for row in rows]
        digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
        with self.writer.chunk(f"{number}-{digest}") as take:
            for batch in _batches(self.features, rows, self.info):
                of_rows = [(self.features.sentences[row], int(self.features.lengths[row])) for row in batch]

                def put(maps: np.ndarray, of_rows: list[tuple[str, int]] = of_rows) -> None:
                    take([(name, own[:, :n, :n]) for (name, n), own in zip(of_rows, maps, strict=True)])

                read_layers(loaded, self.features, batch, put)

    def _width(self, rows: Sequence[int]) -> int:
        return max(padded_tokens(self.features.lengths, b) for b in _batches(self.features, rows, self.info))


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
