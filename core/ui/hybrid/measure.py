"""A hybrid that is there, measured as it is: an imported one, or one more time."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.types import ModelInfo, Split
from core.ui.parts import jobs, state


def draw_measure(model: ModelInfo, row: pd.Series, label: str) -> None:
    """The button that measures a hybrid on the test split."""
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(label, icon=":material/speed:", key="measure-again")
        strict = model.is_causal and st.toggle(
            "Also without lookahead",
            key="measure-strict",
            help="Measure 20 passages a second time with programs that see no further than the query.",
        )
    st.caption(
        "On the passages of the test split. For passages of your own: `hybrid --hybrid ID --eval FILE`."
    )
    if pressed:
        owner = state.owner()
        passages = owner.workspace.models.sentences(model.id, Split.TEST)
        jobs.start(
            lambda: owner.runner.start_measuring(model, row.hybrid_id, passages, str(Split.TEST), strict)
        )
