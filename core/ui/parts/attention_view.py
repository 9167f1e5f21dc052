"""The attention view: head, program and difference drawn on canvases that answer to the pointer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import streamlit as st

from core.display import CIVIDIS, PUOR, PUOR_DARK
from core.display.canvas import ATTENTION_VIEW, payload, script, style
from core.ui.parts.state import SideBySide

_view = st.components.v2.component(
    "headscript_attention",
    css=style("attention_view"),
    js=script(*ATTENTION_VIEW),
)
PANELS = ("head", "program", "difference")


@dataclass(frozen=True)
class Pins:
    """What is pinned in an attention view: queries, whose attention is summed, and one cell."""

    queries: tuple[int, ...] = ()
    cell: tuple[int, int] | None = None  # query, key


def draw_attention(
    compared: SideBySide,
    title: str,
    is_causal: bool,
    pins: Pins,
    stamp: int,
    key: str,
    on_pin: Callable[[], None],
    panels: Sequence[str] = PANELS,
    rests: Collection[int] = (0,),
    is_signed: bool = False,
    on_turn: Callable[[], None] | None = None,
) -> None:
    """Head, program and head − program at one scale, or some of these, below the token text.

    Weights, or contributions if `is_signed`; the switch between them is there where `on_turn` is, which it
    calls. `rests` are the keys that the switch *without resting
    places* leaves out.

    `pins` are shown when the maps are new or `stamp` is; after that the view keeps its own, and calls
    `on_pin` when they change: `pins_of(key)` then gives them.
    """
    maps = np.stack([compared.head, compared.program])
    header = {
        "id": hashlib.sha256(
            maps.tobytes() + repr((title, compared.tokens, tuple(panels))).encode()
        ).hexdigest()[:16],
        "stamp": stamp,
        "tokens": compared.tokens,
        "title": title,
        "pins": asdict(pins),
        "panels": list(panels),
        "rests": sorted(rests),
        "isTurned": None if on_turn is None else is_signed,
        "sequential": CIVIDIS,
        "diverging": PUOR,
        "divergingDark": PUOR_DARK,
    }
    packed = payload(header, maps, is_causal, is_signed)
    _view(key=key, data=packed, on_pins_change=on_pin, on_turned_change=on_turn or (lambda: None))


def pins_of(key: str) -> Pins:
    """What the view called `key` says is pinned."""
    told = (st.session_state.get(key) or {}).get("pins")
    if not told:
        return Pins()
    return Pins(tuple(told["queries"]), tuple(told["cell"]) if told["cell"] else None)
