"""A program to be read: every line, as large as the place allows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import streamlit as st

from core.display.canvas import script, style

_code = st.components.v2.component(
    "headscript_program_code",
    css=style("program_code"),
    js=script("code_words", "fired", "program_code"),
)


def draw_program_code(
    source: str,
    ticket: str,
    key: str,
    scrolled_by: str = "",
    fired: Mapping[int, str] | None = None,
    off: Collection[int] = (),
    is_numbered: bool = False,
    less: int | None = None,
    worth: Mapping[int, tuple[str, str]] | None = None,
) -> None:
    """The source in a container that scrolls; a mark counts the lines that are still below.

    `ticket` names the card, so that the browser can tell whose program it shows; `scrolled_by` the key that
    scrolls it; `fired` the lines, counted from 1, that had a say in a weight, with what they did to it; lines
    in `off` are left out. Where `less` is given, the lines that fire for a cell under the pointer are marked;
    it is how many lines before them are not shown. `worth` is what stands beside a line that no effect
    stands beside, and what pointing at the line says.
    """
    marks = {str(line): effect for line, effect in (fired or {}).items()}
    _code(
        key=key,
        data={
            "source": source,
            "ticket": ticket,
            "key": scrolled_by,
            "fired": marks,
            "off": sorted(off),
            "numbered": is_numbered,
            "less": less,
            "worth": {str(line): list(told) for line, told in (worth or {}).items()},
        },
    )
