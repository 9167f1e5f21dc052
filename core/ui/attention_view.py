"""The attention view: head, program and difference drawn on canvases that answer to the pointer."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from core.ui.palette import CIVIDIS, PUOR
from core.ui.state import Comparison

_HERE = Path(__file__).parent
_view = st.components.v2.component(
    "headscript_attention",
    css=(_HERE / "attention_view.css").read_text(),
    js=(_HERE / "attention_view.js").read_text(),
)


def draw_attention(compared: Comparison, title: str, is_causal: bool, key: str) -> None:
    """Head, program and head − program at one scale, beside the token text."""
    _view(
        key=key,
        data={
            "tokens": compared.tokens,
            "title": title,
            "causal": is_causal,
            "head": packed(compared.head, is_causal),
            "program": packed(compared.program, is_causal),
            "sequential": CIVIDIS,
            "diverging": PUOR,
        },
    )


def packed(weights: np.ndarray, is_causal: bool) -> str:
    """A map [query, key] as base64 uint16 fixed point (65535 = 1): lower triangle, or everything."""
    kept = weights[np.tril_indices(len(weights))] if is_causal else weights
    fixed = np.clip(np.rint(kept * 65535), 0, 65535).astype("<u2")
    return base64.b64encode(fixed.tobytes()).decode()


def largest_weights(compared: Comparison, count: int = 12) -> pd.DataFrame:
    """The head's largest weights as a table: the attention view for those who cannot see it."""
    order = np.argsort(-compared.head, axis=None)[:count]
    queries, keys = np.unravel_index(order, compared.head.shape)
    return pd.DataFrame(
        {
            "query": [f"{q}: {compared.tokens[q].strip()}" for q in queries],
            "key": [f"{k}: {compared.tokens[k].strip()}" for k in keys],
            "head": compared.head[queries, keys],
            "program": compared.program[queries, keys],
        }
    )
