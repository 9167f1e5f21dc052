"""Small maps, head beside program: many sentences at a glance."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from core.canvas import script, style
from core.display import CIVIDIS, PUOR, PUOR_DARK
from core.maps import pack

_groups = st.components.v2.component(
    "headscript_thumbnails",
    css=style("thumbnails"),
    js=script("maps", "thumbnails"),
)


@dataclass(frozen=True)
class Map:
    """One small map; a signed one is drawn in the diverging palette around 0."""

    label: str
    weights: np.ndarray  # float32 [query, key]; 0 to 1, or -1 to 1 if signed
    is_signed: bool = False


@dataclass(frozen=True)
class Group:
    """Maps that belong together, with a caption above and a text that hovering shows."""

    caption: str
    text: str
    maps: tuple[Map, ...]


@dataclass(frozen=True)
class Bars:
    """A distribution over 0 to 1 in equal bins, with a caption."""

    caption: str
    counts: tuple[int, ...]


def draw_thumbnails(
    groups: Sequence[Group], is_causal: bool, key: str, bars: Bars | None = None, wide: bool = False
) -> None:
    """Groups of small maps in a grid, or one a line if `wide`; `bars` below them."""
    _groups(
        key=key,
        data={
            "causal": is_causal,
            "wide": wide,
            "sequential": CIVIDIS,
            "diverging": PUOR,
            "divergingDark": PUOR_DARK,
            "bars": None if bars is None else {"caption": bars.caption, "counts": list(bars.counts)},
            "groups": [
                {
                    "caption": group.caption,
                    "text": group.text,
                    "maps": [
                        {
                            "label": one.label,
                            "signed": one.is_signed,
                            "n": len(one.weights),
                            "cells": packed(one, is_causal),
                        }
                        for one in group.maps
                    ],
                }
                for group in groups
            ],
        },
    )


def packed(one: Map, is_causal: bool) -> str:
    """Cells as base64 bytes, 255 = 1: lower triangle row by row, or everything. Signed: 127 = 0."""
    kept = pack(one.weights, is_causal)
    scaled = kept * 127 + 127 if one.is_signed else kept * 255
    return base64.b64encode(np.clip(np.rint(scaled), 0, 255).astype(np.uint8).tobytes()).decode()
