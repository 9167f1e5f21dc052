"""spaCy's document of a passage as plain values, in the order in which the guest's stand-in reads them."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

from core.features import load_pipeline
from core.sandbox.stand_ins import WORD

_KEPT = 4096  # passages
_READING = Lock()  # a pipeline reads one text at a time


@lru_cache(maxsize=_KEPT)
def document_of(text: str, pipeline: str) -> dict[str, Any] | None:
    """What the workspace's pipeline says of a passage; None where there is none. Not to be changed."""
    parser = load_pipeline(pipeline)
    if parser is None:
        return None
    with _READING:
        document = parser(text)
    chunks = document.has_annotation("DEP")
    return {
        "text": text,
        "words": [_word(word) for word in document],
        "ents": [(one.start, one.end, one.label_) for one in document.ents],
        "chunks": [(one.start, one.end) for one in document.noun_chunks] if chunks else [],
    }


def _word(word: Any) -> list[Any]:
    values = {"head": word.head.i, "morph": str(word.morph)}
    return [values[name] if name in values else getattr(word, name) for name in WORD]
