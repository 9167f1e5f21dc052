"""All runs that found programs for a model: what they were asked, what they gained, what that took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.display import when
from core.sharing.figures.of_runs import run_table, runs_figure
from core.store import JobRecord
from core.types import ModelInfo
from core.ui.parts import jobs, state
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.labels import TAGS, draw_deleted, draw_label
from core.ui.synthesize.run import draw_run

_STAYS = "Takes the run off this table. Its programs and its folder stay, and it can be restored here."


def draw_history(model: ModelInfo, runs: Sequence[JobRecord], deleted: Mapping[str, str]) -> None:
    """A table of runs; a row that is picked opens below. Of those `deleted` the names, by their ids."""
    st.header("Runs so far")
    draw_deleted(deleted, "runs")
    if not runs:
        return
    table = run_table(state.owner().workspace, model, runs, jobs.title)
    event = st.dataframe(
        table,
        hide_index=True,
        key=f"history-{len(runs)}",  # what was picked is no longer there once one is deleted
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
            "tags": TAGS,
        },
    )
    draw_figure_button({"table": lambda: runs_figure(model, table)}, f"runs-{model.title}", "history-figure")
    picked = event.selection.rows
    if picked and picked[0] < len(runs):
        job = runs[picked[0]]
        with st.container(border=True):
            draw_label(job.id, jobs.title(job), _STAYS, may_delete=not job.is_active)
            draw_run(model, job, "history")
    else:
        st.caption("Pick one to see what it did for each head, and to name, tag, annotate or delete it.")


def without_deleted(runs: Sequence[JobRecord]) -> tuple[list[JobRecord], dict[str, str]]:
    """The runs that are on the tables, and the names of those that were deleted, the latest first."""
    labels = state.owner().workspace.labels
    known = {job.id: job for job in runs}
    names = labels.all()
    deleted = {
        subject: names[subject].name or f"{jobs.title(known[subject])} · {when(known[subject].added_at)}"
        for subject in labels.deleted()
        if subject in known
    }
    return [job for job in runs if job.id not in deleted], deleted
