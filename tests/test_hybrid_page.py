"""The Hybrid page in Streamlit's own test harness: what it says of odd curves and hybrids."""

from pathlib import Path

from core.store import Workspace
from core.store.hybrids import add_curve, add_evaluation
from core.types import Evaluation
from core.ui import state
from tests.test_pages import OpenApp, add_hybrids, button, go, open_app, text_of

__all__ = ["open_app"]


def test_a_curve_without_points_is_no_curve(open_app: OpenApp, workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.library.models()[0].id
    with workspace.database.transaction() as cursor:
        curve = {"model": model, "title": "none", "passages_from": "test", "passages": 0, "tokens": 0}
        add_curve(cursor, {**curve, "rows": []})
    workspace.close()
    app = go(open_app(workspace_copy), "hybrid")
    assert not app.exception
    assert "No curve yet" in text_of(app)


def test_an_imported_hybrid_is_measured_with_a_button(open_app: OpenApp, workspace_copy: Path) -> None:
    add_hybrids(workspace_copy)
    app = go(open_app(workspace_copy), "hybrid")
    choice = next(box for box in app.selectbox if box.label == "Hybrid")
    app = choice.select("from a stranger · not measured").run()
    button(app, "measure-again").click().run()
    assert not app.exception
    job = state.owner().workspace.jobs.all()[0]
    state.owner().runner.wait(job.id)
    app = go(app, "hybrid")
    assert app.metric[0].value == "1"  # head replaced
    assert job.kind == "measure"
    assert "not measured" not in text_of(app)


def test_every_evaluation_of_a_hybrid_can_be_opened(open_app: OpenApp, workspace_copy: Path) -> None:
    add_hybrids(workspace_copy)
    workspace = Workspace.open(workspace_copy)
    rows = workspace.hybrids.frame(workspace.library.models()[0].id)
    hybrid = rows[rows.title == "three heads"].hybrid_id.iloc[0]
    with workspace.database.transaction() as cursor:
        measured = Evaluation(10.0, 15.0, 0.5, 0.4, 0.6, 0.3, 90, 4, 0)
        add_evaluation(cursor, hybrid, "/home/ada/mine.txt", measured, {})
    workspace.close()
    app = go(open_app(workspace_copy), "hybrid")
    for label, increase in (
        ("three heads · +20.0%", "+20.0%"),
        ("three heads · +50.0% · mine.txt", "+50.0%"),
    ):
        app = next(box for box in app.selectbox if box.label == "Hybrid").select(label).run().run()
        assert ("Perplexity increase", increase) in [(m.label, m.value) for m in app.metric]
