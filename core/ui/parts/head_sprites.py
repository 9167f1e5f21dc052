"""Every head of the model on one sentence: a sprite of thumbnails per layer; a click opens the head."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import streamlit as st

from core.display import CIVIDIS
from core.display.canvas import payload, script, style
from core.types import HeadId, ModelInfo

_view = st.components.v2.component(
    "headscript_head_sprites",
    css=style("head_sprites"),
    js=script("element", "maps", "head_sprites"),
)


def draw_head_sprites(
    thumbnails: np.ndarray, model: ModelInfo, shown: HeadId, key: str, on_open: Callable[[HeadId], None]
) -> None:
    """Thumbnails [layer with heads, head, query, key] in the Overview's grid: layers across, heads down."""

    def opened() -> None:
        layer, head = st.session_state[key]["head"]
        if layer in model.attention_layers:
            on_open(HeadId(layer, head))

    grid = np.zeros((model.layers, *thumbnails.shape[1:]), thumbnails.dtype)
    grid[model.attention_layers] = thumbnails
    maps = grid.reshape(-1, *grid.shape[2:])
    header = {
        "id": hashlib.sha256(maps.tobytes()).hexdigest()[:16],
        "layers": model.layers,
        "heads": model.heads,
        "shown": [shown.layer, shown.head],
        "sequential": CIVIDIS,
    }
    _view(key=key, data=payload(header, maps, model.is_causal), on_head_change=opened)
