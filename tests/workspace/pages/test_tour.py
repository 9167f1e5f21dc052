"""When the tour is offered: on the Overview of a demo that is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.store import Workspace
from core.ui.parts import state
from tests.workspace.pages.test_pages import AppTest, OpenApp, open_app

__all__ = ["open_app"]


def offers(app: AppTest) -> bool:
    """What the browser is told."""
    assert not app.exception
    drawn = app.get("bidi_component")
    (help_panel,) = (one.proto for one in drawn if one.proto.component_name == "headscript_help")
    said: bool = json.loads(help_panel.json)["offersTour"]
    return said


def test_the_tour_is_offered_on_the_overview_of_a_demo_that_is_built(
    open_app: OpenApp, workspace_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.open(workspace_copy)
    (model,) = workspace.models.all()
    workspace.close()
    monkeypatch.setenv("HEADSCRIPT_RUNNER", "forked")
    monkeypatch.setenv("HEADSCRIPT_DEVICE", "cpu")
    monkeypatch.setenv("HEADSCRIPT_DEMO_MODEL", model.name)
    assert offers(open_app(workspace_copy))
    runner = state.owner().runner
    job = runner.start_or_resume_demo()
    app = open_app(workspace_copy)
    assert app.title[0].value == "Building the workspace"
    assert not offers(app)
    runner.cancel(job)
    assert offers(open_app(workspace_copy))
