"""Pictures of few colours as PNG, written by hand: no library is needed to read or write them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np


def palette_png(pixels: np.ndarray, colours: Sequence[str]) -> bytes:
    """A picture [row, column] of indices into colours such as #1f4e9c."""
    return indexed_png(pixels, b"".join(bytes.fromhex(colour[1:]) for colour in colours))


def indexed_png(pixels: np.ndarray, palette: bytes, clear: bool = False) -> bytes:
    """A picture [row, column], uint8, of indices into three bytes a colour; index 0 may be transparent."""
    height, width = pixels.shape
    rows = np.concatenate(
        [np.zeros((height, 1), np.uint8), pixels], axis=1
    )  # each row begins with its filter
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"tRNS", b"\0") if clear else b"",
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
