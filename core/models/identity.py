"""What makes a model this model: its weights, the configuration that changes what it does, its tokenizer.

Where it lies, what its folder is called and who saved it are not in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import torch

from core.models.device import parameters

_SAMPLES = 1024  # values of each weight
_SHAPE = ("model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
# Of a configuration what says nothing of what the model does when it reads text.
_IRRELEVANT = re.compile(
    r"_|transformers|(torch_)?dtype|architectures|auto_map|name_or_path|use_cache|cache_implementation"
    r"|output_|return_dict|torchscript|initializer|id2label|label2id|problem_type|finetuning_task"
    r"|task_specific|gradient_checkpointing|tie_|quantization|tokenizer_class|torch|.*dropout|.*pdrop"
    r"|is_decoder|bos_|eos_|sep_|decoder_start|chunk_size_feed|pruned_heads|.*_aux_loss|license|summary_"
)


def identity(model: Any, tokenizer: Any) -> str:
    """Twelve hex digits, equal for equal models wherever they lie."""
    digest = hashlib.sha256()
    # What differs from the defaults, to which a later version of the library may add.
    config = {key: value for key, value in model.config.to_diff_dict().items() if not _IRRELEVANT.match(key)}
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    for part in sorted(sampled(parameter) for parameter in parameters(model)):
        digest.update(part)  # their order and names are the library's affair
    digest.update(_of_tokenizer(tokenizer))
    return digest.hexdigest()[:12]


def weights(model: Any) -> str:
    """A fingerprint of shape and weights: equal whatever loads them, and with any tokenizer."""
    config = model.config.get_text_config()
    digest = hashlib.sha256(str([getattr(config, name, None) for name in _SHAPE]).encode())
    for part in sorted(sampled(parameter, 256) for parameter in parameters(model)):
        digest.update(part)  # their order is the library's affair
    return digest.hexdigest()[:16]


def sampled(parameter: torch.Tensor, samples: int = _SAMPLES) -> bytes:
    """A digest of values spread over a parameter."""
    every = max(1, parameter.numel() // samples)
    sample = parameter.detach().flatten()[::every].float().cpu().numpy()
    return hashlib.sha256(sample.tobytes()).digest()


def _of_tokenizer(tokenizer: Any) -> bytes:
    """A digest of how a tokenizer reads; not of how it last cut or padded, which it remembers."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return hashlib.sha256(json.dumps(tokenizer.get_vocab(), sort_keys=True).encode()).digest()
    state = json.loads(backend.to_str())
    for forgotten in ("truncation", "padding"):
        state.pop(forgotten, None)
    special = sorted(
        one for one in tokenizer.all_special_ids if one is not None
    )  # None: not in the vocabulary
    return hashlib.sha256(json.dumps([state, special], sort_keys=True).encode()).digest()


def slug(name: str) -> str:
    """A name as it can stand in a path."""
    stem = re.sub(r"\.gguf$", "", Path(name).name, flags=re.IGNORECASE)
    return re.sub(r"[^A-Za-z0-9.]+", "-", stem).strip("-.") or "model"


def of_version_0_1(model: Any, name: str) -> str:
    """The id that version 0.1 gave a model, by which its workspaces know it."""
    digest = hashlib.sha256()
    shape = {
        key: value for key, value in model.config.to_dict().items() if isinstance(value, int | bool | str)
    }
    shape = {key: value for key, value in shape.items() if not key.startswith(("_", "transformers", "dtype"))}
    digest.update(json.dumps(shape, sort_keys=True).encode())
    for parameter in parameters(model):
        digest.update(parameter.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return f"{slug(name)}-{digest.hexdigest()[:8]}"
