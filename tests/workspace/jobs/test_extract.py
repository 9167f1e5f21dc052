"""The spaCy pipeline that a setting names reads a model's texts, and goes on reading them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.corpus import Corpus, from_passages
from core.errors import CorpusError, ModelError
from core.features import BUNDLED, NO_PIPELINE
from core.jobs import Jobs
from core.jobs.folder import EventWriter, Job, JobFolder
from core.jobs.place import Place
from core.jobs.tasks import ExtractTask
from core.jobs.work.extract import annotate_and_extract
from core.models import LoadedModel
from core.settings import Settings
from core.store import Workspace
from core.store.loaded import reading_as_stored
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.types import HeadId, ModelInfo
from tests import architectures, tiny
from tests.conftest import TinyLoaded, call_core


def extract(workspace: Path, loaded: LoadedModel, count: int, pipeline: str | None) -> list[str]:
    """What a job that extracts so many passages has to say."""
    place, task = Place(workspace, workspace, "cpu", pipeline), ExtractTask("gpt2", "a few")
    folder = JobFolder.create(workspace / "jobs", "extract", place, task)
    corpus = Corpus("a few", tuple(tiny.short_passages(32)[:count]))
    with EventWriter(folder) as events:
        annotate_and_extract(Job(folder, place, task, events), loaded, corpus)
    return [event["message"] for _, event in folder.events() if event["event"] == "note"]


@pytest.fixture
def tokens(tmp_path: Path, tiny_loaded: TinyLoaded) -> TokenStore:
    return TokenStore(attention_folder(tmp_path, tiny_loaded("gpt2").info.id))


def test_the_setting_chooses_and_what_was_chosen_stays(
    tmp_path: Path, tiny_loaded: TinyLoaded, tokens: TokenStore
) -> None:
    loaded = tiny_loaded("gpt2")
    assert "no spaCy pipeline read the text" in " ".join(extract(tmp_path, loaded, 1, NO_PIPELINE))
    assert tokens.pipeline() == NO_PIPELINE
    notes = " ".join(extract(tmp_path, loaded, 2, BUNDLED))
    assert f"read with `none`, as the sentences there were, not with `{BUNDLED}`" in notes
    assert tokens.pipeline() == reading_as_stored(tmp_path, loaded).pipeline == NO_PIPELINE
    assert len(tokens.read()) == 2


def test_tokens_of_a_pipeline_that_is_not_installed_say_so(
    tmp_path: Path, tiny_loaded: TinyLoaded, tokens: TokenStore
) -> None:
    with pytest.raises(ModelError, match=r"the spaCy pipeline `xx_not_here`, .* is not installed; install"):
        extract(tmp_path, tiny_loaded("gpt2"), 1, "xx_not_here")
    assert tokens.sentences() == set()


def extract_texts(workspace: Path, loaded: LoadedModel, texts: Sequence[str]) -> list[str]:
    """What a job that extracts these passages has to say."""
    corpus = from_passages("these", [(text, "") for text in texts])
    place, task = Place(workspace, workspace, "cpu", NO_PIPELINE), ExtractTask("gpt2", "these")
    folder = JobFolder.create(workspace / "jobs", "extract", place, task)
    with EventWriter(folder) as events:
        annotate_and_extract(Job(folder, place, task, events), loaded, corpus)
    return [event["message"] for _, event in folder.events() if event["event"] == "note"]


def test_passages_of_one_token_are_left_out_and_counted(
    tmp_path: Path, tiny_loaded: TinyLoaded, tokens: TokenStore
) -> None:
    """On them every program does what every head does, which would raise the mean."""
    notes = " ".join(extract_texts(tmp_path, tiny_loaded("gpt2"), ["a", "b", "The cat sat."]))
    assert "left out 2 passages of fewer than 2 tokens" in notes
    assert len(tokens.read()) == 1
    with pytest.raises(CorpusError, match="no passage of these has 2 tokens; give longer text"):
        extract_texts(tmp_path / "other", tiny_loaded("gpt2"), ["a", "b"])


def test_passages_that_a_model_cannot_read_do_not_end_the_job(
    tmp_path: Path, tiny_loaded: TinyLoaded, tokens: TokenStore
) -> None:
    """A token without embedding leaves its passage out; a passage of any length is cut."""
    loaded = tiny_loaded("gpt2")
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens(["<beyond>"])
    assert tokenizer.convert_tokens_to_ids("<beyond>") >= tiny.VOCABULARY
    texts = ["The cat <beyond> sat.", "The cat sat. " * 2000, "The cat sat."]
    notes = " ".join(extract_texts(tmp_path, replace(loaded, tokenizer=tokenizer), texts))
    assert "left out 1 passage" in notes
    assert "1 passages were cut to the first 256 tokens" in notes
    assert sorted(tokens.read().lengths)[-1] == 256


def test_all_maps_of_a_passage_fit_into_memory() -> None:
    """Of 32 layers of 32 heads that is 724 tokens, whatever the context."""
    info = ModelInfo("m", "m", "llama", 32, 32, True, 1, 1_000_000)
    assert info.longest == 724
    assert replace(info, max_length=100).longest == 100


def test_a_model_with_layers_of_another_kind_goes_the_whole_way(tmp_path: Path, small_corpus: Path) -> None:
    """Three layers are recurrent; the fourth has the heads, under its own number."""
    model = tmp_path / "model"
    architectures.build("qwen3_next").save_pretrained(model)
    tiny.tokenizer().save_pretrained(model)
    commands = (
        ["extract", "--model", str(model), "--corpus", str(small_corpus), "--limit", "16"],
        ["synthesize", "--rules", "1"],
        ["best", "--json"],
        ["hybrid", "--share", "0.5", "--programs", "best", "--json"],
    )
    done = [call_core(*command, workspace=tmp_path / "workspace") for command in commands]
    assert [one.returncode for one in done] == [0] * 4, done[-1].stderr
    assert {head["layer"] for head in json.loads(done[2].stdout)["heads"]} == {3}
    assert {HeadId.parse(head).layer for head in json.loads(done[3].stdout)["heads"]} == {3}
    held = sorted(path.name for path in (tmp_path / "workspace/attention").rglob("layer=*.parquet"))
    assert held == ["layer=03.parquet"]


def test_the_setting_reaches_the_worker(tmp_path: Path) -> None:
    settings = Settings.read(
        {
            "HEADSCRIPT_WORKSPACE": str(tmp_path),
            "HEADSCRIPT_SPACY": NO_PIPELINE,
            "HEADSCRIPT_DEVICE": "cpu",
            "HEADSCRIPT_DTYPE": "bfloat16",
            "HEADSCRIPT_DEVICE_MAP": "auto",
        }
    )
    workspace = Workspace.open(tmp_path)
    jobs = Jobs(workspace, settings)
    job = jobs.start_build("nowhere", "bundled", search=False)
    place = jobs.folder(job).spec().place
    assert place.spacy_pipeline == NO_PIPELINE
    assert place.holding == ("cpu", "bfloat16", "auto")
    jobs.cancel(job)
    workspace.close()
