"""Who proposes programs, with what limits, and the button that starts the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.display import counted
from core.types import ClaudeLimits, HeadId, ModelInfo, SearchLimits
from core.ui.parts import jobs, state

Estimate = Callable[[int, ClaudeLimits], float]  # USD, of so many heads
StartClaude = Callable[[Sequence[HeadId], ClaudeLimits, str], str]  # with the API key; the job's id

_MODELS = ("claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5")


def draw_search(model: ModelInfo, heads: Sequence[HeadId]) -> None:
    """The search's limits and its button."""
    st.caption("Generates tens of thousands of rules and keeps those that validation rewards. Free, no key.")
    rules, gain = st.columns(2)
    limits = SearchLimits(
        int(rules.number_input("Rules, at most", 1, 40, SearchLimits.rules, key="rules")),
        float(
            gain.number_input(
                "Least gain",
                0.0,
                0.1,
                SearchLimits.least_gain,
                0.001,
                format="%.3f",
                key="gain",
                help="IoU on validation that each rule has to add to all others",
            )
        ),
    )
    took = _seconds_a_head(model, "synthesize")
    if took is not None and heads:
        st.caption(f"About {jobs.duration(took * len(heads))}, at the pace of the latest run.")
    everything = len(heads) == model.layers * model.heads
    _start_button(
        heads, lambda: state.owner().runner.start_search(model, None if everything else sorted(heads), limits)
    )


def draw_claude(heads: Sequence[HeadId], estimate: Estimate, start: StartClaude) -> None:
    """Claude's limits, what they may cost, and the button; without a key, how to get going."""
    key = state.api_key()
    if key is None:
        st.info(
            "Claude needs an API key. Make one at [platform.claude.com](https://platform.claude.com), then "
            'set `ANTHROPIC_API_KEY` in the environment, or write `ANTHROPIC_API_KEY = "…"` into '
            "`.streamlit/secrets.toml`, and start the app again. The key is never stored or shown.",
            icon=":material/key:",
        )
        st.caption("The search finds a program for every head without a key.")
        return
    limits = _claude_limits()
    cost = estimate(len(heads), limits)
    over = " The budget ends it before that." if cost > limits.budget else ""
    st.caption(f"About **{jobs.dollars(cost)}** for {counted(len(heads), 'head')}.{over}")
    _start_button(heads, lambda: start(heads, limits, key))


def _claude_limits() -> ClaudeLimits:
    model = st.selectbox("Model", _MODELS, key="claude-model", accept_new_options=True)
    left, right = st.columns(2)
    candidates = left.number_input("Candidates", 1, 8, ClaudeLimits.candidates, help="Programs a call")
    rounds = right.number_input("Rounds", 0, 10, ClaudeLimits.rounds, help="Refinements of a head, at most")
    budget = left.number_input("Budget, USD", 0.01, 10_000.0, ClaudeLimits.budget, help="A hard limit")
    with right.container(height=72, border=False, vertical_alignment="bottom"):
        batches = st.toggle("Batches", help="Message Batches: half the price; answers take up to a day")
    return ClaudeLimits(model or ClaudeLimits.model, int(candidates), int(rounds), float(budget), batches)


def _start_button(heads: Sequence[HeadId], start: Callable[[], str]) -> None:
    waits = state.running_job() is not None
    label = f"Start on {counted(len(heads), 'head')}" if heads else "Choose heads to start"
    if st.button(
        label, type="primary", icon=":material/play_arrow:", disabled=not heads, key="start", width="stretch"
    ):
        jobs.start(start)
    if waits:
        st.caption("Another job has the device; this one would wait its turn.")


def _seconds_a_head(model: ModelInfo, kind: str) -> float | None:
    """What the latest run of this kind on this model took for a head; None without one."""
    gains = state.owner().workspace.gains.by_job(model.id)
    for job in state.owner().workspace.jobs.all():
        if job.kind == kind and job.state == "done" and job.id in gains and job.worked:
            return job.worked / gains[job.id].heads
    return None
