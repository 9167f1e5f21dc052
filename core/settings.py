"""Settings, read once where the program starts and handed on from there."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, TypeVar

from core.errors import ProposerError, SettingsError

AnyNumber = TypeVar("AnyNumber", int, float)
CLAUDE_MODEL = "claude-sonnet-5-5"
TRUST = "HEADSCRIPT_TRUST"  # set to "programs", plain Python runs without a lock
RETRIES = 4  # of a call that is not billed

NO_KEY = (
    "Claude needs an API key: make one at https://platform.claude.com, put it into the environment variable "
    "ANTHROPIC_API_KEY (for the app also into .streamlit/secrets.toml) and start again. "
    "The search (`--proposer search`) finds a program for every head without a key"
)


@dataclass(frozen=True)
class Patience:
    """How long a paying job waits before it tries again; seconds."""

    retries: int = RETRIES
    after_refusal: float = 0.5  # before an unbilled call is repeated; doubles each time, to `longest`
    longest: float = 8.0
    after_loss: tuple[float, ...] = (0.5, 2.0)  # before a call whose reply got lost is made again
    after_submission: tuple[float, ...] = (1.0, 5.0)  # before a batch that was not taken is submitted again
    first_poll: float = 1.0  # between looks at a batch; doubles each time, to `longest_poll`
    longest_poll: float = 60.0

    def times(self, factor: float) -> Patience:
        """The same with every wait so many times as long."""
        return replace(
            self,
            after_refusal=factor * self.after_refusal,
            longest=factor * self.longest,
            after_loss=tuple(factor * pause for pause in self.after_loss),
            after_submission=tuple(factor * pause for pause in self.after_submission),
            first_poll=factor * self.first_poll,
            longest_poll=factor * self.longest_poll,
        )

    @classmethod
    def read(cls, factor: str) -> Patience:
        """By a factor that the environment gives; empty for 1. Raises ProposerError if it is none."""
        try:
            number = float(factor or 1)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1000:
            raise ProposerError(f"HEADSCRIPT_PATIENCE is {factor!r}; it takes a number from 0 to 1000")
        return cls().times(number)


@dataclass(frozen=True)
class Accounts:
    """OpenID Connect for the app's reviewers, under Streamlit's names for it."""

    NAMES: ClassVar[dict[str, str]] = {
        "redirect_uri": "HEADSCRIPT_OIDC_REDIRECT_URI",
        "cookie_secret": "HEADSCRIPT_OIDC_COOKIE_SECRET",
        "client_id": "HEADSCRIPT_OIDC_CLIENT_ID",
        "client_secret": "HEADSCRIPT_OIDC_CLIENT_SECRET",
        "server_metadata_url": "HEADSCRIPT_OIDC_METADATA_URL",
    }  # field -> environment variable

    redirect_uri: str
    cookie_secret: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)
    server_metadata_url: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Accounts | None:
        """From environment variables; None where none is set. Raises SettingsError if some are missing."""
        found = {name: environ.get(variable, "").strip() for name, variable in cls.NAMES.items()}
        missing = [cls.NAMES[name] for name, value in found.items() if not value]
        if len(missing) == len(found):
            return None
        if missing:
            raise SettingsError(f"accounts need {', '.join(missing)} as well; set all of them or none")
        return cls(**found)


@dataclass(frozen=True)
class Settings:
    """Where things are and what they run on."""

    workspace: Path = Path("workspace")
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    dtype: str = "auto"  # of weights: float32, bfloat16 or float16; auto: as core.models.pretrained.load
    device_map: str | None = None  # of accelerate's, over which weights are spread; one device if None
    attention: str | None = (
        None  # a path or URI under which new models' attention lies; the workspace if None
    )
    demo_model: str = "demo"  # the model that the demo workspace is built from
    models: Path | None = None  # where downloaded models are kept; in the workspace if None
    api_key: str | None = field(default=None, repr=False)  # Claude's; never written anywhere
    base_url: str | None = None  # of a gateway that speaks the Messages API
    claude_model: str = CLAUDE_MODEL
    openai_key: str | None = field(default=None, repr=False)  # never written anywhere either
    openai_url: str | None = None  # of any server that speaks the OpenAI chat API
    openai_model: str | None = None
    patience: Patience = Patience()
    plugins: str = "all"  # or "none": what installed packages add stays out
    runner: str = "local"  # where jobs run; a name in core.jobs.runners.RUNNERS
    ray_address: str | None = None  # of the cluster that the runner `ray` uses; the one it finds if None
    ray_cpus: int | None = None  # of a worker on one of its nodes, as in core.jobs.crew.cluster.Cluster
    ray_gpus: float | None = None
    ray_memory: float | None = None  # GB
    fork_server: Path | None = None  # the socket of one that runs already, for the runner `forked`
    token: str | None = field(default=None, repr=False)  # what the API asks for; never written anywhere
    warms: bool = True  # whether the app loads the model ahead of time, when nothing else is to be done
    spacy_pipeline: str | None = None  # a spaCy model's package, or "none"; the bundled one if None

    @property
    def models_folder(self) -> Path:
        """Where downloaded models are kept."""
        return self.models or self.workspace / "models"

    def secret(self, name: str) -> str | None:
        """The value of a secret by the name of its environment variable."""
        known = {"ANTHROPIC_API_KEY": self.api_key, "OPENAI_API_KEY": self.openai_key}
        return known[name] if name in known else os.environ.get(name)

    def with_secrets(self, secrets: Mapping[str, str]) -> Settings:
        """The same with these secrets in place of its own."""
        return replace(
            self,
            api_key=secrets.get("ANTHROPIC_API_KEY") or self.api_key,
            openai_key=secrets.get("OPENAI_API_KEY") or self.openai_key,
        )

    def require_api_key(self) -> str:
        """The API key; raises ProposerError saying how to get going if there is none or it cannot be one."""
        if not self.api_key:
            raise ProposerError(NO_KEY)
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ProposerError("ANTHROPIC_API_KEY holds a character that no key has; copy the key again")
        return self.api_key

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from environment variables; absent ones keep their defaults."""
        return cls(
            workspace=Path(environ.get("HEADSCRIPT_WORKSPACE") or cls.workspace),
            device=environ.get("HEADSCRIPT_DEVICE") or cls.device,
            dtype=environ.get("HEADSCRIPT_DTYPE", "").strip() or cls.dtype,
            device_map=environ.get("HEADSCRIPT_DEVICE_MAP", "").strip() or None,
            attention=environ.get("HEADSCRIPT_ATTENTION", "").strip() or None,
            demo_model=environ.get("HEADSCRIPT_DEMO_MODEL") or cls.demo_model,
            models=_path(environ, "HEADSCRIPT_MODELS"),
            api_key=environ.get("ANTHROPIC_API_KEY", "").strip() or None,
            base_url=environ.get("ANTHROPIC_BASE_URL") or None,
            claude_model=environ.get("HEADSCRIPT_CLAUDE_MODEL") or cls.claude_model,
            openai_key=environ.get("OPENAI_API_KEY", "").strip() or None,
            openai_url=environ.get("OPENAI_BASE_URL", "").strip() or None,
            openai_model=environ.get("HEADSCRIPT_OPENAI_MODEL", "").strip() or None,
            patience=Patience.read(environ.get("HEADSCRIPT_PATIENCE", "").strip()),
            plugins=environ.get("HEADSCRIPT_PLUGINS") or cls.plugins,
            runner=environ.get("HEADSCRIPT_RUNNER") or cls.runner,
            ray_address=environ.get("HEADSCRIPT_RAY_ADDRESS", "").strip() or None,
            ray_cpus=_number(environ, "HEADSCRIPT_RAY_CPUS", int),
            ray_gpus=_number(environ, "HEADSCRIPT_RAY_GPUS", float),
            ray_memory=_number(environ, "HEADSCRIPT_RAY_MEMORY", float),
            fork_server=_path(environ, "HEADSCRIPT_FORK_SERVER"),
            token=environ.get("HEADSCRIPT_TOKEN", "").strip() or None,
            warms=environ.get("HEADSCRIPT_WARM", "").strip().lower() not in ("0", "no", "none", "off"),
            spacy_pipeline=environ.get("HEADSCRIPT_SPACY", "").strip() or None,
        )


def trusts_programs() -> bool:
    """Whether a person asked, with all that follows, to run plain Python without the sandbox's locks."""
    return os.environ.get(TRUST, "").strip() == "programs"


TRUST_AND_STRANGERS = (
    f"it holds plain Python, which is not taken in this way while {TRUST} lets plain Python run without the "
    "sandbox; unset it, or take in the .py file itself with `import FILE.py --trust`"
)


def trust_programs() -> None:
    """Ask for it, for this process and the workers that it starts."""
    os.environ[TRUST] = "programs"


def _number(environ: Mapping[str, str], name: str, kind: type[AnyNumber]) -> AnyNumber | None:
    given = environ.get(name, "").strip()
    try:
        return kind(given) if given else None
    except ValueError:
        raise SettingsError(f"{name} is {given!r}; it takes a number") from None


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def cores() -> int:
    """Cores that this process may use: all of the machine's unless a scheduler or `taskset` gave it fewer."""
    allowed = getattr(os, "sched_getaffinity", None)  # not everywhere
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1
