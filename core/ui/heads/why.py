"""Why a program gives a pinned cell its weight, in the words of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.canvas import script, style
from core.features import Kind
from core.language import Contribution, ParsedProgram, PlainProgram, Scalar, Trace, row_total, trace
from core.types import HeadId
from core.ui.heads.passages import Passage
from core.ui.parts.attention_view import Pins
from core.ui.parts.state import SideBySide

_view = st.components.v2.component(
    "headscript_why",
    css=style("heads_why"),
    js=script("element", "maps", "heads_why"),
)
_NOT_READ = "This is plain Python, which is run and not read: which of its lines gave this is not known."
_SYMBOLS = {"*": "×", "/": "÷", "-": "−"}


def draw_why(reasons: dict[str, Any] | None, key: str) -> None:
    """The lines that fired for the pinned cell and what each contributed; a hint while nothing is pinned."""
    _view(key=key, data=reasons or {"pair": None})


def fired_lines(reasons: dict[str, Any] | None) -> dict[int, str]:
    """The lines that had a say in the pinned cell's weight, each with what it did."""
    effects: dict[int, list[str]] = {}
    for line in reasons["lines"] if reasons else ():
        effects.setdefault(line["line"], []).append(line["effect"])
    return {line: ", ".join(found) for line, found in effects.items()}


def reasons_for(
    program: ParsedProgram,
    passage: Passage,
    looks: Mapping[HeadId, np.ndarray],
    compared: SideBySide,
    is_causal: bool,
    pins: Pins,
) -> dict[str, Any] | None:
    """Why the pinned cell weighs what it does; None while nothing is pinned.

    `looks` holds the maps that the program looks at.
    """
    if pins.cell is None:
        return None
    query, key_token = pins.cell
    pinned = {
        "pair": [compared.tokens[query], compared.tokens[key_token]],
        "positions": [query, key_token],
        "head": float(compared.head[query, key_token]),
        "program": float(compared.program[query, key_token]),
    }
    if isinstance(program, PlainProgram):
        return {**pinned, "lines": [], "conclusion": _NOT_READ}
    found = trace(program, passage.features.tokens(0), query, key_token, looks)
    looked = {head: weights[None] for head, weights in looks.items()}
    total = row_total(program, passage.features, query, is_causal, looked)
    return {**pinned, "lines": lines_of(found, compared.tokens), "conclusion": conclusion(found, total)}


def lines_of(found: Trace, tokens: list[str]) -> list[dict[str, Any]]:
    """One entry a contribution: its line, its effect, the condition it stands under, what that read."""
    names = {step.name for step in found.contributions if step.kind == "number" and not step.is_plain}
    return [
        {
            "line": step.line,
            "effect": _effect(step, tokens, alone=len(names) == 1),
            "because": " and ".join(step.conditions),
            "readings": " · ".join(
                f"{reading.source}: {_shown(reading.value, reading.kind, tokens)}"
                for reading in step.readings
                if reading.source not in step.conditions
            ),
        }
        for step in found.contributions
        if not step.is_plain
    ]


def conclusion(found: Trace, total: float) -> str:
    """How the weight becomes attention."""
    if found.failure is not None:
        return f"Here the program fails: {found.failure.detail}"
    if total == 0:
        return "Every weight of this row is 0, so the query attends to the first token."
    share = found.weight / total
    return f"{found.weight:.4g} of the row's {total:.4g} is {share:.4f}"


def _effect(step: Contribution, tokens: list[str], alone: bool) -> str:
    """`× 6.5`; with the local's name where there are several."""
    value = _shown(step.operand, step.kind, tokens)
    effect = f"{_SYMBOLS.get(step.operator, step.operator)} {value}"
    return effect if alone and step.kind == "number" else f"{step.name} {effect}"


def _shown(value: Scalar, kind: Kind, tokens: list[str]) -> str:
    match kind:
        case "number":
            return f"{value:.4g}"
        case "token":
            at = int(value)
            return "no token" if at < 0 else f"“{tokens[at].strip() or '␣'}” at {at}"
        case "boolean":
            return "yes" if value else "no"
    return f"“{value}”".replace("\n", "⏎")
