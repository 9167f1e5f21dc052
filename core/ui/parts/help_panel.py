"""Help beside every page: keys, words, the language and a tour, and terms underlined where they stand."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import streamlit as st

from core.display.canvas import script, style
from core.display.glossary import GLOSSARY
from core.types import ModelInfo
from core.ui.parts import jobs, state
from core.ui.parts.keys import KEYS, Key
from core.ui.parts.reference import language
from core.ui.parts.verdict_row import KEYS as REVIEW_KEYS

_help = st.components.v2.component(
    "headscript_help",
    css=style("help"),
    js=script("element", "terms", "tour", "help"),
)


@dataclass(frozen=True)
class _Step:
    """A step of the tour: the page it is on, what it puts its frame around, and what it says of it."""

    page: str
    around: str  # a selector
    title: str
    words: str


TOUR = (
    _Step(
        "",
        ".st-key-map",
        "Every attention head is a cell",
        "Layers across, heads down. The colour says how well the head's best program matches its attention, "
        "measured on passages that chose nothing. A click on a cell opens the head.",
    ),
    _Step(
        "heads",
        ".st-key-heads-program",
        "A head beside its program",
        "The maps show the head, the program and their difference on one sentence. Click a cell: the lines "
        "of the program that fired for it are marked, with what each did to the weight.",
    ),
    _Step(
        "audit",
        "[data-testid=stHorizontalBlock]:has([data-testid=stMetric])",
        "Does it explain, or only resemble?",
        "An audit compares each program with a twin that knows positions only, with what the head writes, "
        "and with what happens when a word is changed. Only what passes all of it is called an explanation.",
    ),
    _Step(
        "review",
        ".st-key-verdicts",
        "You decide",
        "One card at a time, one key a decision: a accepts, x rejects, Space puts off, Backspace takes back. "
        "Terms with a dotted line say what they mean, by pointer or Tab; ? opens all keys and words.",
    ),
    _Step(
        "hybrid",
        ".st-key-hybrid-builder",
        "What does replacing heads cost?",
        "Put programs in the place of heads and measure how much worse the model predicts the next token. "
        "Accepted programs leave from the Library as a report, a site or a file.",
    ),
)


def draw_help(model: ModelInfo | None, page: str) -> None:
    """The button `?` and what it opens; the tour by itself on the demo's first page, once in a browser."""
    with st.container(key="help"):
        _help(key="help-panel", data={**_said(), "offersTour": page == TOUR[0].page and _offers_tour(model)})


def _offers_tour(model: ModelInfo | None) -> bool:
    """Whether there is a demo to be shown around in, and nothing of it is still to come."""
    if model is None or model.name != state.owner().settings.demo_model or not state.has_programs(model):
        return False
    return not any(job.kind in jobs.BUILDS for job in state.active_jobs())


@cache
def _said() -> dict[str, Any]:
    """Keys, words, language and tour, as the browser reads them."""
    by_page = {**KEYS, "Review": tuple(Key(key.shown, key.title) for key in REVIEW_KEYS) + _MORE_OF_REVIEW}
    return {
        "keys": [
            {
                "title": page,
                "about": _ABOUT_KEYS if page == "Review" else "",
                "entries": [{"written": key.shown, "meaning": key.does} for key in keys],
            }
            for page, keys in by_page.items()
        ],
        "terms": [asdict(term) for term in GLOSSARY],
        "language": [asdict(group) for group in language()],
        "tour": [asdict(step) for step in TOUR],
    }


_ABOUT_KEYS = (
    "A key typed into a text field decides nothing. A held key decides once. On another layout the keys at "
    "the same places work."
)
_MORE_OF_REVIEW = (
    Key("1–9", "Reject with that reason"),
    Key("j k", "Scroll the program; so do PageDown and PageUp"),
    Key("h", "Open this help at the keys"),
)
