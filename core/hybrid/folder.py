"""A hybrid as a folder that can be published: programs, figures, a model card, and how to load it.

    hybrid.json             format, model, heads, figures, versions
    programs/L3H7.py        the source of each head's program
    README.md, curve.svg    the model card and its picture
    load.py                 how to use it

`load_hybrid` reads hybrid.json and the programs, which can only be programs of the closed language;
nothing in the folder is executed.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import transformers
from pydantic import AllowInfNan
from torch import Tensor

from core import __version__, wire
from core.errors import HybridError, ProgramError, WireError
from core.features import annotate
from core.files import read_text
from core.hybrid.card import curve_svg, model_card
from core.hybrid.patched import Hybrid, hybrid
from core.models.pretrained import LoadedModel, load
from core.scoring import program_of
from core.types import ORDERS, HeadId, HybridSpec, ModelInfo, Sentence, Split

FORMAT = 1
_MAX_DESCRIPTION = 2**24  # bytes of hybrid.json
_MAX_PROGRAM = 2**16  # bytes of a program's file, which may end lines in two bytes
_LOADER = '''"""Load this hybrid: `python load.py [MODEL]`, where Headscript can be imported.

MODEL is a hub id or a folder, where the model is not to be had under the name in hybrid.json.
"""

import sys
from pathlib import Path

from core.hybrid import load_hybrid

if __name__ == "__main__":
    shipped = load_hybrid(Path(__file__).parent, model=sys.argv[1] if len(sys.argv) > 1 else None)
    print(shipped.logits(["Once upon a time"])[0].shape)
'''


_Finite = Annotated[float, AllowInfNan(False)]


@dataclass(frozen=True)
class Making:
    """How a hybrid was made, as far as that is told."""

    order: str | None = None  # one of ORDERS
    budget: _Finite | None = None
    calibration: tuple[tuple[int, _Finite], ...] | None = None
    parents: Mapping[HeadId, str] = field(default_factory=dict)  # the program that each was fitted from
    audited: Mapping[HeadId, str] = field(default_factory=dict)  # what audits call each head's program


@dataclass(frozen=True)
class _Format:
    """What is read first: whether the rest is of this version."""

    format: object = None


@dataclass(frozen=True)
class _Model:
    """The model in hybrid.json; folders of earlier versions lack what has a default."""

    id: str
    name: str
    local: bool = False
    weights: str = ""
    architecture: str = ""
    layers: int = 0
    heads: int = 0


@dataclass(frozen=True)
class _Description:
    """The file hybrid.json."""

    model: _Model
    heads: tuple[HeadId, ...]
    figures: dict[str, Any]
    made: Making = field(default_factory=Making)
    curve: Any = None
    versions: Any = None
    format: int = FORMAT


@dataclass(frozen=True)
class Shipment:
    """What a folder says of its hybrid; programs are parsed, nothing else is believed."""

    model: str  # the model's name: a hub id, "demo", or what a folder or file was called
    is_local: bool  # whether that was a folder or a file of whoever shipped it
    weights: str  # LoadedModel.weights; empty in folders that were written before there was any
    spec: HybridSpec  # for the id that the model had there
    figures: Mapping[str, Any]
    made: Making

    def fits(self, model: str, weights: str) -> bool:
        """Whether it is for the model with this id or these weights."""
        return self.spec.model == model or (self.weights != "" and self.weights == weights)

    def spec_of(self, model: str) -> HybridSpec:
        """The spec under another id of the model."""
        return HybridSpec.of(model, self.spec.programs)


@dataclass(frozen=True)
class ShippedHybrid:
    """A hybrid that was read from a folder, with its model."""

    loaded: LoadedModel
    spec: HybridSpec
    figures: Mapping[str, Any]

    @contextmanager
    def patched(self) -> Iterator[Hybrid]:
        """The model with its heads replaced, until the block ends."""
        with hybrid(self.loaded, self.spec) as found:
            yield found

    def logits(self, texts: Sequence[str]) -> list[Tensor]:
        """Logits [token, vocabulary] of each text."""
        sentences = [Sentence(str(at), text, "", Split.TEST) for at, text in enumerate(texts)]
        features = annotate(
            sentences,
            self.loaded.tokenizer,
            self.loaded.embeddings(),
            self.loaded.info.max_length,
            self.loaded.pipeline,
        )
        with self.patched() as found:
            return [found.logits(features, [row])[0] for row in range(len(features))]


def ship(
    folder: Path,
    info: ModelInfo,
    spec: HybridSpec,
    figures: Mapping[str, Any],
    curve: Mapping[str, Any] | None = None,
    weights: str = "",
    made: Making | None = None,
) -> None:
    """Write a hybrid; `figures` are plain values, `curve` is one as a job gives it.

    `weights` tell the model wherever it lies; the folder it came from is not written. Raises HybridError if
    the folder exists and holds something else.
    """
    try:
        folder = folder.resolve()
        if folder.exists() and (
            not folder.is_dir() or (any(folder.iterdir()) and not (folder / "hybrid.json").exists())
        ):
            raise HybridError(f"{folder} exists and holds no hybrid; choose another folder")
        scratch = folder.with_name(f".{folder.name}.writing")
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            _write(scratch, info, spec, figures, curve, weights, made or Making())
            _move_into(folder, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise HybridError(f"cannot write the hybrid to {folder}: {error}") from error


def _move_into(folder: Path, scratch: Path) -> None:
    """Put whole files in their places, which takes no room on the disk; what else lies there stays."""
    (folder / "programs").mkdir(parents=True, exist_ok=True)
    new = [path.relative_to(scratch) for path in sorted(scratch.rglob("*")) if path.is_file()]
    for old in (*folder.glob("programs/*.py"), folder / "curve.svg"):
        if old.relative_to(folder) not in new:
            old.unlink(missing_ok=True)
    for name in sorted(new, key=lambda name: name.name == "hybrid.json"):  # last: it makes it a hybrid
        (scratch / name).replace(folder / name)


def _is_local(info: ModelInfo) -> bool:
    return Path(info.name).is_absolute() or info.name.startswith((".", "~"))


def without_place(info: ModelInfo) -> ModelInfo:
    """A model as it is called elsewhere: without the folders that it lies in here."""
    return replace(info, name=Path(info.name).name) if _is_local(info) else info


def _write(
    folder: Path,
    info: ModelInfo,
    spec: HybridSpec,
    figures: Mapping[str, Any],
    curve: Mapping[str, Any] | None,
    weights: str,
    made: Making,
) -> None:
    is_local = _is_local(info)
    info = without_place(info)
    description = _Description(
        _Model(info.id, info.name, is_local, weights, info.architecture, info.layers, info.heads),
        tuple(head for head, _ in spec.programs),
        dict(figures),
        made,
        dict(curve or {}),
        {
            "headscript": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    )
    programs = folder / "programs"
    programs.mkdir(parents=True)
    for head, source in spec.programs:
        (programs / f"{head}.py").write_text(source, encoding="utf-8")
    (folder / "load.py").write_text(_LOADER)
    (folder / "README.md").write_text(
        model_card(info, spec, figures, curve, made.parents, made.audited), encoding="utf-8"
    )
    if curve:
        (folder / "curve.svg").write_text(
            curve_svg(curve["rows"], curve.get("measure", "next tokens")), encoding="utf-8"
        )
    (folder / "hybrid.json").write_text(json.dumps(wire.plain(description), indent=1))


def read_spec(folder: Path) -> Shipment:
    """What a shipped hybrid is; raises HybridError. Every program is parsed before anything is returned."""
    path = folder / "hybrid.json"
    damaged = f"{path} is damaged"
    try:
        text = read_text(path, _MAX_DESCRIPTION, folder)
        written = wire.load(_Format, text, damaged).format
        if written != FORMAT:
            raise HybridError(f"{folder} has format {written!r}; this version reads {FORMAT}")
        read = wire.load(_Description, text, damaged)
    except OSError as error:
        raise HybridError(f"{folder} holds no hybrid: {error}") from error
    except UnicodeDecodeError as error:
        raise HybridError(f"{damaged}: {error}") from error
    except WireError as error:
        raise HybridError(str(error)) from error
    if not read.heads:
        raise HybridError(f"{folder} is a hybrid that replaces no head")
    spec = HybridSpec.of(read.model.id, ((head, _source(folder, head)) for head in read.heads))
    made = read.made if read.made.order in ORDERS else replace(read.made, order=None)
    return Shipment(read.model.name, read.model.local, read.model.weights, spec, read.figures, made)


def _source(folder: Path, head: HeadId) -> str:
    path = folder / "programs" / f"{head}.py"
    try:
        source = read_text(path, _MAX_PROGRAM, folder)
        program_of(source)
    except (OSError, UnicodeDecodeError) as error:
        raise HybridError(f"cannot read {path}: {error}") from error
    except ProgramError as error:
        raise HybridError("\n".join(f"{path}: {problem}" for problem in error.problems)) from error
    return source


def load_hybrid(
    folder: str | Path,
    model: str | None = None,
    models: Path = Path("workspace/models"),
    device: str = "auto",
) -> ShippedHybrid:
    """A shipped hybrid with its model loaded; `model` where the model has another name here, or is a folder.

    Raises HybridError for a damaged folder or another model, ModelError if the model cannot be loaded.
    """
    shipped = read_spec(Path(folder))
    if model is None and shipped.is_local:
        raise HybridError(
            f"{folder} replaces heads of a model that was a folder or file called {shipped.model}; say where "
            "it lies here: load_hybrid(folder, model=PATH)"
        )
    loaded = load(model or shipped.model, models, device)
    is_same = shipped.fits(loaded.info.id, loaded.weights())
    spec = shipped.spec_of(loaded.info.id) if is_same else shipped.spec
    with hybrid(loaded, spec):  # refuses what does not fit before anyone relies on it
        pass
    return ShippedHybrid(loaded, spec, shipped.figures)
