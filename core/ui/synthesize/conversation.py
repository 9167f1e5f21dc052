"""What a language model was asked about a head in a run, what it replied, and what that cost."""

from __future__ import annotations

import streamlit as st

from core import wire
from core.display import counted
from core.errors import HeadscriptError
from core.jobs.kinds import KINDS
from core.proposers import LanguageModel
from core.proposers.llm.budget import Terms
from core.proposers.llm.kept import Turn, conversation, heads_asked_about
from core.store import JobRecord
from core.ui.parts import frame, jobs, state


def draw_conversations(job: JobRecord, where: str) -> None:
    """A head to choose, and its conversation; nothing for a run that asked no language model."""
    proposer = KINDS[job.kind].proposer
    if proposer is None or not isinstance(proposer.way, LanguageModel):
        return
    folder = state.owner().runner.folder(job.id).path
    heads = heads_asked_about(folder)
    if not heads:
        return
    who = proposer.way.who
    with st.expander(f"Conversations with {who}: {counted(len(heads), 'head')}", icon=":material/forum:"):
        head = st.selectbox("Head", heads, format_func=str, key=f"talk-{where}-{job.id}", width=140)
        turns = conversation(folder, head)
        st.markdown(_in_all(turns, _terms(job)))
        for turn in turns:
            _draw_turn(turn, who)


def _terms(job: JobRecord) -> Terms | None:
    """What the run may use up and at what price; None where that is no longer known."""
    proposer = KINDS[job.kind].proposer
    assert proposer is not None
    assert isinstance(proposer.way, LanguageModel)
    try:
        limits = wire.read(proposer.limits, job.settings.get("limits", {}), "the limits of a run")
        return proposer.way.terms(limits)
    except HeadscriptError:  # a model that has left the price list
        return None


def _in_all(turns: list[Turn], terms: Terms | None) -> str:
    """How many calls, what they used up, and in dollars where a price is known."""
    used = [turn.usage for turn in turns if turn.usage is not None]
    parts = [
        f"{counted(len(turns), 'call')}",
        f"{sum(one.input + one.cache_write + one.cache_read for one in used):,} tokens of input",
        f"{sum(one.output for one in used):,} of output",
    ]
    if terms is not None and terms.in_dollars:
        parts.append(f"**{jobs.dollars(sum(one.cost(terms.price) for one in used))}**")
    if len(used) < len(turns):
        parts.append(f"without {counted(len(turns) - len(used), 'call')} whose reply does not say")
    return " · ".join(parts)


def _draw_turn(turn: Turn, who: str) -> None:
    asked = "Sent back for repair" if turn.is_repair else f"Round {turn.round + 1}: asked"
    st.markdown(f"**{asked}**")
    if turn.asked:
        st.code(turn.asked, language=None, wrap_lines=True, height=180)
    else:
        st.caption("An older version kept the replies alone.")
    st.markdown(f"**{who} replied**")
    if turn.said:
        st.code(turn.said, language=None, wrap_lines=True)
    for hypothesis, source in turn.programs:
        if hypothesis:
            st.caption(frame.as_text(hypothesis))
        st.code(source, language="python", wrap_lines=True)
