"""Where in a text a hybrid is more surprised than its model, and which of its heads do it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from core.display import counted
from core.errors import HeadscriptError, WorkspaceError
from core.review import heads_named
from core.sharing.figures.of_damage import added, repair_figure, repair_table
from core.types import EvaluationDetails, HeadId, ModelInfo, TokenDamage
from core.ui.hybrid.switches import Heads, Switches, switches_of
from core.ui.parts import frame
from core.ui.parts.damage_text import Pick, draw_damage_text, picked_token
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.head_picker import Cell, pick_heads, picked_heads

if TYPE_CHECKING:
    from core.hybrid.switches import Repair, TokenCosts

_AT_HAND = 4  # passages: with more a switch takes longer than two seconds on one slow processor
_CLICKED = "clicked-token"  # and the heads that were on then
_WORST, _MEASURED = "most damaged first", "as measured"


def draw_damage(model: ModelInfo, hybrid: str, details: EvaluationDetails) -> None:
    """Passages with every token shaded by how much more surprising it became, and the heads behind it."""
    if not details.damage:
        st.info(
            "Measure the hybrid again (*Details*) to see the damage to each token.", icon=":material/info:"
        )
        return

    @st.fragment
    def drawn() -> None:
        passages = _choose(details.damage)
        switches = switches_of(model, hybrid, passages)
        if switches is None:
            draw_damage_text(passages, f"text-{hybrid}", picks=False, picked=None)
            st.caption(
                "Heads can be switched on passages of the workspace; measure the hybrid on its test split."
            )
        else:
            _draw_with_heads(switches, passages)

    drawn()


def _choose(damage: Sequence[TokenDamage]) -> list[TokenDamage]:
    """A few of the passages that were measured, in the order a person wants."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.segmented_control(
            "Passages", [_WORST, _MEASURED], default=_WORST, key="damage-order", required=True
        )
        starts = list(range(0, len(damage), _AT_HAND))
        labels = {at: f"{at + 1}–{min(at + _AT_HAND, len(damage))} of {len(damage)}" for at in starts}
        start = st.selectbox(
            "Which of them",
            starts,
            format_func=labels.__getitem__,
            key=f"damage-start-{len(damage)}",
            width=150,
        )
        st.caption("orange: the hybrid is more surprised by the token than the model; purple: less")
    ordered = sorted(damage, key=lambda passage: -added(passage)) if order == _WORST else list(damage)
    return ordered[start : start + _AT_HAND]


def _draw_with_heads(switches: Switches, passages: Sequence[TokenDamage]) -> None:
    """Text and heads side by side: what is switched on one side shows on the other."""
    left, right = st.columns([1, 1.05], gap="large")
    text = f"text-{switches.hybrid}-{'-'.join(switches.names)}"
    picked = picked_token(text)
    key = _place(switches)
    turn, start = st.session_state.get(f"{key}-set", (0, switches.own))
    heads = frozenset(picked_heads(switches.model, start, key, turn)).intersection(switches.sources)
    with right:
        wait = st.empty()
        try:
            with wait.container():  # what is told meanwhile moves nothing below it
                is_built = heads == switches.own
                now = list(passages) if is_built else _as_switched(passages, switches.costs(heads))
                ranking = None if picked is None else _ranking(switches, _heads_at(picked, heads), picked)
            wait.empty()
        except HeadscriptError as error:
            wait.error(frame.as_text(str(error)), icon=":material/error:")
            return
        pick_heads(switches.model, _cells(switches, heads, ranking), start, key, turn)
        _draw_buttons(switches, heads)
        _draw_perplexities(passages, now, len(heads))
    with left:
        draw_damage_text(now, text, picks=True, picked=picked)
    with right:
        if picked is None or ranking is None:
            st.caption("Click a token to see which heads do the damage there.")
        else:
            _draw_ranking(switches, heads, passages[picked.passage].tokens[picked.token], ranking)


@dataclass(frozen=True)
class _Ranking:
    """What giving heads back does for a token."""

    heads: Heads  # that were on
    damage: float  # nats that the token's loss was above the model's with them
    repairs: Sequence[Repair]


def _set(switches: Switches, heads: Heads) -> None:
    """Put these heads on, and all others off."""
    place = f"{_place(switches)}-set"
    st.session_state[place] = (st.session_state.get(place, (0, None))[0] + 1, heads)


def _place(switches: Switches) -> str:
    return f"switches-{switches.hybrid}"


def _draw_buttons(switches: Switches, heads: Heads) -> None:
    """What sets the heads without the map, whose cells are small where there are many."""
    key = f"{_place(switches)}-named"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for label, icon, wanted in (
            ("As built", "restart_alt", switches.own),
            ("All off", "toggle_off", frozenset[HeadId]()),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"set-{label}",
                disabled=heads == wanted,
                on_click=_set,
                args=(switches, wanted),
            )
        left = st.text_input(
            "Switch heads by name",
            key=key,
            placeholder="L3H7, L4H*",
            width=190,
            on_change=_switch_named,
            args=(switches, heads, key),
        )
    if left.strip():  # what could be switched is gone from the field
        st.caption(frame.as_text(_not_switched(switches, left)))


def _switch_named(switches: Switches, heads: Heads, key: str) -> None:
    """Put the named heads on, or off if all of them are on; one that cannot be stays in the field."""
    named = st.session_state[key]
    if not named.strip() or _not_switched(switches, named):
        return
    turned = frozenset(heads_named(named, switches.model)).intersection(switches.sources)
    _set(switches, heads - turned if turned <= heads else heads | turned)
    st.session_state[key] = ""


def _not_switched(switches: Switches, named: str) -> str:
    """Why none of these heads can be switched; empty where one can."""
    try:
        found = heads_named(named, switches.model)
    except WorkspaceError as error:
        return f"{error}."
    return "" if switches.sources.keys() & set(found) else f"{named.strip()} has no program."


def _as_switched(passages: Sequence[TokenDamage], costs: TokenCosts) -> list[TokenDamage]:
    """The passages as the heads that are on now leave them."""
    ends = [0]
    for passage in passages:
        ends.append(ends[-1] + len(passage.base))
    return [
        replace(
            passage,
            changed=tuple(costs.changed[start:end].tolist()),
            kl=tuple(costs.kl[start:end].tolist()),
        )
        for passage, start, end in zip(passages, ends, ends[1:], strict=False)
    ]


def _heads_at(picked: Pick, heads: Heads) -> Heads:
    """The heads that were on at a click: these, unless it was an earlier one.

    To rank them anew takes a pass for each, which no switch is to wait for.
    """
    click, then = st.session_state.get(_CLICKED, (None, heads))
    if click == picked:
        found: Heads = then
        return found
    st.session_state[_CLICKED] = picked, heads
    return heads


def _ranking(switches: Switches, heads: Heads, picked: Pick) -> _Ranking:
    """What giving each of these heads back does for the token that was clicked."""
    from core.hybrid.switches import repairs

    bar = st.empty()

    def tell(done: int, total: int) -> None:
        bar.progress(done / total, f"giving back {counted(total, 'head')}, one at a time: {done}")

    costs, given_back = switches.given_back(picked.passage, heads, tell)
    at = picked.token - 1
    damage = float(costs.changed[at]) - float(costs.base[at])
    return _Ranking(heads, damage, repairs(costs, given_back, at))


def _cells(switches: Switches, heads: Heads, ranking: _Ranking | None) -> dict[HeadId, Cell]:
    """By how well their programs fit; once a token is clicked, by how much of its damage each repairs."""
    cells = {
        head: Cell(switches.fits.get(head), "replaced" if head in heads else "the model's own")
        for head in switches.sources
    }
    ranked = [] if ranking is None else ranking.repairs
    most = max((one.loss for one in ranked), default=0.0)
    for one in ranked:
        share = max(0.0, one.loss / most) if most > 0 else 0.0
        cells[one.head] = Cell(share, f"given back: {one.loss:+.2f} nats nearer")
    return cells


def _draw_perplexities(built: Sequence[TokenDamage], now: Sequence[TokenDamage], heads: int) -> None:
    figures = (
        ("Model", _perplexity([passage.base for passage in built])),
        ("Hybrid", _perplexity([passage.changed for passage in built])),
        (f"With {counted(heads, 'head')} on", _perplexity([passage.changed for passage in now])),
    )
    for column, (label, value) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(label, f"{value:.2f}", help="Perplexity on these passages")


def _perplexity(losses: Sequence[Sequence[float]]) -> float:
    every = [loss for passage in losses for loss in passage]
    return math.exp(sum(every) / len(every))


def _draw_ranking(switches: Switches, heads: Heads, token: str, ranking: _Ranking) -> None:
    """The heads by what each repairs of a token's damage, and the button that gives some back."""
    ranked, damage = ranking.repairs, ranking.damage
    st.markdown(
        f"**{frame.as_text(token.strip() or repr(token))}**: {damage:+.2f} nats with "
        f"{counted(len(ranked), 'head')} on. One of them given back brings its loss nearer to the model's by"
    )
    table = repair_table(ranked, damage, switches.sources)
    event = st.dataframe(
        table,
        hide_index=True,
        height=min(250, 36 * (len(table) + 1)),
        key=f"ranked-{'-'.join(table['head'])}-{damage}",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "head": st.column_config.TextColumn(width=70),
            "nats": st.column_config.NumberColumn(format="%+.2f", width=70),
            "of it": st.column_config.NumberColumn(format="%.0f %%", width=70),
            "KL": st.column_config.NumberColumn(format="%+.2f", width=70, help="nats by which KL falls"),
        },
    )
    back = {ranked[row].head for row in event.selection.rows if row < len(ranked)}
    with st.container(horizontal=True):
        st.button(
            f"Give {counted(len(back), 'head')} back" if back else "Pick heads to give back",
            icon=":material/undo:",
            key="give-back",
            disabled=not back,
            on_click=_set,
            args=(switches, heads - back),
        )
        draw_figure_button(
            {"table": lambda: repair_figure(switches.model.title, token, damage, table)},
            f"damage-{switches.hybrid[:6]}",
            "damage-figure",
        )
    if ranking.heads != heads:
        st.caption("Other heads are on by now; click the token again to rank those.")
