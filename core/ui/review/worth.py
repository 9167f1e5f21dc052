"""What each line of a program is worth: what its fit loses without it, and where it has a say."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

import streamlit as st

from core.audit.rules import rules_of
from core.errors import HeadscriptError
from core.scoring import Examiner, program_of
from core.types import HeadId, ModelInfo, Split
from core.ui.parts import state
from core.ui.review.fired import share_of
from core.ui.review.shelf import examiner

_SENTENCES = 8  # of which the pairs are counted
_HELD = 256  # programs

_Name = tuple[str, int, HeadId, str]


@dataclass(frozen=True)
class Worth:
    """What a line does for a program's fit."""

    iou: float  # lost on validation without it; below 0 where the rest fits better
    pairs: float  # share of the pairs of a few passages in whose weight it has a say

    def __str__(self) -> str:
        return f"{self.iou:+.3f}"

    @property
    def in_words(self) -> str:
        """Both figures, for a person who asks."""
        change = "loses" if self.iou >= 0 else "gains"
        return (
            f"Without it, IoU on validation {change} {abs(self.iou):.3f}; it has a say in {self.pairs:.0%} "
            "of the weights"
        )


def worths(found: Examiner, head: HeadId, source: str, is_causal: bool) -> dict[int, Worth]:
    """Of every statement that the program can do without, by the line at which it begins.

    Raises WorkspaceError if the head's attention is not there.
    """
    rules, program = rules_of(source), program_of(source)
    if not rules:
        return {}
    whole = found.compare(head, program, worst=0).fit.value
    some = found.sentences[:: max(1, len(found.sentences) // _SENTENCES)][:_SENTENCES]
    told, lengths = found.traced(program, some), [len(found.tokens(one)) for one in some]
    return {
        rule.line: Worth(
            whole - found.compare(head, rule.without, worst=0).fit.value,
            share_of(range(rule.line, rule.last + 1), told, lengths, is_causal),
        )
        for rule in rules
    }


class WorthShelf:
    """What people asked for lately; each line takes a moment."""

    def __init__(self) -> None:
        self._held: OrderedDict[_Name, dict[int, Worth]] = OrderedDict()
        self._lock = Lock()

    def known(self, model: ModelInfo, head: HeadId, source: str) -> Mapping[int, Worth]:
        """By line; empty until it was asked for, and where it cannot be told."""
        return self._held.get(_name(model, head, source), {})

    def work_out(self, model: ModelInfo, head: HeadId, source: str) -> None:
        """Find out what each line is worth, so that it is known."""
        told: dict[int, Worth] = {}
        with suppress(HeadscriptError, OSError, KeyError):  # the page says what cannot be read
            told = worths(examiner(model, Split.VALIDATION), head, source, model.is_causal)
        with self._lock:
            self._held[_name(model, head, source)] = told
            while len(self._held) > _HELD:
                self._held.popitem(last=False)


def _name(model: ModelInfo, head: HeadId, source: str) -> _Name:
    return model.id, len(state.sentences(model.id, state.version())), head, source


@st.cache_resource(show_spinner=False)
def worth_shelf() -> WorthShelf:
    """One for all sessions."""
    return WorthShelf()


def draw_asking(model: ModelInfo, head: HeadId, source: str) -> None:
    """The button that asks, until it is known; then what the figures beside the lines are."""
    if worth_shelf().known(model, head, source):
        st.caption("Beside each line of the program: what IoU on validation loses without it.")
        return
    st.button(
        "What is each line worth?", key=f"worth-{head}-{sha256(source.encode()).hexdigest()[:16]}",
        icon=":material/functions:", on_click=worth_shelf().work_out, args=(model, head, source),
        help="Leaves out one line after another on all validation sentences, which takes some seconds",
    )  # fmt: skip
