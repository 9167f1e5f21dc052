"""The Hybrid page in Streamlit's own test harness: what it says of odd curves and hybrids."""

from pathlib import Path

from core.store import Workspace
from core.store.hybrids import add_curve
from tests.test_pages import OpenApp, go, open_app, text_of

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
