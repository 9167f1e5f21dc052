"""Controls: patterns that explain nothing, in the place of the same heads.

If a control costs as little as the programs, the programs explain nothing there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from core.audit.twin import Twin, TwinFit
from core.features import Features
from core.hybrid.sources import HeadMaps, PatternSource, ProgramPatterns
from core.language import ParsedProgram, parse
from core.models.attention import extract
from core.models.pretrained import LoadedModel
from core.scoring import BASELINES
from core.types import HeadId

_PROGRAMS = ("first token", "uniform")  # of the baselines

Controls = dict[str, PatternSource]


def controls(
    loaded: LoadedModel,
    heads: Sequence[HeadId],
    donors: Features,
    seed: int = 0,
    programs: Mapping[HeadId, ParsedProgram] | None = None,
) -> Controls:
    """The controls by name. `donors` are passages whose attention `shuffled` and the twins may take.

    With the heads' own `programs` there is one more: the same programs, each on another of these heads.
    """
    fixed = {
        name: ProgramPatterns(
            dict.fromkeys(heads, parse(BASELINES[name])), loaded.info.is_causal, loaded.device
        )
        for name in _PROGRAMS
    }
    if programs is not None and len({programs[head].id for head in heads}) > 1:
        wrong = wrong_heads(heads, programs, seed)
        fixed["wrong heads"] = ProgramPatterns(wrong, loaded.info.is_causal, loaded.device)
    return {
        **fixed,
        "text-blind twin": TwinPatterns(loaded, heads, donors),
        "random rows": RandomPatterns(loaded, heads, seed),
        "shuffled": ShuffledPatterns(loaded, heads, donors),
    }


def wrong_heads(
    heads: Sequence[HeadId], programs: Mapping[HeadId, ParsedProgram], seed: int = 0
) -> dict[HeadId, ParsedProgram]:
    """On each head the program of another: one cycle through all of them, drawn at random.

    Where programs look, each head has one of those that may stand for it, none twice as far as they reach;
    where there is none, as for the first heads, it has the uniform pattern.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(heads))
    if not any(programs[head].looks for head in heads):
        return {heads[at]: programs[heads[order[(place + 1) % len(order)]]] for place, at in enumerate(order)}
    found: dict[HeadId, ParsedProgram] = {}
    left = [heads[at] for at in order]
    for head in sorted(heads):  # the later a head, the more programs may stand for it
        fitting = [h for h in left if _is_other(programs[h], programs[head], head)]
        if fitting:
            left.remove(fitting[0])
        else:
            fitting = [heads[at] for at in order if _is_other(programs[heads[at]], programs[head], head)]
        found[head] = programs[fitting[0]] if fitting else parse(BASELINES["uniform"])
    return found


def _is_other(program: ParsedProgram, own: ParsedProgram, head: HeadId) -> bool:
    return program.id != own.id and program.may_stand_for(head)


class TwinPatterns:
    """Each head's mean attention on the donors by position, whatever the text."""

    def __init__(self, loaded: LoadedModel, heads: Sequence[HeadId], donors: Features) -> None:
        self.heads = list(heads)
        self._loaded = loaded
        self._donors = donors

    @cached_property
    def _twins(self) -> list[Twin]:
        layers = self._loaded.info.attention_layers
        fits = [TwinFit(self._loaded.info.is_causal) for _ in self.heads]
        for one in extract(self._loaded, self._donors, range(len(self._donors))):
            for fit, head in zip(fits, self.heads, strict=True):
                fit.add(one.weights[layers.index(head.layer), head.head].astype(np.float32))
        return [fit.twin() for fit in fits]

    def patterns(self, features: Features) -> HeadMaps:
        """The same for all passages of a length."""

        def made(row: int, n: int) -> Tensor:
            return torch.from_numpy(np.stack([twin.pattern(n) for twin in self._twins]))

        return HeadMaps(self.heads, _padded(features, len(self.heads), made).to(self._loaded.device))


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
        with_heads = self._loaded.info.attention_layers
        layers = [with_heads.index(head.layer) for head in self.heads]
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
