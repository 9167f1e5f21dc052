"""Review: one head's program at a time, one key a decision."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from core.review import DECISIONS, FINAL, HISTORY, LONGEST_NOTE, Desk, Filter, Pile
from core.types import Action, Card, Verdict
from core.ui.parts import frame
from core.ui.parts.jobs import duration
from core.ui.parts.reviewer import account, has_accounts
from core.ui.parts.verdict_row import WORDS, Painted, draw_verdict_row
from core.ui.review.address import follow_address, write_address
from core.ui.review.alike import LEAST, alike_shelf, heads_in_words
from core.ui.review.card import STYLE, draw_card, is_hidden, shown_source
from core.ui.review.controls import draw_controls
from core.ui.review.desk import act, open_desk
from core.ui.review.lines import draw_lines
from core.ui.review.place import go_if_asked
from core.ui.review.shelf import evidence_shelf

_AHEAD = 3  # cards fetched before they are needed


def draw_done(desk: Desk) -> None:
    """No card waits: where to go."""
    if desk.view.kept != Filter():
        st.info("Set the filter wider, or choose another queue.", icon=":material/filter_list_off:")
    elif desk.view.pile != Pile.NEW:
        st.info("Choose another queue above.", icon=":material/inbox:")
    else:
        st.success("Every card of this queue is decided.", icon=":material/done_all:")
        st.page_link(
            "pages/hybrid.py", label="Build a hybrid from the accepted programs", icon=":material/call_merge:"
        )


def draw_title(desk: Desk, card: Card | None, queue: Sequence[Card]) -> None:
    """Which head, how far the reviewer is, and what there is to say once."""
    decided = sum(desk.opinions.is_decided(best.head) for best in desk.shelf.best)
    progress = f"{decided} of {len(desk.shelf.best)} decided · {len(queue)} in this queue"
    if (minutes := desk.minutes_left()) is not None and queue:
        progress += f" · {duration(60 * minutes)} left at your pace"
    news = desk.notice or (desk.revealed if desk.view.is_blind else "")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="card-title"):
        st.title(heading(desk, card), width="content", anchor=False)
        st.caption(progress, width="content")
        if news:
            st.html(f'<div class="card-news" role="status">{escape(news)}</div>', width="content")


def heading(desk: Desk, card: Card | None) -> str:
    """The page's title."""
    return f"Review · {desk.why_empty() if card is None else card.head}"


def draw_recent(desk: Desk, card: Card | None, hidden: bool) -> None:
    """The latest decisions in a line, all of them to return to, and words for the verdict on the card."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="recent"):
        draw_last(desk)
        draw_history(desk)
        if card is not None:
            if not desk.is_editing:
                draw_lines(desk.model, card, hidden)
            draw_alike(desk, card)
            draw_note(desk, card)


def draw_alike(desk: Desk, card: Card) -> None:
    """Programs of other heads that produce nearly the same, to be decided at once."""
    alike = alike_shelf().get(desk.model)
    found = alike.of(card.id) if alike is not None else []
    waiting = [other for other, _ in found if not desk.opinions.is_decided(other[0])]
    if not waiting:
        return
    with st.popover(f"Alike · {len(waiting)}", icon=":material/stacks:", key="alike"):
        names = heads_in_words([head for head, _ in waiting])
        st.caption(
            f"The best programs of {names} produce nearly what this one does: their maps’ IoU is {LEAST} "
            "or more. One undo takes all decisions back."
        )
        group = [card.id, *waiting]
        for words, action in (("✓ Accept", Action.ACCEPT), ("✕ Reject", Action.REJECT)):
            label, key = f"{words} all {len(group)}", f"alike-{action}"
            st.button(label, key=key, on_click=desk.decide_group, args=(group, action))


def draw_history(desk: Desk) -> None:
    box = st.popover("History", icon=":material/history:", key="history", on_change="rerun")
    if not box.open:
        return
    with box:
        words = desk.recent(HISTORY)
        st.caption("Click a decision to return to its card." if words else "Nothing is decided yet.")
        with st.container(gap=None, height=320 if len(words) > 8 else "content", border=False):
            for word in words:
                draw_return(desk, word)


def draw_return(desk: Desk, word: Verdict) -> None:
    told = " · ".join(part for part in (word.reason, word.note) if part)
    label = f"{word.head} {WORDS[word.action]}" + f" · {frame.as_text(told)}" * bool(told)
    if st.button(label, key=f"return-{word.event}", type="tertiary"):
        desk.go_to((word.head, word.program))
        st.rerun()


def draw_note(desk: Desk, card: Card) -> None:
    word = desk.own_word(card)
    is_decided = word is not None and word.action in DECISIONS
    kept = word.note.removeprefix(FINAL).removeprefix(": ") if word and is_decided else desk.note
    field = f"note-{desk.ticket}"

    def keep() -> None:
        desk.write_note(card, st.session_state[field])

    with st.popover("Note ·" if kept else "Note", icon=":material/edit_note:", key="note"):
        st.text_input(
            f"In words, kept with your {'' if is_decided else 'next '}verdict",
            kept,
            key=field,
            max_chars=LONGEST_NOTE,
            on_change=keep,
        )


def draw_last(desk: Desk) -> None:
    words = [
        f"{v.head} {WORDS[v.action]}" + f" “{frame.as_text(v.reason)}”" * bool(v.reason)
        for v in desk.recent(4)
    ]
    st.caption(f"last: {' · '.join(words)}" if words else "No decision yet; every one can be undone.")


def draw_verdicts(desk: Desk, card: Card | None, hidden: bool) -> None:
    disabled = set()
    if card is None:
        disabled = {"accept", "reject", "skip", "flag", "flip", "edit", "open", "previous", "next"}
    elif len(desk.candidates(card)) < 2:
        disabled = {"flip"}
    if not desk.can_redo:
        disabled.add("redo")
    painted = None
    if card is not None and not desk.is_editing:
        painted = Painted(heading(desk, card), shown_source(card))
    with st.container(key="verdicts", gap="xsmall"):
        counts = desk.opinions.reasons()
        draw_verdict_row(
            desk.ticket, counts, desk.is_editing, frozenset(disabled), painted, lambda: act(desk)
        )
        draw_recent(desk, card, hidden)


@st.fragment
def review() -> None:
    desk = open_desk(model)
    go_if_asked()
    follow_address(desk)
    queue = desk.queue()
    card = desk.card(queue)
    if card is not None:
        desk.show(card)
    write_address(card)
    draw_title(desk, card, queue)
    draw_controls(desk, queue)
    hidden = card is not None and is_hidden(desk, card)
    if card is None:
        draw_done(desk)
    else:
        draw_card(desk, card, hidden)
    draw_verdicts(desk, card, hidden)
    if card is not None:
        heads = [one.head for one in queue]
        at = heads.index(card.head) + 1 if card.head in heads else 0
        evidence_shelf().prepare(model, desk.shelf, queue[at : at + _AHEAD])


frame.through_app()
model = frame.model_or_stop("Review")
if has_accounts() and account() is None:
    st.title("Review")
    st.info("Log in in the sidebar: decisions are kept under your account.", icon=":material/login:")
    st.stop()
st.html(STYLE)
with st.container(gap="xsmall", key="review"):
    review()
