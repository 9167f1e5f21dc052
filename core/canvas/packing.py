"""Attention maps as bytes for a canvas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.maps import pack

_SMALL = 96_000  # bytes up to which weights travel in 16 bits; larger maps take 8


def payload(header: Mapping[str, Any], maps: np.ndarray, is_causal: bool) -> bytes:
    """A header and maps [map, query, key] for maps.js, as one block of bytes.

    Four bytes give the header's length, then comes the header as JSON, then the cells of each map: the
    lower triangle row by row, or everything for an encoder. A cell holds the square root of its weight
    in little-endian fixed point of `depth` bytes, so that small weights keep their digits.
    """
    count, n = len(maps), maps.shape[-1]
    cells = pack(maps, is_causal)
    depth = 2 if 2 * cells.size <= _SMALL else 1
    largest = 256**depth - 1
    fixed = np.rint(np.sqrt(np.clip(cells, 0, 1)) * largest).astype(f"<u{depth}")
    shape = {"n": n, "count": count, "causal": is_causal, "depth": depth}
    text = json.dumps({**header, **shape}).encode()
    packed: bytes = len(text).to_bytes(4, "little") + text + fixed.tobytes()
    return packed
