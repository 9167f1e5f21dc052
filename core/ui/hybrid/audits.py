"""What audits found of a hybrid, and the button that runs them."""

from __future__ import annotations

import streamlit as st

from core.audit import ready
from core.types import ModelInfo
from core.ui.parts import jobs, state
from core.ui.parts.finding import draw_findings


def draw_audits(model: ModelInfo, hybrid: str, title: str) -> None:
    """Every finding of this hybrid."""
    owner = state.owner()
    findings = owner.workspace.findings.of_hybrid(model.id, hybrid)
    draw_findings(findings, "No audit has been run on it yet.", f"{model.title}, {title}")
    if st.button("Audit", icon=":material/fact_check:", key="audit-hybrid"):
        jobs.start(lambda: owner.runner.start_hybrid_audits(model, ready("hybrid", model.is_causal), hybrid))
    st.caption("On the passages of the test split. One alone, with its options: see `audit --help`.")
