"""A site's folder: written beside its place, then put there; what else lies there stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from core import __version__
from core.errors import WorkspaceError
from core.files import write_json

MANIFEST = "headscript-site.json"  # tells a site's folder from any other, and which files are the site's


class SiteFolder:
    """Takes the files of a site."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self.files: list[str] = []
        self.bytes = 0

    def write(self, name: str, content: str | bytes) -> None:
        """A file by its path within the site."""
        path = self._scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        held = content.encode() if isinstance(content, str) else content
        path.write_bytes(held)
        self.files.append(name)
        self.bytes += len(held)

    def data(self, name: str, call: str, *values: Any) -> None:
        """A script that hands values to the site's own; it holds no character but ASCII."""
        told = ", ".join(json.dumps(value, separators=(",", ":"), allow_nan=False) for value in values)
        self.write(name, f"headscript.{call}({told});\n")


@contextmanager
def site_folder(path: Path, model: str) -> Iterator[SiteFolder]:
    """Takes files until the block ends well, then puts them into `path`, where an older site gives way.

    Raises WorkspaceError where `path` is no folder, or holds something but no site.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        raise WorkspaceError(f"{path} is a file; name a folder for the site")
    if path.is_dir() and any(path.iterdir()) and not (path / MANIFEST).is_file():
        raise WorkspaceError(f"{path} holds something else; name an empty folder, or one that holds a site")
    scratch = path.with_name(f".{path.name}.writing")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        folder = SiteFolder(scratch)
        yield folder
        _put(folder, scratch, path)
        write_json(
            path / MANIFEST,
            {"made_with": f"Headscript {__version__}", "model": model, "files": folder.files},
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put(folder: SiteFolder, scratch: Path, path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for name in _of_old_site(path):
        if name not in folder.files:
            (path / name).unlink(missing_ok=True)
    for name in folder.files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).replace(path / name)


def _of_old_site(path: Path) -> list[str]:
    """The files that an older site says are its own, as far as they lie within it."""
    try:
        names = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [
        name
        for name in names
        if isinstance(name, str)
        and not PurePosixPath(name).is_absolute()
        and (path / name).resolve().is_relative_to(path)
        and (path / name).is_file()
    ]
