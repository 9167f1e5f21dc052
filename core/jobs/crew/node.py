"""What a node lacks for a job, found out there before any work.

It travels as a whole: a node that has no Headscript, or another one, can run it all the same. So it imports
nothing of ours.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("torch", "transformers", "numpy", "pyarrow", "ray")


def versions() -> dict[str, str]:
    """What decides here which results come out: Python, packages, and Headscript's own source."""
    found = {"Python": platform.python_version().rpartition(".")[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    found["Headscript"] = _source()
    return found


def _source() -> str:
    spec = find_spec("core")
    if spec is None or spec.origin is None:
        return "none"
    folder, digest = Path(spec.origin).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def shortcomings(wanted: Mapping[str, str], paths: Sequence[str]) -> list[str]:
    """What differs here from what is wanted, and which paths are not here, in words."""
    here = versions()
    found = [
        f"has {name} {here[name]} instead of {value}"
        for name, value in wanted.items()
        if here.get(name) != value
    ]
    return found + [f"does not see {path}" for path in paths if not Path(path).exists()]
