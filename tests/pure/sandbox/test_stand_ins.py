"""The tokenizer and the document that programs are handed say what the real ones say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.features import BUNDLED, describe_tokenizer, load_pipeline
from core.sandbox import document_of
from core.sandbox.stand_ins import WORD, Doc, Tokenizer
from tests import tiny

TEXTS = ("The cat sat.", 'He said: "No, 12 of 3.5!"', "  two  spaces ", "naïve café, isn't it?", "a")


@pytest.mark.parametrize("kind", ["byte", "wordpiece", "sentencepiece"])
def test_the_tokenizer_reads_and_writes_as_the_model_s_own(kind: str) -> None:
    real = tiny.tokenizer(kind)
    stand_in = Tokenizer(describe_tokenizer(real))
    for text in TEXTS:
        ids = real(text)["input_ids"]
        stand_in.passage = (text, ids)
        assert stand_in(text)["input_ids"] == ids
        assert stand_in([text], return_tensors="pt").input_ids.tolist() == [ids]
        offsets = real(text, return_offsets_mapping=True)["offset_mapping"]
        assert stand_in(text, return_offsets_mapping=True)["offset_mapping"] == offsets
        assert stand_in(text).word_ids() == real(text).word_ids()
        assert stand_in.tokenize(text) == real.tokenize(text)
        assert stand_in.encode(text, add_special_tokens=False) == real.encode(text, add_special_tokens=False)
        assert stand_in.convert_ids_to_tokens(ids) == real.convert_ids_to_tokens(ids)
        assert stand_in.decode(ids) == real.decode(ids)
        assert [stand_in.decode([one]) for one in ids] == [real.decode([one]) for one in ids]
        assert stand_in.decode(ids, skip_special_tokens=True) == real.decode(ids, skip_special_tokens=True)
    assert stand_in.all_special_tokens == real.all_special_tokens
    assert len(stand_in) == len(real)
    for name in ("cls_token", "sep_token", "eos_token", "unk_token"):
        assert (getattr(stand_in, name), getattr(stand_in, f"{name}_id")) == (
            getattr(real, name),
            getattr(real, f"{name}_id"),
        )


def test_a_passage_that_was_cut_is_read_as_the_model_read_it() -> None:
    stand_in = Tokenizer(describe_tokenizer(tiny.tokenizer("wordpiece")))
    whole = stand_in("The cat sat on the mat.")["input_ids"]
    cut = [*whole[:4], whole[-1]]
    stand_in.passage = ("The cat sat on the mat.", cut)
    read = stand_in("The cat sat on the mat.", return_offsets_mapping=True)
    assert read["input_ids"] == cut
    assert len(read["offset_mapping"]) == 5
    assert len(stand_in.tokenize("The cat sat on the mat.")) == 3


def test_the_document_says_what_spacy_says() -> None:
    parser = load_pipeline(BUNDLED)
    if parser is None:
        pytest.skip("the bundled spaCy model is not installed")
    text = "Marie Curie, born in Warsaw, won two prizes. Nobody else has!"
    real: Any = parser(text)
    described = document_of(text, BUNDLED)
    assert described is not None
    found = Doc(described)
    for mine, theirs in zip(found, real, strict=True):
        names = [name for name in WORD if name not in ("head", "morph")]
        assert [getattr(mine, name) for name in names] == [getattr(theirs, name) for name in names]
        assert mine.head.i == theirs.head.i
        for name in ("children", "lefts", "rights", "ancestors", "subtree"):
            assert [one.i for one in getattr(mine, name)] == [one.i for one in getattr(theirs, name)], name
        assert (mine.sent.start, mine.sent.end) == (theirs.sent.start, theirs.sent.end)
    for name in ("ents", "noun_chunks", "sents"):
        mine_spans, real_spans = list(getattr(found, name)), list(getattr(real, name))
        assert [(one.text, one.start_char, one.root.i) for one in mine_spans] == [
            (one.text, one.start_char, one.root.i) for one in real_spans
        ]
    assert [one.label_ for one in found.ents] == [one.label_ for one in real.ents]


def test_the_guest_imports_nothing_of_headscript(tmp_path: Path) -> None:
    folder = Path(__file__).parents[3] / "core/sandbox"
    for name in ("guest", "lockdown", "stand_ins"):
        code = (
            "import runpy, sys\n"
            f"runpy.run_path({str(folder / name)!r} + '.py')\n"
            "print([name for name in sys.modules if name.split('.')[0] == 'core'])"
        )
        told = subprocess.run(
            [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert told.stdout == "[]\n", name
