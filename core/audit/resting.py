"""The keys at which a layer rests."""

from __future__ import annotations

import numpy as np
import torch

from core.audit.measures import resting_places


def resting_keys(layer: np.ndarray, is_causal: bool) -> list[int]:
    """Of a layer's maps [head, query, key] on a passage: the first key, and those that most heads look at."""
    attention = torch.from_numpy(layer.astype(np.float32))[None]
    (rests,) = resting_places(attention, torch.tensor([layer.shape[-1]]), is_causal)
    found: list[int] = rests.nonzero()[:, 0].tolist()
    return found
