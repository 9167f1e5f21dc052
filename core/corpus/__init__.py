"""A corpus: passages of text, each with a genre and a split; `bundled.jsonl` is the one that comes along.

load_corpus("bundled")          by name, or a file of text, JSON lines or Parquet, or a dataset of the Hub
from_passages(name, passages)   from texts with their genres
CORPORA                         those that have a name
"""

from core.corpus.load import (
    CORPORA,
    Corpus,
    CorpusSource,
    from_passages,
    is_dataset,
    load_corpus,
    read_lines,
    require_splits,
    split_of,
    there,
    whole_characters,
)

__all__ = [
    "CORPORA",
    "Corpus",
    "CorpusSource",
    "from_passages",
    "is_dataset",
    "load_corpus",
    "read_lines",
    "require_splits",
    "split_of",
    "there",
    "whole_characters",
]
