"""Settings, read once where the program starts and handed on from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import ClaudeError
from core.types import ClaudeLimits

NO_KEY = (
    "Claude needs an API key: make one at https://platform.claude.com, put it into the environment variable "
    "ANTHROPIC_API_KEY (for the app also into .streamlit/secrets.toml) and start again. "
    "The search (`--proposer search`) finds a program for every head without a key"
)


@dataclass(frozen=True)
class Settings:
    """Where things are and what they run on."""

    workspace: Path = Path("workspace")
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    demo_model: str = "demo"  # the model that the demo workspace is built from
    models: Path | None = None  # where downloaded models are kept; in the workspace if None
    api_key: str | None = field(default=None, repr=False)  # Claude's; never written anywhere
    base_url: str | None = None  # of a gateway that speaks the Messages API
    claude_model: str = ClaudeLimits.model
    runner: str = "local"  # where jobs run; a name in core.jobs.runners.RUNNERS
    spacy_pipeline: str | None = None  # a spaCy model's package, or "none"; the bundled one if None

    @property
    def models_folder(self) -> Path:
        """Where downloaded models are kept."""
        return self.models or self.workspace / "models"

    def require_api_key(self) -> str:
        """The API key; raises ClaudeError saying how to get going if there is none or it cannot be one."""
        if not self.api_key:
            raise ClaudeError(NO_KEY)
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ClaudeError("ANTHROPIC_API_KEY holds a character that no key has; copy the key again")
        return self.api_key

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from environment variables; absent ones keep their defaults."""
        return cls(
            workspace=Path(environ.get("HEADSCRIPT_WORKSPACE") or cls.workspace),
            device=environ.get("HEADSCRIPT_DEVICE") or cls.device,
            demo_model=environ.get("HEADSCRIPT_DEMO_MODEL") or cls.demo_model,
            models=Path(environ["HEADSCRIPT_MODELS"]) if environ.get("HEADSCRIPT_MODELS") else None,
            api_key=environ.get("ANTHROPIC_API_KEY", "").strip() or None,
            base_url=environ.get("ANTHROPIC_BASE_URL") or None,
            claude_model=environ.get("HEADSCRIPT_CLAUDE_MODEL") or cls.claude_model,
            runner=environ.get("HEADSCRIPT_RUNNER") or cls.runner,
            spacy_pipeline=environ.get("HEADSCRIPT_SPACY", "").strip() or None,
        )
