"""Patterns to put in the place of heads: what programs produce on some sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from core.errors import HybridError
from core.features import Features
from core.hybrid.looking import Looking, Run
from core.language import Evaluated, Evaluator, Looks, ParsedProgram
from core.maps import batches
from core.types import Failure, HeadId


@dataclass(frozen=True)
class HeadMaps:
    """Weights of some heads on some sentences."""

    heads: Sequence[HeadId]
    weights: Tensor  # float32 [sentence, head, query, key], in the order of `heads`
    mix: Tensor | None = None  # [sentence, head]: 1 where the head is replaced, 0 where it keeps its own
    looking: Looking | None = None  # programs whose weights, 0 here, follow in the pass

    @property
    def ran(self) -> Tensor:
        """Where a head is replaced: bool [sentence, head], on the CPU."""
        if self.mix is None:
            return torch.ones(self.weights.shape[:2], dtype=torch.bool)
        return (self.mix != 0).cpu()

    def among(self, heads: Set[HeadId]) -> HeadMaps:
        """The maps of these heads only."""
        chosen = [at for at, head in enumerate(self.heads) if head in heads]
        if len(chosen) == len(self.heads):
            return self
        return HeadMaps(
            [self.heads[at] for at in chosen],
            self.weights[:, chosen],
            None if self.mix is None else self.mix[:, chosen],
            None if self.looking is None else self.looking.among(heads),
        )

    def reading(self, seen: Mapping[HeadId, Tensor]) -> HeadMaps:
        """The same with the weights of all programs that look, where the heads they look at give `seen`."""
        if self.looking is None:
            return self
        run, weights = self.looking.start(seen), self.weights.clone()
        mix = torch.ones(weights.shape[:2]) if self.mix is None else self.mix.clone()
        for at, head in enumerate(self.heads):
            if head in self.looking.programs:
                found = run(head, None)
                length = found.weights.shape[-1]
                weights[:, at, :length, :length] = found.weights
                mix[list(found.failures), at] = 0
        return HeadMaps(self.heads, weights, mix.to(weights.device))


class PatternSource(Protocol):
    """Where a hybrid's patterns come from."""

    @property
    def heads(self) -> Sequence[HeadId]:
        """The heads that are replaced."""

    def patterns(self, features: Features) -> HeadMaps:
        """Their patterns on these sentences."""


NO_MAPS = HeadMaps([], torch.zeros(0, 0, 0, 0))


class _NoPatterns:
    heads: Sequence[HeadId] = ()

    def patterns(self, features: Features) -> HeadMaps:
        return HeadMaps([], torch.zeros(len(features), 0, 0, 0))


NO_PATTERNS = _NoPatterns()  # a source without heads


def refuse_circles(programs: Mapping[HeadId, ParsedProgram]) -> None:
    """Raises HybridError if a program looks at a head that does not come before its own."""
    for head, program in sorted(programs.items()):
        if not program.may_stand_for(head):
            late = min(looked for looked in program.looks if looked >= head)
            raise HybridError(
                f"the program for {head} looks at {late}, which does not come before {head}; a program may "
                "look at heads of earlier layers, and of its own layer at those with a lower number"
            )


class ProgramPatterns:
    """Programs as a source of patterns; a program that fails on a sentence leaves its head alone there.

    Raises HybridError if a program looks at a head that does not come before its own.
    """

    def __init__(
        self, programs: Mapping[HeadId, ParsedProgram], causal: bool, device: str | torch.device
    ) -> None:
        refuse_circles(programs)
        self.programs = programs
        self.heads = sorted(programs)
        self.causal = causal
        self.device = device

    def patterns(self, features: Features) -> HeadMaps:
        """Every distinct program evaluated once."""
        evaluator = Evaluator(features, self.causal, self.device)
        plain = {program for program in self.programs.values() if not program.looks}
        produced = {program.id: evaluator.run(program) for program in plain}
        looking = looking_among(self.programs, features, self.causal, self.device)
        of_heads = {head: produced.get(self.programs[head].id) for head in self.heads}
        return together(of_heads, features, self.device, looking)


def looking_among(
    programs: Mapping[HeadId, ParsedProgram], features: Features, causal: bool, device: str | torch.device
) -> Looking | None:
    """Those of the programs that look, on these sentences; None if none does."""

    def start(looks: Looks) -> Run:
        evaluator = Evaluator(features, causal, device, looks=looks)
        return lambda head, constants: evaluator.run(programs[head])

    return Looking(programs, start).among({head for head, program in programs.items() if program.looks})


def together(
    produced: Mapping[HeadId, Evaluated | None],
    features: Features,
    device: str | torch.device,
    looking: Looking | None = None,
) -> HeadMaps:
    """What programs produced on some sentences, each for its head; one that failed leaves its head alone.

    None stands for what a program that looks will give.
    """
    length = int(features.lengths.max(initial=0))
    shape = (len(features), length, length)
    nothing = torch.zeros((), device=device).expand(shape)
    results = [nothing if one is None else padded_to(one.weights, length) for one in produced.values()]
    mix = torch.ones(len(features), len(results))
    for at, one in enumerate(produced.values()):
        mix[[] if one is None else list(one.failures), at] = 0
    has_failed = bool((mix == 0).any())
    weights = torch.stack(results, 1) if results else torch.zeros(len(features), 0, length, length)
    return HeadMaps(list(produced), weights, mix.to(weights.device) if has_failed else None, looking)


def padded_to(weights: Tensor, length: int) -> Tensor:
    """Weights [sentence, query, key] of so many tokens, 0 beyond those that they are of."""
    if weights.shape[2] == length:
        return weights
    return functional.pad(weights, (0, length - weights.shape[2], 0, length - weights.shape[1]))


_MOST_WEIGHTS = 2**24  # held at once of prefixes, of which the last rows are kept


class PrefixPatterns:
    """Programs that read no further than the query: every row from features of the passage up to it.

    What a left-to-right model could have seen; `prefixes` holds each passage as `annotate_prefixes` reads it.
    Raises HybridError as ProgramPatterns does.
    """

    def __init__(
        self,
        programs: Mapping[HeadId, ParsedProgram],
        prefixes: Mapping[str, Features],
        device: str | torch.device,
    ) -> None:
        refuse_circles(programs)
        self.programs = programs
        self.heads = sorted(programs)
        self.prefixes = prefixes
        self.device = device

    def patterns(self, features: Features) -> HeadMaps:
        """Row n of a passage is the last row of its first n + 1 tokens."""
        plain = [head for head in self.heads if not self.programs[head].looks]
        produced = self._by_prefix(features, plain, lambda row: {})

        def start(looks: Looks) -> Run:
            # What a head gives the tokens of a prefix does not hang on those after it.
            def run(head: HeadId, constants: Tensor | None) -> Evaluated:
                return self._by_prefix(
                    features, [head], lambda row: {looked: looks[looked][row] for looked in looks}
                )[head]

            return run

        looking = Looking(self.programs, start).among(set(self.heads) - set(plain))
        of_heads = {head: produced.get(head) for head in self.heads}
        return together(of_heads, features, self.device, looking)

    def _by_prefix(
        self, features: Features, heads: Sequence[HeadId], seen: Callable[[int], Mapping[HeadId, Tensor]]
    ) -> dict[HeadId, Evaluated]:
        """What the programs of some heads give, where others give `seen` on the passage of a row."""
        length = int(features.lengths.max(initial=0))
        weights = {head: torch.zeros(len(features), length, length, device=self.device) for head in heads}
        failures: dict[HeadId, dict[int, Failure]] = {head: {} for head in heads}
        most = _MOST_WEIGHTS // max(1, len(heads))
        for row, sentence in enumerate(features.sentences if heads else ()):
            prefixes = self.prefixes[sentence]
            for some in batches(prefixes.lengths, range(len(prefixes)), pairs=most):
                looks = {looked: [maps] * len(some) for looked, maps in seen(row).items()}
                evaluator = Evaluator(prefixes.select(some), True, self.device, looks=looks)
                read = {p.id: evaluator.run(p) for p in {self.programs[head] for head in heads}}
                for head in heads:
                    found = read[self.programs[head].id]
                    for at, last in enumerate(some):
                        weights[head][row, last, : last + 1] = found.weights[at, last, : last + 1]
                    if found.failures:  # one failing prefix is a failing passage
                        failures[head].setdefault(row, next(iter(found.failures.values())))
        return {head: Evaluated(weights[head], failures[head]) for head in heads}
