"""Plain Python on the pages: taken in, shown with what it cannot do, and nothing of it parsed."""

from pathlib import Path

import pytest

from core.sandbox import programs_in
from core.scoring import program_of
from core.scoring.everywhere import lines_in_words
from core.store import Workspace
from core.types import Split
from core.ui.parts import state
from tests.conftest import call_core
from tests.sandboxed import needs_locks
from tests.workspace.pages.test_heads import at
from tests.workspace.pages.test_pages import OpenApp, button, go, open_app, text_of

__all__ = ["open_app"]
pytestmark = needs_locks
FILE = '''
import numpy as np


def helper(sentence, tokenizer):
    """Not a program."""
    return np.zeros((len(tokenizer(sentence).input_ids),) * 2)


def rests(sentence, tokenizer):
    """Rests on the first token."""
    if "," in sentence:
        raise KeyError("comma")
    return "Rests", helper(sentence, tokenizer)
'''


@pytest.fixture
def workspace_with_plain(workspace_copy: Path, tmp_path: Path) -> Path:
    file = tmp_path / "rests.py"
    file.write_text(FILE)
    assert call_core("import", str(file), workspace=workspace_copy).returncode == 0
    return workspace_copy


def test_every_page_shows_it_and_says_what_it_cannot_do(
    open_app: OpenApp, workspace_with_plain: Path
) -> None:
    (plain,) = programs_in(FILE)
    workspace = Workspace.open(workspace_with_plain)
    (model,) = workspace.models.all()
    head = workspace.catalogue.ious(model.id, plain.id)[0][0]
    passage = workspace.models.sentences(model.id, Split.TEST)[0].id
    failures = workspace.failures.of_program(model.id, plain.id)
    workspace.close()
    assert failures
    app = open_app(workspace_with_plain)
    app.query_params["program"] = plain.id
    app = go(app, "library")
    assert not app.exception
    said = text_of(app)
    assert "Plain Python of other people" in said
    assert f"exception on {failures[0].passages} of 32 passages" in app.warning[0].value
    place = {"layer": str(head.layer), "head": str(head.head), "program": plain.id, "sentence": passage}
    app = at(app, **place, at="1.0")
    assert not app.exception
    assert any("plain Python, from rests.py" in str(found.body) for found in app.get("html"))
    for page in ("overview", "circuit", "review", "hybrid"):
        app = go(app, page)
        assert not app.exception, page
    told = lines_in_words(program_of(plain.source), None, (0, 0))
    assert told == "plain Python, which is not read"


def test_a_file_is_taken_in_on_the_library_page(open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), "library")
    uploader = next(found for found in app.file_uploader if found.key == "decisions-file")
    uploader.upload("rests.py", FILE.encode(), "text/x-python").run()
    button(app, "import-decisions").click().run()
    assert not app.exception
    assert "1 program taken in" in text_of(app)
    job = state.owner().workspace.jobs.all()[0]
    state.owner().runner.wait(job.id)
    (plain,) = programs_in(FILE)
    listed = state.owner().workspace.catalogue.programs(job.model, 0.5).set_index("program_id")
    assert listed.loc[plain.id].origin == "plain Python, from rests.py"
