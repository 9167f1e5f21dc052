"""Settings, read once where the program starts and handed on from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where things are and what they run on."""

    workspace: Path = Path("workspace")
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    demo_model: str = "demo"  # the model that the demo workspace is built from
    models: Path | None = None  # where downloaded models are kept; in the workspace if None
    api_key: str | None = field(default=None, repr=False)  # Claude's; never written anywhere

    @property
    def models_folder(self) -> Path:
        """Where downloaded models are kept."""
        return self.models or self.workspace / "models"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from environment variables; absent ones keep their defaults."""
        return cls(
            workspace=Path(environ.get("HEADSCRIPT_WORKSPACE") or cls.workspace),
            device=environ.get("HEADSCRIPT_DEVICE") or cls.device,
            demo_model=environ.get("HEADSCRIPT_DEMO_MODEL") or cls.demo_model,
            models=Path(environ["HEADSCRIPT_MODELS"]) if environ.get("HEADSCRIPT_MODELS") else None,
            api_key=environ.get("ANTHROPIC_API_KEY", "").strip() or None,
        )
