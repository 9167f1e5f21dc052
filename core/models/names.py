"""What a model's name means: the demo model, a GGUF file, a folder, or a model of the hub at a revision.

And, among the models of a workspace, one of them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.display import distinct
from core.errors import ModelError, is_out_of_memory
from core.types import ModelInfo

DEMO = "demo"
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".onnx", ".ckpt")
_MAX_READ = 2**28  # bytes of a file that is read whole: configuration, tokenizer
_MERGE = "merge it into the model that it adapts (peft: `merge_and_unload`, then `save_pretrained`)"


@dataclass(frozen=True)
class Place:
    """Where a model is."""

    source: str  # a folder, a .gguf file or a hub id
    kind: str  # demo, gguf, folder or hub
    revision: str | None = None  # of a hub id: a branch, tag or commit


def placed(name: str) -> Place:
    """Where the model called `name` is; raises ModelError, in words, if it cannot be there.

    What is there decides, not how it is spelt: only a name of which there is no file is one of the hub.
    """
    if name == DEMO:
        return Place(name, "demo")
    path = Path(name).expanduser()
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError as error:
        raise ModelError(f"{name[:80]} cannot be a model's name: {error.strerror}") from error
    if is_file:
        return _file(path)
    if is_folder:
        return _folder(path)
    if path.exists():
        raise ModelError(f"{path} is no ordinary file or folder")
    model, _, revision = name.partition("@")
    parts = model.split("/")
    if path.suffix.lower() in (".gguf", ".safetensors", ".bin") or _is_path(name):
        raise ModelError(f"{path} does not exist")
    if len(parts) > 2:
        raise ModelError(
            f"{name} is neither a folder here nor a name of the Hugging Face hub, which is OWNER/MODEL or "
            "OWNER/MODEL@REVISION; of a model in a subfolder, download the folder and name it"
        )
    if parts[0] and Path(parts[0]).is_dir():
        raise ModelError(f"there is no {name}, though {parts[0]} is a folder here")
    return Place(model, "hub", revision or None)


def is_path(name: str) -> bool:
    """Whether a name is of something on this machine, which has a full path; `demo` is the demo model."""
    try:
        return name != DEMO and Path(name).expanduser().exists()
    except OSError:
        return False


def _is_path(name: str) -> bool:
    return Path(name).is_absolute() or name.startswith((".", "~")) or "\\" in name


def _file(path: Path) -> Place:
    if path.suffix.lower() == ".gguf" or _begins_with(path, b"GGUF"):
        return Place(str(path), "gguf")
    if path.suffix.lower() in (".safetensors", ".bin", ".pt", ".json"):
        raise ModelError(f"{path} is a part of a model; name its folder: {path.parent}")
    raise ModelError(f"{path} is no model: name a folder that save_pretrained wrote, or a .gguf file")


def _begins_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def _folder(path: Path) -> Place:
    _require_ordinary(path)
    if (path / "config.json").is_file():
        return Place(str(path), "folder")
    if (path / "adapter_config.json").is_file():
        raise ModelError(f"{path} is an adapter; {_MERGE} and give that folder")
    ggufs = sorted(path.glob("*.[gG][gG][uU][fF]"))
    hint = f"; name the file, such as {ggufs[0]}" if ggufs else "; name the folder that save_pretrained wrote"
    raise ModelError(f"{path} has no config.json{hint}")


def _require_ordinary(folder: Path) -> None:
    """Raises ModelError unless a folder holds ordinary files of its own, and those that are read whole small.

    The hub's cache keeps files as links to `blobs` two folders up; no other link may lead out.
    """
    homes = [folder.resolve(), folder.resolve().parent.parent / "blobs"]
    for path in folder.iterdir():
        if not any(path.resolve().is_relative_to(home) for home in homes):
            raise ModelError(
                f"{path} is a link that leads out of the model's folder; put the file itself there"
            )
        if not path.exists() or path.is_dir():  # transformers says which file it misses
            continue
        if not path.is_file():
            raise ModelError(f"{path} is no ordinary file")
        if path.suffix not in _WEIGHTS and path.stat().st_size > _MAX_READ:
            raise ModelError(f"{path} is larger than {_MAX_READ:,} bytes, which no such file of a model is")


def explained(name: str, error: Exception) -> str:
    """One line on why a model did not load, and what to do."""
    text = str(error)
    first = " ".join(text.split())[:300].rstrip(".") or type(error).__name__
    if "GGUF" in text or name.lower().endswith(".gguf") or isinstance(error, struct.error):
        return f"cannot read {name} as GGUF: {first}. Damaged, or an architecture transformers cannot unpack"
    if is_out_of_memory(error):
        return f"the memory does not hold {name}; take a smaller model, or a machine with more"
    if any(word in text for word in ("gated", "Gated", "401", "403", "awaiting a review")):
        return (
            f"the Hugging Face hub does not hand out {name} to everyone: ask for access on its page, and log "
            "in with `hf auth login` or HF_TOKEN"
        )
    if "not a valid git identifier" in text or "Revision Not Found" in text or "RevisionNotFound" in text:
        return f"{name} has no such revision; name a branch, tag or commit of it after the @"
    if "couldn't connect" in text or "offline" in text.lower():
        return (
            f"cannot fetch {name}: the Hugging Face hub is out of reach and the model is not in its cache. "
            "Check the network, or give a folder, a .gguf file or `demo`"
        )
    if "trust_remote_code" in text:
        return f"{name} needs code of its own to be loaded, which Headscript does not run"
    if "adapter_config" in text:
        return f"{name} is an adapter; {_MERGE} and give that folder"
    if "is not a local folder" in text or "Repository Not Found" in text or "404" in text:
        return f"there is no model {name}: not a folder here, and not on the Hugging Face hub"
    return f"cannot load {name}: {first}"


def model_named(name: str, models: Sequence[ModelInfo]) -> ModelInfo:
    """The model of that id, else of that path or hub id, else of that title; ModelError unless it is one."""
    paths = {name, str(Path(name).resolve())}
    meant = (
        [model for model in models if model.id == name]
        or [model for model in models if model.name in paths]
        or [model for model in models if model.title == name]
    )
    if len(meant) > 1:
        told = ", ".join(f"{model.id} ({model.name})" for model in meant)
        raise ModelError(
            f"{len(meant)} models of the workspace are called {name!r}; give the id of one: {told}"
        )
    if not meant:
        titles = ", ".join(distinct({model.id: model.title for model in models}).values())
        raise ModelError(f"the workspace holds no model {name!r}; it has {titles}")
    return meant[0]
