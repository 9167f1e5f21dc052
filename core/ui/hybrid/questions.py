"""How model and hybrid answer questions."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.sharing.figures.of_hybrid import answer_table
from core.types import ModelInfo
from core.ui.hybrid.results import KEPT
from core.ui.parts import jobs, state


def draw_downstream(model: ModelInfo, hybrid: str) -> None:
    """Accuracy on a PIQA-format file."""
    done = state.owner().workspace.hybrids.downstream(hybrid)
    if done:
        percent = st.column_config.NumberColumn(format="percent")
        st.dataframe(
            answer_table(done),
            hide_index=True,
            column_config={"model": percent, "hybrid": percent, "same answer": percent, "kept": KEPT},
        )
        latest = done[0]
        st.caption(
            "95 % intervals of the latest: model "
            f"[{latest.original_interval[0]:.0%}, {latest.original_interval[1]:.0%}], hybrid "
            f"[{latest.changed_interval[0]:.0%}, {latest.changed_interval[1]:.0%}]."
        )
    uploaded = st.file_uploader(
        "Questions in PIQA's format: JSON lines of goal, sol1, sol2, label",
        type=["jsonl", "json"],
        key="questions",
    )
    if uploaded is not None and st.button("Answer", icon=":material/quiz:"):
        folder = state.owner().workspace.folder / "questions"
        folder.mkdir(exist_ok=True)
        path = folder / Path(uploaded.name).name
        path.write_bytes(uploaded.getvalue())
        jobs.start(lambda: state.owner().runner.start_downstream(model, hybrid, path))
    st.caption("Tasks of lm-eval by name: see the README, *Hybrids*.")
