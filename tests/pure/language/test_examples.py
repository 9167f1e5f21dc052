"""docs/language.md: its programs do what their sentences say, and nothing of the language is left out."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from core.features import ATTRIBUTES, Value
from core.language import ParsedProgram, evaluate, parse, reference
from core.language.functions import FUNCTIONS, needs_lookahead
from core.language.vocabulary import FORMS, MAX_BYTES, MAX_NESTING, MAX_NODES
from tests.language_cases import build, program, sentence

PAGE = (Path(__file__).parents[3] / "docs/language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES: Mapping[str, str] = {  # title -> source
    title: source
    for section in PAGE.split("\n### ")[1:]
    for title, source in re.findall(
        r"\A\d+\. ([^\n]+)\n\n.+?\n\n```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE
    )
}
Columns = Mapping[str, Sequence[Value]]


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the first table under a heading, by the name in the first cell."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    return {re.split(r"[`(]", row[0])[1]: row for row in rows}


def weights(name: str, words: str, **columns: Sequence[Value]) -> np.ndarray:
    """Attention of an example on a sentence, [query, key], from both evaluators."""
    parsed = parse(EXAMPLES[name])
    features = build(sentence(words, **columns))
    found = evaluate(parsed, features)[0].numpy()
    np.testing.assert_allclose(found, reference(parsed, features.tokens(0)), atol=1e-6)
    return found


def looks_at(name: str, words: str, **columns: Sequence[Value]) -> list[int]:
    """For each query, the one key that has all its weight; -1 if several share it."""
    found = weights(name, words, **columns)
    return [int(row.argmax()) if row.max() > 0.999 else -1 for row in found]


@pytest.mark.parametrize("source", BLOCKS, ids=range(len(BLOCKS)))
def test_every_python_block_is_a_program_with_a_docstring(source: str) -> None:
    assert parse(source).docstring.endswith(".")


def test_every_program_that_opens_no_section_is_an_example_with_a_sentence() -> None:
    opening = [
        section for section in PAGE.split("\n## ") if "\n```python\n" in section.partition("\n### ")[0]
    ]
    assert len(BLOCKS) == len(EXAMPLES) + len(opening)
    assert len(EXAMPLES) >= 10


def test_previous_token() -> None:
    assert looks_at("Previous token", "a b c d") == [0, 0, 1, 2]


def test_first_token_sink() -> None:
    found = weights("First token sink", "a b c")
    np.testing.assert_allclose(found[2], [1 / 1.04, 0.02 / 1.04, 0.02 / 1.04], atol=1e-6)


def test_induction_with_one_token_of_context() -> None:
    assert looks_at("Induction, one token of context", "x cat sat . cat") == [0, 0, 0, 0, 2]


def test_induction_with_two_tokens_of_context() -> None:
    #                                                               0 1   2   3 4   5   6 7
    assert looks_at("Induction, two tokens of context", "the cat sat a cat ran the cat")[7] == 2
    found = weights("Induction, one token of context", "the cat sat a cat ran the cat")
    np.testing.assert_allclose(found[7], [0, 0, 0.5, 0, 0, 0.5, 0, 0])


def test_subject_of_the_verb() -> None:
    columns: Columns = {
        "pos": ["DET", "NOUN", "DET", "NOUN", "VERB"],
        "dep": ["det", "nsubj", "det", "nsubj", "ROOT"],
        "head": [1, 4, 3, 1, 4],  # the second subject belongs to another verb
    }
    assert looks_at("Subject of the verb", "The dog that cat chased", **columns) == [0, 0, 0, 0, 1]


def test_quotes() -> None:
    found = weights("Quotes", 'He said " no " .', in_quotes=[False, False, True, True, True, False])
    np.testing.assert_allclose(found[4], [0, 0, 1 / 3, 1 / 3, 1 / 3, 0], atol=1e-6)
    np.testing.assert_allclose(found[5], [1 / 3, 1 / 3, 0, 0, 0, 1 / 3], atol=1e-6)


def test_same_word() -> None:
    assert looks_at("Same word", "The cat saw the dog") == [0, 0, 0, 0, 0]
    assert looks_at("Same word", "A Cat saw a cat") == [0, 0, 0, 0, 1]


def test_punctuation_to_verb() -> None:
    found = weights("Punctuation to verb", "I came , saw .", pos=["PRON", "VERB", "PUNCT", "VERB", "PUNCT"])
    np.testing.assert_allclose(found[4], [0.1, 0, 0, 0.9, 0], atol=1e-6)
    np.testing.assert_allclose(found[2], [0.1, 0.9, 0, 0, 0], atol=1e-6)
    assert found[3, 0] == 1


def test_head_and_child() -> None:
    found = weights("Head and child", "The cat saw the dog", head=[1, 2, 2, 4, 2])
    np.testing.assert_allclose(found[2], [0, 1, 0, 0, 0])  # the verb looks down at its subject
    np.testing.assert_allclose(found[4], [0, 0, 0.5, 0.5, 0])  # the object up at the verb, down at `the`


def test_pronoun_to_nearest_name() -> None:
    columns: Columns = {"pos": ["PRON", "PROPN", "VERB", "PROPN", "CCONJ", "PRON"]}
    assert looks_at("Pronoun to nearest name", "She Ada met Bo and he", **columns) == [0, 0, 0, 0, 0, 3]


def test_decaying_distance() -> None:
    total = 1 + 0.7 + 0.49
    found = weights("Decaying distance", "a b c")
    np.testing.assert_allclose(found[2], [0.49 / total, 0.7 / total, 1 / total], atol=1e-6)


def test_every_attribute_is_documented_with_its_kind_and_lookahead() -> None:
    documented = {name: (row[1], row[2] == "yes") for name, row in table("Token attributes").items()}
    assert documented == {name: (a.kind, a.lookahead) for name, a in ATTRIBUTES.items()}


def test_every_function_is_documented_with_its_signature_and_lookahead() -> None:
    documented = {row[0].strip("`"): (row[1], row[2] == "yes") for row in table("Functions").values()}
    wanted = {}
    for name, signature in FUNCTIONS.items():
        parameters = [*signature.parameters, *(["attribute=value"] if signature.searches else [])]
        more = ["..."] if signature.variadic or signature.searches else []
        wanted[f"{name}({', '.join([*parameters, *more])})"] = (signature.result, needs_lookahead(name))
    assert documented == wanted


def test_every_form_is_documented_with_what_it_takes() -> None:
    sections = {"table": "Tables", "look": "Other heads"}
    assert set(sections) == set(FORMS)
    for name, heading in sections.items():
        section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        assert f"\n`{name}(" in section
        assert in_a_program(FORMS[name].example)


@pytest.mark.parametrize("heading", ["Token attributes", "Functions"])
def test_every_example_in_a_table_is_an_expression_that_uses_its_row(heading: str) -> None:
    for name, row in table(heading).items():
        parsed = in_a_program(row[4].strip("`"))
        assert name in parsed.source
        assert name in parsed.features or name in FUNCTIONS
        assert parsed.lookahead == (row[2] == "yes"), name


def in_a_program(expression: str) -> ParsedProgram:
    """A program that returns the expression."""
    return program(f"return {expression}")


def test_limits_are_those_of_the_parser() -> None:
    assert f"{MAX_BYTES:,} bytes" in PAGE
    assert f"{MAX_NODES} nodes" in PAGE
    assert f"{MAX_NESTING} levels" in PAGE


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("0.1 + 0.2 == 0.3 and k.index == 1", [0, 1, 0]),
        ("1 / k.index if k.index > 0 else 0.0", [0, 2 / 3, 1 / 3]),
        ("last(q, lower=q.lower) == k", [1, 0, 0]),
    ],
)
def test_what_the_text_says_in_passing_holds(body: str, expected: list[float]) -> None:
    features = build(sentence("a b a"))
    np.testing.assert_allclose(evaluate(program(body), features)[0, 2], expected, atol=1e-6)
