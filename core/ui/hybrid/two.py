"""Two hybrids side by side: the heads on which they differ, and what each costs by genre."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.display import COSTS, counted
from core.sharing.figures.of_two_hybrids import CHANGES, changes_of, costs_of, is_comparable, two_figures
from core.ui.hybrid.results import distance_column
from core.ui.parts import frame, state
from core.ui.parts.figure import draw_figure_button


def draw_two(first: pd.Series, second: pd.Series) -> None:
    """Two rows of `HybridTable.frame`."""
    workspace = state.owner().workspace
    changes = changes_of(workspace, first, second)
    counts = changes.change.value_counts()
    words = COSTS[second.measure] if pd.notna(second.kl) else COSTS["next tokens"]
    st.markdown(
        f"From **{frame.as_text(first.title)}** to **{frame.as_text(second.title)}**: "
        + ", ".join(f"{counted(int(counts.get(name, 0)), 'head')} {name}" for name in CHANGES)
        + (f"; {words.short} {second.kl - first.kl:+.3f}" if is_comparable(first, second) else "")
    )
    if not is_comparable(first, second):
        st.caption("What they cost was not measured on the same passages, so that no difference is told.")
    left, right = st.columns([1.4, 1], gap="large")
    left.dataframe(changes, hide_index=True, height=min(300, 36 * (len(changes) + 1)))
    if is_comparable(first, second):
        right.dataframe(
            costs_of(workspace, first, second),
            hide_index=True,
            column_config={name: distance_column(words) for name in ("first", "second")}
            | {"difference": st.column_config.NumberColumn(format="%+.3f")},
        )
    pair = f"{first.hybrid_id[:6]}-{second.hybrid_id[:6]}"
    draw_figure_button(two_figures(workspace, first, second), f"hybrids-{pair}", f"figure-{pair}")
