"""What a model does when it is asked: two passages go through it, and what comes out is looked at.

Nothing is taken from the configuration that the model itself can tell: which layers have heads, how many,
which way they look and how far, whether their rows sum to 1. Extraction has to give what the model gives
without it, and the model with its own attention put in the place of its heads has to be the model. What
does not fit is refused in words; a model whose heads cannot be replaced keeps its attention alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import signature
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from core.errors import ModelError, is_out_of_memory
from core.features import encoded
from core.maps import FULL
from core.models import patching
from core.models.device import entrance
from core.models.patching import LayerPatterns, Site
from core.types import ModelInfo, Traits, Window

TEXT = "Once upon a time, the old fox said to Anna: “Come in!” It was 1874, and nobody had been there. "
SHORT, LONG = 9, 23  # tokens of the two passages
FARTHEST = 1024  # windows up to this are looked at; of longer ones the configuration is believed
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}  # of the largest value, 0.05 in shorter formats
_WINDOWS = ("sliding_window", "attention_window", "local_attention", "window_size", "attention_chunk_size")


@dataclass(frozen=True)
class Probed:
    """A model's description as the model itself gives it, and where its attention is computed."""

    info: ModelInfo
    sites: tuple[Site, ...]


def probe(info: ModelInfo, model: Any, tokenizer: Any) -> Probed:
    """`info` put right and its traits filled in; raises ModelError for a model that does not fit."""
    ids = _ids(info, model, tokenizer)
    asked = _Asked(info, model)
    with torch.inference_mode():
        maps, sites = asked.attention(ids)
        found = _described(info, maps, sites)
        found = replace(found, traits=replace(found.traits, windows=asked.windows(found, ids, sites)))
        reason = asked.why_not_replaced(ids, maps, sites)
    return Probed(replace(found, traits=replace(found.traits, attention_only=reason)), sites)


def _ids(info: ModelInfo, model: Any, tokenizer: Any) -> list[int]:
    """Token ids to ask with, as many as are ever needed."""
    vocabulary = len(model.get_input_embeddings().weight)
    read = [one for one in encoded(TEXT, tokenizer)["input_ids"] if one < vocabulary]
    if len(read) < 2:
        read = list(range(min(vocabulary, LONG)))
    count = min(info.max_length, FARTHEST + LONG)
    return (read * (1 + count // len(read)))[:count]


class _Asked:
    """A model that is asked."""

    def __init__(self, info: ModelInfo, model: Any) -> None:
        self.info, self.model = info, model

    def attention(self, ids: Sequence[int]) -> tuple[list[Tensor], tuple[Site, ...]]:
        """The maps [2, head, query, key] of two passages, the first padded, and where each is made."""
        short, long = ids[:SHORT], ids[:LONG]
        alone = self._run(self.model.base_model, [short])
        with _tracing(self.model) as outputs:
            together = self._run(self.model.base_model, [short, long], output_attentions=True)
        given = list(together.get("attentions") or together.get("encoder_attentions") or [])
        maps = [one for one in given if isinstance(one, Tensor)]
        if not maps:
            self._refuse("it reports no attention weights")
        self._require_square(maps, len(long))
        sites = _sites(maps, outputs, self.info.layers)
        hidden, expected = together[0][0, : len(short)], alone[0][0]
        apart = _apart(hidden, expected)
        if not apart <= _tolerance(expected):
            self._refuse(
                f"a passage among others gives other results than alone (by {apart:.1%}), so its attention "
                "would not be the model's"
            )
        return maps, sites

    def _run(self, module: Any, passages: Sequence[Sequence[int]], **options: Any) -> Any:
        width = max(map(len, passages))
        device = entrance(self.model)
        padded = [[*passage, *[0] * (width - len(passage))] for passage in passages]
        mask = [[1] * len(passage) + [0] * (width - len(passage)) for passage in passages]
        try:
            return module(
                input_ids=torch.tensor(padded, device=device),
                attention_mask=torch.tensor(mask, device=device),
                **options,
                **cacheless(module),
            )
        except Exception as error:  # whatever an architecture's own code raises
            if is_out_of_memory(error):
                raise
            self._refuse(f"it does not run on text alone ({type(error).__name__}: {_line(error)})", error)

    def _refuse(self, reason: str, cause: Exception | None = None) -> Any:
        name, kind = self.info.name, self.info.architecture
        raise ModelError(f"{name} ({kind}) is not supported: {reason}; take another model") from cause

    def _require_square(self, maps: Sequence[Tensor], n: int) -> None:
        heads = {one.shape[1] for one in maps if one.dim() == 4}
        for one in maps:
            if one.dim() != 4 or one.shape[0] != 2 or one.shape[2:] != (n, n):
                shape = " x ".join(map(str, one.shape[1:]))
                self._refuse(f"on {n} tokens its attention is {shape}, not heads x {n} x {n}")
        if len(heads) > 1:
            self._refuse(f"its layers have different numbers of heads ({', '.join(map(str, sorted(heads)))})")
        for at, one in enumerate(maps):
            if not bool(one.isfinite().all()):
                self._refuse(f"the attention of layer {at} is not finite: its weights are damaged")
            sums = one.float().sum(-1)
            if float(one.min()) < 0 or float(sums[1].max()) > 1 + 4 * FULL:
                self._refuse(f"the attention of layer {at} is no share: rows sum to {float(sums.max()):.2f}")
            beyond = float(one[0, :, : min(SHORT, n), min(SHORT, n) :].sum(-1).max())
            if beyond > FULL:
                self._refuse("it looks at padding, whatever the attention mask says")

    def windows(
        self, info: ModelInfo, ids: Sequence[int], sites: Sequence[Site]
    ) -> tuple[tuple[int, Window], ...]:
        """How far each layer sees, where that is less than the whole passage."""
        config = self.model.config.get_text_config()
        hints = _hints(config)
        near = [hint for hint in hints if hint <= FARTHEST]
        n = min(len(ids), max(near, default=0) + LONG)
        maps = self._run(self.model.base_model, [ids[:n]], output_attentions=True)
        given = [one for one in maps.get("attentions") or () if isinstance(one, Tensor)]
        found = []
        if len(given) != len(sites):
            self._refuse(f"on {n} tokens it reports {len(given)} maps, on fewer {len(sites)}")
        for site, one in zip(sites, given, strict=True):
            window = _window(one[0], info.is_causal)
            if window.confines(n):
                found.append((site.layer, window))
        if found or not hints or near:
            return tuple(found)
        return tuple((site.layer, Window(before=min(hints) - 1)) for site in sites if _slides(config, site))

    def why_not_replaced(self, ids: Sequence[int], maps: Sequence[Tensor], sites: Sequence[Site]) -> str:
        """Nothing if the model with its own attention put in its place is the model; else what happens."""
        passages = [ids[:SHORT], ids[:LONG]]
        expected = self._logits(passages)
        heads = list(range(maps[0].shape[1]))
        own = {site.layer: LayerPatterns(heads, one.float()) for site, one in zip(sites, maps, strict=True)}
        try:
            with patching.patched(self.model), patching.attending(self.model, sites, own):
                found = self._logits(passages)
        except (ModelError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
            return f"its attention cannot be exchanged ({_line(error.__cause__ or error)})"
        untouched = [str(layer) for layer, patterns in own.items() if not patterns.used]
        if untouched:
            return "its attention is computed in a way of its own, in which no weights can be exchanged"
        apart = max(_apart(one, other) for one, other in zip(found, expected, strict=True))
        if not apart <= _TOLERANCE.get(self.model.dtype, 0.05):
            return f"with its own attention in the place of its heads it gives other results (by {apart:.1%})"
        return ""

    def _logits(self, passages: Sequence[Sequence[int]]) -> list[Tensor]:
        """What the model gives for the tokens of each passage."""
        output = self._run(self.model, passages)
        logits = output.logits if "logits" in output else output[0]
        return [logits[at, : len(passage)].float() for at, passage in enumerate(passages)]


def _described(info: ModelInfo, maps: Sequence[Tensor], sites: Sequence[Site]) -> ModelInfo:
    """What two passages' maps tell of a model."""
    numbers = {site.layer for site in sites}
    layers = max(info.layers, 1 + max(numbers))
    missing = [1 - one[1].float().sum(-1) for one in maps]
    sinks = [site.layer for site, one in zip(sites, missing, strict=True) if float(one.max()) > FULL]
    means = [float(one.mean()) for one in missing if float(one.max()) > FULL]
    traits = Traits(
        without_heads=tuple(layer for layer in range(layers) if layer not in numbers),
        sinks=tuple(sinks),
        missing_mass=sum(means) / len(means) if means else 0.0,
    )
    return replace(
        info,
        layers=layers,
        heads=maps[0].shape[1],
        is_causal=not any(bool(one[1].triu(1).any()) for one in maps),
        traits=traits,
    )


def _window(maps: Tensor, is_causal: bool) -> Window:
    """How far the heads [head, query, key] of a layer see."""
    n = maps.shape[-1]
    query, key = maps.ne(0).any(0).nonzero(as_tuple=True)
    distance = query - key
    before, after = int(distance.max()), -int(distance.min())
    return Window(before if before < n - 1 else None, after if after < n - 1 and not is_causal else None)


def _hints(config: Any) -> list[int]:
    """Windows that a configuration speaks of; how far a layer sees, the model is asked."""
    given: list[Any] = []
    for name in _WINDOWS:
        value = getattr(config, name, None)
        given += value if isinstance(value, list | tuple) else [value]
    return [value for value in given if isinstance(value, int) and not isinstance(value, bool) and value > 0]


def _slides(config: Any, site: Site) -> bool:
    """Whether the configuration says that a layer has the window it speaks of."""
    kinds = getattr(config, "layer_types", None) or []
    if site.layer < len(kinds):
        return "sliding" in str(kinds[site.layer])
    return bool(getattr(config, "use_sliding_window", True))


@contextmanager
def _tracing(model: Any) -> Iterator[list[tuple[str, torch.nn.Module, Any]]]:
    """Every module's output with its name, innermost first, as long as the block lasts."""
    outputs: list[tuple[str, torch.nn.Module, Any]] = []

    def hook(name: str) -> Any:
        def keep(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, tuple):
                outputs.append((name, module, output))

        return keep

    hooks = [module.register_forward_hook(hook(name)) for name, module in model.named_modules()]
    try:
        yield outputs
    finally:
        for one in hooks:
            one.remove()


def _sites(
    maps: Sequence[Tensor], outputs: Sequence[tuple[str, torch.nn.Module, Any]], layers: int
) -> tuple[Site, ...]:
    """The layer and module of each map: the first module that gave that very tensor."""
    origins = []
    for one in maps:
        origin = next(
            ((name, module) for name, module, output in outputs if any(part is one for part in output)), None
        )
        origins.append(origin)
    numbers = [None if origin is None else _number(*origin) for origin in origins]
    ordered = [number for number in numbers if number is not None]
    if len(ordered) < len(maps) or any(a >= b for a, b in pairwise(ordered)):
        numbers = list(range(len(maps)))  # shared modules, or modules without a number: by their order
    nowhere = torch.nn.Identity()
    return tuple(
        Site(int(number or 0), nowhere if origin is None else origin[1])
        for number, origin in zip(numbers, origins, strict=True)
    )


def _number(name: str, module: torch.nn.Module) -> int | None:
    given = getattr(module, "layer_idx", None)
    if isinstance(given, int):
        return given
    digits = re.search(r"(?:^|\.)(\d+)(?:\.|$)", name)
    return int(digits[1]) if digits else None


def cacheless(module: Any) -> dict[str, bool]:
    """The argument that keeps a model from storing keys and values, where it has one."""
    return {"use_cache": False} if "use_cache" in signature(module.forward).parameters else {}


def _apart(one: Tensor, other: Tensor) -> float:
    """The largest difference as a share of the largest value; nan where a value is none."""
    return float((one - other).abs().max() / other.abs().max().clamp(min=1e-9))


def _tolerance(values: Tensor) -> float:
    return _TOLERANCE.get(values.dtype, 0.05)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
