"""Accepting a program that an audit fails asks once, and says which; pages show where programs stand."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.audit import Figure, Finding, Standing
from core.review import Desk, Pile, QueueOrder, View
from core.store import Workspace
from core.store.findings import StoredFinding, add_finding
from core.types import Action, CardId, Estimate, Split
from core.ui.parts import state
from core.ui.review.desk import OpenRecords
from tests.workspace.pages.test_pages import OpenApp, close_app, go, open_app, text_of
from tests.workspace.review.test_desk import on_screen, words

__all__ = ["open_app"]
STANDING = Standing("position only", "IoU 0.96, but output error 0.88", ("written",))


@pytest.fixture
def desk(workspace_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk at which every card is position only."""
    monkeypatch.setenv("HEADSCRIPT_WORKSPACE", str(workspace_copy))
    model = state.models()[0]
    records = OpenRecords(model)
    audited = {card.id: STANDING for card in records.shelf().best}
    yield Desk(model, records, "ada", View(pile=Pile.ALL), lambda: audited)
    close_app()


def test_accepting_what_an_audit_fails_asks_once(desk: Desk) -> None:
    card = on_screen(desk)
    ticket = desk.ticket
    desk.decide(Action.ACCEPT, "")
    assert words(desk) == {}
    assert "Audited as position only: IoU 0.96" in desk.notice
    assert "It fails written." in desk.notice
    assert desk.ticket != ticket  # so that a held or repeated key is not taken for the answer
    assert on_screen(desk) == card
    desk.decide(Action.ACCEPT, "")
    assert words(desk) == {card.program.id: Action.ACCEPT}


def test_rejecting_it_asks_nothing_and_blind_mode_hides_the_numbers(desk: Desk) -> None:
    card = on_screen(desk)
    desk.change(replace(desk.view, is_blind=True))
    desk.decide(Action.ACCEPT, "")
    assert "0.96" not in desk.notice
    assert "position only" in desk.notice
    desk.decide(Action.REJECT, "")
    assert words(desk) == {card.program.id: Action.REJECT}


def test_those_that_a_decision_on_all_would_accept_are_counted(desk: Desk) -> None:
    assert desk.doubtful() == len(desk.queue())


CLEAR, UNCLEAR = Estimate(0.2, 0.18, 0.22), Estimate(0.0, -0.1, 0.1)


def keep_findings(folder: Path) -> list[CardId]:
    """Findings on every head's best program: the first explains, the others are position only."""
    workspace = Workspace.open(folder)
    model = workspace.models.all()[0].id
    cards = [(b.score.head, b.program.id) for b in workspace.library.best(model, Split.VALIDATION)]
    with workspace.database.transaction() as cursor:
        for at, card in enumerate(cards):
            beyond = CLEAR if at == 0 else UNCLEAR
            found = {
                "twin": (Figure("IoU", Estimate(0.7)), Figure("IoU of the twin", Estimate(0.5)),
                         Figure("IoU beyond the twin", beyond),
                         Figure("IoU of the twin, validation", Estimate(0.5))),
                "written": (Figure("output error", Estimate(0.3)),
                            Figure("output error below the twin's", CLEAR)),
                "foresight": (Figure("foresight", CLEAR),),
            }  # fmt: skip
            for name, figures in found.items():
                given = "the attention of L0H0" if card == cards[-1] else ""
                finding = Finding("passes", "so it is", figures, given=given)
                add_finding(cursor, model, StoredFinding(name, card, {}, 1.0, finding))
    workspace.close()
    return cards


def test_cards_carry_the_twin_of_their_head(workspace_copy: Path) -> None:
    cards = keep_findings(workspace_copy)
    workspace = Workspace.open(workspace_copy)
    found = workspace.cards.cards(workspace.models.all()[0].id, cards)
    assert [card.id for card in found] == sorted(cards)
    assert all(card.over_twin == pytest.approx(card.iou(Split.VALIDATION) - 0.5) for card in found)
    workspace.close()


def test_pages_say_where_programs_stand(open_app: OpenApp, workspace_copy: Path) -> None:
    cards = keep_findings(workspace_copy)
    overview = go(open_app(workspace_copy), "overview")
    assert not overview.exception
    assert ("Explained", "1") in [(m.label, m.value) for m in overview.metric]
    overview.segmented_control(key="colour").set_value("Audits").run()
    overview.multiselect(key="rungs").set_value(["explains"]).run()
    assert not overview.exception
    overview.segmented_control(key="colour").set_value("Over the twin").run()
    assert not overview.exception
    heads = go(overview, "heads")
    assert "explains" in text_of(heads)
    (programs,) = [table.value for table in heads.dataframe if "over_twin" in table.value]
    assert programs.over_twin.notna().all()
    library = go(heads, "library")
    assert not library.exception
    assert any("● explains" in cell for cell in library.dataframe[0].value["audited"])
    library.selectbox(key="library-order").select("most over the twin first").run()
    over = [one for one in library.dataframe[0].value["over twin"] if not math.isnan(one)]
    assert over == sorted(over, reverse=True)
    assert over[0] == pytest.approx(library.dataframe[0].value["best IoU"].iloc[0] - 0.5)
    review = go(library, "review")
    assert not review.exception
    assert any("over its text-blind twin" in html.proto.body for html in review.get("html"))
    order = next(box for box in review.selectbox if box.label == "Order")
    order.select(QueueOrder.TWIN).run()
    assert not review.exception
    assert len(cards) > 1
