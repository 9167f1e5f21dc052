"""Syntax comes from the spaCy pipeline that is named, any installed one."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy

from core.features import BUNDLED, NO_PIPELINE, annotate, annotate_ids, annotate_prefixes, chosen_pipeline
from core.settings import Settings
from core.types import Sentence, Split
from tests import tiny

LOAD = """from pathlib import Path
import spacy
def load():
    return spacy.load(Path(__file__).parent)
"""
SENTENCE = Sentence("s0", "the cat", "text", Split.TRAIN)


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an installed pipeline that takes every word for an interjection."""
    pipeline = spacy.blank("en")
    pipeline.add_pipe("attribute_ruler").add([[{"IS_ALPHA": True}]], {"POS": "INTJ", "LEMMA": "oh"})
    name = "interjections_model"
    pipeline.to_disk(tmp_path / name)
    (tmp_path / name / "__init__.py").write_text(LOAD, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_the_pipeline_named_reads_texts_prefixes_and_ids(named: str) -> None:
    tokenizer = tiny.tokenizer(vocabulary=600)
    whole = annotate([SENTENCE], tokenizer, pipeline=named)
    every = [
        whole,
        annotate_prefixes(SENTENCE, tokenizer, pipeline=named),
        annotate_ids(whole.token_ids.tolist(), tokenizer, pipeline=named),
    ]
    for features in every:
        values = features.tokens(len(features) - 1)[0].values
        assert (values["pos"], values["lemma"], values["dep"]) == ("INTJ", "oh", "")
        assert features.pipeline == named
        assert features.has_syntax


def test_the_setting_names_it_and_the_bundled_one_is_usual() -> None:
    assert Settings.read({}).spacy_pipeline is None
    assert Settings.read({"HEADSCRIPT_SPACY": " de_core_news_sm "}).spacy_pipeline == "de_core_news_sm"
    assert chosen_pipeline(Settings.read({}).spacy_pipeline) == BUNDLED
    assert chosen_pipeline(NO_PIPELINE) == NO_PIPELINE
