"""Perplexity against share of heads: the curve with its controls, and every hybrid of the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from core.audit.cheap_controls import cheap_controls
from core.display import COSTS
from core.sharing.figures import made
from core.types import ModelInfo
from core.ui.hybrid.results import KEPT, distance_column
from core.ui.hybrid.two import draw_two
from core.ui.parts import charts, state
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.labels import TAGS, draw_deleted, draw_label

_CHANGES = ["increase", "low", "high"]


def draw_curve(model: ModelInfo) -> None:
    """The latest curve, and what its controls say."""
    curve = state.owner().workspace.hybrids.curve(model.id)
    if curve is None or not curve.rows:
        st.info(
            "No curve yet. It replaces 5 to 100 % of the heads in three orders, and puts six controls "
            "in the place of the same heads.",
            icon=":material/show_chart:",
        )
        return
    words = COSTS[curve.measure]
    rows = pd.DataFrame(curve.rows)
    st.altair_chart(charts.curve_chart(rows, words), width="stretch")
    st.caption(
        f"{curve.title} · {curve.passages} passages, {curve.tokens:,} {words.tokens}, "
        f"{Path(curve.passages_from).name}. "
        "Controls (dashed) stand in the place of the heads that go first by cost. "
        f"The vertical scale is logarithmic above {'10 %' if words.perplexity else '0.1'}."
    )
    workspace = state.owner().workspace
    draw_figure_button(
        {"curve": lambda: made.curve(workspace, model)}, f"curve-{model.title}", "curve-figure"
    )
    for name, shares in cheap_controls(rows).items():
        st.warning(
            f"**{name}** in the place of the same heads costs no more {words.short} than the programs at "
            f"{', '.join(f'{share:.0%}' for share in shares)} of heads, as far as these passages tell: there "
            "the programs explain nothing.",
            icon=":material/warning:",
        )
    with st.expander("As a table"):
        st.dataframe(
            rows[["order", "heads", "share", *(_CHANGES if words.perplexity else []), "kl", "kept"]],
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(format="percent") for name in ("share", *_CHANGES)
            }
            | {"kl": distance_column(words), "kept": KEPT},
        )


def draw_comparison(model: ModelInfo, hybrids: pd.DataFrame) -> None:
    """Every hybrid, beside the published points where the measure is theirs."""
    measured = hybrids[hybrids.kl.notna()]
    measure = measured.measure.iloc[0] if len(measured) else "next tokens"
    words = COSTS[measure]
    st.altair_chart(charts.increase_chart(measured, words), width="stretch")
    st.caption(
        "Bars: 95 % bootstrap interval over passages."
        + (
            " Orange ticks: published increases at 25 % of heads (GPT-2, TinyLlama, Llama-3.2-3B; "
            "arXiv 2606.19317)."
            if measure == "next tokens"
            else ""
        )
    )
    named = hybrids.assign(passages_from=hybrids.passages_from.map(_file_name, na_action="ignore"))
    figures = ["increase", "kl", "ppl"] if words.perplexity else ["kl"]
    told = [name for name in ("tags", "note") if hybrids[name].map(bool).any()]
    event = st.dataframe(
        named[["title", "share", *figures, "passages_from", *told]],
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"all-hybrids-{len(hybrids)}",  # what was picked is no longer there once one is deleted
        column_config={
            "share": st.column_config.NumberColumn(format="percent"),
            "increase": st.column_config.NumberColumn("increase", format="percent"),
            "kl": distance_column(words),
            "ppl": st.column_config.NumberColumn(words.perplexity, format="%.2f"),
            "passages_from": "passages",
            "tags": TAGS,
        },
    )
    _draw_picked(hybrids, [row for row in event.selection.rows if row < len(hybrids)])
    if len(measured):
        workspace = state.owner().workspace
        draw_figure_button(
            {
                "table": lambda: made.hybrid_table(workspace, model),
                "chart": lambda: made.hybrid_costs(workspace, model),
            },
            f"hybrids-{model.title}",
            "hybrids-figure",
        )


def draw_all(model: ModelInfo, hybrids: pd.DataFrame) -> None:
    """Every hybrid of the workspace, and those that were deleted."""
    deleted = state.owner().workspace.hybrids.deleted(model.id)
    if hybrids.empty and not deleted:
        return
    st.header("All hybrids")
    draw_deleted(deleted, "hybrids")
    if not hybrids.empty:
        draw_comparison(model, hybrids)


def _draw_picked(hybrids: pd.DataFrame, picked: Sequence[int]) -> None:
    """One hybrid's name, tags and note; two compared."""
    if len(picked) == 1:
        row = hybrids.iloc[picked[0]]
        draw_label(
            row.hybrid_id, row.title, "Takes it off all tables, sites and reports. It can be restored here."
        )
    elif len(picked) == 2:
        older, newer = sorted(picked, reverse=True)  # the table begins with the newest
        draw_two(hybrids.iloc[older], hybrids.iloc[newer])
    else:
        st.caption("Pick one to name, tag, annotate or delete it, two to compare them.")


def _file_name(passages_from: str) -> str:
    return Path(passages_from).name
