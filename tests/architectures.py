"""A tiny random model of any type that transformers has."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import torch
import transformers
from transformers.models.auto import modeling_auto

from core.models.pretrained import LoadedModel, describe
from core.models.probe import probe
from tests import tiny

LAYERS, HEADS, VOCABULARY, POSITIONS = 4, 4, 4000, 256

# What a configuration calls its sizes, whoever wrote it; only those that it has are set.
_SIZES: dict[str, Any] = {
    **dict.fromkeys(("vocab_size", "n_vocab"), VOCABULARY),
    **dict.fromkeys(
        (
            "hidden_size",
            "d_model",
            "n_embd",
            "dim",
            "emb_dim",
            "embedding_size",
            "word_embed_proj_dim",
            "n_embed",
        ),
        32,
    ),
    **dict.fromkeys(
        ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), LAYERS
    ),
    **dict.fromkeys(
        (
            "num_attention_heads",
            "n_head",
            "n_heads",
            "num_heads",
            "encoder_attention_heads",
            "decoder_attention_heads",
        ),
        HEADS,
    ),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads", "n_head_kv"), 2),
    **dict.fromkeys(
        ("head_dim", "d_head", "d_kv", "attention_head_dim", "dim_head", "attention_head_size"), 8
    ),
    **dict.fromkeys(
        (
            "intermediate_size",
            "d_ff",
            "ffn_dim",
            "n_inner",
            "dim_ff",
            "d_inner",
            "ffn_hidden_size",
            "hidden_dim",
            "encoder_ffn_dim",
            "decoder_ffn_dim",
            "moe_intermediate_size",
            "shared_expert_intermediate_size",
            "shared_intermediate_size",
            "intermediate_size_mlp",
            "block_ff_dim",
            "ffw_size",
            "expert_ffn_hidden_size",
            "moe_shared_expert_intermediate_size",
            "dense_intermediate_size",
            "prefix_dense_intermediate_size",
        ),
        64,
    ),
    **dict.fromkeys(
        ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"), POSITIONS
    ),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(
        ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k", "top_k_experts"), 2
    ),
    **dict.fromkeys(("n_group", "topk_group", "n_shared_experts", "num_shared_experts"), 1),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "o_lora_rank"), 16),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("sliding_window", "local_attention"), 8),
    "attention_window": 8,
    "first_k_dense_replace": 1,
    "moe_layer_start_index": 1,
    "vocab_size_per_layer_input": VOCABULARY,
    "hidden_size_per_layer_input": 8,
    "num_kv_shared_layers": 0,
    "n_mels": 8,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_d_ssm": 64,
    "mamba_n_groups": 1,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "lru_width": 32,
    "attn_layer_period": 2,
    "attn_layer_offset": 1,
    "attn_layer_indices": [1, 3],
    "qk_head_dim": 16,
    "rotary_dim": 4,
    "axial_pos_shape": (16, 16),
    "axial_pos_embds_dim": (16, 16),
    "partial_rotary_factor": 0.5,
    "rope_scaling": None,
    "attention_dropout": 0.0,
    "default_language": "en_XX",
}


def loaded(kind: str, **given: Any) -> LoadedModel:
    """A random model of this type as `load` gives one; raises ModelError if it does not fit."""
    return asked(build(kind, **given))


def asked(model: Any, tokenizer: str = "byte") -> LoadedModel:
    """A model in memory as `load` gives one; raises ModelError if it does not fit."""
    reads = _tokenizer(tokenizer)
    probed = probe(describe("tiny", model, reads), model, reads)
    return LoadedModel(probed.info, model, reads, torch.device("cpu"), sites=probed.sites)


_tokenizer = cache(tiny.tokenizer)


def types() -> list[str]:
    """Every model type that has a causal or a masked language model."""
    causal = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return sorted({*causal, *modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES})


def is_known(kind: str) -> bool:
    """Whether the installed transformers has this type; later versions have more."""
    return kind in transformers.models.auto.configuration_auto.CONFIG_MAPPING


def configuration(kind: str, **given: Any) -> Any:
    """A small configuration of this type."""
    make = transformers.models.auto.configuration_auto.CONFIG_MAPPING[kind]
    names = {*inspect.signature(make.__init__).parameters, *getattr(make, "__annotations__", {})}
    names |= set(getattr(make, "attribute_map", {}))
    for base in make.__mro__:
        names |= set(getattr(base, "__annotations__", {}))
    sizes = {name: value for name, value in _SIZES.items() if name in names}
    if "qk_rope_head_dim" in sizes:  # which says how much of a head is rotated
        sizes.pop("partial_rotary_factor", None)
        sizes.update({name: HEADS for name in ("num_key_value_heads",) if name in sizes})
    default = make()
    for name in ("sliding_window", "rope_scaling"):
        if name in sizes and getattr(default, name, None) is None:
            del sizes[name]
    return make(**(sizes | given))


def build(kind: str, seed: int = 0, **given: Any) -> Any:
    """A random model of this type, with weights large enough that its heads differ."""
    torch.manual_seed(seed)
    config = configuration(kind, **given)
    is_decoder = kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    is_encoder = kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if getattr(config, "is_encoder_decoder", False) and is_decoder:  # its decoder alone
        config = configuration(kind, is_encoder_decoder=False, is_decoder=True, **given)
        is_encoder = False
    auto = transformers.AutoModelForMaskedLM if is_encoder else transformers.AutoModelForCausalLM
    with torch.device("meta"):
        large = auto.from_config(config).num_parameters()
    if large > 20_000_000:
        raise ValueError(f"{large:,} parameters, however small its configuration")
    model = auto.from_config(config, attn_implementation="eager").float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "norm" not in name:
                parameter.mul_(6)
    return model.eval()
