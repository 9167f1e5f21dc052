"""From a card to the same place on Heads."""

from __future__ import annotations

import streamlit as st

from core.types import HeadId
from core.ui.parts.reviewer import in_address

_ASKED = "review-to-heads"
CAME = "heads-from-review"  # whether Heads was opened from a card


def ask_for_heads(
    head: HeadId, program: str, sentence: str = "", cell: tuple[int, int] | None = None
) -> None:
    """In a callback: open Heads once the page is drawn, at a cell (query, key) if one is given."""
    place = {"layer": str(head.layer), "head": str(head.head), "program": program}
    if sentence:
        place["sentence"] = sentence
    if cell is not None:
        place["at"] = f"{cell[0]}.{cell[1]}"
    st.session_state[_ASKED] = place


def go_if_asked() -> None:
    """Leave for Heads if that was asked for."""
    place = st.session_state.pop(_ASKED, None)
    if place is not None:
        st.session_state[CAME] = True
        st.switch_page("pages/heads.py", query_params=place | in_address())
