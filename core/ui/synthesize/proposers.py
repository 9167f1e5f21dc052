"""Who proposes programs, with what limits, and the button that starts the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.display import counted
from core.errors import ProposerError
from core.proposers import PROPOSERS, LanguageModel, Proposer
from core.settings import Settings
from core.types import HeadId, ModelInfo
from core.ui.parts import frame, jobs, state
from core.ui.synthesize.limits import draw_limits
from core.ui.synthesize.pace import Pace, pace_of


def choose_proposer() -> Proposer:
    """The one that is picked; the first until then."""
    titles = {proposer.title: proposer for proposer in PROPOSERS.values()}
    first = next(iter(titles))
    title = st.segmented_control("Proposer", list(titles), default=first, key="proposer", required=True)
    return titles[title or first]


def draw_proposer(model: ModelInfo, proposer: Proposer, heads: Sequence[HeadId]) -> None:
    """A proposer's limits, what a run may take, and the button; if something is missing, how to get going."""
    secrets, way = state.secrets(proposer), proposer.way
    settings = state.owner().settings.with_secrets(secrets)
    default = proposer.default_limits(settings)
    if isinstance(way, LanguageModel):
        if not _can_ask(way, default, settings):
            st.info(way.setup, icon=":material/key:")
            st.caption("The search finds a program for every head without a key.")
            return
        limits = draw_limits(proposer, default)
        _draw_estimate(way, limits, len(heads))
    else:
        st.caption(proposer.about)
        limits = draw_limits(proposer, default)
        _draw_pace(model, proposer, heads)
    everything = len(heads) == len(model.head_ids())
    chosen = None if everything else sorted(heads)
    runner = state.owner().runner
    jobs.draw_where()
    _start_button(heads, lambda: runner.start_proposals(model, proposer, chosen, limits, secrets))


def _can_ask(way: LanguageModel, limits: Any, settings: Settings) -> bool:
    try:
        way.check(limits, settings)
    except ProposerError:
        return False
    return True


def _draw_estimate(way: LanguageModel, limits: Any, heads: int) -> None:
    try:
        cost = way.estimate(heads, limits, None)
    except ProposerError as error:  # a model that was typed in has no price
        st.warning(frame.as_text(str(error)), icon=":material/warning:")
        return
    if cost is None:
        st.caption("No price of this model is known: calls and tokens are limited instead.")
        return
    over = " The budget ends it before that." if cost > way.terms(limits).most else ""
    st.caption(f"About **{jobs.dollars(cost)}** for {counted(heads, 'head')}.{over}")


def _draw_pace(model: ModelInfo, proposer: Proposer, heads: Sequence[HeadId]) -> None:
    pace = _latest_pace(model, proposer.job_kind)
    seconds = pace.seconds(len(heads)) if pace is not None and heads else None
    if seconds is not None:
        st.caption(f"About {jobs.duration(seconds)}, at the pace of the latest run.")


def _start_button(heads: Sequence[HeadId], start: Callable[[], str]) -> None:
    waits = state.running_job() is not None
    label = f"Start on {counted(len(heads), 'head')}" if heads else "Choose heads to start"
    if st.button(
        label, type="primary", icon=":material/play_arrow:", disabled=not heads, key="start", width="stretch"
    ):
        jobs.start(start)
    if waits:
        st.caption("Another job has the device; this one would wait its turn.")


def _latest_pace(model: ModelInfo, kind: str) -> Pace | None:
    """That of the latest run of this kind on this model; None without one."""
    gains = state.owner().workspace.gains
    for job in state.owner().workspace.jobs.all():
        if job.kind == kind and job.state == "done" and job.model == model.id and job.worked:
            return pace_of(gains.of_job(job.id), job.worked)
    return None
