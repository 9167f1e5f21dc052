"""Which program stands for each head where all that are looked at are programs; a finished unit is a layer.

It goes from the lowest head up: a program looks at earlier ones only, whose own is chosen by then.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import torch

from core.features import Features
from core.jobs.folder import EventWriter, Job
from core.jobs.results import LayerResolved, NewProgram, ResolvedFound
from core.jobs.tasks import Resolvable, ResolveTask
from core.jobs.work.search import device_of, split_features
from core.language import ParsedProgram, SomeLooks
from core.language.tune import tune
from core.maps import padded
from core.scoring import ProgramMaps, Resolved, chain_of, program_maps, program_of, score
from core.scoring.resolved import preference
from core.store.attention import AttentionReader
from core.store.passages import read_passages
from core.store.workspace import attention_folder, reader_of
from core.types import HeadId, ModelInfo, Score, Split

REFIT = "refit"  # the origin of a best program with other constants
_SPLITS = (Split.VALIDATION, Split.TEST)
_FITTED_CELLS = 2**19  # of train passages that constants are fitted to: a head's maps there are 2 MB
_FITTED_STEPS = 40


def resolve_programs(job: Job[ResolveTask]) -> None:
    """Choose a program for each head on validation; those that look get their resolved scores."""
    task, events, finished = job.task, job.events, job.folder.finished()
    layers: dict[int, dict[HeadId, list[Resolvable]]] = {}
    for one in task.programs:
        layers.setdefault(one.head.layer, {}).setdefault(one.head, []).append(one)
    stage = "fitting to resolved programs" if task.refit else "resolving references"
    looked_at: dict[int, set[HeadId]] = {}  # by layer
    for one in task.programs:
        looked_at.setdefault(one.head.layer, set()).update(program_of(one.source).looks)
    total, done = sum(map(len, layers.values())), 0
    events.progress(stage, done, total)
    ladder, found = _ladder(job), list[LayerResolved]()
    for layer, heads in sorted(layers.items()):
        name = f"resolved-{layer:03}"
        if f"{name}.json" in finished:
            found.append(job.folder.result("layer-resolved", f"{name}.json"))
            for head, source in found[-1].chosen.items():
                ladder.stand(head, program_of(source))
            done += len(heads)
            continue
        of_layer = list[_OfHead]()
        for head, programs in sorted(heads.items()):
            of_layer.append(ladder.climb(head, programs, task.refit))
            done += 1
            events.progress(stage, done, total)
        found.append(_announced(events, name, of_layer))
        ladder.hold_only({head for above in looked_at if above > layer for head in looked_at[above]})
    if "resolved.json" not in finished:
        events.result("resolved", ResolvedFound(task.info.id, tuple(found)))


@dataclass(frozen=True)
class _OfHead:
    """What stands for a head."""

    head: HeadId
    chosen: ParsedProgram
    scores: list[Score]  # resolved, of programs that look: the best and the chosen one
    rests_on: list[tuple[HeadId, str, str]]  # head, Program.id and chain of each
    refit: NewProgram | None  # where it was chosen
    given: list[Score]  # its scores given the heads


def _announced(events: EventWriter, name: str, heads: Sequence[_OfHead]) -> LayerResolved:
    """A layer as it is written down."""
    found = LayerResolved(
        {one.head: one.chosen.source for one in heads},
        events.scores(name, [score for one in heads for score in one.scores]),
        tuple(link for one in heads for link in one.rests_on),
        tuple(one.refit for one in heads if one.refit is not None),
        events.scores(f"{name}-given", [score for one in heads for score in one.given]),
    )
    events.result(name, found)
    return found


@dataclass
class _Ladder:
    """Heads with the programs that stand for them, from the lowest up to where it has come."""

    info: ModelInfo
    attention: AttentionReader
    device: torch.device
    features: dict[Split, Features]
    fitted_to: Features  # of train
    programs: dict[HeadId, ParsedProgram] = field(default_factory=dict)
    chains: dict[HeadId, str] = field(default_factory=dict)
    resolved: dict[Split, Resolved] = field(init=False)

    def __post_init__(self) -> None:
        held = self.features | {Split.TRAIN: self.fitted_to}
        self.resolved = {
            split: Resolved(self.programs, features, self.info.is_causal, self.device)
            for split, features in held.items()
        }

    def stand(self, head: HeadId, program: ParsedProgram) -> None:
        """Let a program stand for its head."""
        self.programs[head] = program
        self.chains[head] = chain_of(program, self.chains)

    def hold_only(self, heads: Set[HeadId]) -> None:
        """Hold what the programs of these heads give, as nobody looks at others any more."""
        for resolved in self.resolved.values():
            resolved.hold_only(heads)

    def climb(self, head: HeadId, known: Sequence[Resolvable], refits: bool) -> _OfHead:
        """Choose among these programs of the next head, the best one first."""
        programs = {program.id: program for program in (program_of(one.source) for one in known)}
        best = program_of(known[0].source)
        refit = self._fitted(head, best) if refits and best.looks and len(self.fitted_to) else best
        is_refit_new = refit.id not in programs
        programs.setdefault(refit.id, refit)
        looking = [program for program in programs.values() if program.looks]
        produced = {split: self.resolved[split].of(looking) for split in self._scored_on() if looking}
        scores = [one for split, found in produced.items() for one in self._scores(head, split, found)]
        reached = {program_of(one.source).id: one.iou for one in known if one.iou is not None}
        for one in scores:
            if one.split == Split.VALIDATION:  # as the workspace keeps it, so that it chooses alike
                reached[one.program] = float(np.float32(one.iou.value))
        ranked = sorted(reached, key=lambda name: preference(programs[name], reached[name]))
        chosen = programs[ranked[0]] if ranked else best
        for split, found in produced.items():
            if chosen.id in found.programs:
                self.resolved[split].keep(head, found.of_program(found.programs.index(chosen.id)))
        self.stand(head, chosen)
        kept = {program.id: program for program in (best, chosen) if program.looks}
        is_new = is_refit_new and chosen.id == refit.id
        return _OfHead(
            head,
            chosen,
            [one for one in scores if one.program in kept],
            [(head, name, chain_of(program, self.chains)) for name, program in kept.items()],
            NewProgram(chosen.source, REFIT, best.id) if is_new else None,
            self._given(head, chosen) if is_new else [],
        )

    def _scored_on(self) -> list[Split]:
        return [split for split in _SPLITS if len(self.features[split])]

    def _fitted(self, head: HeadId, program: ParsedProgram) -> ParsedProgram:
        """The program with its constants fitted to what it gives resolved."""
        behind = self.resolved[Split.TRAIN]
        failing = behind.failures_behind(program)  # whatever its constants, it scores 0 there
        rows = [row for row in range(len(self.fitted_to)) if row not in failing]
        features, looks = self.fitted_to.select(rows), SomeLooks(behind, rows)
        target = padded(self._maps(head, features))
        (fit,) = tune(
            [(program, target)], features, self.info.is_causal, self.device, _FITTED_STEPS, looks=looks
        )
        return fit.program

    def _scores(
        self, head: HeadId, split: Split, produced: ProgramMaps, with_js: bool = False
    ) -> list[Score]:
        own, window = self._maps(head, self.features[split]), self.info.window(head.layer)
        maps = {name: one[None] for name, one in zip(produced.sentences, own, strict=True)}
        return score(produced, maps, [head], split, window, with_js)

    def _given(self, head: HeadId, program: ParsedProgram) -> list[Score]:
        """A program's scores with the model's heads where it looks."""
        scores = list[Score]()
        for split, features in self.features.items():
            if len(features):
                looks = self.attention.looks(features.sentences)
                produced = program_maps([program], features, self.info.is_causal, self.device, looks)
                scores += self._scores(head, split, produced, with_js=split == Split.TEST)
        return scores

    def _maps(self, head: HeadId, features: Features) -> list[np.ndarray]:
        """What a head does with each passage, float32 [query, key]."""
        found = self.attention.restricted(features.sentences).layer(head.layer, [head.head])
        return [found[name][0] for name in features.sentences]


def _ladder(job: Job[ResolveTask]) -> _Ladder:
    """Ready at the lowest head."""
    info, place = job.task.info, attention_folder(job.place.workspace, job.task.info.id)
    passages = read_passages(job.place.workspace, job.task.passages)
    features = {split: split_features(place, passages, split) for split in Split}
    attention = reader_of(job.place.workspace, info.id)
    return _Ladder(info, attention, device_of(job.place), features, _some(features[Split.TRAIN]))


def _some(features: Features) -> Features:
    """As many passages, drawn by chance, as constants are fitted to; at least one."""
    order = np.random.default_rng(0).permutation(len(features))
    cells = np.cumsum(np.square(features.lengths[order].astype(np.int64)))
    count = max(1, int(np.searchsorted(cells, _FITTED_CELLS, side="right")))
    return features.select(sorted(order[:count].tolist()))
