"""The Hybrid page in Streamlit's own test harness: what it says of odd curves and hybrids."""

import math
from pathlib import Path

from streamlit.testing.v1 import AppTest

from core.language import parse
from core.store import Workspace
from core.store.hybrids import add_costs, add_curve, add_evaluation, add_hybrid
from core.types import (
    Curve,
    Estimate,
    Evaluation,
    EvaluationDetails,
    HeadId,
    HybridProgram,
    MadeHybrid,
    Split,
)
from core.ui.parts import state
from tests import tiny
from tests.stored import fits
from tests.workspace.pages.test_pages import PATIENCE, OpenApp, add_hybrids, button, go, open_app, text_of

__all__ = ["open_app"]


def test_a_curve_without_points_is_no_curve(open_app: OpenApp, workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0].id
    with workspace.database.transaction() as cursor:
        add_curve(cursor, Curve(model, "none", "test", passages=0, tokens=0, rows=()))
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
    rows = workspace.hybrids.frame(workspace.models.all()[0].id)
    hybrid = rows[rows.title == "three heads"].hybrid_id.iloc[0]
    with workspace.database.transaction() as cursor:
        measured = Evaluation(10.0, 15.0, Estimate(0.5, 0.4, 0.6), Estimate(0.3), 90, 4, 0)
        add_evaluation(cursor, hybrid, "/home/ada/mine.txt", measured, EvaluationDetails())
    workspace.close()
    app = go(open_app(workspace_copy), "hybrid")
    for label, increase in (
        ("three heads · +20.0%", "+20.0%"),
        ("three heads · +50.0% · mine.txt", "+50.0%"),
    ):
        app = next(box for box in app.selectbox if box.label == "Hybrid").select(label).run().run()
        assert ("Perplexity increase", increase) in [(m.label, m.value) for m in app.metric]


def know_costs(folder: Path, costs: dict[HeadId, float]) -> None:
    workspace = Workspace.open(folder)
    model = workspace.models.all()[0].id
    programs = {b.score.head: b.program.id for b in workspace.library.best(model, Split.VALIDATION)}
    known = {(head, programs[head]): kl for head, kl in costs.items()}
    with workspace.database.transaction() as cursor:
        add_costs(cursor, model, known, passages=9, agreement=None)
    workspace.close()


def test_the_expected_cost_is_that_of_the_heads_the_filter_leaves(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    """The first layer is dear, one program of the last layer mostly fails."""
    heads = [HeadId(layer, head) for layer in range(tiny.LAYERS) for head in range(tiny.HEADS)]
    costs = {head: 1.0 if head.layer == 0 else 0.01 for head in heads}
    know_costs(workspace_copy, costs | {HeadId(2, 3): math.inf})
    app = go(open_app(workspace_copy), "hybrid")
    assert "Expected: KL 0.030 nats" in text_of(app)  # a quarter of twelve heads
    app.slider(key="layers").set_value((0, 0)).run()
    assert "Expected: KL 3.000 nats" in text_of(app)
    app.slider(key="layers").set_value((2, 2)).run()
    app.slider(key="share").set_value(33).run()
    assert "Expected: KL 0.030 nats" in text_of(app)
    assert "Programs among them that fail on most passages: 1." in text_of(app)


def test_heads_of_unknown_cost_are_counted(open_app: OpenApp, workspace_copy: Path) -> None:
    know_costs(workspace_copy, {HeadId(0, head): 0.01 for head in range(tiny.HEADS)})
    app = go(open_app(workspace_copy), "hybrid")
    assert "What 8 heads of 12 would cost is not known yet" in text_of(app)
    app.slider(key="layers").set_value((0, 0)).run()
    assert "Expected: KL 0.030 nats" in text_of(app)


def test_best_programs_that_changed_are_resolved_with_a_button(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace, looks = Workspace.open(workspace_copy), 'def attend(q, k):\n    return look("L0H1", q, k)\n'
    model, head = workspace.models.all()[0].id, HeadId(1, 1)
    parent = dict(workspace.library.best_programs(model))[head]
    workspace.library.save_edit(model, looks, parent, fits(looks, head, 0.99))
    workspace.close()
    app = go(open_app(workspace_copy), "hybrid")
    app = app.radio(key="which").set_value("Best programs, resolved").run()
    assert "Best programs changed" in text_of(app)
    assert not [found for found in app.button if found.key == "measure"]
    button(app, "resolve").click().run()
    assert not app.exception
    state.owner().runner.wait(state.owner().workspace.jobs.all()[0].id)
    app = go(app, "hybrid")
    app = app.radio(key="which").set_value("Best programs, resolved").run()
    assert "Best programs changed" not in text_of(app)
    assert [found for found in app.button if found.key == "measure"]


def test_the_curves_table_tells_how_often_programs_failed(open_app: OpenApp, workspace_copy: Path) -> None:
    add_hybrids(workspace_copy)
    app = go(open_app(workspace_copy), "hybrid")
    (table,) = [found.value for found in app.dataframe if "order" in found.value]
    assert table.kept.tolist() == [0, 0, 0, 0]


def test_a_calibrated_program_names_the_one_it_was_fitted_from(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0].id
    near = "def attend(q, k):\n    return {} ** (q.index - k.index)\n"
    parent = parse(near.format(0.5)).id
    programs = (
        HybridProgram(HeadId(0, 1), near.format(0.7), parent),
        HybridProgram(HeadId(2, 0), near.format(0.5), parent),
    )
    with workspace.database.transaction() as cursor:
        hybrid = add_hybrid(cursor, model, MadeHybrid(programs, "two", 1 / 6))
        add_evaluation(
            cursor,
            hybrid,
            "test",
            Evaluation(10.0, 15.0, Estimate(0.5, 0.4, 0.6), Estimate(0.3), 90, 4, 0),
            EvaluationDetails(),
        )
    workspace.close()
    app = go(open_app(workspace_copy), "hybrid")
    (table,) = [found.value for found in app.dataframe if "fitted from" in found.value]
    assert table["head"].tolist() == ["L0H1", "L2H0"]
    assert table["fitted from"].tolist() == [parent, ""]


def draw_the_two() -> None:
    """What picking two rows of the table draws."""
    from core.ui.hybrid.two import draw_two
    from core.ui.parts import state

    rows = state.owner().workspace.hybrids.frame(state.models()[0].id)
    (measured,) = (row for _, row in rows.iterrows() if row.title == "three heads")
    (imported,) = (row for _, row in rows.iterrows() if row.title == "from a stranger")
    draw_two(measured, imported)
    draw_two(measured, measured)


def test_two_hybrids_are_told_apart_by_their_heads(open_app: OpenApp, workspace_copy: Path) -> None:
    add_hybrids(workspace_copy)
    open_app(workspace_copy)
    app = AppTest.from_function(draw_the_two, default_timeout=PATIENCE).run()
    assert not app.exception
    said = text_of(app)
    assert "0 heads added, 2 heads lost, 0 heads with another program" in said
    assert "no difference is told" in said
    assert "0 heads lost, 0 heads with another program; KL +0.000" in said
    assert list(app.dataframe[-1].value.genre) == ["story"]
