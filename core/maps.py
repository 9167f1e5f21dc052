"""An attention map as numbers: its cells, distances and IoU of maps, passages cut into batches by size.

A causal map [query, key] is packed as its lower triangle, row by row (row q holds keys 0..q); an encoder's
as all n x n cells. A program's rows each sum to 1, as a head's do unless part of its attention goes to a sink
that is no token. With mass m, the mean of what both maps weigh, and L1 distance d, their IoU, sum of minima
over sum of maxima, is (m - d/2) / (m + d/2); m is the number of rows where no mass is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from math import isqrt
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from core.types import Window

Lengths = np.ndarray | Sequence[int]  # tokens of each passage
Numbers = TypeVar("Numbers", np.ndarray, Tensor)

# Cells


def pack(maps: np.ndarray, is_causal: bool) -> np.ndarray:
    """Maps [..., query, key] as [..., cell]: the lower triangle row by row, or everything."""
    n = maps.shape[-1]
    flat = maps.reshape(*maps.shape[:-2], n * n)
    return flat.take(_triangle(n), -1) if is_causal else flat


def pack_tensor(maps: Tensor, is_causal: bool) -> Tensor:
    """What `pack` does, for a tensor, where it lies."""
    n = maps.shape[-1]
    flat = maps.reshape(*maps.shape[:-2], n * n)
    return flat.index_select(-1, torch.from_numpy(_triangle(n)).to(maps.device)) if is_causal else flat


def unpack(cells: np.ndarray, n: int, is_causal: bool) -> np.ndarray:
    """The map [query, key] of n tokens whose cells [cell] `pack` gave; zero in the future."""
    if not is_causal:
        return cells.reshape(n, n)
    flat = np.zeros(n * n, cells.dtype)
    flat[_triangle(n)] = cells
    return flat.reshape(n, n)


def places(n: int, is_causal: bool) -> tuple[np.ndarray, np.ndarray]:
    """Query and key, int64, of each cell that `pack` gives of a map of n tokens."""
    query, key = np.divmod(_triangle(n) if is_causal else np.arange(n * n), max(n, 1))
    return query, key


@lru_cache(maxsize=256)
def _triangle(n: int) -> np.ndarray:
    """Where the lower triangle lies in a flattened n x n map; there are many maps of each size."""
    cells: np.ndarray = np.flatnonzero(np.tri(n, dtype=bool))
    return cells


def cell_counts(lengths: Lengths, is_causal: bool) -> np.ndarray:
    """How many cells the map of each passage has, int64."""
    n = np.asarray(lengths, np.int64)
    counts: np.ndarray = n * (n + 1) // 2 if is_causal else n * n
    return counts


def cell_sum(lengths: Lengths, is_causal: bool) -> int:
    """How many cells the maps of all passages have, of one head."""
    return int(cell_counts(lengths, is_causal).sum())


def cell_count(n: int, is_causal: bool) -> int:
    """How many cells a map of n tokens has."""
    return int(cell_counts([n], is_causal)[0])


def cell_side(cells: int, is_causal: bool) -> int:
    """How many tokens a map of so many cells has."""
    return (isqrt(8 * cells + 1) - 1) // 2 if is_causal else isqrt(cells)


def pooled(maps: np.ndarray, side: int) -> np.ndarray:
    """Maps [..., query, key] of at most `side` rows and columns; a cell is the largest of those it covers."""
    n = maps.shape[-1]
    if n <= side:
        return maps
    edges = np.arange(side) * n // side
    small: np.ndarray = np.maximum.reduceat(np.maximum.reduceat(maps, edges, axis=-1), edges, axis=-2)
    return small


# Passages by size


def batches(
    lengths: Lengths, rows: Iterable[int], tokens: int | None = None, pairs: int | None = None
) -> Iterator[list[int]]:
    """Rows in the order given, cut into batches of at least one.

    A batch, padded to its longest passage, has at most so many `tokens` and so many query-key `pairs`.
    """
    batch: list[int] = []
    width = 0
    for row in rows:
        n = int(lengths[row])
        width = max(width, n)
        padded = (len(batch) + 1) * width
        too_many = tokens is not None and padded > tokens
        if batch and (too_many or (pairs is not None and padded * width > pairs)):
            yield batch
            batch, width = [], n
        batch.append(row)
    if batch:
        yield batch


def like_batches(
    lengths: Lengths, rows: Iterable[int], tokens: int | None = None, pairs: int | None = None
) -> Iterator[list[int]]:
    """What `batches` gives from the shortest passage to the longest, so that little of a batch is padding."""
    yield from batches(lengths, sorted(rows, key=lambda row: (int(lengths[row]), row)), tokens, pairs)


def first_within(lengths: Lengths, is_causal: bool, cells: int) -> int:
    """How many of the first passages have at most so many cells together; at least one."""
    return max(1, int(np.searchsorted(cell_counts(lengths, is_causal).cumsum(), cells, side="right")))


def padded(maps: Sequence[np.ndarray]) -> Tensor:
    """Maps [query, key] of passages as float32 [passage, query, key], 0 beyond the end of each."""
    longest = max(map(len, maps), default=0)
    found = torch.zeros(len(maps), longest, longest)
    for row, one in enumerate(maps):
        found[row, : len(one), : len(one)] = torch.from_numpy(one)
    return found


# IoU


def iou_from_l1(distance: Numbers, mass: np.ndarray | Tensor | float) -> Numbers:
    """IoU of two maps from their L1 distance and mean mass: their number of rows, unless some is missing."""
    return (mass - distance / 2) / (mass + distance / 2)  # type: ignore[return-value]


def iou_of(one: np.ndarray, other: np.ndarray) -> float:
    """IoU of two maps [query, key]."""
    return float(iou_from_l1(np.abs(one - other).sum(), (mass_of(one) + mass_of(other)) / 2))


def mass_of(maps: np.ndarray) -> np.ndarray:
    """What maps [..., query, key] weigh, float32 [...]: their number of rows, unless some mass is missing.

    A row that float16 keeps from summing to exactly 1 counts as a whole one.
    """
    missing = 1 - maps.sum(-1, dtype=np.float32)
    mass: np.ndarray = maps.shape[-2] - np.where(missing > FULL, missing, 0).sum(-1, dtype=np.float32)
    return mass


FULL = 2.0**-8  # a row that lacks no more is whole: weights are kept to 11 bits, of some models to 8


# Windows


def confined(maps: Tensor, window: Window, is_causal: bool) -> Tensor:
    """Maps [..., query, key] as a layer with this window has them: nothing beyond, rows sum to what they did.

    A row that had all its weight beyond the window goes to the first key within. Where there are fewer
    queries than keys, they are the last ones.
    """
    queries, n = maps.shape[-2:]
    if not window.confines(n):
        return maps
    allowed = window.seen(n) & np.tri(n, dtype=bool) if is_causal else window.seen(n)
    seen = torch.from_numpy(allowed[n - queries :]).to(maps.device)
    inside = maps * seen
    total, before = inside.sum(-1, keepdim=True), maps.sum(-1, keepdim=True)
    is_first = seen & (seen.cumsum(-1) == 1)
    scaled = inside * (before / total.clamp(min=torch.finfo(inside.dtype).tiny))
    return torch.where(total > 0, scaled, is_first * before)


def confined_cells(cells: Tensor, n: int, window: Window, is_causal: bool) -> Tensor:
    """What `confined` does, for maps of n tokens that are packed [..., cell]."""
    if not window.confines(n):
        return cells
    query, key = (torch.from_numpy(place).to(cells.device) for place in places(n, is_causal))
    maps = cells.new_zeros(*cells.shape[:-1], n, n)
    maps[..., query, key] = cells
    return pack_tensor(confined(maps, window, is_causal), is_causal)


def l1_and_slope(weights: Tensor, targets: Tensor, sums: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """L1 distances [..., row] of softmaxes from `targets` [..., row, key], and their slope in the logits.

    With w the softmax of a row and t its target, d|w - t| / dlogits = s - w * sum(s), where
    s = w * sign(w - t). `sums` adds up the rows of [..., row, key].
    """
    difference = weights - targets
    slope = torch.copysign(weights, difference)
    distances = sums(difference.abs_())
    slope.addcmul_(weights, sums(slope)[..., None], value=-1)
    return distances, slope


# L1 distances: on a CPU a compiled loop over the widest registers there are. Twelve sums are held in them at
# a time, so that seven reads serve twelve subtractions. On a GPU `torch.cdist`.


def l1_distances(a: Tensor, b: Tensor) -> Tensor:
    """L1 distances [row, other] between the rows of float32 [row, cell] and [other, cell].

    Both lie on one device, where the distances are computed. On a CPU one call takes one core and leaves
    the interpreter to other threads, so call it from as many as there are cores.
    """
    if a.device.type != "cpu":
        return torch.cdist(a[None], b[None], p=1)[0]
    out = np.zeros((len(a), len(b)), np.float32)
    _compiled()(a.contiguous().numpy(), b.contiguous().numpy(), out)
    return torch.from_numpy(out)


def prepare_distances() -> None:
    """Import and compile ahead of time what the first distances on a CPU would wait for."""
    one = torch.zeros(1, 1)
    l1_distances(one, one)


_compiling = Lock()


def _compiled() -> Callable[[np.ndarray, np.ndarray, np.ndarray], None]:
    with _compiling:  # else every thread that comes first would compile
        loop: Callable[[np.ndarray, np.ndarray, np.ndarray], None] = _compile()
        return loop


@cache
def _compile() -> Any:
    from numba import njit  # half a second; most of who packs or cuts never compares

    return njit(fastmath=True, nogil=True, cache=True)(_l1)


def _l1(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Four rows of `a` by three of `b` at a time; past the last row, the last is taken again."""
    last, last_other = len(a) - 1, len(b) - 1
    for i in range(0, len(a), 4):
        i1, i2, i3 = min(i + 1, last), min(i + 2, last), min(i + 3, last)
        for j in range(0, len(b), 3):
            j1, j2 = min(j + 1, last_other), min(j + 2, last_other)
            d00 = d01 = d02 = d10 = d11 = d12 = np.float32(0)
            d20 = d21 = d22 = d30 = d31 = d32 = np.float32(0)
            for cell in range(a.shape[1]):
                a0, a1, a2, a3 = a[i, cell], a[i1, cell], a[i2, cell], a[i3, cell]
                b0, b1, b2 = b[j, cell], b[j1, cell], b[j2, cell]
                d00, d01, d02 = d00 + abs(a0 - b0), d01 + abs(a0 - b1), d02 + abs(a0 - b2)
                d10, d11, d12 = d10 + abs(a1 - b0), d11 + abs(a1 - b1), d12 + abs(a1 - b2)
                d20, d21, d22 = d20 + abs(a2 - b0), d21 + abs(a2 - b1), d22 + abs(a2 - b2)
                d30, d31, d32 = d30 + abs(a3 - b0), d31 + abs(a3 - b1), d32 + abs(a3 - b2)
            out[i, j], out[i, j1], out[i, j2] = d00, d01, d02
            out[i1, j], out[i1, j1], out[i1, j2] = d10, d11, d12
            out[i2, j], out[i2, j1], out[i2, j2] = d20, d21, d22
            out[i3, j], out[i3, j1], out[i3, j2] = d30, d31, d32
