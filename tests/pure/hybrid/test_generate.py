"""Generation: the same text as transformers' own for the model, and left to right for the hybrid."""

from contextlib import closing

import pytest
import torch

from core.corpus import load_corpus
from core.errors import HybridError
from core.features import annotate, annotate_ids, annotate_prefixes
from core.hybrid import IMPLEMENTATION, PrefixPatterns, ProgramPatterns, replaced
from core.hybrid.generate import generate, looks_ahead
from core.language import parse
from core.types import HeadId, HybridSpec
from tests import tiny
from tests.conftest import TinyLoaded

PROMPT = "Once upon a time there was a fox"
NEAR = "def attend(q, k):\n    return 0.5 ** (q.index - k.index)\n"
FIRST = "def attend(q, k):\n    return k.is_first\n"
WINDOW = 8  # of tiny models that have one
AHEAD = 'def attend(q, k):\n    return 1.0 + 9.0 * (k.next.lower == "the") + (k.pos == "NOUN")\n'


@pytest.mark.parametrize("architecture", tiny.CAUSAL)
def test_an_empty_hybrid_writes_what_the_model_writes(architecture: str, tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded(architecture)
    ids = torch.tensor([loaded.tokenizer(PROMPT)["input_ids"]])
    expected = loaded.model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)[0]
    before = loaded.tokenizer.decode(ids[0], skip_special_tokens=True)
    text = loaded.tokenizer.decode(expected, skip_special_tokens=True)[len(before) :]
    found = "".join(generate(loaded, HybridSpec.of(loaded.info.id, []), PROMPT, 12))
    assert text.startswith(found)  # a last character that is not whole is held back
    assert len(found) >= len(text.rstrip("\ufffd"))


@pytest.mark.parametrize("architecture", [*tiny.CAUSAL, *tiny.PECULIAR])
@pytest.mark.parametrize("program", [NEAR, FIRST])
def test_a_hybrid_writes_with_its_programs_step_by_step(
    architecture: str, program: str, tiny_loaded: TinyLoaded
) -> None:
    """Every token is the likeliest after the text so far, read afresh without a cache, past any window."""
    loaded = tiny_loaded(architecture)
    heads = loaded.info.head_ids()[1:]  # one layer keeps a head of its own
    spec = HybridSpec.of(loaded.info.id, [(head, program) for head in heads])
    source = ProgramPatterns(dict.fromkeys(heads, parse(program)), True, "cpu")
    ids = list(loaded.tokenizer(PROMPT)["input_ids"])
    start = loaded.tokenizer.decode(ids, skip_special_tokens=True)
    with replaced(loaded, source) as patched:
        for _ in range(WINDOW + 4):
            features = annotate_ids(ids, loaded.tokenizer)
            ids.append(int(patched.logits(features, [0])[0, -1].argmax()))
    expected = loaded.tokenizer.decode(ids, skip_special_tokens=True)[len(start) :]
    found = "".join(generate(loaded, spec, PROMPT, WINDOW + 4))
    assert expected.startswith(found)  # a last character that is not whole is held back
    assert len(found) >= len(expected.rstrip("\ufffd"))


def test_heads_whose_program_fails_on_the_text_so_far_are_told(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    fails = 'def attend(q, k):\n    if k.text == ",":\n        return 1 / 0\n    return 1.0\n'
    spec = HybridSpec.of(loaded.info.id, [(HeadId(0, 0), fails), (HeadId(1, 1), fails), (HeadId(2, 2), NEAR)])
    for prompt, kept in (("Once upon a time", 0), ("Once, upon a time", 2)):
        heard: list[int] = []
        list(generate(loaded, spec, prompt, 3, tell=heard.append))
        assert heard == [kept] * 3


def test_a_text_that_is_given_up_leaves_the_model_as_it_was(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with closing(generate(loaded, HybridSpec.of(loaded.info.id, [(HeadId(0, 0), NEAR)]), PROMPT)) as pieces:
        next(pieces)
        assert loaded.model.config._attn_implementation == IMPLEMENTATION
    assert loaded.model.config._attn_implementation == "eager"


def test_the_seed_decides_what_is_drawn(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    plain = HybridSpec.of(loaded.info.id, [])
    texts = ["".join(generate(loaded, plain, PROMPT, 10, 1.0, seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_generation_is_refused_for_an_encoder_and_an_empty_prompt(tiny_loaded: TinyLoaded) -> None:
    bert, gpt2 = tiny_loaded("bert"), tiny_loaded("gpt2")
    with pytest.raises(HybridError, match="does not generate"):
        list(generate(bert, HybridSpec.of(bert.info.id, []), PROMPT))
    with pytest.raises(HybridError, match="no token"):
        list(generate(gpt2, HybridSpec.of(gpt2.info.id, []), ""))


def test_programs_that_look_ahead_are_named(tiny_loaded: TinyLoaded) -> None:
    spec = HybridSpec.of("m", [(HeadId(0, 0), NEAR), (HeadId(0, 1), AHEAD)])
    assert looks_ahead(spec) == [HeadId(0, 1)]


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_token_ids_are_read_as_their_text_is(architecture: str, tiny_loaded: TinyLoaded) -> None:
    if architecture == "bert":
        pytest.skip("an encoder writes no text, and WordPiece does not keep its characters")
    tokenizer = tiny_loaded(architecture).tokenizer
    for sentence in load_corpus().sentences[:20]:
        read = annotate([sentence], tokenizer)
        again = annotate_ids(read.token_ids.tolist(), tokenizer)
        for name in ("text", "index", "pos", "is_word_start", "is_punct", "head"):
            expected = [token.values[name] for token in read.tokens(0)]
            assert [token.values[name] for token in again.tokens(0)] == expected, (name, sentence.text)


def test_a_prefix_is_read_as_if_the_passage_ended_there(tiny_loaded: TinyLoaded) -> None:
    tokenizer = tiny_loaded("gpt2").tokenizer
    sentence = load_corpus().sentences[0]
    prefixes = annotate_prefixes(sentence, tokenizer)
    whole = annotate([sentence], tokenizer)
    assert prefixes.lengths.tolist() == list(range(1, int(whole.lengths[0]) + 1))
    assert prefixes.tokens(4)[4].values["next"] == -1
    assert whole.tokens(0)[4].values["next"] == 5
    last = len(prefixes) - 1
    assert [t.values for t in prefixes.tokens(last)] == [t.values for t in whole.tokens(0)]


def test_strict_patterns_do_not_change_when_the_text_goes_on_differently(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    sentence = load_corpus().sentences[0]
    programs = {HeadId(0, 0): parse(AHEAD), HeadId(1, 1): parse(NEAR)}
    whole = annotate([sentence], loaded.tokenizer)
    prefixes = annotate_prefixes(sentence, loaded.tokenizer)
    strict = PrefixPatterns(programs, {sentence.id: prefixes}, "cpu").patterns(whole)
    usual = ProgramPatterns(programs, True, "cpu").patterns(whole)
    torch.testing.assert_close(strict.weights[:, 1], usual.weights[:, 1])  # it never looked ahead
    assert (strict.weights[:, 0] - usual.weights[:, 0]).abs().max() > 0.01
    cut = prefixes.select([5])
    expected = ProgramPatterns(programs, True, "cpu").patterns(cut).weights[0, 0, 5]
    torch.testing.assert_close(strict.weights[0, 0, 5, :6], expected)


def test_strict_patterns_are_the_same_however_few_prefixes_are_held_at_once(
    tiny_loaded: TinyLoaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tiny_loaded("gpt2")
    fails = "def attend(q, k):\n    if k.index == 9:\n        return 1 / 0\n    return 1.0\n"
    programs = {HeadId(0, 0): parse(AHEAD), HeadId(0, 1): parse(fails), HeadId(1, 1): parse(NEAR)}
    sentences = load_corpus().sentences[:2]
    whole = annotate(sentences, loaded.tokenizer)
    prefixes = {s.id: annotate_prefixes(s, loaded.tokenizer) for s in sentences}
    found = []
    for most in (1, 5_000, 2**24):
        monkeypatch.setattr("core.hybrid.sources._MOST_WEIGHTS", most)
        found.append(PrefixPatterns(programs, prefixes, "cpu").patterns(whole))
    for one in found[:2]:
        torch.testing.assert_close(one.weights, found[2].weights)
        assert one.mix is not None
        torch.testing.assert_close(one.mix, torch.tensor([[1.0, 0.0, 1.0]] * 2))
