"""What an audit is: a question asked of a program or of a hybrid, what it may read, and what it answers.

An audit reads passages, attention and, where it must, the model's weights; never the workspace, so never a
person's verdict. What it fits it fits on train; what it reports it reports on test, which chooses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args

from core.audit.passages import Passages, Splits
from core.errors import CorpusError, PluginError
from core.types import Estimate, HeadId, HybridSpec, ModelInfo, Split, Told

if TYPE_CHECKING:  # torch and transformers, seconds long: what only lists or draws audits does without
    import numpy as np

    from core.audit.shared import Shared
    from core.hybrid.perplexity import Variant
    from core.language import ParsedProgram
    from core.models.pretrained import LoadedModel

Of = Literal["program", "hybrid"]
AuditVerdict = Literal["passes", "fails", "cannot tell"]
Unit = Literal["", "share", "change", "nats"]  # 0.12 in words: 0.120, 12 %, +12 %, 0.120 nats
Cell = str | int | float | None


@dataclass(frozen=True)
class Figure:
    """A number that an audit found, with its 95 % interval."""

    name: str  # for people: "IoU where it runs"
    estimate: Estimate
    unit: Unit = ""


@dataclass(frozen=True)
class Shaded:
    """A text whose tokens carry numbers, such as nats added to each."""

    tokens: tuple[str, ...]
    values: tuple[float, ...]  # one a token; 0 is not shaded
    title: str = ""
    before: tuple[float, ...] = ()  # where values are changes: what was there, one a token
    tokens_before: tuple[str, ...] = ()  # ... and the text as it was

    @property
    def states(self) -> dict[str, Shaded]:
        """The text before, what changed, and after; nothing but itself where no change is known."""
        if not self.before:
            return {"change": self}
        after = tuple(was + more for was, more in zip(self.before, self.values, strict=True))
        return {
            "before": Shaded(self.tokens_before or self.tokens, self.before, self.title),
            "change": self,
            "after": Shaded(self.tokens, after, self.title),
        }


@dataclass(frozen=True)
class Finding:
    """What an audit answers, as plain values that any page can draw.

    Raises PluginError if a row does not have a cell for each column, or a text not a number for each token.
    """

    verdict: AuditVerdict
    note: str = ""  # a sentence or two for people
    figures: tuple[Figure, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    shaded: tuple[Shaded, ...] = ()
    given: str = ""  # what it takes for given, such as heads that the program looks at

    def __post_init__(self) -> None:
        if self.verdict not in get_args(AuditVerdict):
            raise PluginError(
                f"{self.verdict!r} is no verdict of an audit; there are {', '.join(get_args(AuditVerdict))}"
            )
        for row in self.rows:
            if len(row) != len(self.columns):
                raise PluginError(f"a finding has {len(self.columns)} columns, but a row of {len(row)} cells")
        for text in self.shaded:
            for values in (text.values, text.before or text.values, text.tokens_before or text.values):
                if len(text.tokens) != len(values):
                    raise PluginError(
                        f"a finding shades {len(text.tokens)} tokens, but by {len(values)} numbers"
                    )

    def figure(self, name: str) -> Estimate:
        """The figure of this name; raises KeyError."""
        return {figure.name: figure.estimate for figure in self.figures}[name]


def at_most(figure: Estimate, most: float = 0.0) -> AuditVerdict:
    """Whether a figure that should be no more than `most` is: as far as its interval tells."""
    if figure.low > most:
        return "fails"
    return "passes" if figure.high <= most else "cannot tell"


def at_least(figure: Estimate, least: float = 0.0) -> AuditVerdict:
    """Whether a figure that should be more than `least` is: as far as its interval tells."""
    if math.isnan(figure.low):
        return "cannot tell"
    if figure.low > least:
        return "passes"
    return "fails" if figure.high <= least else "cannot tell"


def all_above(figures: Iterable[Estimate]) -> AuditVerdict:
    """Whether figures are all above 0: as far as their intervals tell; one that is clearly not is enough."""
    found = list(figures)
    if any(figure.high <= 0 for figure in found):
        return "fails"
    return "passes" if all(figure.low > 0 for figure in found) else "cannot tell"


@dataclass(frozen=True)
class ProgramSubject:
    """A program as the explanation of a head."""

    model: ModelInfo
    head: HeadId
    program: ParsedProgram
    splits: Splits
    load: Callable[[], LoadedModel]  # the model's weights, the first time anyone asks; many audits need none
    together: Shared | None = None  # figures of all heads of the job, made by passes that serve all of them

    @cached_property
    def shared(self) -> Shared:
        """Figures of this head, and of those that are audited with it."""
        from core.audit.shared import Shared

        return self.together or Shared(self.model, {self.head: self.program}, self.splits, self.load)

    def probed(self, audit: Audit[Any, Any], limits: object) -> np.ndarray:
        """What the audit's probe finds of this head, [..., passage]."""
        probe = probe_of(audit, limits)
        assert probe is not None
        return self.shared.probed(audit.name, probe)[self.head]

    @property
    def tested(self) -> Passages:
        """What figures are reported on; raises CorpusError if there is no such passage."""
        return _tested(self.splits)


@dataclass(frozen=True)
class HybridSubject:
    """A hybrid and the model it is made of."""

    loaded: LoadedModel
    spec: HybridSpec
    splits: Splits

    @property
    def tested(self) -> Passages:
        """What figures are reported on; raises CorpusError if there is no such passage."""
        return _tested(self.splits)

    @cached_property
    def programs(self) -> dict[HeadId, ParsedProgram]:
        """The program of every replaced head."""
        from core.language import parse

        return {head: parse(source) for head, source in self.spec.programs}

    def variant(self) -> Variant:
        """The whole hybrid, to be measured."""
        from core.hybrid import ProgramPatterns
        from core.hybrid.perplexity import Variant

        source = ProgramPatterns(self.programs, self.loaded.info.is_causal, self.loaded.device)
        return Variant(source, frozenset(self.programs))


def _tested(splits: Splits) -> Passages:
    if Split.TEST not in splits:
        raise CorpusError("the corpus has no test passage to audit on; add passages and extract again")
    return splits[Split.TEST]


def probe_of(audit: Audit[Any, Any], limits: object) -> Callable[[Any], Mapping[HeadId, Any]] | None:
    """What an audit measures in the pass that audits share, with these limits."""
    probe = audit.probe
    return None if probe is None else lambda reading: probe(reading, limits)


Subject = TypeVar("Subject")
Limits = TypeVar("Limits")


@dataclass(frozen=True)
class Audit(Generic[Subject, Limits]):
    """An entry of the table of audits.

    Raises PluginError if `of` is neither, or `limits` no frozen dataclass with a default for each field.
    """

    name: str  # on the command line and in files
    title: str
    question: str  # in plain words
    of: Of  # which subjects `run` takes
    limits: type[Limits]  # its options, on the command line and in forms
    run: Callable[[Subject, Limits, Told], Finding]
    lacks: Callable[[Limits], str] = lambda limits: ""  # what it cannot do without, in words; "" if nothing
    probe: Callable[[Any, Limits], Mapping[HeadId, Any]] | None = (
        None  # measured in the pass that audits share
    )
    is_usual: bool = True  # whether it is run where no audit is named; not what takes long or is for few
    needs_next_tokens: bool = False  # whether it can be asked of causal models only
    is_resolvable: bool = (
        True  # whether heads that a program looks at can be replaced by their programs in it
    )
    about: str = ""  # how to read what it finds, for a newcomer and a reader of papers
    sources: tuple[str, ...] = ()  # works it follows, by title and year

    def __post_init__(self) -> None:
        if self.of not in get_args(Of):
            raise PluginError(f"the audit {self.name!r} is of a program or of a hybrid, not of {self.of!r}")
        limits: Any = self.limits
        shape = getattr(limits, "__dataclass_params__", None)
        if shape is None or not shape.frozen:
            raise PluginError(f"the limits of the audit {self.name!r} are no frozen dataclass")
        try:
            limits()
        except TypeError as error:
            names = ", ".join(field.name for field in fields(limits))
            raise PluginError(
                f"the limits of the audit {self.name!r} need a default for each of {names}"
            ) from error
