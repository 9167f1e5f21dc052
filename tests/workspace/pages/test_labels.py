"""Naming, deleting and restoring runs and hybrids on their pages."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from core.store import Label, Workspace
from core.types import Split
from core.ui.parts import state
from tests.workspace.pages.test_pages import PATIENCE, OpenApp, add_hybrids, button, go, open_app, text_of

__all__ = ["open_app"]


def label_the_hybrid() -> None:
    """What picking a row of the table of hybrids draws, and what stands above the table."""
    from core.ui.parts import state
    from core.ui.parts.labels import draw_deleted, draw_label

    hybrids = state.owner().workspace.hybrids
    model = state.models()[0].id
    draw_deleted(hybrids.deleted(model), "hybrids")
    for _, row in hybrids.frame(model).iterrows():
        draw_label(row.hybrid_id, row.title, "it can be restored")


def test_a_hybrid_is_named_deleted_and_had_back(open_app: OpenApp, workspace_copy: Path) -> None:
    add_hybrids(workspace_copy)
    open_app(workspace_copy)
    workspace = state.owner().workspace
    model = state.models()[0].id
    hybrid = workspace.hybrids.frame(model).hybrid_id[0]
    app = AppTest.from_function(label_the_hybrid, default_timeout=PATIENCE).run()
    for box, text in zip(app.text_input[:3], ("for *the* talk", "talk, cheap", "a note"), strict=True):
        box.input(text)
    app = next(one for one in app.button if one.form_id == f"label-{hybrid}").click().run()
    assert workspace.labels.of(hybrid) == Label("for *the* talk", "a note", ("talk", "cheap"))
    app = button(app, f"delete-{hybrid}").click().run()
    assert r"**for \*the\* talk** is deleted." in text_of(app)
    assert hybrid not in workspace.hybrids.frame(model).hybrid_id.tolist()
    app = button(app, f"undo-{hybrid}").click().run()
    assert not app.exception
    assert "is deleted" not in text_of(app)
    assert workspace.hybrids.frame(model).title[0] == "for *the* talk"


def test_a_deleted_run_leaves_the_table_and_keeps_its_programs(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0].id
    (run,) = [job for job in workspace.jobs.all() if job.kind == "synthesize"]
    workspace.labels.set(run.id, Label("first try", "with the defaults", ("old",)))
    programs = workspace.library.best_frame(model, Split.TEST)
    workspace.close()
    app = go(open_app(workspace_copy), "synthesize")
    (table,) = [found.value for found in app.dataframe if "run" in found.value]
    assert table[["run", "note"]].to_numpy().tolist() == [["first try", "with the defaults"]]
    state.owner().workspace.labels.delete(run.id)
    app = app.run()
    assert not [found for found in app.dataframe if "run" in found.value]
    assert "Latest run" not in text_of(app)
    assert state.owner().workspace.library.best_frame(model, Split.TEST).equals(programs)
    app = button(app, f"restore-{run.id}").click().run()
    assert [found for found in app.dataframe if "run" in found.value]
