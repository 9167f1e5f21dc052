"""Tiny models of which a head is a program, or a layer is seen to attend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from core.features import annotate
from core.language import Evaluator, parse
from core.models.pretrained import LoadedModel
from core.types import HeadId, Sentence, Split


@contextmanager
def planted(loaded: LoadedModel, head: HeadId, source: str) -> Iterator[None]:
    """Within the block the head attends as the program says, whatever the model reads."""
    attention = next(m for m in loaded.model.modules() if getattr(m, "layer_idx", None) == head.layer)
    module = sys.modules[type(attention).__module__]
    eager, read = module.eager_attention_forward, {}

    def attend(mod: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
        output, weights = eager(mod, query, key, value, mask, **options)
        if mod.layer_idx == head.layer:
            weights = weights.clone()
            weights[:, head.head] = read["patterns"]
            groups = torch.arange(weights.shape[1]) // (weights.shape[1] // value.shape[1])
            output = (weights @ value[:, groups]).transpose(1, 2).contiguous()
        return output, weights

    def hear(model: Any, inputs: Any, options: Any) -> None:
        given = inputs[0] if inputs else options["input_ids"]
        rows = [ids[there.bool()] for ids, there in zip(given, options["attention_mask"], strict=True)]
        sentences = [
            Sentence(str(at), loaded.tokenizer.decode(ids), "", Split.TEST) for at, ids in enumerate(rows)
        ]
        features = annotate(sentences, loaded.tokenizer, loaded.embeddings())
        assert features.lengths.tolist() == [len(ids) for ids in rows]
        read["patterns"] = Evaluator(features, loaded.info.is_causal).run(parse(source)).weights

    hook = loaded.model.base_model.register_forward_pre_hook(hear, with_kwargs=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "eager_attention_forward", attend)
        try:
            yield
        finally:
            hook.remove()


@contextmanager
def layers_that_attend() -> Iterator[list[int]]:
    """The layers of tiny llamas that compute their own attention within the block, as they do it."""
    from transformers.models.llama import modeling_llama

    eager, called = modeling_llama.eager_attention_forward, list[int]()

    def counted(module: torch.nn.Module, *arguments: Any, **options: Any) -> Any:
        called.append(int(module.layer_idx))
        return eager(module, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modeling_llama, "eager_attention_forward", counted)
        yield called
