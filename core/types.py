"""The frozen values that cross the borders between stages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_MAP_CELLS = 2**29  # of one passage, over all heads: 1 GB in float16
_MARKS = re.compile(r"[^A-Za-z0-9.]+")
_HEAD_NAME = re.compile(r"L(\d+)H(\d+)", re.IGNORECASE)
_LAYERS = re.compile(r"(\d{1,4})(?:\s*-\s*(\d{1,4}))?")


def layer_numbers(text: str) -> tuple[int, ...]:
    """The layers that `0-7,20` names, in order; raises ValueError naming what names none."""
    found: set[int] = set()
    for part in map(str.strip, text.split(",")):
        match = _LAYERS.fullmatch(part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"{part!r} names no layers; write 3, or 0-7, or 0-7,20")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(found))


def layer_spans(layers: Iterable[int]) -> str:
    """Layers as `layer_numbers` reads them: 0-7, 20."""
    spans: list[list[int]] = []
    for layer in sorted(layers):
        if spans and spans[-1][-1] == layer - 1:
            spans[-1][1:] = [layer]
        else:
            spans.append([layer])
    return ", ".join("-".join(map(str, span)) for span in spans)


class Split(StrEnum):
    """Train proposes and fits, validation chooses, test is only ever reported."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, order=True)
class HeadId:
    """One attention head, counted from 0 as query heads."""

    layer: int
    head: int

    def __str__(self) -> str:
        return f"L{self.layer}H{self.head}"

    @classmethod
    def parse(cls, name: str) -> HeadId:
        """Read `L3H7`; raises ValueError naming what arrived."""
        match = _HEAD_NAME.fullmatch(name.strip())
        if match is None:
            raise ValueError(f"{name!r} is not a head; write it as L3H7")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def read(cls, given: object) -> HeadId:
        """The head that a file names: as "L3H7", or as older ones do; raises ValueError."""
        match given:
            case HeadId():
                return given
            case str():
                return cls.parse(given)
            case {"layer": int(layer), "head": int(head)} | [int(layer), int(head)]:
                return cls(layer, head)
        raise ValueError(f"{given!r} is not a head; write it as L3H7")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls.read, serialization=core_schema.to_string_ser_schema()
        )


Json = dict[str, Any]  # an object of a JSON document whose form is another's affair
HeadFit = tuple[HeadId, float]  # a head and the IoU on it
CardId = tuple[HeadId, str]  # a head and Program.id: what a reviewer decides on


class Told(Protocol):
    """Whoever hears how far long work is."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """How far the current stage is; a `total` of 0 means that it cannot be said."""

    def note(self, message: str) -> None:
        """Something the user should know."""


@dataclass(frozen=True)
class Bounds:
    """Which numbers something may be: from `least` (0 if not given) to `most`, or any above `above`."""

    least: float | None = None
    most: float | None = None
    above: float | None = None  # not this one, but any above it

    def __str__(self) -> str:
        if self.above is not None:
            return f"above {self.above:g}"
        return (
            f"{self.least or 0:g} or more" if self.most is None else f"{self.least or 0:g} to {self.most:g}"
        )

    def problem(self, number: float) -> str:
        """What is wrong with a number; nothing if it may be."""
        if self.above is not None:
            return "" if self.above < number < inf else f"{number:g} is not above {self.above:g}"
        least = self.least or 0
        if self.most is not None:
            fits = least <= number <= self.most
            return "" if fits else f"{number:g} is not between {least:g} and {self.most:g}"
        if least <= number < inf:
            return ""
        below = f"is below {least:g}" if isinstance(number, int) else f"is not a number from {least:g}"
        return f"{number:g} {below}"


def option(default: Any, text: str, bounds: Bounds | None = None) -> Any:
    """A dataclass field that a person may set: command line and forms show its text and hold its bounds."""
    return field(default=default, metadata={"help": text, "bounds": bounds})


@dataclass(frozen=True)
class Sentence:
    """One passage of a corpus. The id is a hash of the text, so equal passages are one passage."""

    id: str
    text: str
    genre: str
    split: Split


@dataclass(frozen=True)
class Window:
    """How far the queries of a layer see, in tokens; None is as far as the passage goes."""

    before: int | None = None
    after: int | None = None

    def confines(self, n: int) -> bool:
        """Whether a passage of n tokens has keys beyond it."""
        return any(reach is not None and reach < n - 1 for reach in (self.before, self.after))

    def seen(self, n: int) -> np.ndarray:
        """Which keys each query sees of n tokens, the future of causal models apart: bool [query, key]."""
        distance = np.arange(n)[:, None] - np.arange(n)
        inside = np.ones((n, n), bool)
        if self.before is not None:
            inside &= distance <= self.before
        if self.after is not None:
            inside &= distance >= -self.after
        return inside


UNBOUNDED = Window()


@dataclass(frozen=True)
class Traits:
    """What a model does when it is asked, where that is not what most models do."""

    without_heads: tuple[int, ...] = ()  # layers of another kind than attention
    windows: tuple[tuple[int, Window], ...] = ()  # how far the queries of a layer see
    sinks: tuple[int, ...] = ()  # layers in which part of the attention goes to no token
    missing_mass: float = 0.0  # of a row of those, on average
    attention_only: str = ""  # why its heads cannot be replaced; nothing if they can
    not_extracted: tuple[int, ...] = ()  # layers with heads of which the workspace holds no attention

    @property
    def words(self) -> list[str]:
        """What a person should know of them, a sentence each."""
        told = []
        if self.without_heads:
            told.append(f"Layers without heads: {', '.join(map(str, self.without_heads))}.")
        if self.not_extracted:
            told.append(f"Layers that were not extracted: {layer_spans(self.not_extracted)}.")
        if self.windows:
            told.append(f"Layers with a window, beyond which no program sees either: {len(self.windows)}.")
        if self.sinks:
            told.append(
                f"In {len(self.sinks)} layers {self.missing_mass:.0%} of the attention goes to sinks that "
                "are no tokens; no program has it, so IoU stays below 1, and hybrids leave it to the head."
            )
        if self.attention_only:
            told.append(f"Attention only, no hybrids: {self.attention_only}.")
        return told


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model without loading its weights."""

    id: str  # names the model's folder in the workspace
    name: str  # what the user asked for: a hub id, a path or "demo"
    architecture: str  # transformers' model_type
    layers: int
    heads: int  # query heads per layer
    is_causal: bool  # False for an encoder, whose heads look both ways
    parameters: int
    max_length: int  # tokens of context
    traits: Traits = Traits()

    @property
    def title(self) -> str:
        """The model's name without path, for people."""
        if self.name == "demo":
            return "SmolLM2-135M-Instruct"
        stem = [part for part in re.split(r"[/\\]", self.name) if part][-1:]
        bare = re.sub(r"\.gguf$", "", "".join(stem), flags=re.IGNORECASE)
        return _MARKS.sub("-", bare).strip("-.") or "model"

    def head_ids(self) -> list[HeadId]:
        """Every head whose attention can be worked on, layer by layer."""
        return [HeadId(layer, head) for layer in self.attention_layers for head in range(self.heads)]

    @property
    def head_count(self) -> int:
        """How many heads the model has, extracted or not: what a share of its heads is a share of."""
        return (self.layers - len(self.traits.without_heads)) * self.heads

    @property
    def longest(self) -> int:
        """Tokens of a passage, of which all maps together are to fit into memory."""
        return min(self.max_length, max(64, math.isqrt(_MAP_CELLS // max(1, self.head_count))))

    def with_traits(self, traits: Traits) -> ModelInfo:
        """The same with these traits."""
        return replace(self, traits=traits)

    @property
    def attention_layers(self) -> list[int]:
        """The layers whose heads can be worked on, by their numbers in the model."""
        absent = {*self.traits.without_heads, *self.traits.not_extracted}
        return [layer for layer in range(self.layers) if layer not in absent]

    def absence(self, layer: int) -> str:
        """Why the heads of a layer of the model cannot be worked on, in words; nothing if they can."""
        if layer in self.traits.without_heads:
            return "that layer is of another kind and has no heads"
        if layer in self.traits.not_extracted:
            return f"that layer was not extracted; run `extract --layers {layer}` first"
        return ""

    def lacks(self, head: HeadId) -> str:
        """What is wrong with a head that cannot be worked on, in words after its name; nothing if it can."""
        if head.layer >= self.layers or head.head >= self.heads:
            return f"does not exist: {self.title} has {self.layers} layers of {self.heads} heads"
        absence = self.absence(head.layer)
        return absence and f"cannot be worked on: {absence}"

    def extracted(self, layers: Iterable[int]) -> ModelInfo:
        """The same where the attention of these layers alone is extracted."""
        absent = {*self.traits.without_heads, *layers}
        missing = tuple(layer for layer in range(self.layers) if layer not in absent)
        return self.with_traits(replace(self.traits, not_extracted=missing))

    def window(self, layer: int) -> Window:
        """How far the queries of a layer see."""
        return dict(self.traits.windows).get(layer, UNBOUNDED)


@dataclass(frozen=True)
class AttentionMap:
    """What one head did with one sentence."""

    head: HeadId
    sentence: str  # Sentence.id
    weights: (
        np.ndarray
    )  # float32 [query, key]; rows sum to 1 less what goes to a sink, zero above the diagonal if causal


@dataclass(frozen=True)
class SentenceAttention:
    """What all heads of all layers did with one sentence."""

    sentence: str  # Sentence.id
    weights: (
        np.ndarray
    )  # float16 [layer with heads, head, query, key]; rows sum to 1 less what goes to a sink


@dataclass(frozen=True)
class Failure:
    """A program's failure on one sentence: data to be counted and shown, not an exception."""

    kind: (
        str  # "division", "domain", "non-finite", "budget", "unavailable"; of plain Python also "exception",
    )
    # "import", "memory", "refused", "shape", "timeout", "crash", "protocol"
    detail: str


@dataclass(frozen=True)
class FailedPassages:
    """On how many passages of a model a program failed in one way, and what it said on one of them."""

    program: str  # Program.id
    kind: str  # of the Failure
    detail: str
    passages: int


PLAIN_MARK = "# plain Python: "  # then its function's name: how the text of such a program begins


PLAIN_ORIGIN = "plain Python, from "  # then the file's name: where it comes from


def is_plain(source: str) -> bool:
    """Whether a program's text is plain Python for the sandbox, not the closed language."""
    return source.startswith(PLAIN_MARK)


@dataclass(frozen=True)
class Program:
    """A program's source under the hash of its normalised form."""

    id: str
    source: str


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; nan where the interval is not known."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Score:
    """How well a program reproduces a head on one split; means over sentences."""

    program: str  # Program.id
    head: HeadId
    split: Split
    iou: Estimate
    js_distance: float  # nan where it was not measured
    sentences: int
    failures: int  # sentences on which the program failed, each scored 0


@dataclass(frozen=True)
class BestProgram:
    """The program chosen for a head on validation, with its score on the split asked for."""

    program: Program
    score: Score
    baseline: float  # IoU of the head's best baseline on the same split
    resolved: Estimate = field(default_factory=lambda: Estimate(math.nan))  # IoU with every head it looks at
    # replaced by that head's resolved program; its own IoU where it looks at none, nan where it is not known

    @property
    def lift(self) -> float:
        """IoU beyond the best baseline."""
        return self.score.iou.value - self.baseline


@dataclass(frozen=True)
class Conversion:
    """A program of the language that was found for what one of plain Python does."""

    plain: str  # Program.id
    program: str | None  # Program.id; None where none was found
    iou: Estimate  # between both, on the test passages that the plain one runs on; nan where none was found
    passages: int  # of those
    why_not: str = ""


@dataclass(frozen=True)
class LibraryBest:
    """A head's best program of one library, chosen on validation."""

    program: str  # Program.id
    source: str
    validation: float  # IoU
    test: float


@dataclass(frozen=True)
class Card:
    """A program on a head as a reviewer sees it."""

    head: HeadId
    program: Program
    category: str
    summary: str  # one plain-English sentence
    lookahead: bool
    nodes: int
    origin: str  # baseline, a proposer, person, refit; "plain Python, from FILE"
    parent: str | None  # Program.id that a person edited
    fits: Mapping[Split, Estimate]  # mean IoU
    baselines: Mapping[Split, float]  # IoU of the head's best baseline
    failures: int  # sentences of all splits on which the program failed
    cost: float | None  # nats of KL per token of replacing this head alone; None where it was not estimated
    looks: int = 0  # other heads that it looks at; `fits` are then given what those do
    resolved: Mapping[Split, Estimate] = field(default_factory=dict)  # mean IoU with their programs instead
    twin: float = math.nan  # IoU of the head's text-blind twin on validation; nan where it is not known

    @property
    def id(self) -> CardId:
        """What names a card."""
        return self.head, self.program.id

    def iou(self, split: Split) -> float:
        """Mean IoU on a split; 0 where it was not scored."""
        return self.fits[split].value if split in self.fits else 0.0

    def resolved_iou(self, split: Split) -> float:
        """Mean IoU without the model: its own where it looks at no head, nan where it is not known."""
        if not self.looks:
            return self.iou(split)
        return self.resolved[split].value if split in self.resolved else math.nan

    def lift(self, split: Split) -> float:
        """IoU beyond the head's best baseline."""
        return self.iou(split) - self.baselines.get(split, 0.0)

    @property
    def over_twin(self) -> float:
        """IoU beyond the head's text-blind twin on validation; nan where that is not known."""
        return self.iou(Split.VALIDATION) - self.twin


class Action(StrEnum):
    """What a reviewer can do to a head's program."""

    ACCEPT = "accept"
    REJECT = "reject"
    SKIP = "skip"
    FLAG = "flag"


@dataclass(frozen=True)
class Verdict:
    """A reviewer's standing decision on one program for one head."""

    event: int  # its place in the log; later wins
    head: HeadId
    program: str
    action: Action
    reviewer: str
    reason: str
    at: str  # ISO 8601, UTC
    note: str = ""


@dataclass(frozen=True)
class HybridSpec:
    """Which heads a hybrid replaces, each by a program's source."""

    model: str  # ModelInfo.id
    programs: tuple[tuple[HeadId, str], ...]

    @classmethod
    def of(cls, model: str, programs: Iterable[tuple[HeadId, str]]) -> HybridSpec:
        """A spec with its heads in order, so that equal specs compare equal."""
        return cls(model, tuple(sorted(programs)))


@dataclass(frozen=True)
class HybridProgram:
    """The program of one head of a hybrid."""

    head: HeadId
    source: str
    parent: str | None = None  # Program.id that it was fitted from; None where that is not known


Calibration = tuple[tuple[int, float], ...] | None  # (step, KL per token on validation)


@dataclass(frozen=True)
class MadeHybrid:
    """A hybrid, and how it was chosen."""

    programs: tuple[HybridProgram, ...]  # in the order of heads
    title: str
    share: float  # of all heads
    order: str | None = None
    budget: float | None = None  # increase of perplexity on validation, 0.05 = +5 %
    calibration: Calibration = None  # how fitting its constants through the model went

    def spec(self, model: str) -> HybridSpec:
        """Which heads of the model it replaces, by which programs."""
        return HybridSpec.of(model, ((program.head, program.source) for program in self.programs))


MapColour = Literal["iou", "resolved", "lift", "twin", "category", "verdict", "audits"]  # of a map of heads
HeadOrder = Literal["cost", "greedy", "measured", "iou", "random"]
ORDERS: tuple[HeadOrder, ...] = get_args(HeadOrder)


# Which programs replace heads: the accepted ones, the best, the best where those that they look at are
# replaced too, or the best that look at no other head.
ProgramChoice = Literal["accepted", "best", "resolved", "text"]


@dataclass(frozen=True)
class HybridRequest:
    """Which hybrid to build out of candidate programs, and what to measure of it."""

    title: str
    order: HeadOrder = option("cost", "which heads go first")  # noqa: RUF009 - gives a field
    count: int | None = None  # heads to replace; None: as many as the budget allows
    budget: float | None = option(
        None, "as many heads as raise perplexity on validation by no more: 0.05 for 5 %", Bounds(least=0)
    )
    calibrate: bool = option(False, "fit the programs' constants through the model")
    strict: bool = option(False, "measure also with programs that see no further than the query")
    seed: int = option(0, "of the random order and of what is drawn", Bounds(least=0))
    steps: int = option(
        40, "of --calibrate, each on four train passages more; it takes longer in proportion", Bounds(above=0)
    )


Measure = Literal["next tokens", "masked tokens", "final states"]  # what hybrid and model are compared on


@dataclass(frozen=True)
class SiteOptions:
    """What a site shows."""

    programs: Literal["all", "accepted"] = option("all", "every head's program, or only accepted ones")
    names: bool = option(True, "reviewers by their names and with their notes; else by numbers")
    passages: int = option(12, "test passages whose attention is shown", Bounds(1, 40))
    licence: str = option("", "under which the site's texts and figures may be used, in a few words")


@dataclass(frozen=True)
class Evaluation:
    """What a hybrid costs on the same tokens as the unmodified model; intervals are over passages.

    An encoder that predicts nothing has no perplexity (nan), and as `kl` the distance of its final states.
    """

    base_ppl: float
    ppl: float
    increase: Estimate  # 0.12 = +12 %
    kl: Estimate  # nats per token, KL(original || hybrid), or the cosine distance of final states; without
    # interval in older results
    tokens: int
    passages: int
    kept: int  # (head, passage) pairs where the program failed and the head kept its own attention
    measure: Measure = "next tokens"

    def figures(self) -> dict[str, float]:
        """Every figure by the name under which it is stored and printed."""
        return {
            "base_ppl": self.base_ppl,
            "ppl": self.ppl,
            "increase": self.increase.value,
            "low": self.increase.low,
            "high": self.increase.high,
            "kl": self.kl.value,
            "tokens": self.tokens,
            "passages": self.passages,
            "kept": self.kept,
            "kl_low": self.kl.low,
            "kl_high": self.kl.high,
        }

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Evaluation:
        """The evaluation that has these figures; raises KeyError for a missing one."""
        kl_bounds = (figures.get(name) for name in ("kl_low", "kl_high"))
        return cls(
            base_ppl=float(figures["base_ppl"]),
            ppl=float(figures["ppl"]),
            increase=Estimate(*(float(figures[name]) for name in ("increase", "low", "high"))),
            kl=Estimate(
                float(figures["kl"]), *(math.nan if bound is None else float(bound) for bound in kl_bounds)
            ),
            tokens=figures["tokens"],
            passages=figures["passages"],
            kept=figures["kept"],
            measure=figures.get("measure", "next tokens"),
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        from pydantic_core import core_schema

        def read(given: object) -> Evaluation:
            if isinstance(given, Evaluation):
                return given
            try:
                return cls.of(given)  # type: ignore[arg-type]  # a TypeError says that it is no mapping
            except (KeyError, TypeError) as error:
                raise ValueError(f"not the figures of an evaluation ({error})") from error

        def plain(found: Evaluation) -> dict[str, float | str]:
            return {**found.figures(), "measure": found.measure}

        written = core_schema.plain_serializer_function_ser_schema(plain)
        return core_schema.no_info_plain_validator_function(read, serialization=written)


FIGURES = ("base_ppl", "ppl", "increase", "low", "high", "kl", "kl_low", "kl_high")  # of `Evaluation.figures`
COUNTS = ("tokens", "passages", "kept")


@dataclass(frozen=True)
class StrictCost:
    """A hybrid's cost where programs see no further than the query, beside the usual one on the same."""

    usual: Evaluation
    strict: Evaluation


@dataclass(frozen=True)
class TokenDamage:
    """Of one passage every token with its loss in both models, nats; the first token has none."""

    tokens: tuple[str, ...]
    base: tuple[float, ...]
    changed: tuple[float, ...]
    kl: tuple[float, ...]


@dataclass(frozen=True)
class EvaluationDetails:
    """What lies behind an evaluation; empty in older results."""

    genres: dict[str, Evaluation] = field(default_factory=dict)
    strict: StrictCost | None = None
    damage: tuple[TokenDamage, ...] = ()


@dataclass(frozen=True)
class CurvePoint:
    """A number of heads replaced in an order, or by a control on the heads of the first order."""

    order: str  # or the control's name
    control: bool
    heads: int
    share: float  # of all heads
    increase: float  # of perplexity, 0.12 = +12 %; nan of final states
    low: float  # 95 % bootstrap interval over passages
    high: float
    kl: float  # nats per token, or the cosine distance of final states
    kept: int
    beyond: tuple[float, float] | None = None  # interval of the KL beyond that of the programs, of a control


@dataclass(frozen=True)
class Curve:
    """Perplexity against share of heads."""

    model: str  # ModelInfo.id
    title: str
    passages_from: str
    passages: int
    tokens: int
    rows: tuple[CurvePoint, ...]
    programs: dict[HeadId, str] | None = None  # Program.id of every head; None in older results
    measure: Measure = "next tokens"


@dataclass(frozen=True)
class TaskAccuracy:
    """How often a model and a hybrid are right on one task."""

    hybrid: str
    task: str
    questions: int
    original: float
    original_interval: tuple[float, float]
    changed: float
    changed_interval: tuple[float, float]
    agreement: float | None
    kept: int = 0
