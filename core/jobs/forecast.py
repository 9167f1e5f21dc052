"""What a build will take, before it starts: from the model's configuration and the corpus alone.

Its rates are those of the demo's build on two cores, so that it tells minutes from hours, not more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.corpus import Corpus
from core.features import LEAST_TOKENS
from core.models.demo import NAME
from core.models.names import DEMO
from core.models.outline import Outline, outline

LOADING = 10.0  # seconds until the first passage is read
_BYTES = 2.05  # of a cell of attention on disk, float16 and what stands around it


@dataclass(frozen=True)
class _Measured:
    """A build that was timed."""

    parameters: int
    tokens: int
    heads: int
    cells: int  # of one head
    extraction: float  # seconds
    search: float  # seconds


_DEMO = _Measured(134_515_008, 11_154, 270, 286_183, 31.0, 471.0)
_DEMO_OUTLINE = Outline(30, 9, _DEMO.parameters, True, 8192)
_CHARACTERS = 3.25  # of a token, where no tokenizer is at hand


@dataclass(frozen=True)
class Forecast:
    """What a build comes to."""

    passages: int
    tokens: int
    heads: int
    parameters: int
    seconds: float  # on two cores
    bytes: int  # on disk, without the model


def forecast(model: str, corpus: Corpus, searches: bool, models: Path) -> Forecast:
    """What extraction, and the search where it `searches`, take; `models` is where downloaded ones are kept.

    Raises ModelError if the model cannot be had or is none that Headscript reads. Fetches no weights.
    """
    found, lengths = _read(model, corpus, models)
    lengths = np.minimum(lengths, found.longest)
    lengths = lengths[lengths >= LEAST_TOKENS].astype(np.int64)
    cells = int((lengths * (lengths + 1) // 2 if found.is_causal else lengths**2).sum())
    heads, tokens = found.layers * found.heads, int(lengths.sum())
    return Forecast(
        passages=len(lengths),
        tokens=tokens,
        heads=heads,
        parameters=found.parameters,
        seconds=LOADING
        + _extraction(found.parameters * tokens, heads * cells)
        + (_search(heads, cells) if searches else 0.0),
        bytes=round(_BYTES * heads * cells),
    )


def _extraction(products: int, cells: int) -> float:
    """Seconds: as long as running the model, or as writing its attention, whatever takes longer."""
    run = products / (_DEMO.parameters * _DEMO.tokens)
    return _DEMO.extraction * max(run, cells / (_DEMO.heads * _DEMO.cells))


def _search(heads: int, cells: int) -> float:
    """Seconds: half of what a head takes grows with its cells."""
    return _DEMO.search * heads / _DEMO.heads * (0.5 + 0.5 * cells / _DEMO.cells)


def _read(model: str, corpus: Corpus, models: Path) -> tuple[Outline, np.ndarray]:
    """The model's outline, and how many tokens each passage has; of a demo that is not fetched, roughly."""
    texts = [sentence.text for sentence in corpus.sentences]
    if model == DEMO and not (models / NAME).is_dir():
        return _DEMO_OUTLINE, np.array([int(len(text) / _CHARACTERS) for text in texts])
    found, tokenizer = outline(model, models)
    return found, np.array([len(ids) for ids in tokenizer(texts)["input_ids"]])
