"""From a model and a corpus to attention, and a program for every head. Skips what is already there."""

from __future__ import annotations

from core.corpus import require_splits
from core.jobs.folder import Job
from core.jobs.tasks import BuildTask, ProposeTask
from core.jobs.work.extract import (
    annotate_passages,
    extract_attention,
    is_begun,
    load_to_extract,
    read_corpus,
)
from core.jobs.work.search import find_programs, search_programs
from core.proposers import SearchLimits
from core.proposers.search.entry import SEARCH
from core.types import HeadId

_SMALL = 2**28  # parameters of a model that may stay in memory while programs are searched: 1 GB


def build_workspace(job: Job[BuildTask]) -> None:
    """What the task asks.

    Of a small model that is new here the first layer has its programs before the attention of the others is
    read, since somebody waits to see some; where units are not begun alone anyway, that would hold them up.
    """
    corpus = read_corpus(job)
    require_splits(corpus.sentences)
    loaded = load_to_extract(job)
    passages = annotate_passages(job, loaded, corpus)
    info = loaded.info
    first, *others = info.attention_layers
    is_small = info.parameters <= _SMALL
    if others and is_small and job.crew.begins_alone and not is_begun(job, info):
        extract_attention(job, loaded, corpus, passages, [first])
        heads = tuple(HeadId(first, head) for head in range(info.heads))
        search_programs(job, ProposeTask(info, "", heads, SearchLimits()), SEARCH, passages)
    extract_attention(job, loaded, corpus, passages)
    del loaded  # its memory first
    find_programs(job, ProposeTask(info, "", None, SearchLimits()), SEARCH, passages)
