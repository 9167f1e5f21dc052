"""How well programs reproduce heads: IoU, Jensen-Shannon distance, and what they come to on a split.

    produced = program_maps(programs, features, is_causal)
    scores = score(produced, maps, heads, split)

The first evaluates programs on sentences, once for however many heads; the second compares them with heads.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np
import torch

from core.features import Features
from core.language import Evaluated, Evaluator, Looks, ParsedProgram, PlainProgram, SomeLooks
from core.maps import (
    batches,
    cell_count,
    cell_side,
    confined_cells,
    iou_from_l1,
    l1_distances,
    mass_of,
    pack_tensor,
    places,
    unpack,
)
from core.scoring.intervals import mean_interval
from core.settings import cores
from core.types import UNBOUNDED, Estimate, Failure, HeadId, Score, Split, Window

Item = TypeVar("Item")

FITS = 0.5  # IoU on validation from which a program is said to fit a head: half of what both weigh is shared
MAX_CELLS = 2**27  # float32 cells that are held at once, of programs and of heads: 512 MB each
_AHEAD = 2 * cores()  # programs of plain Python that run, or whose weights wait to be packed
_BATCH_TOKENS = 2048  # padded tokens that are evaluated together


@dataclass(frozen=True)
class ProgramMaps:
    """The attention that programs produce on sentences, packed for comparison."""

    programs: tuple[str, ...]  # Program.id
    sentences: tuple[str, ...]  # Sentence.id
    cells: tuple[torch.Tensor, ...]  # per sentence: float32 [program, cell], as `pack_tensor` orders cells
    failures: Mapping[tuple[int, int], Failure]  # (program, sentence), as positions
    is_causal: bool

    def map_of(self, program: int, at: int) -> np.ndarray:
        """What a program produces on a sentence, both by their places: float32 [query, key]."""
        cells = self.cells[at][program].cpu().numpy()
        return unpack(cells, cell_side(len(cells), self.is_causal), self.is_causal)

    def of_program(self, at: int) -> ProgramMaps:
        """The same of the program in this place only."""
        return replace(
            self,
            programs=(self.programs[at],),
            cells=tuple(own[at : at + 1] for own in self.cells),
            failures={(0, row): f for (program, row), f in self.failures.items() if program == at},
        )

    def of_sentence(self, at: int) -> ProgramMaps:
        """The same on the sentence in this place only."""
        return replace(
            self,
            sentences=(self.sentences[at],),
            cells=(self.cells[at],),
            failures={(program, 0): f for (program, row), f in self.failures.items() if row == at},
        )

    def within(self, window: Window) -> ProgramMaps:
        """The same on a layer that sees no further than its window."""
        lengths = [cell_side(cells.shape[-1], self.is_causal) for cells in self.cells]
        if not any(window.confines(n) for n in lengths):
            return self
        confine = zip(self.cells, lengths, strict=True)
        return replace(
            self, cells=tuple(confined_cells(cells, n, window, self.is_causal) for cells, n in confine)
        )


def program_maps(
    programs: Sequence[ParsedProgram],
    features: Features,
    is_causal: bool,
    device: str | torch.device = "cpu",
    looks: Looks | None = None,
) -> ProgramMaps:
    """Every program's attention on every sentence of `features`; cells lie on `device`.

    `looks` holds the maps, by sentence of `features`, of the heads that programs look at.
    """
    cells: list[torch.Tensor] = []
    failures: dict[tuple[int, int], Failure] = {}
    for rows in batches(features.lengths, range(len(features)), tokens=_BATCH_TOKENS):
        seen = None if looks is None else SomeLooks(looks, rows)
        evaluator = Evaluator(features.select(rows), is_causal, device, looks=seen)
        lengths = [int(features.lengths[row]) for row in rows]
        batch = [torch.zeros(len(programs), cell_count(n, is_causal), device=device) for n in lengths]
        for at, result in enumerate(_results(evaluator, programs)):
            for position, n in enumerate(lengths):
                batch[position][at] = pack_tensor(result.weights[position, :n, :n], is_causal)
            failures.update({(at, rows[row]): failure for row, failure in result.failures.items()})
        cells.extend(batch)
    return ProgramMaps(
        tuple(program.id for program in programs), features.sentences, tuple(cells), failures, is_causal
    )


def _results(evaluator: Evaluator, programs: Sequence[ParsedProgram]) -> Iterator[Evaluated]:
    """What each program gives; those of plain Python, which other processes run, beside one another."""
    plain = (program for program in programs if isinstance(program, PlainProgram))
    with ThreadPoolExecutor(cores()) as pool:
        ahead = deque(pool.submit(evaluator.run, program) for program in islice(plain, _AHEAD))
        for program in programs:
            if isinstance(program, PlainProgram):
                yield ahead.popleft().result()
                ahead.extend(pool.submit(evaluator.run, other) for other in islice(plain, 1))
            else:
                yield evaluator.run(program)


def in_blocks(items: Sequence[Item], cells: int) -> list[Sequence[Item]]:
    """Items of so many cells each, in blocks that stay within MAX_CELLS; of at least one item."""
    size = max(1, MAX_CELLS // max(1, cells))
    return [items[start : start + size] for start in range(0, len(items), size)]


def score(
    produced: ProgramMaps,
    maps: Mapping[str, np.ndarray],
    heads: Sequence[HeadId],
    split: Split,
    window: Window = UNBOUNDED,
    with_js: bool = False,
) -> list[Score]:
    """One Score per (program, head), program by program, on the sentences that the programs ran on.

    `maps` gives each sentence's maps of these heads, [head, query, key], in this order; `window` is how far
    their layer sees. The Jensen-Shannon distance takes longer than all else and is measured only `with_js`.
    """
    produced = produced.within(window)
    distances = js_distances(produced, maps) if with_js else None
    return summarise(produced, sentence_ious(produced, maps), heads, split, distances)


def sentence_ious(produced: ProgramMaps, maps: Mapping[str, np.ndarray]) -> np.ndarray:
    """IoU of every program with every head on every sentence, float32 [program, head, sentence].

    `maps` gives each sentence's heads, [head, query, key]. A failed sentence scores 0.
    """
    heads = next(iter(maps.values())).shape[0]
    distances = np.zeros((len(produced.sentences), len(produced.programs), heads), np.float32)
    mass = np.zeros((heads, len(produced.sentences)), np.float32)

    def compare(at: int) -> None:
        attention, cells = torch.from_numpy(maps[produced.sentences[at]]), produced.cells[at]
        packed = pack_tensor(attention, produced.is_causal)
        distances[at] = l1_distances(cells, packed.to(cells.device)).cpu().numpy()
        mass[:, at] = (mass_of(attention.numpy()) + attention.shape[-1]) / 2

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(compare, range(len(produced.sentences))))
    ious = iou_from_l1(distances.transpose(1, 2, 0), mass)
    for program, sentence_at in produced.failures:
        ious[program, :, sentence_at] = 0
    return ious


def js_distances(produced: ProgramMaps, maps: Mapping[str, np.ndarray]) -> np.ndarray:
    """Mean row-wise Jensen-Shannon distance (base 2, in [0, 1]), float32 [program, head].

    The mean is over sentences on which the program did not fail; 1 if there is none.
    """
    totals = np.zeros((len(produced.programs), next(iter(maps.values())).shape[0]), np.float64)
    counts = np.zeros((len(produced.programs), 1))
    for at, (sentence, cells) in enumerate(zip(produced.sentences, produced.cells, strict=True)):
        heads = pack_tensor(torch.from_numpy(maps[sentence]), produced.is_causal)
        n = maps[sentence].shape[-1]
        row_of = torch.from_numpy(places(n, produced.is_causal)[0])
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


def summarise(
    produced: ProgramMaps,
    ious: np.ndarray,
    heads: Sequence[HeadId],
    split: Split,
    js: np.ndarray | None = None,
) -> list[Score]:
    """What `score` gives, from IoU [program, head, sentence] that came in pieces."""
    means = ious.mean(-1)
    low, high = mean_interval(ious)
    failed = Counter(program for program, _ in produced.failures)
    return [
        Score(
            program=name,
            head=head,
            split=split,
            iou=Estimate(float(means[row, at]), float(low[row, at]), float(high[row, at])),
            js_distance=float("nan") if js is None else float(js[row, at]),
            sentences=ious.shape[-1],
            failures=failed[row],
        )
        for row, name in enumerate(produced.programs)
        for at, head in enumerate(heads)
    ]
