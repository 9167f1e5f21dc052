"""Which arrows to show, and what the colour of a head says."""

from __future__ import annotations

import streamlit as st

from core.review import VERDICTS, Kept
from core.types import ModelInfo

COLOURS = ("IoU", "Category", "Verdict")


def choose_arrows(model: ModelInfo) -> tuple[Kept, str]:
    """The arrows to keep, and one of COLOURS."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        least = st.slider(
            "Least weight",
            0.0,
            1.0,
            0.0,
            0.05,
            key="circuit-weight",
            persist_state="session",
            width=115,
            help="The size of the exponent by which a program follows a head or turns away from it",
        )
        span = (0, model.layers - 1)
        if model.layers > 1:
            span = st.slider("Layers", 0, model.layers - 1, span, key=f"circuit-layers-{model.id}", width=115)
        chosen = st.pills(
            "Verdict on the program that looks",
            VERDICTS,
            default=VERDICTS,
            selection_mode="multi",
            key="circuit-verdicts",
            persist_state="session",
        )
        colour = choose_colour()
    return Kept(least, span, frozenset(chosen or VERDICTS)), colour


def choose_colour() -> str:
    """One of COLOURS."""
    return str(
        st.segmented_control(
            "Colour by", COLOURS, default="IoU", key="circuit-colour", required=True, persist_state="session"
        )
    )
