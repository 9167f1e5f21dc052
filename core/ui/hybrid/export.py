"""The hybrid as a folder to take away."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from core.types import ModelInfo
from core.ui.parts import state


def draw_export(model: ModelInfo, row: pd.Series) -> None:
    """The hybrid as a folder, zipped."""
    st.markdown(
        "A folder with the programs, the figures, a model card and how to load it: "
        "`core.hybrid.load_hybrid(folder)` gives the same logits."
    )
    if st.button("Prepare the folder", icon=":material/folder_zip:"):
        from core.sharing.archive import zipped
        from core.sharing.hybrid_folder import export_hybrid  # imports transformers

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
