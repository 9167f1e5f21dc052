"""A model's layers one by one: what each gives, and going on from there without running it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from core.errors import HybridError
from core.models.pretrained import LoadedModel


def decoder_layers(loaded: LoadedModel) -> Sequence[Any]:
    """The model's layers in order."""
    for module in loaded.model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == loaded.info.layers:
            return list(module)
    raise HybridError(
        f"{loaded.info.name} does not hold its {loaded.info.layers} layers as one list, "
        "so that costs cannot be measured head by head; order the heads by `cost` or `iou` instead"
    )


@contextmanager
def recording(layers: Sequence[Any], outputs: list[Any]) -> Iterator[None]:
    """Collect what every layer gives."""
    hooks = [
        layer.register_forward_hook(lambda module, inputs, output: outputs.append(output)) for layer in layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def resumed(layers: Sequence[Any], output: Any, copies: int) -> Iterator[None]:
    """These layers hand on an output of the last of them, so many times, instead of running."""
    repeated = _repeated(output, copies)
    for layer in layers:
        layer.forward = lambda *arguments, **options: repeated
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _repeated(output: Any, copies: int) -> Any:
    if isinstance(output, tuple):
        return tuple(_repeated(part, copies) for part in output)
    return output.repeat(copies, *[1] * (output.dim() - 1)) if isinstance(output, Tensor) else output
