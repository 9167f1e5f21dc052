"""An attribute that comes in through the door can be read, evaluated, searched with and exported."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import PluginError
from core.features import ATTRIBUTES, Features, Occurrence, annotate, attribute
from core.language import Evaluator, ParsedProgram, describe, parse, reference
from core.language.export import export
from core.proposers.llm import guide
from core.proposers.search.grammar import grammar_of
from core.types import Sentence, Split
from tests import tiny

TEXT = "See www.a.org and b , www.c.org now and then and so on and on"


@pytest.fixture(autouse=True)
def _new_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ATTRIBUTES, "_entries", dict(ATTRIBUTES))

    @attribute("is_vowel", "boolean", "begins with a vowel", phrase="tokens that begin with a vowel")
    def _is_vowel(token: Occurrence) -> bool:
        return token.bare[:1].lower() in "aeiou"

    @attribute("vowels", "number", "number of vowels in `text`", default=-1.0)
    def _vowels(token: Occurrence) -> int:
        return sum(character in "aeiou" for character in token.bare.lower())

    @attribute("ending", "text", "the last two characters of `text`", phrase="tokens ending in {}")
    def _ending(token: Occurrence) -> str:
        return token.bare[-2:]

    @attribute("after_next", "token", "the second token after", lookahead=True, aspect="place")
    def _after_next(token: Occurrence) -> int:
        return token.at + 2 if token.at + 2 < token.count else -1

    @attribute("shape", "text", "spaCy's shape of the word", lookahead=True, from_parser=True)
    def _shape(token: Occurrence) -> str:
        return str(token.word.shape_)


def features() -> Features:
    return annotate([Sentence("s0", TEXT, "text", Split.TRAIN)], tiny.tokenizer(vocabulary=600))


def program(expression: str) -> ParsedProgram:
    return parse(f"def attend(q, k):\n    return {expression}\n")


EXPRESSIONS = [
    "k.is_vowel",
    "k.vowels + 0.5 * q.vowels",
    'k.ending == "nd"',
    "k.ending == q.ending",
    "k.after_next == q",
    'last(q, is_vowel=True) == k or k.shape == "xxx"',
    "count(k, vowels=1)",
]


def test_the_annotator_reads_it() -> None:
    tokens = features().tokens(0)
    assert {t.values["text"] for t in tokens if t.values["is_vowel"]} >= {"and", "on"}
    assert next(t.values for t in tokens if t.values["text"] == "and")["vowels"] == 1
    assert next(t.values for t in tokens if t.values["text"] == "and")["ending"] == "nd"
    assert next(t.values for t in tokens if t.values["text"] == "and")["shape"] == "xxx"
    assert [t.values["after_next"] for t in tokens][-3:] == [len(tokens) - 1, -1, -1]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_both_evaluators_agree_on_it(expression: str) -> None:
    read = features()
    found = Evaluator(read, causal=False).run(program(expression)).weights[0]
    np.testing.assert_allclose(found, reference(program(expression), read.tokens(0), causal=False), atol=1e-5)


def test_a_program_that_reads_it_is_described_by_it() -> None:
    described = describe(program("k.is_vowel"))
    assert described.features == {"is_vowel"}
    assert described.category == "syntactic"
    assert described.sentence.endswith("by is_vowel.")
    assert not described.lookahead
    assert describe(program("k.after_next == q")).lookahead
    assert describe(program("k.after_next == q")).category == "sequential"


def test_the_search_says_what_can_be_said_with_it_and_names_it() -> None:
    parts = {part.of("{t}"): part.phrase for part in grammar_of(many(), is_causal=True).tokens}
    assert parts["{t}.is_vowel"] == "tokens that begin with a vowel"
    assert parts["{t}.prev.is_vowel"] == "what follows tokens that begin with a vowel"
    assert parts["{t}.vowels == 2"] == "tokens whose vowels is 2"
    assert parts["{t}.vowels < 4"] == "tokens whose vowels is below 4"
    assert parts['{t}.ending == "nd"'] == "tokens ending in nd"
    assert parts['{t}.shape == "xxx"'] == "tokens whose shape is xxx"


def many() -> Features:
    return annotate(
        [Sentence(f"s{at}", TEXT, "", Split.TRAIN) for at in range(4)], tiny.tokenizer(vocabulary=600)
    )


def test_the_guide_explains_it() -> None:
    text = guide.system.__wrapped__()
    assert "- vowels (number): number of vowels in `text`\n" in text
    assert "- shape (text, lookahead): spaCy's shape of the word\n" in text


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_exported_program_reads_it_by_itself_or_asks_for_it(tmp_path: Path, expression: str) -> None:
    read = features()
    path = tmp_path / "program.py"
    path.write_text(export(program(expression)), encoding="utf-8")
    given = [
        {"text": surface} | ({"shape": token.values["shape"]} if "shape" in expression else {})
        for surface, token in zip(read.surfaces, read.tokens(0), strict=True)
    ]
    command = [sys.executable, "-I", "-S", "-E", str(path), "--encoder"]
    done = subprocess.run(command, input=json.dumps(given).encode(), capture_output=True, check=True)
    expected = reference(program(expression), read.tokens(0), causal=False)
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=1e-4)
    if "shape" in expression:
        bare = subprocess.run(command, input=b'["a"]', capture_output=True, check=False)
        assert b"has no 'shape', which this program reads" in bare.stderr


def test_the_example_of_the_docs_is_read_and_exported(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/extending.md").read_text(encoding="utf-8")
    source = page.partition("## A token attribute")[2].split("```python\n")[1].split("```")[0]
    module = tmp_path / "added.py"
    imports = "from __future__ import annotations\nfrom core.features import Occurrence, attribute\n"
    module.write_text(imports + source, encoding="utf-8")
    runpy.run_path(str(module))
    read = annotate([Sentence("s0", "See www.a http", "", Split.TRAIN)], tiny.tokenizer(vocabulary=600))
    expected = [text.startswith(("www.", "http")) for text in (t.values["text"] for t in read.tokens(0))]
    assert [t.values["is_link"] for t in read.tokens(0)] == expected
    assert "def read_is_link(token" in export(program("k.is_link"))


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(PluginError, match="a token attribute called 'pos' already"):
        attribute("pos", "text", "again")(lambda token: token.bare)
