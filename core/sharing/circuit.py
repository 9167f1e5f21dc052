"""A model's circuit as it is drawn: from the workspace to what circuit.js reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from core.display import CATEGORY_COLOURS, CIVIDIS, VERDICT_MARKS, VERDICTS, between
from core.language import references
from core.review import VERDICTS as NODE_VERDICTS
from core.review import Circuit, Node, circuit
from core.scoring import program_of
from core.store import Workspace
from core.types import Action, Card, HeadId, ModelInfo, Split

_OTHER = "#9aa3b2"
_WORDS = {Action.ACCEPT: "accepted", Action.REJECT: "rejected"}


def best_circuit(workspace: Workspace, model: ModelInfo) -> Circuit:
    """Every head's best program and what it looks at."""
    cards = workspace.cards.cards(model.id, workspace.library.best_programs(model.id))
    return circuit_of(workspace, model, cards)


def circuit_of(workspace: Workspace, model: ModelInfo, cards: Iterable[Card]) -> Circuit:
    """The circuit of these programs, one a head."""
    decided = workspace.verdicts.decided(model.id)
    nodes, looks = [], {}
    for card in cards:
        verdict = _WORDS[decided[card.head].action] if card.head in decided else "undecided"
        figures = card.iou(Split.TEST), card.resolved_iou(Split.TEST)
        nodes.append(Node(card.head, *figures, card.category, verdict, card.summary))
        looks[card.head] = references(program_of(card.program.source))
    return circuit(nodes, looks)


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
            "place": [place_of(model, node.head) for node in nodes],
            "colour": _colours(nodes, colour),
            "mark": [VERDICT_MARKS[node.verdict] for node in nodes],
            "text": [_text(node) for node in nodes],
            "summary": [node.summary for node in nodes],
        },
        "edges": {
            "reader": [place_of(model, edge.reader) for edge in shown.edges],
            "read": [place_of(model, edge.read) for edge in shown.edges],
            "exponent": [edge.exponent for edge in shown.edges],
        },
        "ranked": [place_of(model, head) for head, _ in shown.most_read()],
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


def place_of(model: ModelInfo, head: HeadId) -> int:
    """A head's number, layer by layer."""
    return head.layer * model.heads + head.head
