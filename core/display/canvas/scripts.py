"""The scripts and styles of what is drawn, as text."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
ATTENTION_VIEW = ("element", "maps", "attention_panel", "attention_view")  # head, program, difference
_FACE = "export default function"


def script(*names: str) -> str:
    """These scripts, one after another; the last exports what draws, `({ data, parentElement, ... })`."""
    return "".join((FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)


def style(name: str) -> str:
    """The style sheet that goes with a script; for a shadow root, since it names plain elements."""
    return (FOLDER / f"{name}.css").read_text(encoding="utf-8")


def classic(*names: str) -> str:
    """The same scripts as an expression that gives what the last exports.

    A page that is opened from disk may not load modules.
    """
    text = script(*names)
    assert text.count(_FACE) == 1, f"{names[-1]}.js exports one function"
    return f"(() => {{\n{text.replace(_FACE, 'function face')}\nreturn face;\n}})()"
