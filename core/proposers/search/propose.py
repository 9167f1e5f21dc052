"""A program for every head, without any API: rules chosen by gradient, fitted, pruned and written down.

Rules are chosen and fitted on train, and what each is worth is measured on validation. The search is handed
features and attention of those two splits and nothing else. What is compared in the end is the parsed source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch

from core.errors import ProposerError
from core.features import Features
from core.language import Looks, ParsedProgram, parse
from core.maps import first_within
from core.models.device import Halving, give_back
from core.proposers.search.digits import spelled
from core.proposers.search.goal import Goal, Sizes, goal_of
from core.proposers.search.grammar import grammar_of
from core.proposers.search.layout import Layout
from core.proposers.search.limits import SearchLimits
from core.proposers.search.looks import HeadLaws, Maps, looked_at
from core.proposers.search.part_values import Values, distinct
from core.proposers.search.refit import ious
from core.proposers.search.screen import Screen
from core.proposers.search.select import select
from core.proposers.search.write import written
from core.scoring import BASELINES, ProgramMaps, program_maps, sentence_ious
from core.settings import cores
from core.types import HeadId

_CELLS = 2**17  # query-key pairs of each split that are worked on; of a longer corpus the first passages


@dataclass(frozen=True)
class Search:
    """What all heads share: the candidate rules on both splits, and the baselines."""

    screen: Screen | None  # None where the sentences tell no key from another
    train: Values
    validation: Values
    baselines: tuple[ParsedProgram, ...]
    baseline_maps: ProgramMaps  # on validation
    is_causal: bool
    limits: SearchLimits
    read: Callable[[int], Maps]  # a layer's maps of all heads
    sizes: Callable[[int], Sizes] | None  # a layer's lengths of what is written; None: weights alone count
    halving: Halving = field(default_factory=Halving)  # of a layer's heads, where memory runs out

    @property
    def rules(self) -> int:
        """How many candidate rules there are, not counting sets of words."""
        return self.train.grammar.rules

    def describe(self) -> str:
        """What it chooses from, and where."""
        device = self.train.layout.device
        return f"choosing from {self.rules:,} rules and sets of words, on {device}"

    def propose(
        self, maps: Maps, owners: Sequence[HeadId] = (), sizes: Sizes | None = None
    ) -> list[ParsedProgram]:
        """A program for each head of a layer, whose maps of every train and validation sentence these are.

        The baseline that fits best on validation, where the rules do not beat it. `owners` says which heads
        these are, where their programs may look at other heads; `sizes` how long what they write of each
        token is, where that is what programs are fitted to.
        """
        heads = range(next(iter(maps.values())).shape[0])

        def of_heads(part: Sequence[int]) -> list[ParsedProgram]:
            these = slice(part[0], part[-1] + 1)
            held = {name: found[these] for name, found in maps.items()}
            return self._propose(held, owners[these], sizes and {n: own[these] for n, own in sizes.items()})

        return [program for _, found in self.halving.run(heads, of_heads) for program in found]

    def propose_for(self, layer: int, heads: Sequence[int]) -> list[ParsedProgram]:
        """`propose` for these heads of a layer."""
        maps = {name: held[list(heads)] for name, held in self.read(layer).items()}
        owners = [HeadId(layer, head) for head in heads] if self.may_look else ()
        sizes = None
        if self.sizes is not None:
            sizes = {name: own[list(heads)] for name, own in self.sizes(layer).items()}
        found = self.propose(maps, owners, sizes)
        give_back()  # or 60 MB more were held after each layer
        return found

    def _propose(
        self, maps: Maps, owners: Sequence[HeadId], sizes: Sizes | None = None
    ) -> list[ParsedProgram]:
        goals = (
            goal_of(self.train.layout, maps, sizes),
            goal_of(self.validation.layout, maps, sizes),
        )
        baseline_ious = self._reached(self.baseline_maps, maps, goals[1], sizes)
        best = [self.baselines[at] for at in baseline_ious.argmax(0)]
        if self.screen is None:
            return best
        chosen = select(self.screen, self.validation, goals, self.limits, owners)
        constants = spelled(self.train, chosen, goals[0])
        found = [parse(written(one.rules, texts)) for one, texts in zip(chosen, constants, strict=True)]
        features = self.validation.layout.features
        looks = self._looks(features, found)
        produced = program_maps(found, features, self.is_causal, looks=looks)
        reached = self._reached(produced, maps, goals[1], sizes)
        return [
            program if reached[head, head] > baseline_ious[:, head].max() else best[head]
            for head, program in enumerate(found)
        ]

    def _reached(self, produced: ProgramMaps, maps: Maps, goal: Goal, sizes: Sizes | None) -> np.ndarray:
        """Mean IoU of each program with each head on validation, of what counts: float [program, head]."""
        if sizes is None:
            found: np.ndarray = sentence_ious(produced, maps).mean(-1)
            return found
        layout, reached = self.validation.layout, []
        for program in range(len(produced.programs)):
            held = {name: produced.map_of(program, at)[None] for at, name in enumerate(produced.sentences)}
            logits = layout.targets(held).clamp(min=1e-30).log() + goal.bases
            reached.append(ious(layout, logits, goal.targets).cpu().numpy())
        return np.stack(reached)

    @property
    def may_look(self) -> bool:
        """Whether programs may look at other heads."""
        return self.train.head_laws is not None

    def _looks(self, features: Features, programs: Sequence[ParsedProgram]) -> Looks | None:
        heads = {head for program in programs for head in program.looks}
        return looked_at(features, heads, self.read) if heads else None

    def over_layers(self, heads: Mapping[int, Sequence[int]]) -> Iterator[tuple[int, list[ParsedProgram]]]:
        """`propose` for layer after layer, in order; on a CPU as many at a time as there are cores."""
        on_cpu = self.train.layout.device.type == "cpu"
        with ThreadPoolExecutor(
            cores() if on_cpu else 1,
            initializer=torch.set_num_threads,  # of this thread alone
            initargs=(1,),
        ) as pool:
            found = pool.map(lambda layer: self.propose_for(layer, heads[layer]), heads)
            yield from zip(heads, found, strict=True)


def no_maps(layer: int) -> Maps:
    """What a search reads that was handed no reader."""
    raise TypeError(f"layer {layer} is to be read, but the search was not told how")


def prepare_search(
    train: Features,
    validation: Features,
    is_causal: bool,
    limits: SearchLimits | None = None,
    device: str | torch.device = "cpu",
    halving: Halving | None = None,
    read: Callable[[int], Maps] | None = None,
    sizes: Callable[[int], Sizes] | None = None,
) -> Search:
    """A search over every rule that the grammar gives for these sentences.

    `halving` takes fewer heads at a time where memory runs out. `read` gives a layer's maps of all heads on
    every sentence of both; without it no program looks at another head. `sizes` gives the lengths of what
    its heads write of each token, for the objective `output`. Raises ProposerError if that lacks them.
    """
    limits, device = limits or SearchLimits(), torch.device(device)
    if limits.objective == "output" and sizes is None:
        raise ProposerError("objective output: needs the lengths of what heads write, which are not at hand")
    train, validation = (
        split.select(range(first_within(split.lengths, is_causal, _CELLS))) for split in (train, validation)
    )
    layouts = [Layout(split, is_causal, device) for split in (train, validation)]
    laws = None if limits.look == "none" or read is None else HeadLaws(layouts, read)
    values = Values(layouts[0], grammar_of(train, is_causal), laws)
    values.grammar = distinct(values.grammar, values)
    held_out = Values(layouts[1], values.grammar, laws, split=1)
    baselines = tuple(parse(source) for source in BASELINES.values())
    says_something = bool(values.grammar.tokens and values.grammar.relations)
    return Search(
        Screen(values, limits.look == "layer") if says_something else None,
        values,
        held_out,
        baselines,
        program_maps(baselines, validation, is_causal),
        is_causal,
        limits,
        read or no_maps,
        sizes if limits.objective == "output" else None,
        halving or Halving(),
    )
