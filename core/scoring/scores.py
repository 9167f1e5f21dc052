"""How well programs reproduce heads: IoU, Jensen-Shannon distance, bootstrap intervals, baselines.

All matrices are row-stochastic, so with n rows and L1 distance d the IoU, sum of minima over sum of
maxima, is (n - d/2) / (n + d/2): one distance per (program, head, sentence) gives everything.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch

from core.features import Features
from core.language import Evaluator, ParsedProgram
from core.maps import l1_distances
from core.types import Failure, HeadId, Score, Split

Item = TypeVar("Item")

MAX_CELLS = 2**27  # float32 cells that are held at once, of programs and of heads: 512 MB each
_CHUNK_TOKENS = 2048  # padded tokens that are evaluated together
_RESAMPLES = 1000
_BOOTSTRAP_SEED = 0

BASELINES: Mapping[str, str] = {
    "first token": '''def attend(q, k):
    """Everything rests on the first token."""
    return k.is_first
''',
    "previous token": '''def attend(q, k):
    """Looks at the token before."""
    return k == q.prev
''',
    "uniform": '''def attend(q, k):
    """Looks at all tokens alike."""
    return 1.0
''',
    "same token": '''def attend(q, k):
    """Looks at earlier occurrences of the same token."""
    return k.lower == q.lower and k.index < q.index
''',
    "random token": '''def attend(q, k):
    """Looks at one arbitrary token, chosen by arithmetic on the position."""
    return k.index == (q.index * 7919 + 104) % 997 % (q.index + 1)
''',
}


@dataclass(frozen=True)
class Patterns:
    """The attention that programs produce on sentences, packed for comparison."""

    programs: tuple[str, ...]  # Program.id
    sentences: tuple[str, ...]  # Sentence.id
    cells: tuple[torch.Tensor, ...]  # per sentence: float32 [program, cell], as `pack_maps` orders cells
    failures: Mapping[tuple[int, int], Failure]  # (program, sentence), as positions


def patterns(
    programs: Sequence[ParsedProgram],
    features: Features,
    is_causal: bool,
    device: str | torch.device = "cpu",
) -> Patterns:
    """Every program's attention on every sentence of `features`; cells lie on `device`."""
    cells: list[torch.Tensor] = []
    failures: dict[tuple[int, int], Failure] = {}
    for rows in _chunks(features.lengths):
        evaluator = Evaluator(features.select(rows), is_causal, device)
        lengths = [int(features.lengths[row]) for row in rows]
        chunk = [torch.zeros(len(programs), cell_count(n, is_causal), device=device) for n in lengths]
        for at, program in enumerate(programs):
            result = evaluator.run(program)
            for position, n in enumerate(lengths):
                chunk[position][at] = pack_maps(result.weights[position, :n, :n], is_causal)
            failures.update({(at, rows[row]): failure for row, failure in result.failures.items()})
        cells.extend(chunk)
    return Patterns(tuple(program.id for program in programs), features.sentences, tuple(cells), failures)


def cell_count(n: int, is_causal: bool) -> int:
    """How many cells of an n x n map are compared."""
    return n * (n + 1) // 2 if is_causal else n * n


def count_cells(features: Features, is_causal: bool) -> int:
    """How many cells of one head's maps are compared on all sentences."""
    return sum(cell_count(int(n), is_causal) for n in features.lengths)


def in_blocks(items: Sequence[Item], cells: int) -> list[Sequence[Item]]:
    """Items of so many cells each, in blocks that stay within MAX_CELLS; of at least one item."""
    size = max(1, MAX_CELLS // max(1, cells))
    return [items[start : start + size] for start in range(0, len(items), size)]


def pack_maps(maps: torch.Tensor, is_causal: bool) -> torch.Tensor:
    """Maps [..., query, key] as [..., cell]: the lower triangle row by row, or everything."""
    n = maps.shape[-1]
    if not is_causal:
        return maps.reshape(*maps.shape[:-2], n * n)
    return maps.flatten(-2).index_select(-1, _triangle(n).to(maps.device))


@lru_cache(maxsize=256)
def _triangle(n: int) -> torch.Tensor:
    """Where the lower triangle lies in a flattened n x n map; there are many maps of each size."""
    return torch.ones(n, n, dtype=torch.bool).tril().flatten().nonzero()[:, 0]


def iou_from_l1(distance: np.ndarray, rows: np.ndarray | int) -> np.ndarray:
    """IoU of row-stochastic matrices from their L1 distance and number of rows."""
    iou: np.ndarray = (rows - distance / 2) / (rows + distance / 2)
    return iou


def sentence_ious(produced: Patterns, maps: Mapping[str, np.ndarray], is_causal: bool) -> np.ndarray:
    """IoU of every program with every head on every sentence, float32 [program, head, sentence].

    `maps` gives each sentence's heads, [head, query, key]. A failed sentence scores 0.
    """
    heads = next(iter(maps.values())).shape[0]
    distances = np.zeros((len(produced.sentences), len(produced.programs), heads), np.float32)

    def compare(at: int) -> None:
        attention, cells = torch.from_numpy(maps[produced.sentences[at]]), produced.cells[at]
        distances[at] = l1_distances(cells, pack_maps(attention, is_causal).to(cells.device)).cpu()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compare, range(len(produced.sentences))))
    rows = np.array([maps[sentence].shape[-1] for sentence in produced.sentences], np.float32)
    ious = iou_from_l1(distances.transpose(1, 2, 0), rows)
    for program, sentence_at in produced.failures:
        ious[program, :, sentence_at] = 0
    return ious


def js_distances(produced: Patterns, maps: Mapping[str, np.ndarray], is_causal: bool) -> np.ndarray:
    """Mean row-wise Jensen-Shannon distance (base 2, in [0, 1]), float32 [program, head].

    The mean is over sentences on which the program did not fail; 1 if there is none.
    """
    totals = np.zeros((len(produced.programs), next(iter(maps.values())).shape[0]), np.float64)
    counts = np.zeros((len(produced.programs), 1))
    for at, (sentence, cells) in enumerate(zip(produced.sentences, produced.cells, strict=True)):
        heads = pack_maps(torch.from_numpy(maps[sentence]), is_causal)
        n = maps[sentence].shape[-1]
        row_of = torch.tril_indices(n, n)[0] if is_causal else torch.arange(n).repeat_interleave(n)
        for program in range(len(produced.programs)):
            if (program, at) in produced.failures:
                continue
            terms = _js_terms(cells[program], heads)
            divergence = torch.zeros(len(heads), n).index_add_(1, row_of, terms)
            totals[program] += divergence.clamp(0, 1).sqrt().mean(1).numpy()
            counts[program] += 1
    means: np.ndarray = np.where(counts > 0, totals / np.maximum(counts, 1), 1.0).astype(np.float32)
    return means


def _js_terms(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Each cell's part of the Jensen-Shannon divergence in bits."""
    middle = (p + q) / 2
    nats: torch.Tensor = torch.xlogy(p, p) + torch.xlogy(q, q) - 2 * torch.xlogy(middle, middle)
    return nats / (2 * math.log(2))


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % bootstrap interval of the mean over the last axis (sentences)."""
    n = values.shape[-1]
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    shares = rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES).astype(np.float32) / n
    means = values.reshape(-1, n) @ shares.T  # [value, resample]
    low, high = np.percentile(means, [2.5, 97.5], axis=-1)
    return low.reshape(values.shape[:-1]), high.reshape(values.shape[:-1])


def summarise(
    produced: Patterns,
    ious: np.ndarray,
    layer: int,
    split: Split,
    js: np.ndarray | None = None,
) -> list[Score]:
    """One Score per (program, head of the layer) from IoU [program, head, sentence]."""
    means = ious.mean(-1)
    low, high = interval(ious)
    failed = np.zeros(len(produced.programs), int)
    for program, _ in produced.failures:
        failed[program] += 1
    return [
        Score(
            program=name,
            head=HeadId(layer, head),
            split=split,
            iou=float(means[at, head]),
            low=float(low[at, head]),
            high=float(high[at, head]),
            js_distance=float("nan") if js is None else float(js[at, head]),
            sentences=ious.shape[-1],
            failures=int(failed[at]),
        )
        for at, name in enumerate(produced.programs)
        for head in range(ious.shape[1])
    ]


def _chunks(lengths: np.ndarray) -> list[list[int]]:
    """Consecutive rows whose padded size stays bounded."""
    chunks: list[list[int]] = []
    widest = 0
    for row, n in enumerate(lengths):
        widest = max(widest, int(n))
        if not chunks or (len(chunks[-1]) + 1) * widest > _CHUNK_TOKENS:
            chunks.append([])
            widest = int(n)
        chunks[-1].append(row)
    return chunks
