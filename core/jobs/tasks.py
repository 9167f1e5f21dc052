"""What a job is asked: one frozen type a kind, from which its spec is written and read.

A field marked as passing says how things stood when the job was asked and is no part of the question: a job
that was asked the same otherwise is gone on with. Passages are named, as `core.store.passages` keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from core import wire
from core.types import HeadId, HeadOrder, HybridRequest, MadeHybrid, ModelInfo

_PASSING = {"passing": True}
_TOLD = ("corpus", "limit", "layers", "heads", "limits", "title", "share")  # of a task, what its record shows


@dataclass(frozen=True)
class Task:
    """What every kind of job is asked."""

    @property
    def model_id(self) -> str:
        """The model it is about; empty where that is not known yet."""
        info = getattr(self, "info", None)
        return info.id if isinstance(info, ModelInfo) else ""

    def told(self) -> dict[str, Any]:
        """What the job's record shows of it."""
        written = wire.plain(self)
        written |= written.pop("request", {})
        return {name: written[name] for name in _TOLD if written.get(name) is not None}

    def question(self) -> dict[str, Any]:
        """It without what is passing."""
        asked = {one.name for one in fields(self) if one.metadata != _PASSING}
        return {name: value for name, value in wire.plain(self).items() if name in asked}


@dataclass(frozen=True)
class ExtractTask(Task):
    """A model's attention on a corpus."""

    model: str  # a hub id, a path or "demo"
    corpus: str  # a name or a path
    limit: int | None = None
    layers: tuple[int, ...] | None = None  # beside those extracted before; None: all


@dataclass(frozen=True)
class BuildTask(ExtractTask):
    """The same, and a program for every head."""


Limits = TypeVar("Limits", covariant=True)


@dataclass(frozen=True)
class ProposeTask(Task, Generic[Limits]):
    """Programs that a proposer finds for heads of a model whose attention is extracted."""

    info: ModelInfo
    passages: str
    heads: tuple[HeadId, ...] | None  # None: all
    limits: Limits  # of the proposer's own type
    # The best program so far, and the order in which a budget that does not hold for all is spent.
    known: dict[HeadId, str] = field(default_factory=dict, metadata=_PASSING)
    order: tuple[HeadId, ...] = field(default=(), metadata=_PASSING)
    proposer: str = field(default="", metadata=_PASSING)  # its name, which the kind of the job says too


@dataclass(frozen=True)
class ScoreTask(Task):
    """Given programs on every head."""

    info: ModelInfo
    passages: str
    programs: tuple[str, ...]  # sources
    origin: str = "person"  # of those that are new


@dataclass(frozen=True)
class ConvertTask(Task, Generic[Limits]):
    """Programs of the language for what plain Python does."""

    info: ModelInfo
    passages: str
    programs: tuple[str, ...]  # sources
    limits: Limits  # of the proposer's own type
    proposer: str = field(default="", metadata=_PASSING)  # its name, which the kind of the job says too


@dataclass(frozen=True)
class Resolvable:
    """A program that may stand for a head where no attention of the model is left."""

    head: HeadId
    source: str
    iou: float | None = None  # on validation, where it looks at no head, so that this is known


@dataclass(frozen=True)
class ResolveTask(Task):
    """Which program stands for each head where all that are looked at are replaced by their programs."""

    info: ModelInfo
    passages: str
    programs: tuple[Resolvable, ...]  # of a head the best one first
    refit: bool = False  # fit best programs that look anew to what those programs say


@dataclass(frozen=True)
class Candidate:
    """A program that a head may be replaced by."""

    head: HeadId
    source: str
    iou: float  # on validation
    cost: float | None  # nats of KL per token, where it was estimated before


@dataclass(frozen=True)
class HybridTask(Task):
    """A hybrid chosen among candidates, and what it costs on passages."""

    info: ModelInfo
    candidates: tuple[Candidate, ...]
    chosen_on: str  # passages of train and validation
    measured_on: str
    passages_from: str
    request: HybridRequest


@dataclass(frozen=True)
class MeasureTask(Task):
    """What a hybrid that is there costs on passages."""

    info: ModelInfo
    given: MadeHybrid
    measured_on: str
    passages_from: str
    title: str
    strict: bool = False


@dataclass(frozen=True)
class CurveTask(Task):
    """Perplexity by share of heads, for orders and for controls on the heads of the first."""

    info: ModelInfo
    candidates: tuple[Candidate, ...]
    chosen_on: str
    measured_on: str
    passages_from: str
    title: str
    orders: tuple[HeadOrder, ...]
    shares: tuple[float, ...]
    controls: bool = True
    seed: int = 0


@dataclass(frozen=True)
class AskedAudit:
    """An audit by name, and its limits as plain values, since the name says their type."""

    name: str
    limits: dict[str, Any]


@dataclass(frozen=True)
class AuditTask(Task):
    """Audits of programs, each on its head, or of the hybrid that they are together."""

    info: ModelInfo
    passages: str  # of all splits
    audits: tuple[AskedAudit, ...]
    programs: tuple[tuple[HeadId, str], ...]  # sources
    title: str
    hybrid: str = ""  # its id
    behind: tuple[tuple[HeadId, str], ...] = ()  # sources in the place of heads that programs look at
    left_out: int = field(default=0, metadata=_PASSING)  # programs of plain Python


@dataclass(frozen=True)
class DownstreamTask(Task):
    """Questions that a model and a hybrid of it answer."""

    info: ModelInfo
    hybrid: str
    programs: tuple[tuple[HeadId, str], ...]
    questions: Path | None
    tasks: tuple[str, ...]
    limit: int | None
    title: str
