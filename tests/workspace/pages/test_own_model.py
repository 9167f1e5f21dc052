"""A model and a corpus of one's own from the Overview: estimated, refused in words, built as by `extract`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.corpus import load_corpus
from core.jobs.forecast import forecast
from core.store import Workspace
from core.types import HeadId
from core.ui.parts import state
from tests.conftest import TinyLoaded, TinyModel
from tests.workspace.pages.test_pages import OpenApp, button, go, open_app, text_of

__all__ = ["open_app"]
GOOD = b"Lily saw a ball.\n"


def fill(app: AppTest, model: str, corpus: str, content: bytes | None = None) -> AppTest:
    """The form with a model and the path of a corpus, or a file of that name to upload."""
    app.text_input(key="own-model").set_value(model)
    if content is None:
        app.radio(key="own-corpus").set_value("A path or data set").run()
        app.text_input(key="own-path").set_value(corpus)
    else:
        app.radio(key="own-corpus").set_value("A file of mine").run()
        next(one for one in app.file_uploader if one.key == "own-file").upload(corpus, content, "text/plain")
    return app.run()


def test_what_the_form_extracts_is_what_the_command_does(
    open_app: OpenApp, tmp_path: Path, tiny_model: TinyModel, small_corpus: Path, built: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HEADSCRIPT_RUNNER", "forked")
    monkeypatch.setenv("HEADSCRIPT_DEVICE", "cpu")
    app = fill(open_app(tmp_path / "own"), str(tiny_model("llama")), "small.jsonl", small_corpus.read_bytes())
    button(app, "own-estimate-button").click().run()
    assert "32 passages of" in text_of(app)
    assert "12 heads: about **" in text_of(app)
    assert state.owner().workspace.jobs.all() == []
    assert not (tmp_path / "own" / "corpora").exists()
    app.checkbox(key="own-searches").uncheck()
    button(app, "own-start").click().run()
    assert not app.exception
    assert app.title[0].value == "Building the workspace"
    (job,) = state.owner().workspace.jobs.all()
    state.owner().runner.wait(job.id)
    workspace = state.owner().workspace
    (model,) = workspace.models.all()
    by_commands = Workspace.open(built)
    try:
        (expected,) = by_commands.models.all()
        assert (model.id, model.layers, model.heads) == (expected.id, expected.layers, expected.heads)
        assert workspace.models.sentences(model.id) == by_commands.models.sentences(model.id)
        own, other = (one.attention(model.id).head(HeadId(2, 1)) for one in (workspace, by_commands))
        for found, wanted in zip(own, other, strict=True):
            assert found.sentence == wanted.sentence
            assert np.array_equal(found.weights, wanted.weights)
    finally:
        by_commands.close()
    app = go(app, "overview")
    assert f"The attention of {model.title} is extracted" in text_of(app).replace("\\", "")
    assert button(app, "own-start")  # another can be added


def test_what_cannot_be_built_is_refused_in_words_and_leaves_nothing(
    open_app: OpenApp, tmp_path: Path, tiny_model: TinyModel, small_corpus: Path
) -> None:
    llama, folder = str(tiny_model("llama")), tmp_path / "own"
    (tmp_path / "no-model").mkdir()
    app = open_app(folder)
    for model, corpus, content, message in (
        ("", "a.txt", GOOD, "name a model"),
        (llama, "", None, "choose a corpus"),
        ("/nowhere/model", str(small_corpus), None, "/nowhere/model does not exist"),
        (str(tmp_path / "no-model"), str(small_corpus), None, "has no config.json"),
        (llama, str(tmp_path / "gone.txt"), None, "gone.txt does not exist"),
        (llama, str(tmp_path), None, "is a folder without a .txt"),
        (llama, "bad.jsonl", b'{"text": 3}\n', 'line 1 has no "text"'),
        (llama, "short.txt", GOOD, "split of 1 passages"),
    ):
        app = fill(app, model, corpus, content)
        button(app, "own-start").click().run()
        assert not app.exception
        (told,) = app.error
        assert message in told.value.replace("\\", ""), message
        assert told.value.startswith("Nothing was started: ")
        assert state.owner().workspace.jobs.all() == []
        assert not (folder / "corpora").exists()


def test_a_forecast_is_of_what_is_on_disk_afterwards(
    built: Path, tiny_loaded: TinyLoaded, small_corpus: Path, tmp_path: Path
) -> None:
    info = tiny_loaded("llama").info
    found = forecast(info.name, load_corpus(small_corpus), True, tmp_path)
    (layers,) = {len(list(folder.glob("layer=*.parquet"))) for folder in (built / "attention").iterdir()}
    on_disk = sum(path.stat().st_size for path in (built / "attention").glob("*/layer=*.parquet"))
    assert (found.passages, found.heads, layers) == (32, info.layers * info.heads, info.layers)
    assert found.parameters == info.parameters
    assert found.bytes == pytest.approx(
        on_disk, rel=0.5
    )  # of tiny files, what stands around the cells counts


def test_a_demo_that_is_not_fetched_is_estimated_as_it_was_timed(tmp_path: Path) -> None:
    found = forecast("demo", load_corpus("bundled"), True, tmp_path)
    assert (found.passages, found.heads, found.parameters) == (240, 270, 134_515_008)
    assert found.tokens == pytest.approx(11_154, rel=0.05)
    assert found.seconds == pytest.approx(512, rel=0.1)
    assert forecast("demo", load_corpus("bundled", 40), False, tmp_path).seconds < 30
