"""Controls: patterns that explain nothing, in the place of the same heads.

If a control costs as little as the programs, the programs explain nothing there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from core.features import Features
from core.hybrid.sources import HeadMaps, PatternSource, ProgramPatterns
from core.language import parse
from core.models.attention import extract
from core.models.pretrained import LoadedModel
from core.scoring import BASELINES
from core.types import HeadId

_PROGRAMS = ("first token", "uniform")  # of the baselines

Controls = dict[str, PatternSource]


def controls(loaded: LoadedModel, heads: Sequence[HeadId], donors: Features, seed: int = 0) -> Controls:
    """The controls by name. `donors` are passages whose attention `shuffled` may take."""
    fixed = {
        name: ProgramPatterns(
            dict.fromkeys(heads, parse(BASELINES[name])), loaded.info.is_causal, loaded.device
        )
        for name in _PROGRAMS
    }
    return {
        **fixed,
        "random rows": RandomPatterns(loaded, heads, seed),
        "shuffled": ShuffledPatterns(loaded, heads, donors),
    }


class RandomPatterns:
    """Rows drawn uniformly from all rows that sum to 1; the same for a head and a passage."""

    def __init__(self, loaded: LoadedModel, heads: Sequence[HeadId], seed: int = 0) -> None:
        self.heads = list(heads)
        self._causal = loaded.info.is_causal
        self._device = loaded.device
        self._seed = seed

    def patterns(self, features: Features) -> HeadMaps:
        """Seeded draws."""

        def draw(row: int, n: int) -> Tensor:
            named = f"{self._seed} {features.sentences[row]}".encode()
            seed = int.from_bytes(hashlib.sha256(named).digest()[:4], "big")
            drawn = torch.from_numpy(np.random.default_rng(seed).exponential(size=(len(self.heads), n, n)))
            return _rows(drawn.float(), self._causal)

        return HeadMaps(self.heads, _padded(features, len(self.heads), draw).to(self._device))


class ShuffledPatterns:
    """Each head's own attention on another passage, the next longer one among the donors.

    Rows beyond the end of the longest donor look at the first token.
    """

    def __init__(self, loaded: LoadedModel, heads: Sequence[HeadId], donors: Features) -> None:
        self.heads = list(heads)
        self._loaded = loaded
        self._donors = donors
        self._by_length = sorted(range(len(donors)), key=lambda row: (int(donors.lengths[row]), row))

    def patterns(self, features: Features) -> HeadMaps:
        """The donors' attention, cut to each passage's length."""
        chosen = [self._donor(features.sentences[row], int(n)) for row, n in enumerate(features.lengths)]
        found = {
            one.sentence: one.weights for one in extract(self._loaded, self._donors, sorted(set(chosen)))
        }
        layers = [head.layer for head in self.heads]
        places = [head.head for head in self.heads]

        def taken(row: int, n: int) -> Tensor:
            own = found[self._donors.sentences[chosen[row]]][layers, places, :n, :n].astype(np.float32)
            grown = np.zeros((len(self.heads), n, n), np.float32)
            grown[:, : own.shape[1], : own.shape[2]] = own
            return _rows(torch.from_numpy(grown), self._loaded.info.is_causal)

        return HeadMaps(self.heads, _padded(features, len(self.heads), taken).to(self._loaded.device))

    def _donor(self, sentence: str, length: int) -> int:
        longer = (row for row in self._by_length if self._donors.lengths[row] >= length)
        others = chain(longer, reversed(self._by_length))
        return next(row for row in others if self._donors.sentences[row] != sentence)


def _rows(weights: Tensor, is_causal: bool) -> Tensor:
    """Weights [head, query, key] as rows that sum to 1; empty ones look at the first token."""
    weights = weights.tril() if is_causal else weights
    total = weights.sum(-1, keepdim=True)
    first = torch.zeros_like(weights)
    first[..., 0] = 1
    return torch.where(total > 0, weights / total.clamp(min=1e-30), first)


def _padded(features: Features, heads: int, make: Callable[[int, int], Tensor]) -> Tensor:
    """[sentence, head, query, key] of maps [head, query, key] made for each sentence."""
    width = int(features.lengths.max(initial=0))
    padded = torch.zeros(len(features), heads, width, width)
    for row, length in enumerate(features.lengths):
        n = int(length)
        padded[row, :, :n, :n] = make(row, n)
    return padded
