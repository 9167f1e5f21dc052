"""Characters that a text holds and a screen does not show."""

from __future__ import annotations

import unicodedata

# Marks without width that Unicode does not count among formats: joiners, fillers, variation selectors.
_MARKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")


def is_hidden(character: str) -> bool:
    """Whether it is drawn as nothing, or changes the order in which others are drawn.

    So are bidirectional controls, zero-width characters, tags, line separators and C1 controls.
    """
    if character.isascii():
        return False
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0000" <= character <= "\U000e0fff"
    return is_selector or character in _MARKS or unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")


def escape(character: str) -> str:
    """How a program writes it in a text."""
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
