"""Hybrid: replace heads by their programs and read what it costs."""

from pathlib import Path

import pandas as pd
import streamlit as st

from core.display import COSTS, distinct
from core.types import ModelInfo, Split
from core.ui.hybrid.audits import draw_audits
from core.ui.hybrid.builder import draw_builder, draw_curve_button
from core.ui.hybrid.curve import draw_all, draw_curve
from core.ui.hybrid.damage import draw_damage
from core.ui.hybrid.export import draw_export
from core.ui.hybrid.measure import draw_measure
from core.ui.hybrid.questions import draw_downstream
from core.ui.hybrid.results import draw_details, draw_figures
from core.ui.hybrid.text import draw_generation
from core.ui.parts import frame, state


def chosen_row(hybrids: pd.DataFrame) -> pd.Series:
    """The hybrid that the address names or the box shows; the latest otherwise."""
    places = {_name_of(row): place for place, row in hybrids.iterrows()}
    labels = distinct({name: label_of(hybrids.loc[place]) for name, place in places.items()})
    names = list(labels)
    asked = f"{st.query_params.get('hybrid', '')} {st.query_params.get('passages', '')}"
    wanted = [name for name in names if name == asked] or [
        name for name in names if name.split(" ")[0] == asked.split(" ")[0]
    ]
    index = names.index(wanted[0]) if wanted else 0
    frame.warn_if_missing("hybrid", bool(wanted) or asked == " ")
    name = st.selectbox("Hybrid", names, index=index, format_func=labels.__getitem__)
    row = hybrids.loc[places[name]]
    st.query_params["hybrid"] = row.hybrid_id
    if pd.notna(row.passages_from):
        st.query_params["passages"] = row.passages_from
    return row


def _name_of(row: pd.Series) -> str:
    """A hybrid on passages; what names it in the address."""
    return f"{row.hybrid_id} {row.passages_from if pd.notna(row.passages_from) else ''}"


def label_of(row: pd.Series) -> str:
    """A hybrid and what it costs; on which passages, unless they are the test split."""
    if pd.isna(row.kl):
        return f"{row.title} · not measured"
    where = "" if row.passages_from == str(Split.TEST) else f" · {Path(row.passages_from).name}"
    cost = (
        f"{row.increase:+.1%}"
        if COSTS[row.measure].perplexity
        else f"{COSTS[row.measure].short} {row.kl:.3f}"
    )
    return f"{row.title} · {cost}{where}"


def draw_hybrid(model: ModelInfo, hybrids: pd.DataFrame) -> None:
    row = chosen_row(hybrids)
    if pd.isna(row.kl):
        st.info("This hybrid was imported and is not measured here yet.", icon=":material/info:")
        draw_measure(model, row, "Measure")
        return
    draw_figures(row)
    details = state.owner().workspace.hybrids.details(row.hybrid_id, row.passages_from)
    causal = ["Damage", "Text", "Questions"] if model.is_causal else []  # of a model that writes
    names = ["Details", *causal, "Audits", "Export"]
    cost, *written, audits, export = st.tabs(names)
    with cost:
        draw_details(model, row, details)
        draw_measure(model, row, "Measure again")
    if written:
        damage, text, questions = written
        with damage:
            draw_damage(model, row.hybrid_id, details)
        with text:
            draw_generation(model, row.hybrid_id)
        with questions:
            draw_downstream(model, row.hybrid_id)
    with audits:
        draw_audits(model, row.hybrid_id, row.title)
    with export:
        draw_export(model, row)


frame.through_app()
model = frame.model_or_stop("Hybrid")
st.title(f"Hybrid · {model.title}")
if model.traits.attention_only:
    st.info(f"No hybrids: {frame.as_text(model.traits.attention_only)}.", icon=":material/info:")
    st.stop()
candidates = draw_builder(model)
frame_of_hybrids = state.owner().workspace.hybrids.frame(model.id)
being_built = [job for job in state.active_jobs() if job.kind == "hybrid" and job.model == model.id]
if being_built:
    st.info("A hybrid is being built; it appears here when it is measured.", icon=":material/hourglass_top:")
if frame_of_hybrids.empty and not being_built:
    st.info(
        "No hybrid has been measured yet. Choose programs above and press **Build and measure**.",
        icon=":material/info:",
    )
elif not frame_of_hybrids.empty:
    draw_hybrid(model, frame_of_hybrids)
st.header("Cost against share of heads")
draw_curve_button(model, candidates)
draw_curve(model)
draw_all(model, frame_of_hybrids)
