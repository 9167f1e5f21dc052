"""What a trace found, in words: the lines that gave a pair its weight, and how that becomes attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.display import token_name
from core.features import Kind
from core.language.scalar.trace import Contribution, Trace
from core.language.values.scalars import Scalar

_SYMBOLS = {"*": "×", "/": "÷", "-": "−"}


def lines_of(found: Trace, tokens: Sequence[str]) -> list[dict[str, Any]]:
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


def _effect(step: Contribution, tokens: Sequence[str], alone: bool) -> str:
    """`× 6.5`; with the local's name where there are several."""
    value = _shown(step.operand, step.kind, tokens)
    effect = f"{_SYMBOLS.get(step.operator, step.operator)} {value}"
    return effect if alone and step.kind == "number" else f"{step.name} {effect}"


def _shown(value: Scalar, kind: Kind, tokens: Sequence[str]) -> str:
    match kind:
        case "number":
            return f"{value:.4g}"
        case "token":
            at = int(value)
            return "no token" if at < 0 else f"“{token_name(tokens[at])}” at {at}"
        case "boolean":
            return "yes" if value else "no"
    return f"“{value}”".replace("\n", "⏎")
