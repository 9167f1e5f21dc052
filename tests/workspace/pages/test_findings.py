"""Findings of audits on the Heads and Hybrid pages."""

from dataclasses import replace
from pathlib import Path

from core.audit import Figure, Finding, Shaded
from core.store import Workspace
from core.store.findings import StoredFinding, add_finding
from core.types import Estimate, Split
from core.ui.parts.finding import in_words, shaded_html
from core.ui.parts.frame import as_text
from tests.workspace.pages.test_pages import OpenApp, add_hybrids, go, open_app, text_of

__all__ = ["open_app"]

FOUND = Finding(
    "fails",
    "It *fails* here.",
    (Figure("share lost", Estimate(0.25, 0.2, 0.3), "share"),),
    ("why", "passages"),
    (("division: by 0", 3),),
    (Shaded(("<b>Once", " upon"), (0.0, 2.0), "first"),),
)


def keep(folder: Path) -> None:
    """A finding on the latest hybrid that was measured, and one on every head's best program."""
    workspace = Workspace.open(folder)
    model = workspace.models.all()[0].id
    rows = workspace.hybrids.frame(model)
    hybrid = StoredFinding("damage", str(rows[rows.title == "three heads"].hybrid_id.iloc[0]), {}, 1.0, FOUND)
    with workspace.database.transaction() as cursor:
        add_finding(cursor, model, hybrid)
        add_finding(cursor, model, replace(hybrid, audit="of-a-lost-package"))
        for best in workspace.library.best(model, Split.VALIDATION):
            subject = (best.score.head, best.program.id)
            add_finding(cursor, model, replace(hybrid, audit="coverage", subject=subject))
    workspace.close()


def test_a_hybrids_findings_are_drawn_whole(open_app: OpenApp, workspace_copy: Path) -> None:
    add_hybrids(workspace_copy)
    keep(workspace_copy)
    app = go(open_app(workspace_copy), "hybrid")
    app = next(box for box in app.selectbox if box.label == "Hybrid").select("three heads · +20.0%").run()
    assert not app.exception
    labels = [box.label for box in app.expander]
    assert "**Damage** · :material/cancel: fails" in labels
    assert any("of\\-a\\-lost\\-package" in label for label in labels)
    assert ("share lost", "25.0%", "[20.0%, 30.0%]") in [(m.label, m.value, m.delta) for m in app.metric]
    assert as_text(FOUND.note) in text_of(app)


def test_a_programs_findings_stand_beside_it(open_app: OpenApp, workspace_copy: Path) -> None:
    add_hybrids(workspace_copy)
    keep(workspace_copy)
    app = go(open_app(workspace_copy), "heads")
    app.session_state["evidence"] = "Audits"
    app = app.run()
    assert not app.exception
    assert "**Coverage** · :material/cancel: fails" in [box.label for box in app.expander]


def test_figures_are_spelled_by_their_unit_and_tokens_escaped() -> None:
    assert in_words(Figure("x", Estimate(0.5, 0.4, 0.6))) == ("0.500", "[0.400, 0.600]")
    assert in_words(Figure("x", Estimate(0.12), "change")) == ("+12.0%", None)
    assert in_words(Figure("x", Estimate(1, 0, 2), "nats")) == ("1.000 nats", "[0.000 nats, 2.000 nats]")
    html = shaded_html(Shaded(("<b>", "x", "y"), (0.0, 1.0, -0.5), "a<b"))
    assert "&lt;b&gt;" in html
    assert "a&lt;b" in html
    assert "<b>" not in html
    assert html.count("background") == 2


def test_a_slider_goes_from_before_an_edit_to_after_it(open_app: OpenApp, workspace_copy: Path) -> None:
    edited = Shaded(("He", " ran"), (-0.5, 0.5), "the head's weight", (0.8, 0.2), ("She", " ran"))
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0].id
    with workspace.database.transaction() as cursor:
        for best in workspace.library.best(model, Split.VALIDATION):
            subject = (best.score.head, best.program.id)
            add_finding(
                cursor, model, StoredFinding("foresight", subject, {}, 1.0, replace(FOUND, shaded=(edited,)))
            )
    workspace.close()
    app = go(open_app(workspace_copy), "heads")
    app.session_state["evidence"] = "Audits"
    app = app.run()
    texts = {}
    for state in ("before", "change", "after"):
        (slider,) = [slider for slider in app.select_slider if slider.label == "The edit"]
        app = slider.set_value(state).run()
        assert not app.exception
        (texts[state],) = [found.body for found in app.get("html") if "the head" in found.proto.body]
    assert "She</span>" in texts["before"]
    assert 'title="+0.8"' in texts["before"]
    assert "He</span>" in texts["change"]
    assert 'title="-0.5"' in texts["change"]
    assert 'title="+0.7"' in texts["after"]
