"""The form of a proposer's limits, drawn from their type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any

import streamlit as st

from core.proposers import Proposer


def draw_limits(proposer: Proposer, default: Any) -> Any:
    """A field for each limit, texts first and wide, the others in two columns; the limits as they are set."""
    entries = [(entry, getattr(default, entry.name)) for entry in fields(default)]
    texts = [(entry, value) for entry, value in entries if isinstance(value, str)]
    others = [(entry, value) for entry, value in entries if not isinstance(value, str)]
    values: dict[str, Any] = {entry.name: _draw_text(proposer, entry, value) for entry, value in texts}
    columns = st.columns(2)
    for number, (entry, value) in enumerate(others):
        row = others[number // 2 * 2 :][:2]
        is_beside_field = any(not isinstance(neighbour, bool) for _, neighbour in row)
        values[entry.name] = _draw_value(columns[number % 2], proposer, entry, value, is_beside_field)
    return proposer.limits(**values)


def _key(proposer: Proposer, entry: Field[Any]) -> str:
    return entry.metadata.get("key") or f"{proposer.name}-{entry.name}"


def _draw_text(proposer: Proposer, entry: Field[Any], value: str) -> str:
    label, key, help = entry.metadata["label"], _key(proposer, entry), entry.metadata["hint"] or None
    choices = entry.metadata.get("choices")
    if not choices:
        return str(st.text_input(label, value, key=key, help=help)).strip()
    offered = list(dict.fromkeys([value, *choices]))
    return st.selectbox(label, offered, key=key, help=help, accept_new_options=True) or value


def _draw_value(place: Any, proposer: Proposer, entry: Field[Any], value: Any, is_beside_field: bool) -> Any:
    """A field, or a toggle, which stands as high as a field if there is one beside it."""
    label, key, help = entry.metadata["label"], _key(proposer, entry), entry.metadata["hint"] or None
    if isinstance(value, bool):
        height = 72 if is_beside_field else "content"
        with place.container(height=height, border=False, vertical_alignment="bottom"):
            return st.toggle(label, value, key=key, help=help)
    kind: Callable[[Any], Any] = float if isinstance(value, float) else int
    said, bounds = entry.metadata, entry.metadata.get("bounds")
    offered = said.get("offered") or (bounds and (bounds.least, bounds.most)) or (None, None)
    low, high, step = (None if bound is None else kind(bound) for bound in (*offered, said.get("step")))
    places = entry.metadata.get("places")
    shown = f"%.{places}f" if places else None
    return kind(place.number_input(label, low, high, value, step, format=shown, key=key, help=help))
