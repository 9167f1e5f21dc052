"""32-bit numbers: every number in a program is one."""

from __future__ import annotations

import math
import struct


def single(value: float) -> float:
    """The nearest 32-bit number; infinite beyond the largest."""
    try:
        rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return rounded
