"""How alike two orders are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd

Key = TypeVar("Key", bound=Hashable)  # a head, or its name


def rank_correlation(one: Mapping[Key, float], other: Mapping[Key, float]) -> float:
    """Spearman's, over the heads of both; equal values, also infinite ones, share their mean rank.

    nan for fewer than two heads, or where all values of a side are equal.
    """
    heads = [head for head in one if head in other]
    ranks = [pd.Series([values[head] for head in heads], dtype=float).rank() for values in (one, other)]
    if any(rank.nunique() < 2 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
