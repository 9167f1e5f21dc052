"""Why a program gives a pinned cell its weight, in the words of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.display.canvas import script, style
from core.language import ParsedProgram, PlainProgram, conclusion, lines_of, row_total, trace
from core.types import HeadId
from core.ui.heads.passages import Passage
from core.ui.parts.attention_view import Pins
from core.ui.parts.state import SideBySide

_view = st.components.v2.component(
    "headscript_why",
    css=style("heads_why"),
    js=script("element", "maps", "heads_why"),
)
_NOT_READ = "This is plain Python, which is run and not read: which of its lines gave this is not known."


def draw_why(reasons: dict[str, Any] | None, key: str) -> None:
    """The lines that fired for the pinned cell and what each contributed; a hint while nothing is pinned."""
    _view(key=key, data=reasons or {"pair": None})


def fired_lines(reasons: dict[str, Any] | None) -> dict[int, str]:
    """The lines that had a say in the pinned cell's weight, each with what it did."""
    effects: dict[int, list[str]] = {}
    for line in reasons["lines"] if reasons else ():
        effects.setdefault(line["line"], []).append(line["effect"])
    return {line: ", ".join(found) for line, found in effects.items()}


def reasons_for(
    program: ParsedProgram,
    passage: Passage,
    looks: Mapping[HeadId, np.ndarray],
    compared: SideBySide,
    is_causal: bool,
    pins: Pins,
) -> dict[str, Any] | None:
    """Why the pinned cell weighs what it does; None while nothing is pinned.

    `looks` holds the maps that the program looks at.
    """
    if pins.cell is None:
        return None
    query, key_token = pins.cell
    pinned = {
        "pair": [compared.tokens[query], compared.tokens[key_token]],
        "positions": [query, key_token],
        "head": float(compared.head[query, key_token]),
        "program": float(compared.program[query, key_token]),
    }
    if isinstance(program, PlainProgram):
        return {**pinned, "lines": [], "conclusion": _NOT_READ}
    found = trace(program, passage.features.tokens(0), query, key_token, looks)
    looked = {head: weights[None] for head, weights in looks.items()}
    total = row_total(program, passage.features, query, is_causal, looked)
    return {**pinned, "lines": lines_of(found, compared.tokens), "conclusion": conclusion(found, total)}
