"""What workspaces hold, as tests put it there and compare it."""

from __future__ import annotations

import numpy as np

from core.language import parse
from core.store import AttentionReader
from core.types import Estimate, HeadId, ModelInfo, Score, Split


def fits(source: str, head: HeadId, iou: float) -> list[Score]:
    """Scores of a program on a head, the same on each split."""
    return [Score(parse(source).id, head, split, Estimate(iou, iou, iou), 0.0, 9, 0) for split in Split]


def assert_same_attention(found: AttentionReader, expected: AttentionReader, info: ModelInfo) -> None:
    """The same maps of the same passages, in every layer."""
    for layer in info.attention_layers:
        wanted = expected.layer(layer)
        for name, maps in found.layer(layer).items():
            np.testing.assert_array_equal(maps, wanted.pop(name))
        assert not wanted
