"""What a proposer is shown of a head: its strongest pairs, and where a program is furthest from it.

Only of train. Validation is here for choosing among proposals; nothing of it is ever shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.features import Features
from core.language import Looks, ParsedProgram
from core.maps import first_within, pack, padded, places
from core.scoring import ProgramMaps, program_maps, sentence_ious
from core.types import UNBOUNDED, HeadId, Window

SHARE = 0.025  # of all pairs, the strongest: what a head "does"
BANDS = 6  # of equal count, from the strongest pairs to the weakest of the SHARE
_OTHERS_A_BAND = 7  # pairs of two different tokens, the key not the first
_SELF_OR_FIRST_A_BAND = 1
_RESIDUALS = 6  # pairs of a sentence that are shown with a program's weight
_CELLS = 2**17  # query-key pairs that constants are fitted on; of a longer split the first passages

Maps = Mapping[str, np.ndarray]  # sentence -> float32 [1, query, key]


@dataclass(frozen=True)
class HeadData:
    """One head's attention on the two splits that a proposer may work with."""

    head: HeadId
    is_causal: bool
    train: Features
    validation: Features
    maps: Maps  # of every sentence of both
    device: str | torch.device = "cpu"
    looks: Callable[[Features], Looks] | None = None  # on sentences of either split
    window: Window = UNBOUNDED  # how far the head's layer sees

    def ious(self, programs: Sequence[ParsedProgram], features: Features) -> np.ndarray:
        """IoU of programs with the head, float32 [program, sentence]."""
        produced = self.produced(programs, features)
        ious: np.ndarray = sentence_ious(produced, self.maps)[:, 0]
        return ious

    def produced(self, programs: Sequence[ParsedProgram], features: Features) -> ProgramMaps:
        """What programs do on sentences of either split, as far as the head's layer sees."""
        looks = self.looks_on(features)
        return program_maps(programs, features, self.is_causal, self.device, looks).within(self.window)

    def looks_on(self, features: Features) -> Looks | None:
        """What programs may look at."""
        return None if self.looks is None else self.looks(features)

    def fitting(self) -> tuple[Features, torch.Tensor]:
        """The train sentences to fit constants on, and their maps, float32 [sentence, query, key], padded."""
        features = self.train
        features = features.select(range(first_within(features.lengths, self.is_causal, _CELLS)))
        return features, padded([self.maps[sentence][0] for sentence in features.sentences])


@dataclass(frozen=True)
class WeightedPair:
    """One cell of a map of a train sentence."""

    row: int  # of the train features
    query: int
    key: int
    weight: float
    predicted: float = 0.0


def strongest_pairs(data: HeadData, seed: int = 0) -> list[WeightedPair]:
    """Pairs from the top SHARE of a head's activations on train, strongest first.

    Drawn band by band, so that weaker ones show too. A token that looks at itself or at the first token is
    usual and says little: such pairs are drawn apart, and few of them.
    """
    row, query, key, weight = _cells(data)
    is_usual = (query == key) | (key == 0)
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for group, a_band in ((~is_usual, _OTHERS_A_BAND), (is_usual, _SELF_OR_FIRST_A_BAND)):
        members = np.flatnonzero(group & (weight > 0))
        members = members[np.argsort(-weight[members], kind="stable")]
        members = members[: max(int(np.ceil(SHARE * len(members))), BANDS * a_band)]
        for band in np.array_split(members, BANDS):
            drawn = rng.choice(band, min(a_band, len(band)), replace=False) if len(band) else band
            chosen += drawn.tolist()
    pairs = [WeightedPair(int(row[at]), int(query[at]), int(key[at]), float(weight[at])) for at in chosen]
    return sorted(pairs, key=lambda pair: (-pair.weight, pair.row, pair.query, pair.key))


def usual_shares(data: HeadData) -> dict[str, float]:
    """Mean weight that a query gives the first token, itself and the token before, on train."""
    maps = [data.maps[sentence][0] for sentence in data.train.sentences]
    queries = sum(len(weights) for weights in maps)
    return {
        "the first token": sum(float(weights[:, 0].sum()) for weights in maps) / queries,
        "the token itself": sum(float(np.trace(weights)) for weights in maps) / queries,
        "the token before": sum(float(np.trace(weights, offset=-1)) for weights in maps) / queries,
    }


@dataclass(frozen=True)
class SentenceResidual:
    """How a program does on one train sentence."""

    row: int
    iou: float
    failure: str  # "" if the program did not fail
    pairs: tuple[WeightedPair, ...]  # where head and program differ most


def extremes(data: HeadData, program: ParsedProgram, count: int = 2) -> list[SentenceResidual]:
    """The `count` worst and the `count` best train sentences of a program, worst first."""
    produced = data.produced([program], data.train)
    ious = sentence_ious(produced, data.maps)[0, 0]
    order = np.argsort(ious, kind="stable").tolist()
    rows = dict.fromkeys([*order[:count], *order[-count:]])
    return [_residual(data, produced, row, float(ious[row])) for row in rows]


def _residual(data: HeadData, produced: ProgramMaps, row: int, iou: float) -> SentenceResidual:
    sentence = produced.sentences[row]
    real = pack(data.maps[sentence], data.is_causal)[0]
    predicted = produced.cells[row][0].cpu().numpy()
    query, key = places(int(data.train.lengths[row]), data.is_causal)
    largest = np.argsort(-np.abs(real - predicted), kind="stable")[:_RESIDUALS]
    failure = produced.failures.get((0, row))
    return SentenceResidual(
        row,
        iou,
        f"{failure.kind}: {failure.detail}" if failure else "",
        tuple(
            WeightedPair(row, int(query[at]), int(key[at]), float(real[at]), float(predicted[at]))
            for at in largest
        ),
    )


def typical_sentences(features: Features, count: int = 5) -> list[int]:
    """The rows of the sentences whose length is closest to the median, in order."""
    middle = float(np.median(features.lengths))
    order = np.argsort(np.abs(features.lengths - middle), kind="stable")
    return sorted(order[:count].tolist())


def _cells(data: HeadData) -> tuple[np.ndarray, ...]:
    """Row, query, key and weight of every compared cell of train."""
    columns = list(zip(*_sentence_cells(data), strict=True))
    return tuple(np.concatenate(column) for column in columns)


def _sentence_cells(data: HeadData) -> Iterator[tuple[np.ndarray, ...]]:
    for row, sentence in enumerate(data.train.sentences):
        weights = data.maps[sentence][0]
        query, key = places(len(weights), data.is_causal)
        says_something = query > 0 if data.is_causal else query >= 0  # a lone query 0 has no choice
        query, key = query[says_something], key[says_something]
        yield np.full(len(query), row), query, key, weights[query, key]
