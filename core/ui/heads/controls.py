"""Choosing a head, a program and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.audit.rules import Rule, rules_of
from core.display import distinct
from core.types import HeadId, ModelInfo, Sentence, Split, is_plain
from core.ui.heads.passages import OWN
from core.ui.parts import frame
from core.ui.review.worth import draw_asking

MOST_LISTED = 200  # programs that a person may want to look through


@dataclass(frozen=True)
class Filters:
    """Which sentences to choose from."""

    splits: tuple[Split, ...]
    genres: tuple[str, ...]  # none: all
    words: str

    @property
    def title(self) -> str:
        """What is listed, in a few words."""
        splits = "all splits" if set(self.splits) == set(Split) else ", ".join(self.splits)
        return f"{splits}{' (filtered)' * bool(self.genres or self.words)}"

    def keep(self, sentence: Sentence) -> bool:
        """Whether a sentence is among those asked for."""
        return (
            sentence.split in self.splits
            and (not self.genres or sentence.genre in self.genres)
            and self.words.casefold() in sentence.text.casefold()
        )


def choose_head(model: ModelInfo) -> HeadId:
    """The head to show."""
    layer, head = st.columns(2)

    def choose(place: DeltaGenerator, name: str, numbers: Sequence[int]) -> int:
        if st.session_state.get(name, numbers[0]) not in numbers:  # left from another model
            st.session_state[name] = numbers[0]
        return place.selectbox(
            name.capitalize(), numbers, key=name, on_change=_forget_program, persist_state="session"
        )

    return HeadId(choose(layer, "layer", model.attention_layers), choose(head, "head", range(model.heads)))


def _forget_program() -> None:
    """Each head begins with its own best program."""
    st.session_state["program"] = None


def listed(scores: pd.DataFrame, wanted: str | None) -> pd.DataFrame:
    """The programs worth listing: the best, the baselines and the one asked for."""
    if len(scores) <= MOST_LISTED:
        return scores
    kept = (scores.origin == "baseline") | (scores.program_id == wanted)
    kept |= pd.Series(range(len(scores)), scores.index) < MOST_LISTED
    return scores[kept]


def choose_program(scores: pd.DataFrame) -> pd.Series:
    """The row of `scores` to show: the best unless another is asked for."""
    labels = distinct(
        {
            str(row.program_id): f"{row.test:.2f} · lift {row.lift:+.2f} · "
            f"{'baseline: ' * (row.origin == 'baseline')}{row.summary}"
            for row in scores.itertuples()
        }
    )
    if st.session_state.get("program") not in labels:
        st.session_state["program"] = next(iter(labels))
    program = st.selectbox(
        "Program · best first, IoU on test",
        list(labels),
        format_func=labels.__getitem__,
        key="program",
        persist_state="session",
    )
    return scores[scores.program_id == program].iloc[0]


def leave_out(model: ModelInfo, head: HeadId, program: str, source: str) -> Rule | None:
    """The rule whose line is clicked off; None where none is, or none can be."""
    if is_plain(source):
        return None
    key = f"line-off-{program}"
    box = st.popover(
        "Lines",
        icon=":material/rule:",
        help="Leave a line out and see what changes",
        key="lines",
        on_change="rerun",
    )
    if not box.open and st.session_state.get(key) is None:
        return None  # which lines can be left out takes as many readings of the program
    rules = {rule.line: rule for rule in rules_of(source)}
    with box:
        if not rules:
            st.caption("No line of this program can be left out.")
            return None
        line = st.pills(
            "Without",
            list(rules),
            format_func=lambda line: f"{line}: {frame.as_text(rules[line].text)}",
            key=key,
        )
        draw_asking(model, head, source)
    return None if line is None else rules[line]


def choose_filters(sentences: Sequence[Sentence]) -> Filters:
    """Which sentences to choose from, behind a button that says how many filters are on."""
    genres = sorted({sentence.genre for sentence in sentences})
    with st.popover("Filter", icon=":material/filter_alt:"):
        splits = st.pills(
            "Split",
            list(Split),
            default=[Split.TEST],
            selection_mode="multi",
            key="splits",
            persist_state="session",
        )
        chosen = st.multiselect("Genre", genres, placeholder="all", key="genres", persist_state="session")
        words = st.text_input("Text contains", key="words", persist_state="session")
    return Filters(
        tuple(split for split in Split if split in splits or not splits), tuple(chosen), words.strip()
    )


def choose_sentence(sentences: Sequence[Sentence], ious: Mapping[str, float], listed: str) -> str:
    """A sentence's id, or OWN; those that the program fits worst first.

    `listed` says which sentences these are.
    """
    known = {sentence.id: sentence for sentence in sentences}
    options = sorted(known, key=lambda name: ious.get(name, 0.0))
    if st.session_state.get("text"):
        options = [OWN, *options]
    if st.session_state.get("sentence") not in options:
        st.session_state["sentence"] = next(name for name in options if name != OWN)

    def label(name: str) -> str:
        if name == OWN:
            return f"own text · {st.session_state['text'][:70]}"
        sentence = known[name]
        return f"{ious.get(name, 0.0):.2f} · {sentence.genre} · {' '.join(sentence.text.split())[:80]}"

    labels = distinct({name: label(name) for name in options})
    ordered = [name for name in options if name != OWN]
    chosen = st.session_state["sentence"]
    at = "" if chosen == OWN else f"{ordered.index(chosen) + 1} of "
    title = f"Sentence · {listed}, worst first · {at}{len(ordered)}"
    return str(
        st.selectbox(title, options, format_func=labels.__getitem__, key="sentence", persist_state="session")
    )
