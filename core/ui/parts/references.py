"""The heads that a program looks at, each opened in place: its map on the same sentences and what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import streamlit as st

from core.language import ParsedProgram, Reference, references
from core.types import HeadId, ModelInfo, Split
from core.ui.parts import frame, state
from core.ui.parts.reviewer import in_address
from core.ui.parts.thumbnails import Group, Map, draw_thumbnails

_ONE_MAP = 240  # pixels that a single map is wide


def draw_references(
    model: ModelInfo,
    program: ParsedProgram,
    maps_of: Callable[[HeadId], Sequence[np.ndarray]],
    where: str,
    key: str,
) -> None:
    """A button for each head that the program looks at; nothing if it looks at none.

    Pressed, it shows that head's maps, float32 [query, key], on some sentences (`where` says which), its best
    program in one line, and links. `maps_of` gives none where the attention is not at hand.
    """
    found = {one.head: one for one in references(program)}
    if not found:
        return
    chosen = st.pills(
        "Looks at: press one to see it here",
        list(found),
        selection_mode="single",
        format_func=lambda head: in_short(found[head]),
        key=f"looks-{key}-{program.id}",
        wrap=True,
    )
    if chosen is None:
        return
    summaries = _summaries(model, state.version())
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**{chosen}**, {in_words(found[chosen])}: {frame.as_text(summaries.get(chosen, '–'))}")
        maps = maps_of(chosen)
        if maps:
            with st.container(width="stretch" if len(maps) > 1 else _ONE_MAP):
                drawn = tuple(Map(str(chosen), weights) for weights in maps)
                draw_thumbnails([Group(where, "", drawn)], model.is_causal, f"references-{key}", wide=True)
        else:
            st.caption(f"The attention of {chosen} is not at hand.")
        at = {"layer": str(chosen.layer), "head": str(chosen.head)}
        with st.container(horizontal=True):
            st.page_link(
                "pages/heads.py", label=f"{chosen} on Heads", icon=":material/center_focus_strong:",
                query_params=at | in_address(),
            )  # fmt: skip
            st.page_link(
                "pages/circuit.py", label="in the circuit", icon=":material/hub:",
                query_params=at | in_address(),
            )  # fmt: skip


def in_short(reference: Reference) -> str:
    """`L3H7 · 0.44`; only the head where there is no exponent."""
    if reference.exponent is None:
        return str(reference.head)
    return f"{reference.head} · {reference.exponent:g}".replace("-", "−")


def in_words(reference: Reference) -> str:
    """How a program reads a head."""
    if reference.exponent is None:
        return "looked at otherwise"
    return f"{'followed' if reference.exponent >= 0 else 'turned away from'} by {reference.strength:g}"


@st.cache_data(show_spinner=False, max_entries=2)
def _summaries(model: ModelInfo, version: int) -> Mapping[HeadId, str]:
    """Every head's best program in one line."""
    rows = state.best_frame(model, Split.VALIDATION).to_dict("records")
    return {HeadId(int(row["layer"]), int(row["head"])): str(row["summary"]) for row in rows}
