"""The text-blind twin of a head: what it attends to on average, by position, whatever the text.

A row of the twin is the head's mean attention over train rows with as many keys. Where fewer than ten such
rows exist, and in an encoder, it is the mean weight on the first token and, over the others, the mean weight
by distance. It knows position and nothing of the text, so it is the baseline to beat.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.types import UNBOUNDED, AttentionMap, Window

_ENOUGH = 10  # train rows of a length, from which their mean is taken


@dataclass(frozen=True)
class Twin:
    """A head's mean attention by position, from which its pattern on a passage of any length is made."""

    is_causal: bool
    rows: np.ndarray  # float64 [query, key]: mean attention, where there are enough rows
    enough: int  # rows before this one are taken from `rows`
    first: float  # mean weight on the first token, of rows that see more than it
    behind: np.ndarray  # float64 [distance]: mean weight on a key so far behind, first token left out
    ahead: np.ndarray  # the same ahead, from distance 1; empty if causal

    def pattern(self, n: int) -> np.ndarray:
        """What it attends to on a passage of n tokens, float32 [query, key]; rows sum to 1."""
        by_distance = self._by_distance(n)
        known = min(n, self.enough)
        by_distance[:known, :known] = self.rows[:known, :known]
        by_distance[:known, known:] = 0
        total = by_distance.sum(-1, keepdims=True)
        found = np.where(total > 0, by_distance / np.where(total > 0, total, 1), np.eye(1, n))
        return found.astype(np.float32)

    def iou(self, weights: np.ndarray, window: Window = UNBOUNDED) -> float:
        """IoU with a map [query, key] of its head, in a layer that sees no further than its window."""
        import torch

        from core.maps import confined, iou_of  # with torch, which light commands do without

        pattern = torch.from_numpy(self.pattern(len(weights)))
        return iou_of(weights, confined(pattern, window, self.is_causal).numpy())

    def _by_distance(self, n: int) -> np.ndarray:
        away = np.arange(n)[:, None] - np.arange(n)
        found = _lookup(self.behind, away) + _lookup(self.ahead, -away - 1)
        found[:, 0] = 0
        rest = found.sum(-1, keepdims=True)
        found = np.where(rest > 0, (1 - self.first) * found / np.where(rest > 0, rest, 1), 0)
        found[:, 0] = np.where(rest[:, 0] > 0, self.first, 1)
        return found


def _lookup(table: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Entries of a table, 0 beside it."""
    padded = np.append(table, 0.0)
    inside = (places >= 0) & (places < len(table))
    found: np.ndarray = padded[np.where(inside, places, len(table))]
    return found


class TwinFit:
    """Takes a head's train maps one by one."""

    def __init__(self, is_causal: bool) -> None:
        self._is_causal = is_causal
        self._sums, self._counts = np.zeros((0, 0)), np.zeros(0, np.int64)
        # By distance between query and key, from minus the longest to the longest; the first token left out.
        self._apart, self._seen = np.zeros(0), np.zeros(0)
        self._first = self._rows = 0.0

    def add(self, weights: np.ndarray) -> None:
        """One more map [query, key]."""
        n = len(weights)
        if n > len(self._counts):
            grow = n - len(self._counts)
            self._sums, self._counts = np.pad(self._sums, (0, grow)), np.pad(self._counts, (0, grow))
            self._apart, self._seen = np.pad(self._apart, grow), np.pad(self._seen, grow)
        self._sums[:n, :n] += weights
        self._counts[:n] += 1
        self._first, self._rows = self._first + float(weights[1:, 0].sum()), self._rows + max(0, n - 1)
        around = slice(len(self._counts) - n, len(self._counts) + n)  # distances that occur in this passage
        places = _distances(n)
        self._apart[around] += np.bincount(places, weights[:, 1:].ravel(), 2 * n)
        self._seen[around] += np.bincount(places, minlength=2 * n)

    def twin(self) -> Twin:
        """The twin of what was taken."""
        middle = len(self._counts)
        mean = self._apart / np.maximum(self._seen, 1)
        enough = int((self._counts >= _ENOUGH).sum()) if self._is_causal else 0
        return Twin(
            self._is_causal,
            self._sums[:enough, :enough] / np.maximum(self._counts[:enough, None], 1),
            enough,
            self._first / self._rows if self._rows else 1.0,
            mean[middle:],
            np.zeros(0) if self._is_causal else mean[:middle][::-1],
        )


def fit_twin(maps: Iterable[AttentionMap], is_causal: bool) -> Twin:
    """The twin of the head whose attention on train passages this is, one map at a time."""
    fit = TwinFit(is_causal)
    for one in maps:
        fit.add(one.weights)
    return fit.twin()


@lru_cache(maxsize=256)
def _distances(n: int) -> np.ndarray:
    """Query minus key, moved by n, of each cell of a map of n tokens without its first column."""
    places: np.ndarray = (np.arange(n)[:, None] - np.arange(1, n) + n).ravel()
    return places
