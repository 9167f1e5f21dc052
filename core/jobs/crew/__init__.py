"""Who works on the units of a job: this process, or the nodes of a cluster.

A stage of a job is cut into named units, none of which depends on another or on who works on it. What they
share is made once where they are worked on (`Stage.open`), and what each finds comes back to the job's
worker, which alone writes it down whole and announces it: a unit that is lost is done again, and is there
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from core.types import Told

if TYPE_CHECKING:
    from core.jobs.place import Place
    from core.models.pretrained import LoadedModel

Unit = TypeVar("Unit")
Found = TypeVar("Found")


@dataclass
class Bench:
    """Where units are worked on: who hears of it, and the model that was loaded last."""

    told: Told
    _held: LoadedModel | None = field(default=None, init=False)

    def model(self, place: Place, name: str, expected: str | None = None) -> LoadedModel:
        """The model of this name, loaded once; raises ModelError, also if its id is not `expected`."""
        from core.models.pretrained import load  # imports transformers

        held = self._held
        if held is None or held.info.name != name or expected not in (None, held.info.id):
            self._held = None  # its memory first
            held = load(
                name,
                place.models,
                place.device,
                lambda text: self.told.progress(text, 0, 0),
                expected,
                place.dtype,
                place.device_map,
            )
        return self.keep(held)

    def let_go(self) -> None:
        """Hold no model: the memory of one that nobody else holds is free."""
        self._held = None

    def keep(self, loaded: LoadedModel) -> LoadedModel:
        """Have this model at hand from now on."""
        self._held = loaded
        return loaded


@dataclass
class Heard:
    """What is told where units are worked on, until a reply takes it along: notes; not how far a unit is."""

    notes: list[str] = field(default_factory=list)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Says nothing elsewhere."""

    def note(self, message: str) -> None:
        """Keep a note."""
        self.notes.append(message)

    def taken(self) -> tuple[str, ...]:
        """The notes since the last reply."""
        found, self.notes = tuple(self.notes), []
        return found


@dataclass(frozen=True)
class Station(Generic[Unit, Found]):
    """What is ready to work on a stage's units."""

    work: Callable[[Unit], Found]
    side_by_side: bool = False  # each unit on one core, so several at once; else one unit, on all of them


@dataclass(frozen=True)
class Stage(Generic[Unit, Found]):
    """A kind of units, which can be sent to another machine."""

    title: str  # what is done with them, for people
    open: Callable[[Bench], Station[Unit, Found]]  # made once where units are worked on
    model: str = ""  # the model that it loads, by name; empty if none

    def station(self, bench: Bench) -> Station[Unit, Found]:
        """What works on its units there, which no longer holds a model that the stage does not name."""
        if not self.model:
            bench.let_go()
        return self.open(bench)


class Crew(Protocol):
    """Works on units."""

    bench: Bench  # of the job's own worker
    begins_alone: bool  # whether a stage's first unit is done before others are begun

    def run(self, stage: Stage[Unit, Found], units: Mapping[str, Unit]) -> Iterator[tuple[str, Found]]:
        """What each unit comes to, by its name, as units end.

        Raises what a unit raised. The same stage may be run again with other units: it stays open.
        """
