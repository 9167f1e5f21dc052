"""A program's matrix as attention: what the language does to weights, done to a matrix."""

from __future__ import annotations

import numpy as np

from core.types import Failure


def as_attention(matrix: np.ndarray, causal: bool) -> np.ndarray | Failure:
    """float64 [query, key] as float32 rows that sum to 1; or why it is none.

    Weights below 0 count as 0, and with `causal` those of later keys; a row without any goes to token 0.
    """
    if not np.isfinite(matrix).all():
        rows = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        return Failure("non-finite", f"row {rows[0]} holds a number that is not finite")
    weights = np.clip(matrix, 0, None)
    if causal:
        weights = np.tril(weights)
    largest = weights.max(axis=1, keepdims=True, initial=0)
    weights = weights / np.where(largest > 0, largest, 1)  # so that sums are finite
    total = weights.sum(axis=1, keepdims=True)
    weights = weights / np.where(total > 0, total, 1)
    weights[total[:, 0] == 0, :1] = 1
    found: np.ndarray = weights.astype(np.float32)
    return found
