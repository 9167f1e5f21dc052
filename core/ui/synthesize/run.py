"""A run that finds programs, as it goes: progress, IoU climbing, and what became of each head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.display import counted, when
from core.review import Filter, Pile
from core.sharing.figures.of_runs import asked_heads, climb, run_figures, run_heads
from core.store import HeadGain, JobRecord
from core.types import HeadId, ModelInfo, Split
from core.ui.parts import charts, frame, jobs, state
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.head_picker import Cell, draw_heads
from core.ui.parts.reviewer import in_address
from core.ui.review.desk import open_desk
from core.ui.synthesize.conversation import draw_conversations
from core.ui.synthesize.heads import name_heads


def draw_run(model: ModelInfo, job: JobRecord, where: str) -> None:
    """One run, whether it waits, works or has ended; `where` tells apart places that draw the same one."""
    steps = state.owner().workspace.gains.of_job(job.id)
    left, right = st.columns([1, 1.6], gap="medium")
    with left:
        if job.is_active:
            jobs.draw_progress(job)
        else:
            st.markdown(f"**{jobs.title(job)}** · {when(job.added_at)}")
            jobs.draw_state(job)
        _draw_figures(model, job, steps)
        with st.container(horizontal=True):
            jobs.draw_buttons(job, where)
            _draw_retry(model, job, steps, where)
        jobs.draw_notes(job)
    with right:
        if not steps:
            st.caption("The IoU of heads appears here as they are done.")
        else:
            st.altair_chart(charts.climb_chart(climb(steps)), width="stretch")
    draw_heads(model, _cells(model, job, steps), f"map-{where}-{job.id}")
    if steps and not job.is_active:
        _draw_programs(model, job, steps, f"{where}-{job.id}")
    draw_conversations(job, where)
    jobs.draw_log(job)


def interrupted(runs: Sequence[JobRecord], drawn: Sequence[JobRecord]) -> list[JobRecord]:
    """Runs, newest first, that a crash ended and nothing of their kind followed, but for those drawn."""
    latest: dict[str, JobRecord] = {}
    for job in runs:
        latest.setdefault(job.kind, job)
    known = {job.id for job in drawn}
    return [job for job in latest.values() if job.was_interrupted and job.id not in known]


def draw_interrupted(job: JobRecord) -> None:
    """What stopped, and the button that lets it go on."""
    st.markdown(f"**{jobs.title(job)}** · {when(job.added_at)}")
    jobs.draw_state(job)
    jobs.draw_buttons(job, "interrupted")


def _draw_programs(model: ModelInfo, job: JobRecord, steps: Sequence[HeadGain], where: str) -> None:
    """The heads of a run that has ended, each with its best program now; a row that is picked opens it."""
    table = run_heads(state.best_frame(model, Split.VALIDATION), steps)
    heads = [HeadId.parse(name) for name in table["head"]]
    figure = st.column_config.NumberColumn(format="%.2f", help="IoU on validation", width=70)
    event = st.dataframe(
        table,
        hide_index=True,
        height=min(250, 36 * (len(table) + 1)),
        key=f"programs-{where}",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "head": st.column_config.TextColumn(width=70),
            "best program now": st.column_config.TextColumn(width="large"),
            "before": figure,
            "after": figure,
        },
    )
    figures = run_figures(state.owner().workspace, model, job)
    draw_figure_button(figures, f"run-{model.title}", f"run-figure-{where}")
    label = f"Review these {counted(len(heads), 'head')}"
    if st.button(label, icon=":material/rule:", key=f"review-{where}"):
        desk = open_desk(model)
        kept = Filter(heads=frozenset(heads))
        desk.change(replace(desk.view, pile=Pile.ALL, kept=kept, card=None))
        st.switch_page("pages/review.py", query_params=in_address())
    if event.selection.rows:
        frame.open_head(heads[event.selection.rows[0]])


def _draw_figures(model: ModelInfo, job: JobRecord, steps: Sequence[HeadGain]) -> None:
    asked = len(asked_heads(model, job))
    done, gain = len({step.head for step in steps}), "–"
    if steps:
        last = climb(steps).iloc[-1]
        gain = f"{last['after'] - last['before']:+.3f}"
    budget = job.settings.get("limits", {}).get("budget")
    columns = st.columns(3 if job.cost or budget else 2)
    columns[0].metric("Heads done", f"{done} of {asked}")
    columns[1].metric(
        "Gain",
        gain,
        help="IoU on validation beyond what was best before the run, mean over the heads done",
    )
    if len(columns) == 3:
        columns[2].metric("Cost so far", f"${job.cost:.2f}", help=f"Budget ${budget:.2f}" if budget else None)


def _draw_retry(model: ModelInfo, job: JobRecord, steps: Sequence[HeadGain], where: str) -> None:
    """For a run that ended well but left heads without a program."""
    if job.state != "done":
        return
    found = {step.head for step in steps}
    missing = [head for head in asked_heads(model, job) if head not in found]
    if missing and found:
        st.button(
            f"Choose {counted(len(missing), 'head')} left out",
            icon=":material/replay:",
            key=f"retry-{where}-{job.id}",
            on_click=name_heads,
            args=(model, missing),
            help="For another run: they have no program from this one",
        )


def _cells(model: ModelInfo, job: JobRecord, steps: Sequence[HeadGain]) -> dict[HeadId, Cell]:
    waits = "waits" if job.is_active else "not done"
    cells = dict.fromkeys(asked_heads(model, job), Cell(text=waits))
    starts: dict[HeadId, float] = {}
    for step in steps:
        start = starts.setdefault(step.head, step.before)
        cells[step.head] = Cell(step.after, f"IoU {start:.2f} → {step.after:.2f} on validation")
    return cells
