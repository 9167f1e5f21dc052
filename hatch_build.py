"""What the package needs, for whoever builds it: requirements*.txt are where each range stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

EXTRAS = ("auth", "openai", "ray", "serve")


class Requirements(MetadataHookInterface):
    """The package's dependencies and its extras."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what pyproject.toml calls dynamic."""
        root = Path(self.root)
        metadata["dependencies"] = ranges(root / "requirements.txt")
        metadata["optional-dependencies"] = {
            extra: ranges(root / f"requirements-{extra}.txt") for extra in EXTRAS
        }


def ranges(path: Path) -> list[str]:
    """The requirements of a file without its options (`-c constraints.txt`) and comments."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("-")]
