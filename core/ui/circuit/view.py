"""The graph with its list, as a component that draws on SVG."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.display.canvas import script, style
from core.review import Circuit
from core.sharing.circuit import drawn, place_of
from core.types import HeadId, ModelInfo

_view = st.components.v2.component(
    "headscript_circuit",
    css=style("circuit"),
    js=script("element", "circuit"),
)


def draw_circuit(
    model: ModelInfo,
    shown: Circuit,
    colour: str,
    selected: HeadId | None,
    stamp: int,
    key: str,
    on_select: Callable[[], None],
) -> HeadId | None:
    """The circuit; the head that was asked to be opened just now, if any.

    `selected` is lit when `stamp` is new; after that the view keeps its own, and calls `on_select` when it
    changes: `selected_in(key, model)` then gives it.
    """
    result = _view(
        key=key,
        data=drawn(model, shown, colour)
        | {"selected": None if selected is None else place_of(model, selected), "stamp": stamp},
        on_selected_change=on_select,
        on_open_change=lambda: None,
    )
    opened = result.open
    return None if opened is None else _head(model, opened)


def selected_in(key: str, model: ModelInfo) -> HeadId | None:
    """The head that the view called `key` keeps lit."""
    place = (st.session_state.get(key) or {}).get("selected")
    return None if place is None else _head(model, place)


def _head(model: ModelInfo, place: object) -> HeadId:
    return HeadId(*divmod(int(str(place)), model.heads))
