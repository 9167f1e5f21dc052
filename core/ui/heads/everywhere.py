"""Every head with its best program on one passage, as a table of which a row opens its head."""

from __future__ import annotations

import streamlit as st

from core.display import token_name
from core.display.glossary import meaning
from core.scoring.everywhere import Everywhere, everywhere, explained
from core.sharing.figures.of_passage import heads_figure, summaries_of
from core.types import HeadId, ModelInfo
from core.ui.heads import address
from core.ui.heads.passages import Passage
from core.ui.parts import state
from core.ui.parts.attention_view import Pins
from core.ui.parts.figure import draw_figure_button


@st.cache_resource(show_spinner="Reading every head and its program here", max_entries=1)
def _everywhere(model: ModelInfo, version: int, passage: str, text: str, _passage: Passage) -> Everywhere:
    best = state.owner().workspace.library.parsed_best(model.id)
    return everywhere(model, _passage.features, _passage.layer, best)


def draw_everywhere(model: ModelInfo, passage: Passage, shown: HeadId, pins: Pins) -> None:
    """A row a head; those that look most from the pinned query to its key first, else the least explained."""
    workspace = state.owner().workspace
    found = _everywhere(model, state.version(), passage.id, passage.text, passage)
    surfaces = list(passage.features.surfaces)
    if pins.cell is None:
        st.caption(
            "Heads that their best programs explain least on this text come first. Click a cell of the maps "
            "to rank heads by their weight from one token to another."
        )
    else:
        query, key = (token_name(surfaces[at]) for at in pins.cell)
        st.caption(f"Heads by their weight from “{query}” to “{key}”, and the lines that explain it")
    best = workspace.library.parsed_best(model.id)
    table = explained(found, pins.cell, best, summaries_of(workspace, model))
    names, key_of_table = list(table["head"]), f"everywhere-{passage.id}-{pins.cell}"

    def choose() -> None:
        picked = st.session_state[key_of_table].selection.rows
        if picked:
            address.open_head(HeadId.parse(names[picked[0]]))

    weight = st.column_config.NumberColumn(format="%.3f", width=65)
    st.dataframe(
        table.assign(shown=["●" if name == str(shown) else "" for name in names])[["shown", *table.columns]],
        key=key_of_table,
        hide_index=True,
        height=300,
        on_select=choose,
        selection_mode="single-row",
        column_config={
            "shown": st.column_config.TextColumn("●", width=24, help="The one that is shown"),
            "head": st.column_config.TextColumn(width=60),
            "weight": weight,
            "program": weight,
            "lines": st.column_config.TextColumn("lines that explain it", width=230),
            "iou": st.column_config.NumberColumn("IoU here", format="%.2f", width=65, help=meaning("IoU")),
            "program_says": st.column_config.TextColumn("best program"),
        },
    )
    draw_figure_button(
        {"table": lambda: heads_figure(model, table, surfaces, pins.cell, passage.genre, passage.text)},
        f"{model.title}-all-heads",
        "everywhere-figure",
    )
