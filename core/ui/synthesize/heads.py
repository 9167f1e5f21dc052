"""Choosing the heads of a run: filters set what the map starts from, the map changes it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import WorkspaceError
from core.review import heads_named
from core.types import BestProgram, HeadId, ModelInfo, Split
from core.ui.parts import state
from core.ui.parts.frame import as_text
from core.ui.parts.head_picker import Cell, pick_heads


def choose_heads(model: ModelInfo) -> list[HeadId]:
    """The heads to work on, worst first."""
    best = state.owner().workspace.library.best(model.id, Split.VALIDATION)
    fits = {found.score.head: found.score.iou.value for found in best}
    accepted = set(state.owner().workspace.verdicts.accepted(model.id))
    picked = pick_heads(model, _cells(model, best, accepted), filtered(model, fits, accepted), "heads-map")
    total = len(model.head_ids())
    known = [fits[head] for head in picked if head in fits]
    mean = f" · mean IoU on validation {sum(known) / len(known):.2f}" if known else ""
    st.markdown(f"**{len(picked)} of {total} heads** chosen{mean}")
    return worst_first(picked, fits)


def filtered(model: ModelInfo, fits: dict[HeadId, float], accepted: set[HeadId]) -> list[HeadId]:
    """The heads that the filters let through."""
    total = len(model.head_ids())
    names, layers, most = st.columns([1.1, 1.1, 1], vertical_alignment="bottom")
    named = names.text_input(
        "Heads by name", key="heads-named", placeholder="all · or L0H1, L3H*", persist_state="session"
    )
    span = (0, model.layers - 1)
    if model.layers > 1:
        span = layers.slider("Layers", 0, model.layers - 1, span, key="heads-layers")
    count = most.number_input(
        "Worst first",
        1,
        total,
        total,
        key="heads-most",
        help="How many heads at most: those whose best program has the lowest IoU on validation",
    )
    without = st.toggle("Only heads without an accepted program", key="heads-open")
    try:
        found = heads_named(named, model) if named.strip() else model.head_ids()
    except WorkspaceError as error:
        st.error(as_text(str(error)), icon=":material/error:")
        return []
    found = [head for head in found if span[0] <= head.layer <= span[1]]
    found = [head for head in found if not (without and head in accepted)]
    return worst_first(found, fits)[: int(count)]


def name_heads(model: ModelInfo, heads: Sequence[HeadId]) -> None:
    """Set the filters so that they let through just these heads."""
    st.session_state["heads-named"] = ", ".join(map(str, heads))
    st.session_state["heads-layers"] = (0, model.layers - 1)
    st.session_state["heads-most"] = len(model.head_ids())
    st.session_state["heads-open"] = False


def worst_first(heads: list[HeadId], fits: dict[HeadId, float]) -> list[HeadId]:
    """Heads in the order of their best IoU on validation; those without a program come first."""
    return sorted(heads, key=lambda head: (fits.get(head, -1.0), head))


def _cells(model: ModelInfo, best: Sequence[BestProgram], accepted: set[HeadId]) -> dict[HeadId, Cell]:
    cells = dict.fromkeys(model.head_ids(), Cell(text="no program yet"))
    for found in best:
        head, iou = found.score.head, found.score.iou.value
        mark = " · ✓ accepted" if head in accepted else ""
        cells[head] = Cell(iou, f"IoU {iou:.2f} · lift {found.lift:+.2f}{mark}")
    return cells
