"""Any causal or encoder model that transformers loads: hub id, local folder, GGUF file, or the demo model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers.models.auto import modeling_auto

from core.errors import ModelError
from core.models import demo, identity
from core.models.demo import Tell
from core.models.device import entrance, parameters, pick_device
from core.models.gguf_parsing import parsed_once
from core.models.names import explained, placed
from core.models.patching import Site
from core.models.probe import probe
from core.types import ModelInfo

_POSITIONS = ("position_embeddings", "embed_positions")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MAPS = ("auto", "balanced", "balanced_low_0", "sequential")  # accelerate's own
_UNLIMITED = 1_000_000  # tokenizers without a limit report an absurd one


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode with eager attention, its fast tokenizer, and what is known of it."""

    info: ModelInfo
    model: Any  # transformers.PreTrainedModel
    tokenizer: Any  # transformers.PreTrainedTokenizerFast
    device: torch.device  # where it takes tokens; its layers may be on others
    pipeline: str | None = None  # the spaCy package that reads its texts; the usual one if None
    sites: tuple[Site, ...] = ()  # where the attention of its layers is computed

    def embeddings(self) -> np.ndarray:
        """The input embeddings, float32 [vocabulary, dimension]."""
        (table,) = parameters(self.model.get_input_embeddings())
        array: np.ndarray = table.detach().float().cpu().numpy()
        return array

    def weights(self) -> str:
        """A fingerprint of shape and weights: equal wherever the model lies, and whatever loads it."""
        return identity.weights(self.model)

    def extracted(self, layers: Iterable[int]) -> LoadedModel:
        """The same, of which the attention of these layers alone is read."""
        return replace(self, info=self.info.extracted(layers))

    def known_as(self, ids: Container[str]) -> LoadedModel:
        """The same under the id of version 0.1 if that is among these, as of a workspace it is in."""
        old = identity.of_version_0_1(self.model, demo.NAME if self.info.name == "demo" else self.info.name)
        return replace(self, info=replace(self.info, id=old)) if old in ids else self


def load(
    name: str,
    models: Path = Path("workspace/models"),
    device: str = "auto",
    tell: Tell = lambda text: None,
    expected: str | None = None,
    dtype: str = "auto",
    device_map: str | None = None,
) -> LoadedModel:
    """The model called `name`: "demo", a folder, a .gguf file or a hub id.

    `models` keeps the demo model; `tell` hears what is going on. Weights are of the format `dtype`: the
    checkpoint's own on CUDA, float32 elsewhere, unless named. A `device_map` of accelerate's, by its name or
    as JSON, spreads them over several devices, memory and disk. Raises ModelError, also if the model is not
    the one whose id is `expected`, such as a later checkpoint in the same folder.
    """
    loaded = _load(name, models, device, tell, _options(models, dtype, device_map))
    if expected is not None:
        loaded = loaded.known_as([expected])
    if expected not in (None, loaded.info.id):
        raise ModelError(
            f"{name} is now {loaded.info.id}, but the workspace's programs are of {expected}; put that model "
            "back (and its --dtype), or add the new one with `extract` and find programs for it"
        )
    return loaded


def source_of(name: str, models: Path, tell: Tell = lambda text: None) -> tuple[str, dict[str, str]]:
    """Where transformers reads the model called `name` from, and what else it is told; raises ModelError."""
    place = placed(name)
    match place.kind:
        case "demo":
            return str(demo.demo_folder(models, _unpack_gguf, tell)), {}
        case "gguf":
            return str(Path(place.source).parent), {"gguf_file": Path(place.source).name}
        case "folder":
            return place.source, {}
    return place.source, {"revision": place.revision or "main"}


def load_tokenizer(name: str, models: Path, tell: Tell = lambda text: None) -> Any:
    """The tokenizer alone of the model called `name`, as `load` gives it; raises ModelError."""
    source, where = source_of(name, models, tell)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False, **where)
    except Exception as error:
        raise ModelError(explained(name, error)) from error
    _require_vocabulary(name, tokenizer)
    return tokenizer


def _load(name: str, models: Path, device: str, tell: Tell, options: dict[str, Any]) -> LoadedModel:
    chosen, place = pick_device(device), placed(name)
    match place.kind:
        case "demo":
            folder = demo.demo_folder(models, _unpack_gguf, tell)
            return _load_pretrained(str(folder), "demo", chosen, **options)
        case "gguf":
            return _load_gguf(Path(place.source), chosen, **options)
        case "folder":
            return _load_pretrained(place.source, place.source, chosen, **options)
    return _load_pretrained(place.source, name, chosen, revision=place.revision or "main", **options)


def _options(models: Path, dtype: str, device_map: str | None) -> dict[str, Any]:
    """What from_pretrained is told of how weights are held; raises ModelError for what it cannot be."""
    options: dict[str, Any] = {}
    if dtype != "auto":
        if dtype not in DTYPES:
            raise ModelError(f"the dtype {dtype!r} is none of auto, {', '.join(DTYPES)}")
        options["dtype"] = DTYPES[dtype]
    if device_map:
        options["device_map"] = _device_map(device_map)
        options["offload_folder"] = str(models / "offloaded")
    return options


def _device_map(written: str) -> str | dict[str, Any]:
    if written in MAPS:
        return written
    try:
        read = json.loads(written)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise ModelError(
            f"the device map {written!r} is none of {', '.join(MAPS)}, nor JSON of parts and their devices"
        )
    return read


def _load_pretrained(source: str, name: str, device: torch.device, **options: Any) -> LoadedModel:
    """Load from a folder or the hub; raises ModelError."""
    model, tokenizer = _read_pretrained(source, name, device, **options)
    probed = probe(describe(name, model, tokenizer), model, tokenizer)
    return LoadedModel(probed.info, model, tokenizer, entrance(model), sites=probed.sites)


def _read_pretrained(source: str, name: str, device: torch.device, **options: Any) -> tuple[Any, Any]:
    """Model and tokenizer from a folder or the hub, turning the library's many errors into one."""
    # A GPU holds the checkpoint's own precision; on the CPU float32 is the fast and exact one.
    options.setdefault("dtype", "auto" if device.type == "cuda" else torch.float32)
    where = {key: options[key] for key in ("gguf_file", "revision") if key in options}
    own = {"trust_remote_code": False}  # without a word the library asks whether to run the folder's code
    try:
        config = transformers.AutoConfig.from_pretrained(source, **own, **where)
        require_supported(name, config)
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, **own, **where)
        _require_vocabulary(name, tokenizer)
        model, report = factory(config).from_pretrained(
            source, attn_implementation="eager", output_loading_info=True, **own, **options
        )
        _require_whole(name, model, report)
        _forget_random(model, report["missing_keys"])
        if model.config._attn_implementation != "eager":  # the folder's configuration has the last word
            model.set_attn_implementation("eager")
    except ModelError:
        raise
    except Exception as error:  # the libraries' errors about damaged files have nothing in common
        raise ModelError(explained(name, error)) from error
    model = model.eval().requires_grad_(False)
    return (model if "device_map" in options else model.to(device)), tokenizer


def require_supported(name: str, config: Any) -> None:
    """Raises ModelError for a configuration that cannot be of a decoder or an encoder with attention."""
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{name} is an encoder-decoder model; give a causal model or an encoder")
    if not getattr(config.get_text_config(), "num_attention_heads", None):
        raise ModelError(f"{name} ({config.model_type}) has no attention heads; give a transformer")


def _require_vocabulary(name: str, tokenizer: Any) -> None:
    """Without a tokenizer's files the library makes up an empty one, which reads every text as nothing."""
    if len(tokenizer) <= len(tokenizer.added_tokens_decoder):
        raise ModelError(f"{name} has no tokenizer; save the tokenizer into the model's folder")


def _require_whole(name: str, model: Any, report: Mapping[str, Collection[str]]) -> None:
    """A weight that the checkpoint lacks would be made up at random, one that it has be passed over."""
    missing = [key for key in report["missing_keys"] if "pooler" not in key]
    if missing or report["mismatched_keys"]:
        lacking = sorted({*missing, *(str(key[0]) for key in report["mismatched_keys"])})
        other = f"; it holds {_some(report['unexpected_keys'])} instead" if report["unexpected_keys"] else ""
        raise ModelError(
            f"the checkpoint of {name} lacks {_some(lacking)} of {type(model).__name__}{other}. Save it with "
            "save_pretrained, under the names and as the class that its config.json says"
        )
    foreign = [key for key in report["unexpected_keys"] if _LAYERED.search(key)]
    if foreign:
        raise ModelError(
            f"the checkpoint of {name} holds {_some(foreign)}, for which {type(model).__name__} has no "
            "place. Merge adapters into the weights, and save the model with the config.json that is its own"
        )


def _forget_random(model: Any, missing: Collection[str]) -> None:
    """What the library made up, such as a pooler that nothing reads, is 0: the same each time."""
    for key in missing:
        model.get_parameter(key).data.zero_()


_LAYERED = re.compile(r"\.\d+\.|lora_|adapter")


def _some(keys: Collection[str]) -> str:
    """The first of some keys, and how many more there are."""
    first = ", ".join(sorted(keys)[:3])
    return f"{first} and {len(keys) - 3} more" if len(keys) > 3 else first


def _load_gguf(path: Path, device: torch.device, **given: Any) -> LoadedModel:
    with parsed_once():
        return _load_pretrained(str(path.parent), str(path), device, **(_of_gguf(path) | given))


def _unpack_gguf(gguf: Path, folder: Path) -> None:
    """Write the de-quantised model and its tokenizer as an ordinary folder."""
    with parsed_once():
        found = _read_pretrained(str(gguf.parent), str(gguf), torch.device("cpu"), **_of_gguf(gguf))
    for part in found:
        part.save_pretrained(folder)


def _of_gguf(path: Path) -> dict[str, Any]:
    """What from_pretrained is told of such a file, beside its folder."""
    dequantized = transformers.GgufConfig(dequantize=True)
    return {"quantization_config": dequantized, "dtype": torch.float32, "gguf_file": path.name}


def factory(config: Any) -> Any:
    """The auto class for a checkpoint: causal language model, masked language model, or bare encoder."""
    names = " ".join(config.architectures or [])
    if "MaskedLM" in names:
        return transformers.AutoModelForMaskedLM
    if "CausalLM" in names or "LMHead" in names:
        return transformers.AutoModelForCausalLM
    if is_encoder(config):
        return transformers.AutoModel
    return transformers.AutoModelForCausalLM


def is_encoder(config: Any) -> bool:
    """Whether a model of this configuration looks both ways."""
    masked = config.model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return masked and not getattr(config, "is_decoder", False)


def describe(name: str, model: Any, tokenizer: Any) -> ModelInfo:
    """What is known of a model before it is asked; its id says nothing of its path."""
    config = model.config.get_text_config()
    return ModelInfo(
        id=f"{identity.slug(config.model_type)}-{identity.identity(model, tokenizer)}",
        name=name,
        architecture=config.model_type,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        is_causal=not is_encoder(config),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        max_length=longest(model, config, tokenizer),
    )


def _told_length(where: str, told: Any) -> int:
    """A length that a file of the model states, or none; raises ModelError if it cannot be one."""
    if told is None:
        return _UNLIMITED
    if isinstance(told, bool) or not isinstance(told, int | float) or math.isnan(told):
        raise ModelError(f"{where} is {str(told)[:80]!r}, not a number of tokens")
    return int(min(told, _UNLIMITED)) if told > 1 else _UNLIMITED


def longest(model: Any, config: Any, tokenizer: Any) -> int:
    """Tokens of context: the least of what the configuration, the positions and the tokenizer allow."""
    limits = [
        _UNLIMITED,
        _told_length(
            "config.json: max_position_embeddings", getattr(config, "max_position_embeddings", None)
        ),
        _told_length("tokenizer_config.json: model_max_length", getattr(tokenizer, "model_max_length", None)),
    ]
    for name, module in model.named_modules():
        if (
            name.endswith(_POSITIONS)
            and isinstance(module, torch.nn.Embedding)
            and module.padding_idx is not None
        ):
            limits.append(module.num_embeddings - module.padding_idx - 1)  # RoBERTa counts from there
    return min(limits)
