"""Decisions leave and enter a workspace as JSON lines.

The first line is {"kind": "headscript decisions", "version": 1}. Then come the programs that verdicts are
about ({"kind": "program", "id", "source", "origin", "parent"}) and the whole log of verdicts
({"kind": "verdict", "uid", "model", "layer", "head", "program", "action", "undoes", "batch", "reviewer",
"reason", "note", "made_at"}), in the order they entered it: an undo after what it takes back.

Taking in a file twice changes nothing the second time. Where a file and the workspace differ:

- An event is known by its uid. One that is here already stays as it is; if the file tells it otherwise,
  the file is refused.
- A program is known by the hash of what it says. One that is here keeps its layout, comments and origin.
  Which programs are baselines is said here, not in the file.
- Decisions of both sides stay in the log. The latest accept or reject on a card stands, of one reviewer's
  as of several reviewers', by the time they were made, not taken in. A flag or skip never takes its place.
- Undo takes back the very event it names, wherever it was made.
- A clock that was ahead is believed: what is decided here afterwards counts as later.

A file that is wrong is not taken in at all: a DecisionsError names the line. An import that is cut off has
taken in the beginning of the log; the same one again takes in the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cache

from core import wire
from core.display import LONGEST_NAME, one_spelling
from core.errors import DecisionsError, ProgramError, WireError
from core.scoring import BASELINES, program_of
from core.settings import TRUST_AND_STRANGERS, trusts_programs
from core.store import ProgramRow, VerdictRow, Workspace
from core.types import PLAIN_ORIGIN, Action, HeadId, ModelInfo, is_plain

_HEADER = {"kind": "headscript decisions", "version": 1}
_KINDS: dict[str, type[ProgramRow | VerdictRow]] = {"program": ProgramRow, "verdict": VerdictRow}
_LONGEST_ORIGIN = 200  # characters
_ORIGIN = re.compile(r"[a-z][a-z0-9_-]{0,40}")  # a proposer's name, of this installation or another; person
_MAX_NOTE = 10_000
_LAST_YEAR = 9000  # later ones could not be told in four digits once more was decided after them
_ACTIONS = {*map(str, Action), "undo"}


@dataclass(frozen=True)
class _Line:
    """What a line says of itself before it is read as what it says it is."""

    kind: object = None
    version: object = None


@dataclass(frozen=True)
class TakenIn:
    """What a file brought."""

    programs: int
    verdicts: int
    known: int  # programs and verdicts that were here already
    unscored: tuple[str, ...]  # sources of new programs, which have no scores yet


def export_lines(workspace: Workspace) -> Iterator[str]:
    """The programs that verdicts are about and the whole log, a line each, with line ends."""
    yield _line(_HEADER)
    for program in workspace.verdict_rows.programs():
        yield _line({"kind": "program", **wire.plain(program)})
    for event in workspace.verdict_rows.events():
        yield _line({"kind": "verdict", **wire.plain(event)})


def import_lines(workspace: Workspace, lines: Iterable[str]) -> TakenIn:
    """Take in what `export_lines` gave, here or elsewhere; raises DecisionsError, having changed nothing."""
    events, programs = workspace.verdict_rows.known()
    here = len(events)
    models = {model.id: model for model in workspace.models.all()}
    new_programs: list[ProgramRow] = []
    known = 0
    for number, row in _rows(lines):
        where = f"line {number}"
        if isinstance(row, ProgramRow):
            program = _program(row, where)
            if program.id in programs:
                known += 1
            else:
                programs.add(program.id)
                new_programs.append(program)
            continue
        event = _event(row, where)
        if event.uid in events:
            known += 1
            _same(events[event.uid], event, where)
        else:
            _fits(event, programs, events.keys(), models, where)
            events[event.uid] = event
    new_events = list(events.values())[here:]
    workspace.verdict_rows.add(new_programs, new_events)
    sources = tuple(program.source for program in new_programs)
    return TakenIn(len(new_programs), len(new_events), known, sources)


def _line(row: Mapping[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, ProgramRow | VerdictRow]]:
    """The lines after the header with their numbers."""
    is_first = True
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        said = _said(line, number)
        if not is_first:
            yield number, _row(said.kind, line, number)
        elif {"kind": said.kind, "version": said.version} != _HEADER:
            raise DecisionsError(
                f"line {number} is not the header {json.dumps(_HEADER)}; was this file exported by "
                "this version of Headscript?"
            )
        is_first = False
    if is_first:
        raise DecisionsError("the file is empty")


def _said(line: str, number: int) -> _Line:
    wrong = f"line {number} is not JSON in UTF-8 with a kind"
    try:
        return wire.load(_Line, line, wrong)
    except WireError as error:
        raise DecisionsError(str(error)) from error
    except UnicodeEncodeError as error:  # half of a surrogate pair, which nothing can store
        raise DecisionsError(f"{wrong}: {error}") from error


def _row(kind: object, line: str, number: int) -> ProgramRow | VerdictRow:
    if not isinstance(kind, str) or kind not in _KINDS:
        raise DecisionsError(f"line {number} is of the kind {kind!r}, not program or verdict")
    try:
        return wire.load(_KINDS[kind], line, f"line {number}")
    except WireError as error:
        raise DecisionsError(str(error)) from error


def _program(row: ProgramRow, where: str) -> ProgramRow:
    source, origin = row.source, row.origin
    try:
        found = program_of(source).id
    except ProgramError as error:
        raise DecisionsError(f"{where}: the program cannot be read: {error.problems[0]}") from error
    if found != row.id:
        raise DecisionsError(f"{where}: the program's id is {row.id!r}, but its source gives {found!r}")
    if found in _baselines():
        origin = "baseline"
    elif is_plain(source):
        if trusts_programs():
            raise DecisionsError(f"{where}: {TRUST_AND_STRANGERS}")
        if not (origin.startswith(PLAIN_ORIGIN) and origin.isprintable() and len(origin) <= _LONGEST_ORIGIN):
            raise DecisionsError(f"{where}: the origin of plain Python is {origin!r}, not {PLAIN_ORIGIN}FILE")
    elif origin == "baseline" or not _ORIGIN.fullmatch(origin):
        raise DecisionsError(
            f"{where}: the origin is {origin!r}, not a proposer's name, such as search, or person"
        )
    return replace(row, origin=origin)


@cache
def _baselines() -> frozenset[str]:
    return frozenset(program_of(source).id for source in BASELINES.values())


def _event(event: VerdictRow, where: str) -> VerdictRow:
    _check_lengths(event, where)
    if event.action not in _ACTIONS or (event.action == "undo") != (event.undoes is not None):
        raise DecisionsError(f"{where}: {event.action!r} is no action, or undoes nothing")
    _check_time(event.made_at, where)
    return replace(event, reviewer=one_spelling(event.reviewer))


def _check_lengths(event: VerdictRow, where: str) -> None:
    for name, value in vars(event).items():
        most = _MAX_NOTE if name == "note" else LONGEST_NAME
        if isinstance(value, str) and len(value) > most:
            raise DecisionsError(f"{where}: {name} has {len(value):,} characters, more than {most:,}")


def _check_time(made_at: str, where: str) -> None:
    try:
        found = datetime.strptime(made_at, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        found = None
    if found is None or f"{found.isoformat(timespec='microseconds')}Z" != made_at:
        raise DecisionsError(f"{where}: made_at is {made_at!r}, not like 2026-01-31T12:00:00.000000Z")
    if found.year > _LAST_YEAR:
        raise DecisionsError(f"{where}: made_at is {made_at!r}, which is still to come")


def _same(here: VerdictRow, event: VerdictRow, where: str) -> None:
    for name in (field.name for field in fields(VerdictRow)):
        known, told = getattr(here, name), getattr(event, name)
        if (one_spelling(known) if name == "reviewer" else known) != told:
            raise DecisionsError(
                f"{where}: the event {event.uid} is here with {name} {known!r}, not {told!r}"
            )


def _fits(
    event: VerdictRow, programs: Set[str], events: Set[str], models: Mapping[str, ModelInfo], where: str
) -> None:
    """Whether what an event names exists; a model that is not here may still come."""
    model = models.get(event.model)
    head = HeadId(event.layer, event.head)
    if model is not None and (lacking := model.lacks(head)):
        raise DecisionsError(f"{where}: {head} {lacking}")
    if event.program not in programs:
        raise DecisionsError(f"{where}: the program {event.program!r} is neither above nor in the workspace")
    if event.undoes is not None and event.undoes not in events:
        raise DecisionsError(f"{where}: it undoes {event.undoes!r}, which is neither above nor here")
