"""The keyboard on a chart that draws heads as cells, and a line below it that says what a cell is."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.display.canvas import script
from core.types import HeadId, ModelInfo

_keys = st.components.v2.component(
    "headscript_map_keys",
    css=".told { margin: 0; font: .875rem var(--st-font); color: light-dark(#5b6376, #a3abbd); }",
    js=script("map_keys"),
)


def draw_map_keys(chart: str, model: ModelInfo, texts: Mapping[HeadId, str], hint: str) -> None:
    """Let the tab key enter the chart called `chart`; arrow keys walk its cells, Enter clicks one.

    `texts` says what stands in a cell; `hint` is said while none has the focus.
    """
    places = {head.layer * model.heads + head.head: text for head, text in texts.items()}
    _keys(
        key=f"{chart}-keys", data={"chart": chart, "heads": model.heads, "texts": places, "hint": hint},
    )  # fmt: skip
