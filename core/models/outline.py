"""What a model's configuration says of its size, without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from core.errors import ModelError
from core.models.names import explained
from core.models.pretrained import factory, is_encoder, load_tokenizer, longest, require_supported, source_of


@dataclass(frozen=True)
class Outline:
    """The size of a model."""

    layers: int
    heads: int  # of a layer
    parameters: int
    is_causal: bool
    longest: int  # tokens of context


def outline(name: str, models: Path) -> tuple[Outline, Any]:
    """A model's size and its tokenizer; raises ModelError as `load` does, but reads no weights."""
    source, where = source_of(name, models)
    try:
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False, **where)
        require_supported(name, config)
        with torch.device("meta"):
            model = factory(config).from_config(config, trust_remote_code=False)
    except ModelError:
        raise
    except Exception as error:  # the libraries' errors about damaged files have nothing in common
        raise ModelError(explained(name, error)) from error
    tokenizer = load_tokenizer(name, models)
    text = config.get_text_config()
    found = Outline(
        layers=text.num_hidden_layers,
        heads=text.num_attention_heads,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        is_causal=not is_encoder(text),
        longest=longest(model, text, tokenizer),
    )
    return found, tokenizer
