"""A program to be read: every line, as large as the place allows."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_CANVAS = Path(__file__).parents[1] / "canvas"
_code = st.components.v2.component(
    "headscript_program_code",
    css=(_CANVAS / "program_code.css").read_text(),
    js=(_CANVAS / "program_code.js").read_text(),
)


def draw_program_code(source: str, ticket: str, key: str) -> None:
    """The source in a container that scrolls; a mark counts the lines that are still below.

    `ticket` names the card, so that the browser can tell whose program it shows.
    """
    _code(key=key, data={"source": source, "ticket": ticket})
