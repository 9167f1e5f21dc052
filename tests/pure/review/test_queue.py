"""The review queue: what waits for whom, in which order, and what comes next."""

import math
from dataclasses import replace

import pytest

from core.review import Filter, Opinions, Pile, QueueOrder, View, review_queue, successor
from core.types import Action, Card, Estimate, HeadId, Program, Split, Verdict


def card(
    head: str, iou: float, baseline: float, width: float = 0.1, category: str = "syntactic",
    cost: float | None = None, origin: str = "search", lookahead: bool = False, test: float = 0.5,
) -> Card:  # fmt: skip
    return Card(
        head=HeadId.parse(head),
        program=Program(f"p-{head}", "def attend(q, k):\n    return 1.0\n"),
        category=category,
        summary="",
        lookahead=lookahead,
        nodes=9,
        origin=origin,
        parent=None,
        fits={
            Split.VALIDATION: Estimate(iou, iou - width / 2, iou + width / 2),
            Split.TEST: Estimate(test, test, test),
        },
        baselines={Split.VALIDATION: baseline},
        failures=0,
        cost=cost,
    )


THREE = [
    card("L0H0", 0.9, 0.8, width=0.3, category="uniform", cost=0.2, test=0.1),
    card("L0H1", 0.6, 0.1, lookahead=True, test=0.2),
    card("L1H0", 0.7, 0.5, width=0.2, cost=0.1, origin="person", test=0.9),
]
NOTHING = Opinions([])


def word(event: int, head: str, action: Action, reviewer: str = "ada", program: str = "", reason: str = ""):
    name = program or f"p-{head}"
    return Verdict(event, HeadId.parse(head), name, action, reviewer, reason, "2026-01-01T00:00:00Z")


def heads(
    view: View, *words: Verdict, decided: str = "", reviewer: str = "ada", second: list[Card] | None = None
) -> list[str]:
    opinions = Opinions(words, [HeadId.parse(head) for head in decided.split()])
    return [str(waiting.head) for waiting in review_queue(THREE, second or [], opinions, reviewer, view)]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (QueueOrder.LIFT, ["L0H1", "L1H0", "L0H0"]),
        (QueueOrder.UNCERTAIN, ["L0H0", "L1H0", "L0H1"]),
        (QueueOrder.CHEAP, ["L1H0", "L0H0", "L0H1"]),  # measured costs first
        (QueueOrder.CATEGORY, ["L0H1", "L1H0", "L0H0"]),
    ],
)
def test_the_queue_is_ordered_by_validation_figures(order: QueueOrder, expected: list[str]) -> None:
    assert heads(View(order=order)) == expected


def test_lift_over_the_twin_orders_and_what_is_not_known_comes_last() -> None:
    twins = {"L0H0": 0.5, "L0H1": math.nan, "L1H0": 0.1}
    cards = [replace(one, twin=twins[str(one.head)]) for one in THREE]
    assert cards[2].over_twin == pytest.approx(0.6)
    queue = review_queue(cards, [], NOTHING, "ada", View(order=QueueOrder.TWIN))
    assert [str(one.head) for one in queue] == ["L1H0", "L0H0", "L0H1"]


def test_the_test_split_orders_and_filters_nothing() -> None:
    other = [
        Card(**{**vars(one), "fits": {**one.fits, Split.TEST: Estimate(0.0, 0.0, 0.0)}}) for one in THREE
    ]
    for order in QueueOrder:
        view = View(order=order, kept=Filter(least_iou=0.65))
        queues = [review_queue(cards, [], NOTHING, "ada", view) for cards in (THREE, other)]
        assert [one.id for one in queues[0]] == [one.id for one in queues[1]]


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (Filter(categories=frozenset({"uniform"})), ["L0H0"]),
        (Filter(origins=frozenset({"person"})), ["L1H0"]),
        (Filter(layers=(1, 1)), ["L1H0"]),
        (Filter(least_iou=0.65), ["L1H0", "L0H0"]),
        (Filter(without_lookahead=True), ["L1H0", "L0H0"]),
        (Filter(heads=frozenset({HeadId(0, 0)})), ["L0H0"]),
    ],
)
def test_filters_leave_cards_out(kept: Filter, expected: list[str]) -> None:
    assert heads(View(kept=kept)) == expected


def test_decided_heads_leave_and_skipped_ones_go_to_the_end() -> None:
    words = word(1, "L0H1", Action.SKIP), word(2, "L1H0", Action.ACCEPT)
    assert heads(View(), *words, decided="L1H0") == ["L0H0", "L0H1"]


def test_one_reviewers_skip_moves_nothing_for_another() -> None:
    assert heads(View(), word(1, "L0H1", Action.SKIP), reviewer="bob")[0] == "L0H1"


def test_a_head_waits_until_it_is_decided_whatever_was_said_of_its_programs() -> None:
    accepted = word(1, "L0H1", Action.ACCEPT, program="another")
    rejected = word(2, "L0H1", Action.REJECT, "bob", program="another")
    assert heads(View(), accepted, decided="L0H1") == ["L1H0", "L0H0"]
    assert heads(View(), accepted, rejected) == ["L0H1", "L1H0", "L0H0"]


def test_the_second_opinion_queue_holds_what_others_decided() -> None:
    words = [word(1, "L0H1", Action.ACCEPT, "ada"), word(2, "L1H0", Action.REJECT, "bob")]
    opinions = Opinions(words)
    assert opinions.judged_by_others("bob") == [(HeadId(0, 1), "p-L0H1")]
    assert heads(View(pile=Pile.SECOND), *words, reviewer="bob", second=[THREE[1]]) == ["L0H1"]


def test_flags_of_anyone_wait_in_a_queue_until_someone_decides() -> None:
    flagged = word(1, "L0H1", Action.FLAG, "bob")
    assert heads(View(pile=Pile.FLAGGED), flagged) == ["L0H1"]
    assert heads(View(pile=Pile.FLAGGED), flagged, word(2, "L0H1", Action.REJECT)) == []


def test_the_next_card_is_the_one_that_came_after() -> None:
    after = [THREE[0], THREE[2]]
    assert successor(THREE, after, HeadId(0, 1)) == THREE[2]
    assert successor(THREE, after, HeadId(1, 0)) == THREE[0]  # from the top again
    assert successor(THREE, [], HeadId(0, 0)) is None


def test_a_view_survives_the_database() -> None:
    kept = Filter(
        frozenset({"uniform"}), frozenset({"person"}), (1, 2), 0.25, True, frozenset({HeadId(0, 1)})
    )
    draft = ((HeadId(3, 4), "p"), "def attend(q, k):\n    return 1\n")
    view = View(Pile.ALL, QueueOrder.CHEAP, kept, True, (HeadId(3, 4), "p"), (draft,))
    assert View.from_json(view.to_json()) == view
    assert View.from_json(View().to_json()) == View()
    older = View().to_json()
    del older["drafts"], older["kept"]["heads"]  # as an earlier version wrote it
    assert View.from_json(older) == View()


def test_reasons_are_counted_over_rejects_that_stand() -> None:
    words = [
        word(1, "L0H0", Action.REJECT, reason="trivial"),
        word(2, "L0H1", Action.REJECT, reason="trivial", reviewer="bob"),
        word(3, "L0H1", Action.ACCEPT, reviewer="bob"),
    ]
    assert Opinions(words).reasons() == {"trivial": 1}
