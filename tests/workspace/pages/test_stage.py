"""The app on a stage, in Streamlit's own test harness: every scene, and what it is about."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.types import HeadId
from core.ui.parts import state
from core.ui.parts.state import SideBySide
from core.ui.stage.show import Edited, prepared, shown_lines, worth_pinning
from core.ui.stage.view import SCENES
from tests.workspace.pages.test_circuit import plant
from tests.workspace.pages.test_pages import PATIENCE, ROOT, close_app, text_of


@pytest.fixture
def on_stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """A scene of the app on a workspace, as its address says."""

    def run(folder: Path, **place: str) -> AppTest:
        monkeypatch.setenv("HEADSCRIPT_WORKSPACE", str(folder))
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
        for name, value in {"stage": "1", **place}.items():
            app.query_params[name] = value
        return app.run()

    yield run
    close_app()


def test_every_scene_is_drawn_of_the_head_that_the_address_names(
    on_stage: Callable[..., AppTest], workspace_copy: Path
) -> None:
    model = plant(workspace_copy)
    titles = []
    for scene in range(1, len(SCENES) + 1):
        app = on_stage(workspace_copy, head="L2H1", scene=str(scene))
        assert not app.exception
        titles.append(app.title[0].value)
    assert titles[0] == "L2H1: what does it look at?"
    assert titles[1] == "L2H1: its program"
    assert titles[2].startswith("Why does “")
    assert titles[3].startswith("One word is swapped: “")
    assert titles[4] == "3 heads run as programs, and the model still writes"
    assert not app.sidebar.children
    assert "The same with 25% of its heads as programs" in text_of(app)

    show = prepared(model, HeadId(2, 1), state.version())
    assert isinstance(show.edited, Edited)
    place = show.edited.place
    assert np.abs(show.edited.head[:place]).max() < 1e-3  # nothing changes before the word
    assert np.abs(show.edited.program[:place]).max() < 1e-3
    assert np.abs(show.edited.head).max() > 1e-3
    other = on_stage(workspace_copy, head="L99H1", scene="9")  # neither is there
    assert other.title[0].value.endswith(": what does it look at?")


def test_the_pinned_pair_is_the_strongest_of_both_that_is_not_trivial() -> None:
    head = np.array([[1, 0, 0], [0.9, 0.1, 0], [0.5, 0.3, 0.2]], np.float32)
    program = np.array([[1, 0, 0], [0.2, 0.8, 0], [0.5, 0.1, 0.4]], np.float32)
    assert worth_pinning(SideBySide(["a", "b", "c"], head, program, None)) == (2, 1)


def test_a_long_line_counts_as_the_lines_that_it_takes_on_the_stage() -> None:
    assert shown_lines("def attend(q, k):\n    return 1.0\n") == 2
    assert shown_lines(f"def attend(q, k):\n\n    return {' + '.join(['0.5'] * 30)}\n") == 5
