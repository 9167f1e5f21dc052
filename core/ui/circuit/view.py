"""The graph with its list, as a component that draws on SVG."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from core.canvas import script, style
from core.display import CIVIDIS, VERDICTS, between
from core.review import VERDICTS as NODE_VERDICTS
from core.review import Circuit, Node
from core.types import HeadId, ModelInfo
from core.ui.parts.charts import CATEGORY_COLOURS

_view = st.components.v2.component(
    "headscript_circuit",
    css=style("circuit"),
    js=script("circuit"),
)
_MARKS = {"accepted": "✓", "rejected": "✕"}
_OTHER = "#9aa3b2"


def draw_circuit(
    model: ModelInfo,
    shown: Circuit,
    colour: str,
    selected: HeadId | None,
    stamp: int,
    key: str,
    on_select: Callable[[], None],
) -> HeadId | None:
    """The circuit; the head that was asked to be opened just now, if any.

    `selected` is lit when `stamp` is new; after that the view keeps its own, and calls `on_select` when it
    changes: `selected_in(key, model)` then gives it.
    """
    result = _view(
        key=key,
        data=drawn(model, shown, colour)
        | {"selected": None if selected is None else _place(model, selected), "stamp": stamp},
        on_selected_change=on_select,
        on_open_change=lambda: None,
    )
    opened = result.open
    return None if opened is None else _head(model, opened)


def selected_in(key: str, model: ModelInfo) -> HeadId | None:
    """The head that the view called `key` keeps lit."""
    place = (st.session_state.get(key) or {}).get("selected")
    return None if place is None else _head(model, place)


def drawn(model: ModelInfo, shown: Circuit, colour: str) -> dict[str, Any]:
    """What the view draws, column by column; a head is its number, layer by layer."""
    nodes = list(shown.nodes.values())
    categories = {node.category for node in nodes}
    kinds = {
        "Category": {name: hue for name, hue in CATEGORY_COLOURS.items() if name in categories},
        "Verdict": {name: VERDICTS[name] for name in NODE_VERDICTS},
    }.get(colour, {})
    return {
        "layers": model.layers,
        "heads": model.heads,
        "nodes": {
            "place": [_place(model, node.head) for node in nodes],
            "colour": _colours(nodes, colour),
            "mark": [_MARKS.get(node.verdict, "") for node in nodes],
            "text": [_text(node) for node in nodes],
            "summary": [node.summary for node in nodes],
        },
        "edges": {
            "reader": [_place(model, edge.reader) for edge in shown.edges],
            "read": [_place(model, edge.read) for edge in shown.edges],
            "exponent": [edge.exponent for edge in shown.edges],
        },
        "ranked": [_place(model, head) for head, _ in shown.most_read()],
        "ramp": {"title": "IoU, test", "colours": CIVIDIS} if colour == "IoU" else None,
        "kinds": list(kinds.items()),
    }


def _colours(nodes: list[Node], colour: str) -> list[str]:
    match colour:
        case "Category":
            return [CATEGORY_COLOURS.get(node.category, _OTHER) for node in nodes]
        case "Verdict":
            return [VERDICTS[node.verdict] for node in nodes]
    rows = between(CIVIDIS, np.array([node.iou for node in nodes])).round().astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in rows]


def _text(node: Node) -> str:
    is_another = not np.isnan(node.resolved) and node.resolved != node.iou
    resolved = f" (resolved {node.resolved:.2f})" if is_another else ""
    return f"IoU {node.iou:.2f}{resolved} · {node.category} · {node.verdict}"


def _place(model: ModelInfo, head: HeadId) -> int:
    return head.layer * model.heads + head.head


def _head(model: ModelInfo, place: object) -> HeadId:
    return HeadId(*divmod(int(str(place)), model.heads))
