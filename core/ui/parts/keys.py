"""The keys of every page, by which buttons and the help name them; those of Review stand with its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """A key, as it is shown, and what it does."""

    shown: str
    does: str


BACK = Key("B", "Back to the card of Review that it was opened from")
PREVIOUS = Key("P", "Sentence before")
NEXT = Key("N", "Next sentence")
WORST = Key("W", "The sentence, then the token, where the program is most wrong; again for the next sentence")
ALL_HEADS = Key("M", "The maps of all heads on this sentence")

KEYS: Mapping[str, tuple[Key, ...]] = {
    "Everywhere": (
        Key("?", "Open and close this help; in a text field F1"),
        Key("← ↑ ↓ →", "Walk a map of heads or of attention that has the focus"),
        Key("Enter", "Open the head or pin the cell that was walked to"),
        Key("Esc", "Close what is open; let go of pins"),
    ),
    "Heads": (PREVIOUS, NEXT, WORST, ALL_HEADS, BACK),
}
