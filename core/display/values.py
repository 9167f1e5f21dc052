"""How values look: counted nouns, and colours that are legible without telling red from green."""

from __future__ import annotations

import time
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

CIVIDIS = (
    "#00204c", "#00306f", "#2a406c", "#48526b", "#5e626e", "#727374",
    "#878479", "#9e9677", "#b6a971", "#d0be67", "#ffea46",
)  # fmt: skip
# From the program weighing more (purple) to the head weighing more (orange).
PUOR = (
    "#2d004b", "#542788", "#8073ac", "#b2abd2", "#d8daeb", "#f7f7f7",
    "#fee0b6", "#fdb863", "#e08214", "#b35806", "#7f3b08",
)  # fmt: skip
# The same on a dark page: what is equal is dark.
PUOR_DARK = (
    "#d9ccf7", "#b3a0e2", "#8b78c1", "#63539a", "#3c3465", "#1f2430",
    "#56380f", "#84530c", "#b3700f", "#e0922a", "#ffc470",
)  # fmt: skip
VERDICTS = {"accepted": "#3d7fb8", "disputed": "#8c4f9e", "undecided": "#9aa3b2", "rejected": "#c0702a"}

VERDICT_MARKS = {"accepted": "✓", "disputed": "≠", "rejected": "✕", "undecided": ""}
CATEGORY_COLOURS = {
    "first token": "#35608d",
    "sequential": "#e08214",
    "other heads": "#0b7a75",
    "coreference": "#8073ac",
    "syntactic": "#5aae9c",
    "final token": "#c7b25c",
    "uniform": "#9aa3b2",
    "plain Python": "#5b6472",
}

LINES = (  # of curves
    "#35608d", "#5aae9c", "#9aa3b2", "#b35806", "#8073ac", "#c7b25c", "#c51b7d", "#7f3b08", "#01665e",
    "#4d4d4d", "#b2abd2",
)  # fmt: skip
# Published best-of-library mean IoU, arXiv 2606.19317; picked and reported on the same sentences.
PUBLISHED_IOU = {"BERT": 0.340, "GPT-2": 0.691, "TinyLlama": 0.742, "Llama-3.2-3B": 0.794}
PUBLISHED_INCREASE = {"GPT-2": 0.051, "TinyLlama": 0.112, "Llama-3.2-3B": 0.192}  # at 25 % of heads

RUNGS = {  # of the ladder of audits, from the bottom
    "explains": "#1f4e9c",
    "fits, does not foresee": "#86aee0",
    "position only": "#e9b872",
    "untestable": "#8a8f9c",
    "not audited": "#e3e6ec",
}
RUNG_MARKS = {
    "explains": "●",
    "fits, does not foresee": "◑",
    "position only": "◔",
    "untestable": "○",
    "not audited": "",
}


@dataclass(frozen=True)
class CostWords:
    """How the cost of a hybrid is called."""

    perplexity: str  # nothing where there is none
    distance: str
    short: str  # of the distance, over a column
    unit: str
    tokens: str


COSTS = {  # by core.types.Measure
    "next tokens": CostWords("perplexity", "KL per token", "KL", "nats", "tokens"),
    "masked tokens": CostWords("masked perplexity", "KL per masked token", "KL", "nats", "masked tokens"),
    "final states": CostWords("", "distance of final states", "distance", "1 − cosine", "tokens"),
}


def capitalised(words: str) -> str:
    """With a capital first letter, the others as they are: `KL per token`."""
    return words[:1].upper() + words[1:]


def token_name(token: str) -> str:
    """A token as a map names it: without blanks around it, and never empty."""
    return token.strip().replace("\n", "⏎") or ("⏎" if "\n" in token else "␣")


def between(stops: Sequence[str], places: np.ndarray) -> np.ndarray:
    """The colours at places from 0 to 1 between evenly spaced stops, float [place, channel] of 0 to 255."""
    colours = np.array([[int(stop[at : at + 2], 16) for at in (1, 3, 5)] for stop in stops], float)
    at_stops = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(places, at_stops, colours[:, channel]) for channel in range(3)], axis=1)


def diverging(steps: int) -> tuple[str, str]:
    """Background and ink in CSS of a word, -4 to 4; on a dark page what is near 0 is dark."""
    backgrounds = [palette[5 + steps] for palette in (PUOR, PUOR_DARK)]
    is_light = are_light(np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in backgrounds]))
    inks = ["#000000" if light else "#ffffff" for light in is_light]
    return f"light-dark({', '.join(backgrounds)})", f"light-dark({', '.join(inks)})"


def are_light(colours: np.ndarray) -> np.ndarray:
    """Whether black stands out more than white against each of these colours (WCAG's contrast ratio)."""
    shares = colours / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    found: np.ndarray = linear @ np.array([0.2126, 0.7152, 0.0722]) > 0.179
    return found


LONGEST_NAME = 500  # characters of a person's name, and of anything else that is one


def one_spelling(name: str) -> str:
    """A name with its accents composed, so that it is one name however it was typed."""
    return unicodedata.normalize("NFC", name)


def when(moment: float) -> str:
    """A moment in this machine's time: `22 Nov, 16:05`."""
    return time.strftime("%-d %b, %H:%M", time.localtime(moment))


def counted(number: int, noun: str) -> str:
    """`1 head`, `2 heads`, `1,000 heads`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def distinct(labels: Mapping[str, str]) -> dict[str, str]:
    """The label of each id so that no two are the same: equal ones say their ids, as far as these differ.

    A list in the browser knows a choice by its label alone.
    """
    counts = Counter(labels.values())
    same = [name for name, label in labels.items() if counts[label] > 1]
    length = next((n for n in range(6, 99) if len({name[:n] for name in same}) == len(same)), None)
    found = {
        name: f"{label} · {name[:length]}" if counts[label] > 1 else label for name, label in labels.items()
    }
    return found if len(set(found.values())) == len(found) else {n: f"{labels[n]} · {n}" for n in labels}
