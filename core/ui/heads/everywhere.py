"""Every head with its best program on one passage: who looks from one token to another, what is missed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import WorkspaceError
from core.glossary import meaning
from core.language import Evaluator, ParsedProgram, PlainProgram, trace
from core.maps import confined, iou_of
from core.sharing.figures import TableFigure
from core.types import HeadId, ModelInfo, Split
from core.ui.heads import address
from core.ui.heads.passages import Passage
from core.ui.heads.why import lines_of
from core.ui.parts import state
from core.ui.parts.attention_view import Pins
from core.ui.parts.figure import draw_figure_button

_EXPLAINED = 15  # heads of which the lines are told
_LINES = 3  # of a program


@dataclass(frozen=True)
class Everywhere:
    """Heads, and their best programs, on one passage."""

    heads: Mapping[HeadId, np.ndarray]  # float16 [query, key]
    programs: Mapping[HeadId, np.ndarray]  # the same; zero where the program failed
    ious: Mapping[HeadId, float]


@st.cache_resource(show_spinner="Reading every head and its program here", max_entries=1)
def _everywhere(model: ModelInfo, version: int, passage: str, text: str, _passage: Passage) -> Everywhere:
    heads: dict[HeadId, np.ndarray] = {}
    for layer in model.attention_layers:
        with suppress(KeyError, IndexError, WorkspaceError):  # not extracted
            for at, weights in enumerate(_passage.layer(layer)):
                heads[HeadId(layer, at)] = weights.astype(np.float16)
    looks = {head: weights[None].astype(np.float32) for head, weights in heads.items()}
    evaluator = Evaluator(_passage.features, model.is_causal, looks=looks)
    produced: dict[HeadId, np.ndarray] = {}
    ious: dict[HeadId, float] = {}
    for head, program in state.owner().workspace.library.parsed_best(model.id).items():
        if head not in heads or program.why_not_for(head):
            continue
        result = evaluator.run(program)
        weights = confined(result.weights[0], model.window(head.layer), model.is_causal).numpy()
        produced[head] = weights.astype(np.float16)
        ious[head] = 0.0 if result.failures else iou_of(heads[head].astype(np.float32), weights)
    return Everywhere(heads, produced, ious)


def draw_everywhere(model: ModelInfo, passage: Passage, shown: HeadId, pins: Pins) -> None:
    """A row a head; those that look most from the pinned query to its key first, else the least explained."""
    found = _everywhere(model, state.version(), passage.id, passage.text, passage)
    surfaces = list(passage.features.surfaces)
    table = ranked(found, pins.cell)
    if pins.cell is None:
        st.caption(
            "Heads that their best programs explain least on this text come first. Click a cell of the maps "
            "to rank heads by their weight from one token to another."
        )
    else:
        query, key = (surfaces[at].strip() or "␣" for at in pins.cell)
        st.caption(f"Heads by their weight from “{query}” to “{key}”, and the lines that explain it")
    rows = state.best_frame(model, Split.VALIDATION).to_dict("records")
    summaries = {str(HeadId(int(row["layer"]), int(row["head"]))): str(row["summary"]) for row in rows}
    table = table.assign(
        shown=["●" if name == str(shown) else "" for name in table["head"]],
        program_says=[summaries.get(name, "–") for name in table["head"]],
    )
    if pins.cell is not None:
        programs = state.owner().workspace.library.parsed_best(model.id)
        told = [
            lines_in_words(programs[head], passage, found, pins.cell, surfaces) if head in programs else ""
            for head in map(HeadId.parse, table["head"].iloc[:_EXPLAINED])
        ]
        table = table.assign(lines=told + [""] * (len(table) - len(told)))
    names, key_of_table = list(table["head"]), f"everywhere-{passage.id}-{pins.cell}"

    def choose() -> None:
        picked = st.session_state[key_of_table].selection.rows
        if picked:
            address.open_head(HeadId.parse(names[picked[0]]))

    weight = st.column_config.NumberColumn(format="%.3f", width=65)
    columns = ["head", *(["weight", "program", "lines"] if pins.cell else []), "iou", "program_says"]
    st.dataframe(
        table[["shown", *columns]],
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
    named = table[columns].rename(columns={"iou": "IoU here", "program_says": "best program"})
    caption = f"{passage.genre}. {' '.join(passage.text.split())[:80]}"
    draw_figure_button(
        {"table": lambda: TableFigure.of(f"{model.title}: all heads on a passage", named, caption)},
        f"{model.title}-all-heads",
        "everywhere-figure",
    )


def ranked(found: Everywhere, cell: tuple[int, int] | None) -> pd.DataFrame:
    """A row a head: head, weight and program (at the cell), iou; by weight, or without a cell by iou."""
    rows = [
        {
            "head": str(head),
            "weight": float(weights[cell]) if cell else np.nan,
            "program": float(found.programs[head][cell]) if cell and head in found.programs else np.nan,
            "iou": found.ious.get(head, np.nan),
        }
        for head, weights in found.heads.items()
    ]
    table = pd.DataFrame(rows, columns=["head", "weight", "program", "iou"])
    return table.sort_values(
        "weight" if cell else "iou", ascending=not cell, kind="stable", ignore_index=True
    )


def lines_in_words(
    program: ParsedProgram, passage: Passage, found: Everywhere, cell: tuple[int, int], tokens: list[str]
) -> str:
    """The lines that changed the weight of a cell: `4: × 6.5 (k == q)`."""
    if isinstance(program, PlainProgram):
        return "plain Python, which is not read"
    looks = {head: found.heads[head].astype(np.float32) for head in program.looks if head in found.heads}
    told = trace(program, passage.features.tokens(0), *cell, looks)
    lines = [one for one in lines_of(told, tokens) if one["effect"] not in ("× 1", "÷ 1", "+ 0", "− 0")]
    lines = [one for one in lines if not one["effect"].startswith("= ") or len(lines) == 1]
    return "; ".join(
        f"{one['line']}: {one['effect']}" + (f" ({one['because']})" if one["because"] else "")
        for one in lines[:_LINES]
    )
