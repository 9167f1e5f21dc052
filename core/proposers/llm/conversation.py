"""One head's conversation with a proposer: first candidates, then refinements of the best.

A generator, so that who answers and when is another's affair: it yields a Request, is sent the reply's text
or the Failure that stands for it, and returns what came out. What is shown is train; what chooses and what
ends the rounds is validation.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from core.language import ParsedProgram
from core.language.tune import tune
from core.proposers.llm.limits import TalkLimits
from core.proposers.llm.prompt import behaviour, of_plain_python, task
from core.proposers.llm.provider import Request
from core.proposers.llm.replies import read_reply, repair
from core.proposers.llm.shown import HeadData, extremes
from core.types import Failure, HeadId, Json

_LEAST_GAIN = 0.001  # IoU on validation; less is no improvement

Answer = str | Failure
Conversation = Generator[Request, Answer, "Outcome"]


@dataclass(frozen=True)
class Scored:
    """A program with its mean IoU on train, which may be shown, and on validation, which chooses."""

    program: ParsedProgram
    train: float
    validation: float


@dataclass
class Outcome:
    """What a conversation came to."""

    best: Scored | None = None  # of the proposer's own programs
    programs: int = 0  # how many could be read
    ious: list[float] = field(default_factory=list)  # best on validation after each round, own or known
    failures: list[Failure] = field(default_factory=list)


def converse(
    data: HeadData,
    limits: TalkLimits,
    baselines: Mapping[str, ParsedProgram],
    known: ParsedProgram | None = None,
    plain: str = "",
) -> Conversation:
    """Ask for programs for one head, starting from the best `known` one or the best baseline.

    `plain` is the text of the program in plain Python that stands in the place of the head, if one does.
    """
    starts = _scored(data, list(baselines.values()))
    evidence = behaviour(data, {name: one.train for name, one in zip(baselines, starts, strict=True)})
    if plain:
        evidence += f"\n\n{of_plain_python(plain)}"
    best = max([*starts, *_scored(data, [known] if known else [])], key=lambda one: one.validation)
    outcome = Outcome()
    for number in range(1 + limits.rounds):
        request = Request(f"{data.head}-{number}", _messages(data, limits, evidence, best, number > 0))
        found = yield from _candidates(request, limits.candidates, data.head, outcome)
        if not found:
            break
        scored = _scored(data, _fitted(data, found))
        leader = max(scored, key=lambda one: one.validation)
        outcome.programs += len(found)
        if outcome.best is None or leader.validation > outcome.best.validation:
            outcome.best = leader
        gain = leader.validation - best.validation
        best = leader if gain > 0 else best
        outcome.ious.append(best.validation)
        if number > 0 and gain < _LEAST_GAIN:
            break
    return outcome


def _messages(data: HeadData, limits: TalkLimits, evidence: str, best: Scored, refines: bool) -> list[Json]:
    """The head's evidence, cached where further rounds soon read it again, then the task."""
    residuals = extremes(data, best.program) if refines else []
    wanted = task(limits.candidates, best.program.source, best.train, residuals, data.train)
    first: Json = {"type": "text", "text": evidence}
    if limits.rounds and not limits.batches:
        first["cache_control"] = {"type": "ephemeral"}
    return [{"role": "user", "content": [first, {"type": "text", "text": wanted}]}]


def _candidates(
    request: Request, count: int, head: HeadId, outcome: Outcome
) -> Generator[Request, Answer, list[ParsedProgram]]:
    """The programs of one call, its mistakes sent back once; none after a Failure, which is noted."""
    answer = yield request
    if isinstance(answer, Failure):
        outcome.failures.append(answer)
        return []
    reading = read_reply(answer, count, head)
    programs = {program.id: program for program in reading.programs}
    problems, failure = reading.problems, reading.failure
    if problems:
        answer = yield repair(request, answer, problems)
        if isinstance(answer, Failure):
            failure = answer
        else:
            reading = read_reply(answer, len(problems) if programs else count, head)
            programs |= {program.id: program for program in reading.programs}
            problems, failure = reading.problems, reading.failure
    if failure is None and not programs:
        failure = Failure("no program", " ".join(" ".join(problems).split())[:300])
    if failure is not None:
        outcome.failures.append(failure)
    return list(programs.values())


def _fitted(data: HeadData, programs: Sequence[ParsedProgram]) -> list[ParsedProgram]:
    """The programs with their constants fitted on train."""
    features, target = data.fitting()
    pairs = [(program, target) for program in programs]
    return [
        found.program
        for found in tune(pairs, features, data.is_causal, data.device, looks=data.looks_on(features))
    ]


def _scored(data: HeadData, programs: Sequence[ParsedProgram]) -> list[Scored]:
    if not programs:
        return []
    train, validation = (
        data.ious(programs, split).mean(1).tolist() for split in (data.train, data.validation)
    )
    return [Scored(*found) for found in zip(programs, train, validation, strict=True)]
