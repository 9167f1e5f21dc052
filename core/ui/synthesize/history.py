"""All runs that found programs for a model: what they were asked, what they gained, what that took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import pandas as pd
import streamlit as st

from core.jobs.kinds import KINDS
from core.sharing.figures import TableFigure
from core.store import JobRecord, Label
from core.types import ModelInfo
from core.ui.parts import jobs, state
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.labels import TAGS, draw_deleted, draw_label
from core.ui.synthesize.run import asked_heads, draw_run

_STAYS = "Takes the run off this table. Its programs and its folder stay, and it can be restored here."


def draw_history(model: ModelInfo, runs: Sequence[JobRecord], deleted: Mapping[str, str]) -> None:
    """A table of runs; a row that is picked opens below. Of those `deleted` the names, by their ids."""
    st.header("Runs so far")
    draw_deleted(deleted, "runs")
    if not runs:
        return
    table = history(model, runs)
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
    draw_figure_button(
        {"table": lambda: TableFigure.of(f"{model.title}: runs", table, "IoU on validation passages.")},
        f"runs-{model.title}",
        "history-figure",
    )
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
        subject: names[subject].name or f"{jobs.title(known[subject])} · {jobs.when(known[subject].added_at)}"
        for subject in labels.deleted()
        if subject in known
    }
    return [job for job in runs if job.id not in deleted], deleted


def history(model: ModelInfo, runs: Sequence[JobRecord]) -> pd.DataFrame:
    """A row a run, newest first: its settings and its yield."""
    gains = state.owner().workspace.gains.by_job(model.id)
    labels = state.owner().workspace.labels.all()
    rows = []
    for job in runs:
        found = gains.get(job.id)
        label = labels.get(job.id, Label())
        gained = None if found is None else found.gained
        rows.append(
            {
                "started": jobs.when(job.added_at),
                "run": label.name or jobs.title(job),
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
                "tags": list(label.tags) or None,
                "note": label.note or None,
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
