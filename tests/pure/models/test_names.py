"""What a model's name means, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ModelError
from core.models.names import Place, explained, is_path, placed


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model, an adapter, a GGUF file and a folder called `demo`."""
    for name in ("model", "demo"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "model/model.safetensors").write_bytes(b"x")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text("{}")
    (tmp_path / "M.GGUF").write_bytes(b"GGUF")
    (tmp_path / "unnamed").write_bytes(b"GGUF...")
    (tmp_path / "ggufs").mkdir()
    (tmp_path / "ggufs/a.Q4.GGUF").write_bytes(b"GGUF")
    (tmp_path / "notes.txt").write_text("no model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("demo", Place("demo", "demo")),
        ("./demo", Place("demo", "folder")),
        ("model", Place("model", "folder")),
        ("M.GGUF", Place("M.GGUF", "gguf")),
        ("unnamed", Place("unnamed", "gguf")),
        ("gpt2", Place("gpt2", "hub")),
        ("nobody/model", Place("nobody/model", "hub")),
        ("nobody/model@v1.0", Place("nobody/model", "hub", "v1.0")),
    ],
)
def test_what_is_there_decides(here: Path, name: str, place: Place) -> None:
    assert placed(name) == place


def test_home_may_be_written_short(here: Path) -> None:
    assert placed("~/model") == Place(str(here / "model"), "folder")


def test_a_folder_called_demo_does_not_stand_in_for_the_demo(here: Path) -> None:
    assert not is_path("demo")
    assert is_path("./demo")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model/model.safetensors", "is a part of a model; name its folder: model"),
        ("adapter", "is an adapter; merge it into the model that it adapts"),
        ("ggufs", r"has no config\.json; name the file, such as ggufs/a\.Q4\.GGUF"),
        ("notes.txt", "is no model: name a folder"),
        ("gone.GGUF", r"gone\.GGUF does not exist"),
        ("~/gone", "gone does not exist"),
        ("model/gone", "there is no model/gone, though model is a folder here"),
        ("owner/model/folder", "neither a folder here nor a name of the Hugging Face hub.*subfolder"),
        ("x" * 300, "cannot be a model's name: File name too long"),
    ],
)
def test_what_is_not_there_is_said(here: Path, name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        placed(name)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError("You are trying to access a gated repo."),
            "does not hand out a/b to everyone.*hf auth login",
        ),
        (OSError("401 Client Error"), "hf auth login"),
        (OSError("x is not a valid git identifier"), "has no such revision"),
        (MemoryError(), "the memory does not hold a/b"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "the memory does not hold a/b"),
        (OSError("We couldn't connect to 'https://huggingface.co'"), "hub is out of reach"),
        (OSError("a/b is not a local folder"), "there is no model a/b"),
    ],
)
def test_an_error_of_the_library_is_put_into_words(error: Exception, message: str) -> None:
    import re

    assert re.search(message, explained("a/b", error))
