"""Which heads' programs look at which other heads, as a graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.language import Reference
from core.types import HeadId

VERDICTS = ("accepted", "undecided", "rejected")


@dataclass(frozen=True)
class Node:
    """A head with its best program."""

    head: HeadId
    iou: float  # given the heads that the program looks at
    resolved: float  # with those heads' programs in their place; NaN where it is not known
    category: str
    verdict: str  # one of VERDICTS
    summary: str


@dataclass(frozen=True)
class Edge:
    """A program that looks at a head."""

    reader: HeadId  # whose program it is
    read: HeadId  # the head looked at
    exponent: float | None  # see `core.language.Reference`

    @property
    def strength(self) -> float:
        """The exponent's size; 0 where there is none."""
        return abs(self.exponent or 0.0)


@dataclass(frozen=True)
class Kept:
    """Which edges to show."""

    least: float = 0.0  # strength
    layers: tuple[int, int] | None = None  # first and last, of both ends; None: all
    verdicts: frozenset[str] = frozenset(VERDICTS)  # on the program that looks

    def allows(self, edge: Edge, verdict: str) -> bool:
        """Whether an edge whose reader's verdict this is passes."""
        first, last = self.layers or (0, max(edge.reader.layer, edge.read.layer))
        is_within = all(first <= head.layer <= last for head in (edge.reader, edge.read))
        return is_within and edge.strength >= self.least and verdict in self.verdicts


@dataclass(frozen=True)
class Circuit:
    """Heads and who reads whom; edges in the order of the reading heads."""

    nodes: Mapping[HeadId, Node]  # in order; a head that is only read may be missing
    edges: tuple[Edge, ...]

    def kept(self, kept: Kept) -> Circuit:
        """The same heads with the edges that pass."""
        return Circuit(
            self.nodes, tuple(e for e in self.edges if kept.allows(e, self.nodes[e.reader].verdict))
        )

    def reads(self, head: HeadId) -> list[Edge]:
        """What the head's program looks at, the strongest first."""
        return _strongest(edge for edge in self.edges if edge.reader == head)

    def readers(self, head: HeadId) -> list[Edge]:
        """The programs that look at the head, the strongest first."""
        return _strongest(edge for edge in self.edges if edge.read == head)

    def most_read(self) -> list[tuple[HeadId, list[Edge]]]:
        """The heads that are read with the programs that read them; those with the most readers first."""
        by_head: dict[HeadId, list[Edge]] = {}
        for edge in self.edges:
            by_head.setdefault(edge.read, []).append(edge)
        ranked = sorted(by_head, key=lambda head: (-len(by_head[head]), -_total(by_head[head]), head))
        return [(head, _strongest(by_head[head])) for head in ranked]


def circuit(nodes: Collection[Node], looks: Mapping[HeadId, Sequence[Reference]]) -> Circuit:
    """The graph of these heads and what each head's program looks at; other heads' looks are left out."""
    by_head = {node.head: node for node in sorted(nodes, key=lambda node: node.head)}
    edges = (Edge(head, one.head, one.exponent) for head in by_head for one in looks.get(head, ()))
    return Circuit(by_head, tuple(edges))


def _strongest(edges: Iterable[Edge]) -> list[Edge]:
    return sorted(edges, key=lambda edge: (-edge.strength, edge.reader, edge.read))


def _total(edges: Sequence[Edge]) -> float:
    return sum(edge.strength for edge in edges)
