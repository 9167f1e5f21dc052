"""What an entry of the table of proposers is, and how its limits say what they may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import ProposerError
from core.settings import Settings
from core.types import Bounds

if TYPE_CHECKING:
    import numpy as np
    import torch

    from core.features import Features
    from core.language import ParsedProgram
    from core.models.device import Halving
    from core.proposers.llm.budget import Terms
    from core.proposers.llm.provider import Provider

    Maps = Mapping[str, np.ndarray]  # sentence -> a layer's [head, query, key]


def limit(
    default: Any,
    label: str,
    help: str = "",
    bounds: Bounds | None = None,
    *,
    told: str | None = None,
    is_option: bool = True,
    **more: Any,
) -> Any:
    """A field of a limits type: its default, and what command line, page and history say of it.

    `told` is how a run's settings show the value, with `{}` where it stands. `more`: `step` and `places` of a
    number and the range that is `offered` of it, `choices` of a text, `key` of the field on the page where
    that is not `<proposer>-<name>`. What is no `is_option` can be set on the page and by settings alone.
    """
    said = {"label": label, "hint": help[:1].upper() + help[1:], "told": told} | more
    return field(default=default, metadata=said | ({"help": help, "bounds": bounds} if is_option else {}))


def check_limits(limits: Any) -> None:
    """Raises ProposerError naming the first limit that is out of its bounds."""
    for entry in fields(limits):
        bounds: Bounds | None = entry.metadata.get("bounds")
        problem = bounds.problem(getattr(limits, entry.name)) if bounds else ""
        if problem:
            raise ProposerError(f"{entry.name}: {problem}")


class Layers(Protocol):
    """A proposer that is ready to look at layers."""

    def describe(self) -> str:
        """What it chooses from, for the job's notes."""

    def over_layers(self, heads: Mapping[int, Sequence[int]]) -> Iterator[tuple[int, list[ParsedProgram]]]:
        """Layer after layer, in order, a program for each of these heads of it."""


@dataclass(frozen=True)
class Material:
    """What a proposer may work with: train and validation, never test."""

    train: Features
    validation: Features
    is_causal: bool
    device: str | torch.device
    halving: Halving  # takes fewer heads at a time where memory runs out
    read: Callable[[int], Maps]  # a layer's attention on every sentence of both, of all heads
    sizes: Callable[[int], Maps] | None = None  # lengths of what heads write: [head, key]


@dataclass(frozen=True)
class LayerByLayer:
    """Proposes for a layer's heads together, from their attention and that of other heads."""

    prepare: Callable[[Material, Any], Layers]  # with the limits


@dataclass(frozen=True)
class LanguageModel:
    """Proposes in a conversation about each head, within limits on what that uses up."""

    who: str  # "Claude": in messages
    connect: Callable[[Any, Settings], AbstractContextManager[Provider]]  # with the limits
    terms: Callable[[Any], Terms]  # of limits; raises ProposerError if none can hold
    estimate: Callable[[int, Any, int | None], float | None]  # USD of heads, limits, tokens of a first call
    check: Callable[[Any, Settings], None]  # raises ProposerError saying what is missing for these limits
    setup: str  # Markdown: how to get going, where `check` finds something missing
    prices_of: str = ""  # the date of the prices that `estimate` has


@dataclass(frozen=True)
class Proposer:
    """One who proposes programs."""

    name: str  # on the command line, and the origin of its programs
    title: str  # on the page
    job: str  # what a run of it is called
    about: str  # one or two sentences for whoever chooses
    limits: type[Any]  # a frozen dataclass with a default for every field: its options and its form
    way: LayerByLayer | LanguageModel
    secrets: tuple[str, ...] = ()  # the environment variables that its worker alone is given
    needs_device: bool = True  # one such run at a time
    kind: str = ""  # of its jobs; its name if empty
    settings: Callable[[Settings], Mapping[str, Any]] = lambda settings: {}  # limits that settings decide

    @property
    def job_kind(self) -> str:
        """The name of the kind of its jobs."""
        return self.kind or self.name

    def default_limits(self, settings: Settings) -> Any:
        """Its limits where nothing else is asked for."""
        return self.limits(**self.settings(settings))
