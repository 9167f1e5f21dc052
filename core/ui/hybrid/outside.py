"""What leaves the app: questions answered, and the hybrid as a folder."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from core.types import ModelInfo
from core.ui.hybrid.results import KEPT
from core.ui.parts import jobs, state


def draw_downstream(model: ModelInfo, hybrid: str) -> None:
    """Accuracy on a PIQA-format file."""
    done = state.owner().workspace.hybrids.downstream(hybrid)
    if done:
        rows = [
            {
                "task": accuracy.task,
                "questions": accuracy.questions,
                "model": accuracy.original,
                "hybrid": accuracy.changed,
                "same answer": accuracy.agreement,
                "kept": accuracy.kept,
            }
            for accuracy in done
        ]
        percent = st.column_config.NumberColumn(format="percent")
        st.dataframe(
            pd.DataFrame(rows),
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
        held = state.owner().workspace.folder / "questions"
        held.mkdir(exist_ok=True)
        path = held / Path(uploaded.name).name
        path.write_bytes(uploaded.getvalue())
        jobs.start(lambda: state.owner().runner.start_downstream(model, hybrid, path))
    st.caption("Tasks of lm-eval by name: see the README, *Hybrids*.")


def draw_export(model: ModelInfo, row: pd.Series) -> None:
    """The hybrid as a folder, zipped."""
    st.markdown(
        "A folder with the programs, the figures, a model card and how to load it: "
        "`core.hybrid.load_hybrid(folder)` gives the same logits."
    )
    if st.button("Prepare the folder", icon=":material/folder_zip:"):
        from core.sharing.hybrid_folder import export_hybrid, zipped  # imports transformers

        with tempfile.TemporaryDirectory() as scratch, st.spinner("Writing the folder"):
            folder = Path(scratch) / "hybrid"
            export_hybrid(state.owner().workspace, model, row.hybrid_id, folder)
            packed = zipped(folder)
        st.download_button(
            "Download",
            packed,
            f"headscript-{row.hybrid_id}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
        )
