"""From a model and a corpus to attention, and a program for every head. Skips what is already there."""

from __future__ import annotations

from core.corpus import require_splits
from core.jobs.folder import Job
from core.jobs.tasks import BuildTask, ProposeTask
from core.jobs.work.extract import annotate_passages, extract_attention, load_to_extract, read_corpus
from core.jobs.work.search import find_programs, search_programs
from core.proposers import SearchLimits
from core.proposers.search.entry import SEARCH
from core.store.attention import extracted_layers
from core.store.workspace import attention_address
from core.types import ModelInfo


def build_workspace(job: Job[BuildTask]) -> None:
    """What the task asks. The first layer has its programs first, where the whole takes no longer by it."""
    corpus = read_corpus(job)
    require_splits(corpus.sentences)
    loaded = load_to_extract(job)
    passages = annotate_passages(job, loaded, corpus)
    first, *others = loaded.info.attention_layers
    is_new = not extracted_layers(attention_address(job.place.workspace, loaded.info.id))
    if others and is_new and job.crew.tries_first:
        info = extract_attention(job, loaded.extracted([first]), corpus, passages)
        search_programs(job, _search_of(info), SEARCH, passages)
    info = extract_attention(job, loaded, corpus, passages)
    del loaded  # its memory first
    find_programs(job, _search_of(info), SEARCH, passages)


def _search_of(info: ModelInfo) -> ProposeTask[SearchLimits]:
    """A search for all heads that are extracted."""
    return ProposeTask(info, "", None, SearchLimits())
