"""Small maps, head beside program: many sentences at a glance."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import streamlit as st

from core.display import CIVIDIS, PUOR, PUOR_DARK
from core.display.canvas import script, style
from core.maps import pack

_groups = st.components.v2.component(
    "headscript_thumbnails",
    css=style("thumbnails"),
    js=script("element", "maps", "fired", "thumbnails"),
)


@dataclass(frozen=True)
class Map:
    """One small map; a signed one is drawn in the diverging palette around 0."""

    label: str
    weights: np.ndarray  # float32 [query, key]; 0 to 1, or -1 to 1 if signed
    is_signed: bool = False


@dataclass(frozen=True)
class Fired:
    """Which lines of a program had a say in each cell's weight."""

    sets: tuple[tuple[int, ...], ...]  # of lines, counted from 1; those that matter most come first
    at: np.ndarray  # uint8 [query, key]: a place in `sets`


@dataclass(frozen=True)
class Group:
    """Maps that belong together, with a caption above; hovering shows the tokens if given, else the text."""

    caption: str
    text: str
    maps: tuple[Map, ...]
    tokens: tuple[str, ...] = ()
    rests: tuple[int, ...] = (0,)  # the keys that *without resting places* leaves out
    fired: Fired | None = None  # what hovering says of the program's lines


@dataclass(frozen=True)
class Shade:
    """A token with the weight that head and program give it; a gap in the text if it is empty."""

    text: str
    head: float = 0.0
    program: float = 0.0


@dataclass(frozen=True)
class Query:
    """What a query looks at, as text: the keys around it that matter, the query last."""

    shades: tuple[Shade, ...]
    place: tuple[int, int, int]  # which group, which query, its strongest key


@dataclass(frozen=True)
class Bars:
    """A distribution over 0 to 1 in equal bins, with a caption."""

    caption: str
    counts: tuple[int, ...]


def draw_thumbnails(
    groups: Sequence[Group],
    is_causal: bool,
    key: str,
    bars: Bars | None = None,
    wide: bool = False,
    queries: Sequence[Query] = (),
    on_open: Callable[[], None] | None = None,
    is_blind: bool = False,
    lines: Mapping[int, str] | None = None,
) -> None:
    """Groups of small maps in a grid, or one a line if `wide`; `queries` above, `bars` below them.

    Where `is_blind`, hovering says no weight; `lines` are the texts of those that `Group.fired` numbers. A
    click on a cell or a query calls `on_open`, if given: `opened(key)` then says where.
    """
    _groups(
        key=key,
        on_open_change=on_open or (lambda: None),
        data={
            "opens": on_open is not None,
            "blind": is_blind,
            "lines": lines or {},
            "queries": [asdict(query) for query in queries],
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
                    "tokens": list(group.tokens),
                    "rests": list(group.rests),
                    "fired": None if group.fired is None else _fired(group.fired, is_causal),
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


def opened(key: str) -> tuple[int, int, int]:
    """Which group, query and key of it were clicked in the thumbnails called `key`."""
    group, query, at = st.session_state[key]["open"]
    return int(group), int(query), int(at)


def _fired(found: Fired, is_causal: bool) -> dict[str, object]:
    """The sets, and a byte a cell as base64, in the order of `packed`."""
    cells = pack(found.at, is_causal).astype(np.uint8)
    return {"sets": found.sets, "cells": base64.b64encode(cells.tobytes()).decode()}


def packed(one: Map, is_causal: bool) -> str:
    """Square roots of cells as base64 bytes, 255 = 1: lower triangle row by row, or everything.

    Signed: 127 = 0, and the root of the cell's size on either side.
    """
    kept = pack(one.weights, is_causal)
    roots = np.sign(kept) * np.sqrt(np.abs(kept))
    scaled = roots * 127 + 127 if one.is_signed else roots * 255
    return base64.b64encode(np.clip(np.rint(scaled), 0, 255).astype(np.uint8).tobytes()).decode()
