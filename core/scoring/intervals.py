"""95 % intervals: percentiles of what a thousand resamples give, the same resamples every time.

Three things are resampled: the mean of values, the ratio of two sums (a mean over tokens that are drawn
passage by passage), and the share of hits.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from core.types import Estimate

_RESAMPLES = 1000
_SEED = 0
_PERCENTILES = (2.5, 97.5)
_NORMAL = 1.96  # standard errors on each side of a 95 % interval


def mean_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low and high of the mean over the last axis, such as sentences; of the other axes' shape."""
    n = values.shape[-1]
    shares = _draws(n).astype(np.float32) / n
    low, high = _bounds(values.reshape(-1, n) @ shares.T)  # [value, resample]
    return low.reshape(values.shape[:-1]), high.reshape(values.shape[:-1])


def mean_estimate(values: np.ndarray) -> Estimate:
    """The mean of values [n] with its interval."""
    low, high = mean_interval(values)
    return Estimate(float(values.mean()), float(low), float(high))


def ratio_estimate(above: np.ndarray, below: np.ndarray) -> Estimate:
    """The ratio of the sums of values [n], such as over passages, with its interval."""
    draws = _draws(len(below))
    low, high = _bounds(draws @ above / (draws @ below))
    return Estimate(float(above.sum() / below.sum()), float(low), float(high))


def token_interval(values: np.ndarray, passages: np.ndarray) -> np.ndarray:
    """Low and high of the mean of `values` [token], over the passages that `passages` [token] names."""
    _, place, tokens = np.unique(passages, return_inverse=True, return_counts=True)
    sums, draws = np.bincount(place, values), _draws(len(tokens))
    return _bounds(draws @ sums / (draws @ tokens))


def share_estimate(hits: np.ndarray) -> Estimate:
    """The share of hits, bool [n], with its interval; each resample draws their number at once."""
    share, n = hits.mean(), len(hits)
    low, high = _bounds(_rng().binomial(n, share, _RESAMPLES) / n)
    return Estimate(float(share), float(low), float(high))


def normal_share(share: float, n: int) -> Estimate:
    """A share of n of which no more is known, with the interval of the normal approximation."""
    margin = _NORMAL * (share * (1 - share) / n) ** 0.5
    return Estimate(share, max(0.0, share - margin), min(1.0, share + margin))


@lru_cache(maxsize=8)
def _draws(n: int) -> np.ndarray:
    """How often each resample holds each of n things, int64 [resample, thing]; to be read only."""
    return _rng().multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)


def _rng() -> np.random.Generator:
    return np.random.default_rng(_SEED)


def _bounds(resampled: np.ndarray) -> np.ndarray:
    """Low and high [2, ...] of what resamples gave [..., resample]."""
    bounds: np.ndarray = np.percentile(resampled, _PERCENTILES, axis=-1)
    return bounds
