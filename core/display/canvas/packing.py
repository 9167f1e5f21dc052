"""Attention maps as bytes for a canvas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.maps import pack

_SMALL = 96_000  # bytes up to which weights travel in 16 bits; larger maps take 8


def payload(header: Mapping[str, Any], maps: np.ndarray, is_causal: bool, is_signed: bool = False) -> bytes:
    """A header and maps [map, query, key] for maps.js, as one block of bytes.

    Four bytes give the header's length, then comes the header as JSON, then the cells of each map: the
    lower triangle row by row, or everything for an encoder. A cell holds the square root of its weight
    in little-endian fixed point of `depth` bytes, so that small weights keep their digits. Signed numbers
    keep their sign before that of their size, and are relative to the largest, which the header calls `most`.
    """
    count, n = len(maps), maps.shape[-1]
    cells = pack(maps, is_causal)
    depth = 2 if 2 * cells.size <= _SMALL else 1
    shape = {"n": n, "count": count, "causal": is_causal, "depth": depth}
    if is_signed:
        most = shape["most"] = max(float(np.abs(cells).max(initial=0)), 1e-30)
        fixed = np.rint(np.sign(cells) * np.sqrt(np.abs(cells) / most) * (256**depth // 2 - 1))
    else:
        fixed = np.rint(np.sqrt(np.clip(cells, 0, 1)) * (256**depth - 1))
    text = json.dumps({**header, **shape}).encode()
    body = fixed.astype(f"<{'i' if is_signed else 'u'}{depth}").tobytes()
    packed: bytes = len(text).to_bytes(4, "little") + text + body
    return packed
