"""A hybrid's heads switched on and off with the model at hand: measured when the page asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.sharing.figures.of_damage import names_by_tokens
from core.types import HeadId, HybridSpec, ModelInfo, Split, TokenDamage, is_plain
from core.ui.parts import state
from core.ui.parts.live import LiveModel, live_model

if TYPE_CHECKING:
    from core.hybrid.switches import Switchboard, TokenCosts

Heads = frozenset[HeadId]


@dataclass(frozen=True)
class Switches:
    """Passages of the workspace, and the programs that may stand in the place of heads there."""

    model: ModelInfo
    hybrid: str
    own: Heads  # of the hybrid
    sources: Mapping[HeadId, str]  # its programs, and the best ones of all other heads
    fits: Mapping[HeadId, float]  # IoU on validation of the best ones
    names: tuple[str, ...]  # of the passages

    def costs(self, heads: Heads) -> TokenCosts:
        """What every token of the passages costs with these heads replaced."""
        live = live_model(self.model)
        with live.lock:
            return _board(self.model, self.hybrid, self.names, heads <= self.own, live, self).costs(heads)

    def given_back(
        self, passage: int, heads: Heads, tell: Callable[[int, int], None]
    ) -> tuple[TokenCosts, Mapping[HeadId, TokenCosts]]:
        """The same of one passage, and with each head given back; kept until others are asked for."""
        asked = (self.model.id, self.hybrid, self.names[passage], heads)
        kept = st.session_state.get(_GIVEN_BACK, {})
        if asked not in kept:
            live = live_model(self.model)
            with live.lock:
                board = self.board(live, self.names[passage : passage + 1], heads)
                kept[asked] = board.costs(heads), board.given_back(heads, tell)
            st.session_state[_GIVEN_BACK] = dict(list(kept.items())[-_KEPT:])
        found: tuple[TokenCosts, Mapping[HeadId, TokenCosts]] = kept[asked]
        return found

    def board(self, live: LiveModel, names: tuple[str, ...], heads: Heads) -> Switchboard:
        """Passages on which any of these heads can be replaced."""
        from core.hybrid.switches import Switchboard  # imports torch

        programs = [(head, self.sources[head]) for head in sorted(heads)]
        spec = HybridSpec.of(self.model.id, programs)
        return Switchboard(live.loaded, spec, state.features(self.model.id, names))


_GIVEN_BACK = "given-back"
_KEPT = 8  # passages


def switches_of(model: ModelInfo, hybrid: str, passages: Sequence[TokenDamage]) -> Switches | None:
    """What can be switched on these passages of an evaluation; None where the workspace lacks one."""
    workspace = state.owner().workspace
    test = tuple(sentence.id for sentence in state.of_splits(model, [Split.TEST]))
    read = state.features(model.id, test)
    names = names_by_tokens(read)
    if any(passage.tokens not in names for passage in passages):
        return None
    spec = workspace.hybrids.spec(hybrid)
    assert spec is not None
    own = dict(spec.programs)
    best = {found.score.head: found for found in workspace.library.best(model.id, Split.VALIDATION)}
    others = {head: one.program.source for head, one in best.items() if not is_plain(one.program.source)}
    fits = {head: one.score.iou.value for head, one in best.items()}
    return Switches(
        model,
        hybrid,
        frozenset(own),
        others | own,
        fits,
        tuple(names[passage.tokens] for passage in passages),
    )


@st.cache_resource(show_spinner="Running the programs on these passages", max_entries=2)
def _board(
    model: ModelInfo,
    hybrid: str,
    names: tuple[str, ...],
    only_own: bool,
    _live: LiveModel,
    _switches: Switches,
) -> Switchboard:
    """The passages of a page, ready for the hybrid's heads, or for any head that has a program."""
    heads = _switches.own if only_own else frozenset(_switches.sources)
    return _switches.board(_live, names, heads)
