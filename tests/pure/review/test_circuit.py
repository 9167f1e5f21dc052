"""Who reads whom: a graph of five heads, typed out."""

import math

from core.language import Reference
from core.review import Circuit, Edge, Kept, Node, circuit
from core.types import HeadId

A, B, C, D, E = HeadId(0, 0), HeadId(0, 1), HeadId(1, 0), HeadId(2, 0), HeadId(2, 1)


def node(head: HeadId, verdict: str = "undecided") -> Node:
    return Node(head, 0.5, math.nan, "syntactic", verdict, "")


def graph() -> Circuit:
    """C reads A and, away, B; D reads A and C; E reads C somewhere in a condition."""
    looks = {
        C: [Reference(A, 0.2), Reference(B, -0.6)],
        D: [Reference(A, 0.5), Reference(C, 0.1)],
        E: [Reference(C, None)],
    }
    return circuit([node(E), node(D, "accepted"), node(C), node(A), node(B)], looks)


def pairs(edges: list[Edge]) -> list[tuple[HeadId, HeadId]]:
    return [(edge.reader, edge.read) for edge in edges]


def test_heads_come_in_order_with_what_they_read_and_who_reads_them() -> None:
    found = graph()
    assert list(found.nodes) == [A, B, C, D, E]
    assert pairs(found.reads(C)) == [(C, B), (C, A)]  # the strongest first, whatever its sign
    assert pairs(found.readers(A)) == [(D, A), (C, A)]
    assert found.readers(E) == []


def test_the_heads_with_the_most_readers_come_first_then_the_most_strongly_read() -> None:
    ranked = graph().most_read()
    assert [head for head, _ in ranked] == [A, C, B]
    assert pairs(ranked[1][1]) == [(D, C), (E, C)]


def test_a_least_weight_leaves_out_weaker_looks_and_those_without_an_exponent() -> None:
    assert pairs(list(graph().kept(Kept(least=0.2)).edges)) == [(C, A), (C, B), (D, A)]
    assert len(graph().kept(Kept()).edges) == 5


def test_both_ends_of_an_edge_lie_within_the_layers() -> None:
    assert pairs(list(graph().kept(Kept(layers=(0, 1))).edges)) == [(C, A), (C, B)]
    assert pairs(list(graph().kept(Kept(layers=(1, 2))).edges)) == [(D, C), (E, C)]


def test_the_verdict_is_that_on_the_program_that_looks() -> None:
    accepted = graph().kept(Kept(verdicts=frozenset({"accepted"})))
    assert pairs(list(accepted.edges)) == [(D, A), (D, C)]
    assert list(accepted.nodes) == [A, B, C, D, E]


def test_looks_of_heads_that_are_not_there_are_left_out() -> None:
    assert circuit([node(A)], {C: [Reference(A, 1.0)]}).edges == ()
