"""A reviewer's place at the queue: what a key does to the log, to the card and to what is typed."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.language import parse
from core.review import Desk, Pile, QueueOrder, View
from core.review.queue import DECIDED
from core.scoring import BASELINES
from core.store import Workspace, add_proposals, add_scores
from core.types import Action, Card, Estimate, HeadId, Score, Split
from core.ui.parts import state
from core.ui.review.alike import alike_shelf
from core.ui.review.desk import OpenRecords
from tests.workspace.pages.test_pages import OpenApp, close_app, go, keep_one_head, open_app, select, text_of

__all__ = ["open_app"]
WEAK = "def attend(q, k):\n    return k.index + 0.5\n"


@pytest.fixture
def desk(workspace_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk before all heads."""
    monkeypatch.setenv("HEADSCRIPT_WORKSPACE", str(workspace_copy))
    model = state.models()[0]
    yield Desk(model, OpenRecords(model), "ada", View(pile=Pile.ALL))
    close_app()


def on_screen(desk: Desk) -> Card:
    """The card as the page would show it."""
    card = desk.card(desk.queue())
    assert card is not None
    desk.show(card)
    return card


def words(desk: Desk) -> dict[str, Action]:
    return {word.program: word.action for word in state.owner().workspace.verdicts.opinions(desk.model.id)}


def save_weak_program(workspace: Workspace, model: str, head: HeadId, parent: str) -> str:
    scores = [Score(parse(WEAK).id, head, split, Estimate(0.01, 0.0, 0.02), 0.0, 1, 0) for split in Split]
    return workspace.library.save_edit(model, WEAK, parent, scores)


@pytest.mark.parametrize("action", [Action.FLAG, Action.SKIP])
def test_a_flag_or_skip_on_what_is_accepted_changes_nothing(action: Action, desk: Desk) -> None:
    accepted = on_screen(desk)
    desk.decide(Action.ACCEPT, "")
    desk.go_to(accepted.id)
    on_screen(desk)
    desk.decide(action, "")
    assert words(desk) == {accepted.program.id: Action.ACCEPT}
    assert on_screen(desk) != accepted
    assert ("Your accept of" in desk.notice) == (action == Action.FLAG)


def test_a_skip_is_about_the_candidate_on_the_screen_and_undo_returns_to_it(desk: Desk) -> None:
    best = on_screen(desk)
    desk.decide(Action.REJECT, "")
    desk.go_to(best.id)
    desk.flip()
    other = on_screen(desk)
    assert (other.head, other != best) == (best.head, True)
    desk.decide(Action.SKIP, "")
    assert words(desk) == {best.program.id: Action.REJECT, other.program.id: Action.SKIP}
    desk.undo()
    assert on_screen(desk) == other


def test_a_skipped_candidate_puts_its_head_off(desk: Desk) -> None:
    desk.change(View(order=QueueOrder.LIFT))
    first = on_screen(desk)
    desk.flip()
    on_screen(desk)
    desk.decide(Action.SKIP, "")
    assert desk.queue()[-1] == first


def test_every_saved_edit_of_a_head_is_among_its_candidates_and_so_is_its_best(desk: Desk) -> None:
    best = on_screen(desk)
    saved = save_weak_program(state.owner().workspace, desk.model.id, best.head, best.program.id)
    desk.refresh()
    desk.go_to((best.head, saved))
    edit = on_screen(desk)
    seen = []
    for _ in range(len(desk.candidates(edit))):
        desk.flip()
        seen.append(on_screen(desk).program.id)
    assert seen[0] == best.program.id
    assert seen[-1] == saved
    assert len(seen) == len(set(seen)) > 2
    (other,) = [card for card in desk.shelf.best if card.head == HeadId(2, 3)]
    assert saved not in {card.program.id for card in desk.candidates(other)}


def test_in_blind_mode_the_order_of_candidates_tells_nothing(desk: Desk) -> None:
    names = [card.program.id for card in desk.candidates(on_screen(desk))]
    desk.change(replace(desk.view, is_blind=True))
    assert [card.program.id for card in desk.candidates(on_screen(desk))] == sorted(names)


def test_what_undo_took_back_is_decided_again_with_its_reason_and_its_words(desk: Desk) -> None:
    card = on_screen(desk)
    desk.write_note(card, "  only before a comma ")
    desk.press("reject", desk.ticket, "wrong here")
    (word,) = desk.recent(9)
    assert (word.reason, word.note) == ("wrong here", "only before a comma")
    assert on_screen(desk) != card
    assert desk.note == ""  # the words were for the other card
    desk.press("undo", desk.ticket)
    assert desk.recent(9) == []
    assert desk.can_redo
    desk.press("redo", desk.ticket)
    (again,) = desk.recent(9)
    assert (again.head, again.action, again.reason, again.note) == (
        card.head, Action.REJECT, "wrong here", "only before a comma",
    )  # fmt: skip
    assert not desk.can_redo
    desk.press("redo", desk.ticket)
    assert desk.notice == "There is nothing to do again."


def test_all_decided_at_once_are_decided_again_at_once(desk: Desk) -> None:
    count = len(desk.queue())
    desk.decide_all(Action.REJECT, "trivial")
    desk.undo()
    desk.redo()
    assert len(desk.recent(99)) == count
    desk.undo()
    assert desk.recent(99) == []
    desk.decide(Action.ACCEPT, "")
    assert not desk.can_redo  # a new decision ends what can be done again


def test_words_on_what_is_decided_stay_with_the_decision_that_stands(desk: Desk) -> None:
    card = on_screen(desk)
    desk.decide_on(card, Action.ACCEPT)
    desk.write_note(card, "holds on code, too")
    word = desk.own_word(card)
    assert word is not None
    assert (word.action, word.note) == (Action.ACCEPT, "holds on code, too")


def test_piles_hold_what_is_mine_accepted_and_rejected(desk: Desk) -> None:
    first, second, third = desk.queue()[:3]
    desk.decide_on(first, Action.ACCEPT)
    desk.decide_on(second, Action.REJECT, "trivial")
    desk.records.verdicts.record(desk.model.id, *third.id, Action.ACCEPT, "bob")
    desk.records.verdicts.record(desk.model.id, *second.id, Action.ACCEPT, "bob")
    desk.refresh()
    piles = {pile: {card.head for card in desk.queue(View(pile=pile))} for pile in DECIDED}
    assert piles[Pile.MINE] == {first.head, second.head}
    assert piles[Pile.ACCEPTED] == {first.head, second.head, third.head}  # the latest word stands
    assert piles[Pile.REJECTED] == set()


def test_fifty_decisions_are_taken_back_one_by_one(desk: Desk) -> None:
    shown = []
    for step in range(50):
        shown.append(on_screen(desk))
        desk.decide(Action.ACCEPT if step % 2 else Action.REJECT, "")
    for card in reversed(shown):
        desk.undo()
        assert on_screen(desk) == card
    assert words(desk) == {}


def edit(app: AppTest, draft: str) -> AppTest:
    """Open the editor as the key `e` does, and type."""
    app.session_state["desk"].is_editing = True
    app.run()
    return app.text_area[0].set_value(draft).run()


def switch(app: AppTest, label: str) -> None:
    next(found for found in app.toggle if found.label == label).set_value(True).run()


def test_an_unsaved_edit_outlasts_every_control(open_app: OpenApp, workspace_copy: Path) -> None:
    app = edit(go(open_app(workspace_copy), "review"), WEAK)
    title = app.title[0].value
    switch(app, "Blind")
    assert app.text_area[0].value == WEAK
    select(app, "Queue", Pile.ALL)
    assert not app.text_area
    app = go(go(app, "overview"), "review")
    ((card, kept),) = app.session_state["desk"].view.drafts
    assert kept == WEAK
    app.session_state["desk"].go_to(card)
    app.run()
    assert app.title[0].value == title
    assert any("unsaved edit" in block.proto.body for block in app.get("html"))
    app.session_state["desk"].is_editing = True
    app.run()
    assert app.text_area[0].value == WEAK
    next(found for found in app.button if found.key == "cancel-draft").click().run()
    assert not app.session_state["desk"].view.drafts


def test_an_unsaved_edit_outlasts_its_session(open_app: OpenApp, workspace_copy: Path) -> None:
    edit(go(open_app(workspace_copy), "review"), WEAK)
    close_app()
    app = go(open_app(workspace_copy), "review")
    assert any("unsaved edit" in block.proto.body for block in app.get("html"))
    app.session_state["desk"].is_editing = True
    assert app.run().text_area[0].value == WEAK


def test_in_blind_mode_neither_editor_nor_failures_say_a_number(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    keep_one_head(workspace_copy, "def attend(q, k):\n    return 1 / (q.index - 2)\n")
    app = go(open_app(workspace_copy), "review")
    assert re.search(r"fails on \d+ of \d+ validation", text_of(app))
    switch(app, "Blind")
    assert "fails on some validation" in text_of(app)
    app = edit(app, "def attend(q, k):\n    return 1 / (q.index - 3)\n")
    (difference,) = [block.value for block in app.markdown if block.value.startswith("IoU ")]
    assert re.fullmatch(
        r"IoU train (better|worse|as good) · validation (better|worse|as good) against \w{6}"
        r" · fails on some sentences",
        difference,
    )


def test_a_draft_meets_the_test_split_when_it_is_saved_and_not_before(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    app = edit(go(open_app(workspace_copy), "review"), WEAK)
    workspace = state.owner().workspace
    asked = "SELECT split FROM scores WHERE program_id = ? ORDER BY split"
    assert "train **" in text_of(app)
    assert "test" not in next(block.value for block in app.markdown if block.value.startswith("IoU "))
    assert workspace.database.rows(asked, [parse(WEAK).id]) == []
    next(found for found in app.button if found.key == "save-draft").click().run()
    found = {split for (split,) in workspace.database.rows(asked, [parse(WEAK).id])}
    assert found == {"test", "train", "validation"}


def test_another_models_queue_stays_as_it_was(open_app: OpenApp, workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    for table in ("models", "model_sentences", "scores"):
        workspace.database.run(
            f"INSERT INTO {table} SELECT * REPLACE ('second-0000' AS model_id) FROM {table}"
        )
    first = next(model.id for model in workspace.models.all() if model.id != "second-0000")
    workspace.close()
    app = go(open_app(workspace_copy), "review")
    app.session_state["reviewer"] = "ada"
    for model, order in ((first, QueueOrder.CATEGORY), ("second-0000", QueueOrder.CHEAP)):
        app.session_state["model"] = model
        app.run()
        select(app, "Order", order)
    app.session_state["model"] = first
    app.run()
    assert next(box for box in app.selectbox if box.label == "Order").value == QueueOrder.CATEGORY
    saved = [state.owner().workspace.reviewers.view(model, "ada") for model in (first, "second-0000")]
    assert [view and view["order"] for view in saved] == [QueueOrder.CATEGORY, QueueOrder.CHEAP]


def test_where_accounts_are_configured_the_account_reviews(open_app: OpenApp, workspace_copy: Path) -> None:
    app = open_app(workspace_copy)
    app.secrets["auth"] = {"client_id": "headscript"}
    app.session_state["reviewer"] = "mallory"
    app.user = {"is_logged_in": False}
    app = go(app, "review")
    assert "Log in in the sidebar" in text_of(app)
    app.user = {"is_logged_in": True, "email": "grace@example.org"}
    app.run()
    assert app.session_state["desk"].reviewer == "grace@example.org"


def test_an_imported_reason_is_text(open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), "review")
    workspace, model = state.owner().workspace, state.models()[0]
    head, program = workspace.library.best_programs(model.id)[0]
    app.session_state["reviewer"] = "ada"
    workspace.verdicts.record(model.id, head, program, Action.REJECT, "ada", "![x](http://y)")
    app.run()
    assert "“\\!\\[x\\]\\(`http:" in text_of(app)


def test_a_baseline_that_fits_best_is_flipped_back_to(desk: Desk) -> None:
    best = on_screen(desk)
    name = parse(BASELINES["random token"]).id
    state.owner().workspace.database.run(
        "UPDATE scores SET iou = 1 WHERE program_id = ? AND layer = ? AND head = ?",
        [name, best.head.layer, best.head.head],
    )
    state.owner().workspace.library.save_edit(desk.model.id, WEAK, "", [])  # the library has changed
    desk.refresh()
    desk.go_to((best.head, name))
    desk.flip()
    card = on_screen(desk)
    assert name in {one.program.id for one in desk.candidates(card)}


def test_programs_that_are_alike_are_decided_at_once_and_taken_back_at_once(desk: Desk) -> None:
    desk.change(View(pile=Pile.NEW))
    first, second, third, *_ = desk.queue()
    desk.show(first)
    desk.decide_group([first.id, third.id], Action.REJECT)
    assert {word.head for word in desk.recent(9)} == {first.head, third.head}
    assert on_screen(desk) == second
    desk.undo()
    assert desk.recent(9) == []


def test_a_card_names_the_head_whose_program_is_alike_and_what_you_decided_on_it(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0].id
    (first, program), (second, _) = workspace.library.best_programs(model)[:2]
    scores = [Score(program, second, split, Estimate(0.99, 0.98, 1), 0.1, 8, 0) for split in Split]
    with workspace.database.transaction() as cursor:
        add_scores(cursor, model, scores)
        add_proposals(cursor, model, [(second, program)])
    workspace.verdicts.record(model, second, program, Action.REJECT, "ada")
    workspace.close()
    app = open_app(workspace_copy)
    app.session_state["reviewer"] = "ada"
    assert alike_shelf().get(state.models()[0], wait=True) is not None
    app = go(app, "review")
    app.session_state["desk"].go_to((first, program))
    app.run()
    shown = "".join(block.proto.body for block in app.get("html"))
    assert f"like {second}’s (IoU 1.00), which you rejected: the same program" in shown
