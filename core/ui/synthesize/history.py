"""All runs that found programs for a model: what they were asked, what they gained, what that took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import pandas as pd
import streamlit as st

from core.jobs.kinds import KINDS
from core.store import JobRecord
from core.types import ModelInfo
from core.ui.parts import jobs, state
from core.ui.synthesize.run import asked_heads, draw_run


def draw_history(model: ModelInfo, runs: Sequence[JobRecord]) -> None:
    """A table of runs; a row that is picked opens below."""
    st.subheader("Runs so far")
    table = history(model, runs)
    event = st.dataframe(
        table,
        hide_index=True,
        key="history",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "before": st.column_config.NumberColumn("IoU before", format="%.3f"),
            "after": st.column_config.NumberColumn("IoU after", format="%.3f"),
            "gained": st.column_config.NumberColumn(
                "gained", format="%+.2f", help="IoU on validation, summed over heads"
            ),
            "minutes": st.column_config.NumberColumn(format="%.1f"),
            "a minute": st.column_config.NumberColumn(format="%.2f", help="IoU gained a minute of work"),
            "cost": st.column_config.NumberColumn(format="$%.2f"),
            "a dollar": st.column_config.NumberColumn(format="%.2f", help="IoU gained a dollar"),
        },
    )
    picked = event.selection.rows
    if picked and picked[0] < len(runs):
        with st.container(border=True):
            draw_run(model, runs[picked[0]], "history")


def history(model: ModelInfo, runs: Sequence[JobRecord]) -> pd.DataFrame:
    """A row a run, newest first: its settings and its yield."""
    gains = state.owner().workspace.gains.by_job(model.id)
    rows = []
    for job in runs:
        found = gains.get(job.id)
        gained = None if found is None else found.gained
        rows.append(
            {
                "started": jobs.when(job.added_at),
                "run": jobs.title(job),
                "state": job.state,
                "settings": settings(job),
                "heads": f"{0 if found is None else found.heads} of {len(asked_heads(model, job))}",
                "before": None if found is None else found.before,
                "after": None if found is None else found.after,
                "gained": gained,
                "minutes": job.worked / 60,
                "a minute": _ratio(gained, job.worked / 60),
                "cost": job.cost or None,
                "a dollar": _ratio(gained, job.cost),
            }
        )
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def settings(job: JobRecord) -> str:
    """What a run was asked, in words."""
    proposer = KINDS[job.kind].proposer
    limits = job.settings.get("limits", {})
    words = []
    for entry in fields(proposer.limits) if proposer else ():
        value, text = limits.get(entry.name), entry.metadata["told"]
        if text and value is not None and value is not False:
            words.append(text.format(value))
    return " · ".join(words)


def _ratio(gained: float | None, spent: float) -> float | None:
    return gained / spent if gained is not None and spent else None
