"""The model itself of a workspace, as its passages were read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.settings import Settings
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.types import ModelInfo

if TYPE_CHECKING:
    from core.models.pretrained import LoadedModel


def load_stored(
    info: ModelInfo, settings: Settings, tell: Callable[[str], None] = lambda text: None
) -> LoadedModel:
    """The model of the settings' workspace, loaded as they say; `tell` hears what is going on.

    Raises ModelError if it cannot be had, or is another one by now.
    """
    from core.models.pretrained import load  # brings transformers, for which little else waits

    loaded = load(
        info.name,
        settings.models_folder,
        settings.device,
        tell,
        info.id,
        settings.dtype,
        settings.device_map,
    )
    return reading_as_stored(settings.workspace, loaded.extracted(info.attention_layers))


def reading_as_stored(workspace: Path, loaded: LoadedModel) -> LoadedModel:
    """The model with the spaCy pipeline that read its tokens in the workspace, for texts read afresh."""
    tokens = TokenStore(attention_folder(workspace, loaded.info.id))
    return replace(loaded, pipeline=tokens.pipeline())
