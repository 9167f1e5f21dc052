"""Where a job works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where a job works."""

    workspace: Path
    models: Path  # where downloaded models are kept
    device: str
    spacy_pipeline: str | None = None  # of texts that are read first; None: the bundled one
    dtype: str = "auto"  # of the model's weights, as core.models.pretrained.load takes it
    device_map: str | None = None
    attention: str | None = (
        None  # under which address new models' attention is written; the workspace if None
    )

    @property
    def holding(self) -> tuple[str, str, str | None]:
        """Where the model's weights are, and in which format."""
        return self.device, self.dtype, self.device_map
