"""What a job finds: one frozen type a sort of result, announced by its name in RESULTS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.store.findings import StoredFinding
from core.types import (
    CardId,
    Conversion,
    Curve,
    Evaluation,
    EvaluationDetails,
    FailedPassages,
    Failure,
    HeadId,
    MadeHybrid,
    ModelInfo,
    TaskAccuracy,
)


@dataclass(frozen=True)
class WeightsRead:
    """The fingerprint of a model's weights."""

    model: str
    fingerprint: str


@dataclass(frozen=True)
class SentencesRead:
    """The passages whose attention is there now."""

    model: str
    corpus: str
    passages: str  # the name of their set


@dataclass(frozen=True)
class NewProgram:
    """A program's source, and who wrote it."""

    source: str
    origin: str
    parent: str | None = None  # Program.id that it was made of


@dataclass(frozen=True)
class Talk:
    """How a head's conversation with a language model went."""

    read: int  # programs
    ious: tuple[float, ...]  # on validation, round by round
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class ProgramsFound:
    """Programs, which heads they were found for, and scores."""

    model: str
    programs: tuple[NewProgram, ...] = ()
    proposals: tuple[CardId, ...] = ()
    scores: str | None = None  # the Parquet file of their scores, beside this result
    talk: Talk | None = None
    failures: tuple[FailedPassages, ...] = ()  # of programs on all passages


@dataclass(frozen=True)
class ConversionsFound:
    """What came of converting plain Python."""

    model: str
    conversions: tuple[Conversion, ...]


@dataclass(frozen=True)
class LayerResolved:
    """What stands for the heads of a layer. Part of a ResolvedFound, so that it need not be found again."""

    chosen: dict[HeadId, str]  # sources
    scores: str  # the Parquet file of resolved scores, beside this result
    rests_on: tuple[tuple[HeadId, str, str], ...]  # head, Program.id and chain of each program scored
    refits: tuple[NewProgram, ...]
    given: str  # the Parquet file of the refits' scores given the heads


@dataclass(frozen=True)
class ResolvedFound:
    """What programs that look reach with the programs of the heads they look at, from the lowest head up."""

    model: str
    layers: tuple[LayerResolved, ...]


@dataclass(frozen=True)
class HeadCost:
    """What replacing one head alone costs."""

    head: HeadId
    program: str  # Program.id
    kl: float  # nats per token


@dataclass(frozen=True)
class CostsEstimated:
    """What replacing each head alone costs."""

    model: str
    passages: int
    agreement: float | None
    heads: tuple[HeadCost, ...]


@dataclass(frozen=True)
class HybridMeasured:
    """A hybrid and what it costs on passages."""

    model: str
    hybrid: MadeHybrid
    passages_from: str
    evaluation: Evaluation
    details: EvaluationDetails


@dataclass(frozen=True)
class AuditsFound:
    """What audits found of programs or of a hybrid."""

    model: str
    findings: tuple[StoredFinding, ...]


RESULTS: Mapping[str, type[Any]] = {
    "model": ModelInfo,
    "weights": WeightsRead,
    "sentences": SentencesRead,
    "programs": ProgramsFound,
    "conversions": ConversionsFound,
    "layer-resolved": LayerResolved,  # stored once all layers are
    "resolved": ResolvedFound,
    "costs": CostsEstimated,
    "hybrid": MadeHybrid,  # stored with its evaluation; until then a resumed job need not choose again
    "evaluation": HybridMeasured,
    "curve": Curve,
    "downstream": TaskAccuracy,
    "findings": AuditsFound,
}
NAME_OF = {kind: name for name, kind in RESULTS.items()}
