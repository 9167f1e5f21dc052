"""A layer x head map on which heads are picked: by cell, by block, by whole layer or row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import streamlit as st

from core.display import CIVIDIS
from core.display.canvas import script, style
from core.types import HeadId, ModelInfo

_picker = st.components.v2.component(
    "headscript_head_picker",
    css=style("head_picker"),
    js=script("element", "head_picker"),
)


@dataclass(frozen=True)
class Cell:
    """What the map shows of a head."""

    iou: float | None = None  # its colour; hatched if None
    text: str = ""  # in words, on hover


def pick_heads(
    model: ModelInfo, cells: Mapping[HeadId, Cell], start: Collection[HeadId], key: str, turn: int = 0
) -> list[HeadId]:
    """The heads picked on the map, in order; `start` until something is, and when it or `turn` changes."""
    names = sorted(start)
    _picker(
        key=key,
        data=_drawn(model, cells)
        | {"chosen": [_place(model, head) for head in names], "version": _version(names, turn)},
        default={"picked": None},
        on_picked_change=lambda: None,
    )
    return picked_heads(model, start, key, turn)


def picked_heads(model: ModelInfo, start: Collection[HeadId], key: str, turn: int = 0) -> list[HeadId]:
    """What `pick_heads` gives, also before it draws the map."""
    names = sorted(start)
    found = st.session_state.get(key)
    picked = found.get("picked") if found else None
    if picked is None or picked["version"] != _version(names, turn):
        return names
    heads = [HeadId(*divmod(int(place), model.heads)) for place in sorted(picked["heads"])]
    return [head for head in heads if head.layer in model.attention_layers]


def _version(start: Sequence[HeadId], turn: int) -> str:
    return sha256(" ".join(map(str, [*start, turn])).encode()).hexdigest()[:16]


def draw_heads(model: ModelInfo, cells: Mapping[HeadId, Cell], key: str) -> None:
    """The map of these cells, to look at; heads without a cell are faint."""
    chosen = [_place(model, head) for head in cells]
    _picker(key=key, data=_drawn(model, cells) | {"chosen": chosen, "version": None})


def _drawn(model: ModelInfo, cells: Mapping[HeadId, Cell]) -> dict[str, object]:
    grid = [HeadId(layer, head) for layer in range(model.layers) for head in range(model.heads)]
    absent = {layer: Cell(text=model.absence(layer)) for layer in range(model.layers)}
    held = [cells.get(head, absent[head.layer]) for head in grid]
    return {
        "layers": model.layers,
        "heads": model.heads,
        "ious": [None if cell.iou is None else round(cell.iou, 3) for cell in held],
        "texts": [cell.text for cell in held],
        "colours": CIVIDIS,
    }


def _place(model: ModelInfo, head: HeadId) -> int:
    """A head's number, layer by layer."""
    return head.layer * model.heads + head.head
