"""A passage is read the same by its text and by its token ids, whatever the tokenizer and the text."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from core.corpus import load_corpus
from core.features import ATTRIBUTES, Features, annotate, annotate_ids, without_closing
from core.types import Sentence, Split
from tests import tiny

TEXTS = (
    "The fox ran. “Why?” asked Ada.",
    "今天天气很好。你好",
    "Ends in 好",
    "A smile 🦊👩‍👩‍👧 and ﬁne ½ Ⅷ.",
    "naïve José Jose\u0301 İstanbul ẞ",
    "zero\u200bwidth\u200b the soft\u00adhyphen \ufeffbom",
    "<s> is written </s> here [UNK] [CLS] <unk> <|end|>",
    "  two  spaces\tand\ttabs \n\n lines\r\nend  ",
    "हिन्दी भाषा العربية עברית ไทย",
    "odd \ufffd and \x07 bell \u202e right-to-left",
    "don't can't U.S. 3.5 km/h a_b __init__ ##x ▁x Ġx <0x41>",
    "x",
)


def trained(tokenizer: Tokenizer, trainer: object, **special: str) -> PreTrainedTokenizerFast:
    tokenizer.train_from_iterator([sentence.text for sentence in load_corpus().sentences[:60]], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def byte_level_with_ends() -> PreTrainedTokenizerFast:
    """Byte-level BPE that puts tokens before and after every text."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    return trained(made, trainer, bos_token="<s>", eos_token="</s>")


def unigram() -> PreTrainedTokenizerFast:
    """What T5 and XLM-R have: pieces chosen by likelihood, compatibility forms resolved, </s> at the end."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False
    )
    found = trained(made, trainer, unk_token="<unk>", eos_token="</s>")
    found.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return found


def llama_like() -> PreTrainedTokenizerFast:
    """Llama 2's: spaces replaced by hand, bytes where a character is unknown."""
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1, right=0),
        ]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    return trained(made, trainer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def cased_wordpiece() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=500, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False
    )
    found = trained(made, trainer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")
    found.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return found


def word_ends() -> PreTrainedTokenizerFast:
    """The first GPT's: small letters, and a mark where a word ends."""
    made = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.BPEDecoder(suffix="</w>")
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
    )
    return trained(made, trainer, unk_token="<unk>")


def characters() -> PreTrainedTokenizerFast:
    """A word a token, and no decoder at all."""
    made = Tokenizer(models.WordLevel(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(vocab_size=400, special_tokens=["<unk>"], show_progress=False)
    return trained(made, trainer, unk_token="<unk>")


TOKENIZERS = {
    "byte level": lambda: tiny.tokenizer("byte", 500),
    "byte level, ends": byte_level_with_ends,
    "byte level, bytes alone": lambda: tiny.tokenizer("byte", 258),
    "sentencepiece": lambda: tiny.tokenizer("sentencepiece", 600),
    "llama": llama_like,
    "unigram": unigram,
    "wordpiece, small letters": lambda: tiny.tokenizer("wordpiece", 500),
    "wordpiece": cased_wordpiece,
    "word ends": word_ends,
    "words": characters,
}
LOSSLESS = ("byte level", "byte level, bytes alone", "sentencepiece", "llama")
made = cache(lambda kind: TOKENIZERS[kind]())


def by_text(text: str, kind: str) -> Features:
    return annotate([Sentence("", text, "", Split.TRAIN)], made(kind), pipeline="none")


def differences(one: Features, other: Features) -> list[str]:
    """Attributes that are not the same."""
    assert one.token_ids.tolist() == other.token_ids.tolist()
    found = [] if one.surfaces == other.surfaces else ["surfaces"]
    for name, attribute in ATTRIBUTES.items():
        columns = [features.columns[name] for features in (one, other)]
        if attribute.kind == "text":
            texts = [[f.texts[at] for at in column] for f, column in zip((one, other), columns, strict=True)]
            found += [] if texts[0] == texts[1] else [name]
        elif not np.array_equal(*columns):
            found.append(name)
    return found


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_text_and_ids_are_read_alike(kind: str) -> None:
    for text in TEXTS:
        read = by_text(text, kind)
        again = annotate_ids(read.token_ids.tolist(), made(kind), pipeline="none", text=text)
        assert not differences(read, again), text


@pytest.mark.parametrize("kind", LOSSLESS)
def test_ids_alone_say_the_same_where_they_hold_the_whole_text(kind: str) -> None:
    """But where a text spells a piece that means something else, or begins with a space."""
    for text in TEXTS:
        if not {"<", "▁"} & set(text) and not text.startswith(" "):
            read = by_text(text, kind)
            again = annotate_ids(read.token_ids.tolist(), made(kind), pipeline="none")
            assert not differences(read, again), text


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_what_was_read_is_not_read_otherwise_as_the_text_goes_on(kind: str) -> None:
    for text in TEXTS:
        ids = without_closing(text, made(kind))
        more = without_closing("The cat ran", made(kind))[-2:]
        read = by_text(text, kind)
        longer = annotate_ids([*ids, *more], made(kind), pipeline="none", text=text)
        assert longer.surfaces[: len(ids)] == read.surfaces[: len(ids)], text
        assert not {"▁", "Ġ"} & set("".join(longer.surfaces[len(ids) :]))


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_no_character_is_drawn_twice_and_none_is_made_up(kind: str) -> None:
    for text in TEXTS:
        read = by_text(text, kind)
        special = set(made(kind).all_special_tokens)
        drawn = "".join(surface for surface in read.surfaces if surface not in special)
        rest = iter(text)
        assert all(character in rest for character in drawn), (text, drawn)  # in order, each once


@pytest.mark.parametrize(
    ("kind", "text", "surfaces"),
    [
        ("byte level, bytes alone", "今天", ["", "", "今", "", "", "天"]),
        ("sentencepiece", "好", ["<s>", "", "", "", "好"]),
        ("byte level", "<|end|>", ["<|end|>"]),
        ("wordpiece, small letters", "The 好", ["[CLS]", "The", " 好", "[SEP]"]),
    ],
)
def test_characters_stand_with_the_token_that_completes_them(
    kind: str, text: str, surfaces: list[str]
) -> None:
    assert list(by_text(text, kind).surfaces) == surfaces


def test_a_dropped_character_is_not_glued_to_the_next_token() -> None:
    read = by_text("see \u200bthe", "wordpiece, small letters")
    assert read.texts[read.columns["text"][-2]] == "the"
    assert read.columns["length"][-2] == 3


def test_a_cut_passage_keeps_what_closes_every_text() -> None:
    kind = "wordpiece, small letters"
    long = Sentence("", "The cat sat on the mat and looked", "", Split.TRAIN)
    read = annotate([long], made(kind), max_length=5, pipeline="none")
    assert len(read.token_ids) == 5
    assert (read.surfaces[0], read.surfaces[-1]) == ("[CLS]", "[SEP]")
    assert read.truncated == 1


def test_a_prompt_is_gone_on_with_before_what_closes_a_text() -> None:
    ids = made("byte level, ends")("The cat")["input_ids"]
    assert without_closing("The cat", made("byte level, ends")) == ids[:-1]
