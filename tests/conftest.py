"""Shared fixtures. No test reaches for the network."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub, which reads it once

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from core.models import LoadedModel, load
from tests import tiny

TinyModel = Callable[[str], Path]
TinyLoaded = Callable[[str], LoadedModel]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """The folder of a tiny random model of this architecture; for reading only."""
    root = tmp_path_factory.mktemp("models")
    return cache(lambda architecture: tiny.save(root / architecture, architecture))


@pytest.fixture(scope="session")
def tiny_loaded(tiny_model: TinyModel) -> TinyLoaded:
    """A tiny model, loaded once for all tests."""
    return cache(lambda architecture: load(str(tiny_model(architecture)), device="cpu"))
