"""The spaCy pipeline that a setting names reads a model's texts, and goes on reading them."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.corpus import Corpus
from core.errors import ModelError
from core.features import BUNDLED, NO_PIPELINE
from core.jobs.folder import EventWriter, JobFolder
from core.jobs.work.extract import annotate_and_extract, reading_as_stored
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from tests import tiny
from tests.conftest import TinyLoaded


def extract(workspace: Path, loaded, count: int) -> list[str]:
    """What a job that extracts so many passages has to say."""
    folder = JobFolder.create(workspace / "jobs", "extract", {})
    corpus = Corpus("a few", tuple(tiny.short_passages(32)[:count]))
    with EventWriter(folder) as events:
        annotate_and_extract(workspace, loaded, corpus, events)
    return [event["message"] for _, event in folder.events() if event["event"] == "note"]


@pytest.fixture
def tokens(tmp_path: Path, tiny_loaded: TinyLoaded) -> TokenStore:
    return TokenStore(attention_folder(tmp_path, tiny_loaded("gpt2").info.id))


def test_the_setting_chooses_and_what_was_chosen_stays(tmp_path, tiny_loaded, tokens, monkeypatch):
    loaded = tiny_loaded("gpt2")
    monkeypatch.setenv("HEADSCRIPT_SPACY", NO_PIPELINE)
    assert "no spaCy pipeline read the text" in " ".join(extract(tmp_path, loaded, 1))
    assert tokens.pipeline() == NO_PIPELINE
    monkeypatch.setenv("HEADSCRIPT_SPACY", BUNDLED)
    notes = " ".join(extract(tmp_path, loaded, 2))
    assert f"read with `none`, as the sentences there were, not with `{BUNDLED}`" in notes
    assert tokens.pipeline() == reading_as_stored(loaded, tmp_path).pipeline == NO_PIPELINE
    assert len(tokens.read()) == 2


def test_tokens_of_a_pipeline_that_is_not_installed_say_so(tmp_path, tiny_loaded, tokens, monkeypatch):
    monkeypatch.setenv("HEADSCRIPT_SPACY", "xx_not_here")
    with pytest.raises(ModelError, match=r"the spaCy pipeline `xx_not_here`, .* is not installed; install"):
        extract(tmp_path, tiny_loaded("gpt2"), 1)
    assert tokens.sentences() == set()
