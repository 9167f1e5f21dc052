"""A program to be read: every line, as large as the place allows."""

from __future__ import annotations

import streamlit as st

from core.canvas import script, style

_code = st.components.v2.component(
    "headscript_program_code",
    css=style("program_code"),
    js=script("code_words", "program_code"),
)


def draw_program_code(source: str, ticket: str, key: str) -> None:
    """The source in a container that scrolls; a mark counts the lines that are still below.

    `ticket` names the card, so that the browser can tell whose program it shows.
    """
    _code(key=key, data={"source": source, "ticket": ticket})
