"""What a hybrid costs: figures, genres, lookahead, calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.display import COSTS, CostWords, capitalised, counted
from core.display.glossary import meaning
from core.sharing.figures.of_hybrid import genre_table, hybrid_figures, program_table
from core.types import EvaluationDetails, ModelInfo
from core.ui.parts import charts, state
from core.ui.parts.figure import draw_figure_button

_CHANGE = st.column_config.NumberColumn("increase", format="percent", help=meaning("Perplexity increase"))
KEPT = st.column_config.NumberColumn(
    "kept", help="(head, passage or text) pairs where the program failed and the head kept its own attention"
)


def distance_column(words: CostWords) -> Any:
    """How far hybrids are from their model, under its name."""
    told = meaning("KL") if words.short == "KL" else words.distance
    return st.column_config.NumberColumn(words.short, format="%.3f", help=told)


def draw_figures(row: pd.Series) -> None:
    """The hybrid's cost in a line of metrics."""
    words = COSTS[row.measure]
    figures = [("Heads replaced", f"{int(row.heads)}", f"{row.share:.1%} of all")]
    if words.perplexity:
        named = capitalised(words.perplexity)
        figures += [
            (f"{named} increase", f"{row.increase:+.1%}", f"[{row.low:+.1%}, {row.high:+.1%}]"),
            (f"Hybrid {words.perplexity}", f"{row.ppl:.2f}", f"unmodified {row.base_ppl:.2f}"),
        ]
    where = f"{int(row.passages)} passages, {Path(row.passages_from).name}"
    figures += [
        (capitalised(words.distance), f"{row.kl:.3f}", _distance_note(row, words)),
        (capitalised(words.tokens), f"{int(row.tokens):,}", where),
    ]
    for column, (label, value, note) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(label, value, note, delta_color="off", delta_arrow="off")
    if row.kept:
        st.warning(
            f"In {int(row.kept)} (head, passage) pairs the program failed; "
            "there the head kept its own attention."
        )


def _distance_note(row: pd.Series, words: CostWords) -> str:
    known = pd.notna(row.kl_low)
    return (
        f"[{row.kl_low:.3f}, {row.kl_high:.3f}] {words.unit}" if known else f"{words.unit}, original ‖ hybrid"
    )


def draw_details(model: ModelInfo, row: pd.Series, details: EvaluationDetails) -> None:
    """Genres, lookahead and calibration."""
    workspace = state.owner().workspace
    left, right = st.columns(2, gap="large")
    words = COSTS[row.measure]
    if details.genres:
        left.markdown("**By genre**")
        left.dataframe(
            genre_table(details, row.measure).drop(columns=["low", "high"], errors="ignore"),
            hide_index=True,
            column_config={"increase": _CHANGE, "kl": distance_column(words), "kept": KEPT},
        )
    if details.strict is not None:
        strict, usual = details.strict.strict, details.strict.usual
        right.markdown("**Without lookahead**")
        right.markdown(
            f"On {strict.passages} passages: {usual.increase.value:+.1%} where programs read the whole "
            f"passage, **{strict.increase.value:+.1%}** where they see no further than the query."
        )
    made = workspace.hybrids.made(row.hybrid_id)
    assert made is not None
    if made.calibration:
        right.markdown(f"**Calibration**, {words.distance} on validation")
        history = pd.DataFrame(list(made.calibration), columns=["step", words.short])
        right.altair_chart(charts.calibration_chart(history, words), width="stretch")
    with st.expander(f"Its {counted(int(row.heads), 'program')}"):
        st.dataframe(program_table(made.programs), hide_index=True)
    draw_figure_button(hybrid_figures(workspace, model, row), f"hybrid-{row.hybrid_id[:6]}", "hybrid-figure")
