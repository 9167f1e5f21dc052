"""Tiny random models of every architecture that Headscript supports, with real tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from core.corpus import load_corpus
from core.types import Sentence

VOCABULARY = 4000
CAUSAL = ("gpt2", "gpt_neox", "llama", "qwen3", "gemma3", "mistral")
ARCHITECTURES = (*CAUSAL, "bert")
PECULIAR = ("gemma2", "gpt_oss")  # soft-capped scores; attention sinks, and experts
LAYERS, HEADS = 3, 4

_COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 64,
    "max_position_embeddings": 256,
    "attn_implementation": "eager",
}
_GROUPED = {"num_key_value_heads": 2, "head_dim": 8}


def build(architecture: str, seed: int = 0) -> Any:
    """A random model; weights large enough that its heads differ."""
    torch.manual_seed(seed)
    model = _make(architecture)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "norm" not in name:
                parameter.mul_(6)
    return model.eval()


def _make(architecture: str) -> Any:
    t = transformers
    if architecture == "gpt2":
        config = t.GPT2Config(
            vocab_size=VOCABULARY, n_embd=32, n_layer=LAYERS, n_head=HEADS, n_positions=256, n_inner=64
        )
        return t.GPT2LMHeadModel(config)
    if architecture == "gpt_neox":
        return t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**_COMMON))
    if architecture == "llama":
        return t.LlamaForCausalLM(t.LlamaConfig(**_COMMON, **_GROUPED))
    if architecture == "qwen3":
        return t.Qwen3ForCausalLM(t.Qwen3Config(**_COMMON, **_GROUPED))
    if architecture == "gemma3":
        kinds = ["sliding_attention", "full_attention", "sliding_attention"]
        config = t.Gemma3TextConfig(**_COMMON, **_GROUPED, sliding_window=8, layer_types=kinds)
        return t.Gemma3ForCausalLM(config)
    if architecture == "mistral":
        return t.MistralForCausalLM(t.MistralConfig(**_COMMON, **_GROUPED, sliding_window=8))
    if architecture == "gemma2":
        config = t.Gemma2Config(**_COMMON, **_GROUPED, sliding_window=8, attn_logit_softcapping=5.0)
        return t.Gemma2ForCausalLM(config)
    if architecture == "gpt_oss":
        experts = {"num_local_experts": 2, "num_experts_per_tok": 1, "sliding_window": 8}
        return t.GptOssForCausalLM(t.GptOssConfig(**_COMMON, **_GROUPED, **experts))
    assert architecture == "bert"
    return t.BertForMaskedLM(t.BertConfig(**_COMMON))


def short_passages(count: int) -> list[Sentence]:
    """The shortest passages of the bundled corpus, as many of each genre."""
    by_genre: dict[str, list[Sentence]] = {}
    for sentence in sorted(load_corpus().sentences, key=lambda sentence: (len(sentence.text), sentence.id)):
        by_genre.setdefault(sentence.genre, []).append(sentence)
    return [sentence for genre in sorted(by_genre) for sentence in by_genre[genre][: count // len(by_genre)]]


def tokenizer(kind: str = "byte", vocabulary: int = VOCABULARY) -> PreTrainedTokenizerFast:
    """A tokenizer trained on the bundled corpus.

    `byte`: byte-level BPE without special tokens; `sentencepiece`: Metaspace BPE with byte fallback and
    a leading <s>; `wordpiece`: lower-casing WordPiece with [CLS] and [SEP]. A small vocabulary splits words
    into many pieces.
    """
    texts = [sentence.text for sentence in load_corpus().sentences]
    if kind == "byte":
        found = Tokenizer(models.BPE())
        found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        found.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
        )
        found.train_from_iterator(texts, trainer)
        return PreTrainedTokenizerFast(tokenizer_object=found, eos_token="<|end|>")
    if kind == "sentencepiece":
        found = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
        found.pre_tokenizer = pre_tokenizers.Metaspace()
        found.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
        special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
        trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
        found.train_from_iterator(texts, trainer)
        found.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
        return PreTrainedTokenizerFast(tokenizer_object=found, bos_token="<s>", eos_token="</s>")
    assert kind == "wordpiece"
    found = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    found.normalizer = normalizers.BertNormalizer()
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=["[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False
    )
    found.train_from_iterator(texts, trainer)
    found.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=found,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


_TOKENIZER_OF = {"bert": "wordpiece", "llama": "sentencepiece", "mistral": "sentencepiece"}


def save(folder: Path, architecture: str = "gpt2", seed: int = 0) -> Path:
    """A model folder as save_pretrained writes it."""
    build(architecture, seed).save_pretrained(folder)
    tokenizer(_TOKENIZER_OF.get(architecture, "byte")).save_pretrained(folder)
    return folder
