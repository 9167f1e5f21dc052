"""Synthesize: choose heads and a proposer, start a run, watch it, look back at all runs."""

from collections.abc import Sequence

import streamlit as st

from core.types import ClaudeLimits, HeadId, ModelInfo
from core.ui.parts import frame, state
from core.ui.synthesize import run
from core.ui.synthesize.heads import choose_heads
from core.ui.synthesize.history import draw_history
from core.ui.synthesize.proposers import draw_claude, draw_search
from core.ui.synthesize.run import draw_run

_SEARCH, _CLAUDE = "Search", "Claude"


def draw_choice(model: ModelInfo) -> None:
    left, right = st.columns([2.1, 1], gap="medium")
    with left.container(border=True):
        heads = choose_heads(model)
    with right.container(border=True):
        proposer = st.segmented_control(
            "Proposer", [_SEARCH, _CLAUDE], default=_SEARCH, key="proposer", required=True
        )
        if proposer == _CLAUDE:
            draw_claude(heads, estimate, lambda *asked: start_claude(model, *asked))
        else:
            draw_search(model, heads)


def estimate(heads: int, limits: ClaudeLimits) -> float:
    from core.proposers.llm.prices import estimate_cost

    return estimate_cost(heads, limits)


def start_claude(model: ModelInfo, heads: Sequence[HeadId], limits: ClaudeLimits, key: str) -> str:
    return state.owner().runner.start_claude(model, heads, limits, key)


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
runs = [job for job in state.owner().workspace.jobs.all() if job.kind in run.KINDS and job.model == model.id]
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
    st.subheader("Latest run")
    with st.container(border=True):
        draw_run(model, runs[0], "run")
if runs:
    draw_history(model, runs)
else:
    st.caption("Runs are listed here, with what they gained and what that took.")
