"""Synthesize: choose heads and a proposer, start a run, watch it, look back at all runs."""

import streamlit as st

from core.sharing.figures.of_runs import runs_of
from core.types import ModelInfo
from core.ui.parts import frame, state
from core.ui.synthesize import run
from core.ui.synthesize.heads import choose_heads
from core.ui.synthesize.history import draw_history, without_deleted
from core.ui.synthesize.proposers import choose_proposer, draw_proposer
from core.ui.synthesize.run import draw_run


def draw_choice(model: ModelInfo) -> None:
    left, right = st.columns([1.75, 1], gap="medium")
    with left.container(border=True):
        heads = choose_heads(model)
    with right.container(border=True):
        draw_proposer(model, choose_proposer(), heads)


def draw_active(model: ModelInfo, job: str) -> None:
    """The run that waits or works, drawn anew every second until it ends."""

    @st.fragment(run_every=state.POLL_SECONDS)
    def watched() -> None:
        draw_run(model, state.owner().workspace.jobs.get(job), "run")

    with st.container(border=True):
        watched()


frame.through_app()
model = frame.model_or_stop("Synthesize", with_programs=False)
st.title(f"Synthesize · {model.title}")
all_runs = runs_of(state.owner().workspace, model)
runs, deleted = without_deleted(all_runs)
active = [job for job in runs if job.is_active]
for job in active:
    draw_active(model, job.id)
for job in run.interrupted(runs, drawn=active or runs[:1]):
    with st.container(border=True):
        run.draw_interrupted(job)
if not state.owner().workspace.models.sentences(model.id):
    st.info(
        "The attention of this model is still being extracted; then programs can be found for its heads.",
        icon=":material/hourglass_top:",
    )
    st.stop()
draw_choice(model)
if runs and not active:
    st.header("Latest run")
    with st.container(border=True):
        draw_run(model, runs[0], "run")
if all_runs:
    draw_history(model, runs, deleted)
else:
    st.caption("Runs are listed here, with what they gained and what that took.")
