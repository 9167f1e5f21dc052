"""What one accepts and another rejects is disputed wherever it is counted, until a final word."""

from pathlib import Path

import pytest

from core.review import Desk, Pile, View
from core.sharing.accepted import curated_report
from core.types import Action
from core.ui.parts import state
from core.ui.review.desk import OpenRecords
from tests.workspace.pages.test_pages import OpenApp, go, open_app, text_of

__all__ = ["open_app"]


@pytest.fixture
def cleo(workspace_copy: Path, monkeypatch: pytest.MonkeyPatch, open_app: OpenApp) -> Desk:
    """A third reviewer's desk before what Bob accepted after Ada had rejected it."""
    monkeypatch.setenv("HEADSCRIPT_WORKSPACE", str(workspace_copy))
    workspace, model = state.owner().workspace, state.models()[0]
    head, program = workspace.library.best_programs(model.id)[0]
    workspace.verdicts.record(model.id, head, program, Action.REJECT, "ada", "too weak")
    workspace.verdicts.record(model.id, head, program, Action.ACCEPT, "bob")
    return Desk(model, OpenRecords(model), "cleo", View(pile=Pile.DISPUTED))


def report(desk: Desk) -> str:
    return curated_report(state.owner().workspace, desk.model)


def test_a_disputed_program_is_told_from_an_accepted_one_everywhere(
    cleo: Desk, open_app: OpenApp, workspace_copy: Path
) -> None:
    assert "disputed: ada ✕ (too weak) · bob ✓" in report(cleo)
    app = open_app(workspace_copy)
    chart = next(part for part in app.get("vega_lite_chart") if "undecided" in str(part.proto))
    assert "disputed" in str(chart.proto)
    app = go(app, "hybrid")
    assert any("1 head, 1 of them disputed" in str(radio.proto) for radio in app.radio)
    app = go(app, "review")
    app.selectbox(key=next(box.key for box in app.selectbox if box.key.startswith("pile"))).select(
        Pile.DISPUTED
    ).run()
    shown = "".join(part.proto.body for part in app.get("html"))
    assert "disputed: ada ✕ (too weak) · bob ✓" in shown
    assert text_of(app)


def test_a_final_word_ends_the_dispute_and_undo_opens_it_again(cleo: Desk) -> None:
    (card,) = cleo.queue()
    cleo.show(card)
    cleo.decide(Action.ACCEPT, "")
    assert cleo.queue() == []
    assert cleo.why_empty() == "nothing is disputed"
    assert "disputed:" not in report(cleo)
    cleo.undo()
    assert cleo.queue() == [card]
    state.owner().workspace.verdicts.record(cleo.model.id, *card.id, Action.ACCEPT, "ada")
    cleo.refresh()
    assert cleo.queue() == []  # they agree
