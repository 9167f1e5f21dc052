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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from core import __version__
from core.errors import HybridError, ProgramError
from core.features import annotate
from core.hybrid.card import curve_svg, model_card
from core.hybrid.patched import Hybrid, hybrid
from core.language import parse
from core.models import LoadedModel, load
from core.types import HeadId, HybridSpec, ModelInfo, Sentence, Split

FORMAT = 1
_LOADER = '''"""Load this hybrid; run it where Headscript and its requirements can be imported."""

from pathlib import Path

from core.hybrid import load_hybrid

if __name__ == "__main__":
    shipped = load_hybrid(Path(__file__).parent)
    print(shipped.logits(["Once upon a time"])[0].shape)
'''


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
            sentences, self.loaded.tokenizer, self.loaded.embeddings(), self.loaded.info.max_length
        )
        with self.patched() as found:
            return [found.logits(features, [row])[0] for row in range(len(features))]


def ship(
    folder: Path,
    info: ModelInfo,
    spec: HybridSpec,
    figures: Mapping[str, Any],
    curve: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write a hybrid; `figures` are plain values, `curve` rows of order, share and increase.

    Raises HybridError if the folder exists and holds something else.
    """
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / "hybrid.json").exists())
    ):
        raise HybridError(f"{folder} exists and holds no hybrid; choose another folder")
    written = {
        "format": FORMAT,
        "model": {
            "id": info.id,
            "name": info.name,
            "architecture": info.architecture,
            "layers": info.layers,
            "heads": info.heads,
        },
        "heads": [str(head) for head, _ in spec.programs],
        "figures": dict(figures),
        "curve": [dict(row) for row in curve],
        "versions": {
            "headscript": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
    programs = folder / "programs"
    programs.mkdir(parents=True, exist_ok=True)
    for old in programs.glob("*.py"):
        old.unlink()
    for head, source in spec.programs:
        (programs / f"{head}.py").write_text(source, encoding="utf-8")
    (folder / "load.py").write_text(_LOADER)
    (folder / "README.md").write_text(model_card(info, spec, figures, curve), encoding="utf-8")
    if curve:
        (folder / "curve.svg").write_text(curve_svg(curve), encoding="utf-8")
    (folder / "hybrid.json").write_text(json.dumps(written, indent=1))  # last: it makes the folder a hybrid


def read_spec(folder: Path) -> tuple[str, HybridSpec, dict[str, Any]]:
    """The model's name, the spec and the figures of a shipped hybrid; raises HybridError.

    Every program is parsed before anything is returned.
    """
    try:
        read = json.loads((folder / "hybrid.json").read_text(encoding="utf-8"))
        if read["format"] != FORMAT:
            raise HybridError(f"{folder} has format {read['format']!r}; this version reads {FORMAT}")
        name, model = str(read["model"]["name"]), str(read["model"]["id"])
        heads = [HeadId.parse(str(head)) for head in read["heads"]]
        figures = dict(read["figures"])
    except OSError as error:
        raise HybridError(f"{folder} holds no hybrid: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise HybridError(f"{folder / 'hybrid.json'} is damaged: {error}") from error
    return name, HybridSpec.of(model, ((head, _source(folder, head)) for head in heads)), figures


def _source(folder: Path, head: HeadId) -> str:
    path = folder / "programs" / f"{head}.py"
    try:
        source = path.read_text(encoding="utf-8")
        parse(source)
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
    """A shipped hybrid with its model loaded; `model` where the model lies elsewhere than it did.

    Raises HybridError for a damaged folder or another model, ModelError if the model cannot be loaded.
    """
    name, spec, figures = read_spec(Path(folder))
    loaded = load(model or name, models, device)
    with hybrid(loaded, spec):  # refuses what does not fit before anyone relies on it
        pass
    return ShippedHybrid(loaded, spec, figures)
