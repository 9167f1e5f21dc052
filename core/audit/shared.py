"""What audits of programs share: figures of all heads on all test passages, from few passes.

Passages are read in batches and only numbers are kept of them, so memory does not grow with the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from core.audit import measures
from core.audit.edits import Edit, features_of, swaps
from core.audit.passages import Splits
from core.audit.twin import Twin, fit_twin
from core.errors import CorpusError
from core.maps import confined, like_batches
from core.types import HeadId, ModelInfo, Split, Told

if TYPE_CHECKING:
    from core.audit.recording import Recorder
    from core.features import Features
    from core.hybrid import HeadMaps
    from core.language import Evaluated, Evaluator, ParsedProgram
    from core.models.pretrained import LoadedModel

_BATCH_TOKENS = 512
_EDITED_TOKENS = 1024  # without gradients
_BATCH_CELLS = 2**26  # of attention, over all heads, of which there are a few copies
_DRAWS = 2  # of tokens, from which costs are estimated

FIGURES = (
    "iou", "twin_iou", "off_sink", "twin_off_sink", "weighted", "twin_weighted", "apart", "twin_apart",
    "written", "cost", "twin_cost", "silent_cost", "sink", "size", "layer_size",
)  # fmt: skip


@dataclass(frozen=True)
class PassageFigures:
    """Of every head and test passage; NaN where it cannot be said. A program that failed has an empty map."""

    iou: np.ndarray  # float64 [head, passage], as are all that follow
    twin_iou: np.ndarray
    off_sink: np.ndarray
    twin_off_sink: np.ndarray
    weighted: np.ndarray  # IoU of weights times |z|
    twin_weighted: np.ndarray
    apart: np.ndarray  # squared distance of what program and head write, summed over queries
    twin_apart: np.ndarray
    written: np.ndarray  # squared length of what the head writes
    cost: np.ndarray  # estimated KL in nats, or cosine distance, summed over predicted tokens
    twin_cost: np.ndarray
    silent_cost: np.ndarray  # ... if the head wrote nothing
    sink: np.ndarray  # mean weight on the first token, of later queries
    size: np.ndarray  # mean length of what the head writes
    layer_size: np.ndarray  # ... of the layer's heads
    failed: np.ndarray  # bool: the program failed
    tokens: np.ndarray  # int64 [passage]: tokens that costs are summed over


@dataclass(frozen=True)
class Shift:
    """One row of attention before and after an edit, of a head and of its program."""

    edit: Edit
    tokens: tuple[str, ...]  # that the row's query can see, edited
    query: int
    head: tuple[float, ...]  # what the head's weight on each token changed by
    program: tuple[float, ...]
    head_before: tuple[float, ...] = ()  # the head's weight on each token before the edit
    program_before: tuple[float, ...] = ()


@dataclass(frozen=True)
class EditFigures:
    """Of every head and edit, on the rows from the edit on."""

    passage: np.ndarray  # int64 [edit]: row of the passage
    apart: np.ndarray  # float64 [head, edit]: sum of (change of head - change of program)^2
    total: np.ndarray  # ... of (change of head)^2
    moved: np.ndarray  # share of a row's weight that the head moves, mean over rows
    foreseen: np.ndarray  # ... that the program moves
    failed: np.ndarray  # bool [head, edit]: the program failed before or after, so says nothing
    shifts: Mapping[HeadId, Shift]  # of each head the row that it changed most
    edits: Sequence[Edit] = ()
    effects: Mapping[HeadId, np.ndarray] = field(
        default_factory=dict
    )  # [rule, edit], where cues were planted


@dataclass(frozen=True)
class Reading:
    """What is known of some heads of a layer on a batch of passages; maps are [passage, head, query, key]."""

    info: ModelInfo
    heads: Sequence[HeadId]
    features: Features
    lengths: Tensor  # int64 [passage]
    a: Tensor  # the heads' attention, 0 in padding
    x: Tensor  # their programs'; 0 where a program failed
    t: Tensor | None  # their twins'; None without train passages
    z: Tensor | None  # what each key carries, [passage, head, key, dimension]; None if it is not known
    g: Tensor  # slopes of drawn targets, [draw, passage, head, query, key]
    programs: Mapping[HeadId, ParsedProgram]  # of all heads that are audited
    evaluator: Evaluator
    patterns: dict[str, Tensor] = field(default_factory=dict)  # of programs asked for, within a window

    @property
    def sees(self) -> Tensor:
        """Which keys each query sees, bool [passage, query, key]."""
        n = self.a.shape[-1]
        places = torch.arange(n, device=self.a.device)
        found = (places < self.lengths[:, None])[:, None, :].expand(-1, n, n)
        if self.info.is_causal:
            found = found & (places[:, None] >= places)
        window = self.info.window(self.heads[0].layer)
        return found & torch.from_numpy(window.seen(n)).to(found.device)

    def pattern(self, program: ParsedProgram, keep: bool = False) -> Tensor:
        """What any program attends to here, [passage, query, key]; 0 where it fails. Kept for other heads?"""
        name = f"{program.id} {self.info.window(self.heads[0].layer)}"
        if name in self.patterns:
            return self.patterns[name]
        found = patterns_on(self.evaluator, {self.heads[0]: program}, self.info).weights[:, 0]
        if keep:
            self.patterns[name] = found
        return found


Probe = Callable[[Reading], Mapping[HeadId, Tensor]]  # of each head what an audit needs, [..., passage]
Probed = dict[HeadId, np.ndarray]  # float64 [..., passage]


class _Unheard:
    def progress(self, stage: str, done: int, total: int) -> None:
        pass

    def note(self, message: str) -> None:
        pass


@dataclass(frozen=True)
class _Measured:
    """Heads of a layer, and where their programs ran, bool [passage, head]."""

    heads: Sequence[HeadId]
    ran: Tensor


@dataclass(frozen=True)
class _Layer:
    """All heads of a layer, audited or not."""

    attention: Tensor  # [passage, head, query, key]
    z: Tensor | None  # [passage, head, key, dimension]


@dataclass(frozen=True)
class Shared:
    """Figures of programs on their heads, each made once, when an audit first asks."""

    info: ModelInfo
    programs: Mapping[HeadId, ParsedProgram]
    splits: Splits
    load: Callable[[], LoadedModel]
    told: Told = field(default_factory=_Unheard)
    probes: Mapping[str, Probe] = field(default_factory=dict)  # of audits to come, made in the first pass
    behind: Mapping[HeadId, ParsedProgram] = field(default_factory=dict)  # in the place of heads looked at
    of_layers: dict[Any, Any] = field(default_factory=dict)  # what an audit finds of a layer, by its own key
    _probed: dict[str, Probed] = field(default_factory=dict)
    _edits: dict[tuple[int, int], EditFigures] = field(default_factory=dict)

    @cached_property
    def heads(self) -> list[HeadId]:
        """The heads, in the order of all figures."""
        return sorted(self.programs)

    def row(self, head: HeadId) -> int:
        """Where a head's figures are."""
        return self.heads.index(head)

    @cached_property
    def twins(self) -> Mapping[HeadId, Twin]:
        """Each head's text-blind twin, fitted on train; none without a train passage."""
        if Split.TRAIN not in self.splits:
            return {}
        train = self.splits[Split.TRAIN]
        found = {}
        for done, head in enumerate(self.heads):
            self.told.progress("averaging attention by position", done, len(self.heads))
            found[head] = fit_twin(train.attention.head(head), self.info.is_causal)
        return found

    @cached_property
    def twins_held_out(self) -> Mapping[HeadId, np.ndarray]:
        """IoU of each head's twin on every validation passage, float64; none without train or validation.

        What a twin reaches there may order and choose programs; on test it is only told.
        """
        if Split.VALIDATION not in self.splits:
            return {}
        held = self.splits[Split.VALIDATION]
        found = {}
        for done, (head, twin) in enumerate(self.twins.items()):
            self.told.progress("comparing heads with their twins", done, len(self.heads))
            found[head] = np.array(
                [twin.iou(one.weights, self.info.window(head.layer)) for one in held.attention.head(head)]
            )
        return found

    @cached_property
    def projections(self) -> dict[int, Tensor]:
        """What each layer's heads write, as `recording.projections` gives it."""
        from core.audit.recording import projections

        return projections(self.load(), self._tested)

    @property
    def _tested(self) -> Features:
        if Split.TEST not in self.splits:
            raise CorpusError("the corpus has no test passage to audit on; add passages and extract again")
        return self.splits[Split.TEST].features

    @cached_property
    def passages(self) -> PassageFigures:
        """Every figure of every head on every test passage: a pass forward and two back for all heads."""
        return self._read(self.probes)

    def probed(self, name: str, probe: Probe) -> Probed:
        """What an audit's own probe finds of every head, by its name; made in the pass of `passages` if named
        there.
        """
        _ = self.passages
        if name not in self._probed:
            self._read({name: probe})
        return self._probed[name]

    def _read(self, probes: Mapping[str, Probe]) -> PassageFigures:
        from core.audit.recording import recording
        from core.models.device import Halving

        features = self._tested
        shape = (len(self.heads), len(features))
        found = {name: np.full(shape, np.nan) for name in FIGURES}
        failed = np.zeros(shape, bool)
        _ = self.twins, self.projections  # made before anything is recorded
        self._probed.update({name: {} for name in probes})
        draw = torch.Generator().manual_seed(0)
        done, halving = 0, Halving(self.told.note)
        with recording(self.load(), wants_slope=True) as recorder:
            for batch in self._batches(features):

                def work(part: Sequence[int]) -> list[tuple[_Measured, dict[str, Tensor], dict[str, Any]]]:
                    return list(self._measured(recorder, features.select(part), draw, probes))

                for part, layers in halving.run(batch, work):
                    for measured, values, probed in layers:
                        rows = np.ix_([self.row(head) for head in measured.heads], part)
                        for name, value in values.items():
                            found[name][rows] = value.T.double().cpu().numpy()
                        failed[rows] = ~measured.ran.T.numpy()
                        self._keep(probed, part)
                    done += len(part)
                    self.told.progress("reading what heads write", done, len(features))
        ends = 1 if self.info.is_causal else 0
        return PassageFigures(**found, failed=failed, tokens=np.maximum(features.lengths - ends, 1))

    def _keep(self, probed: Mapping[str, Mapping[HeadId, np.ndarray]], part: Sequence[int]) -> None:
        for name, of_heads in probed.items():
            for head, value in of_heads.items():
                held = self._probed[name].setdefault(
                    head, np.full((*value.shape[:-1], len(self._tested)), np.nan)
                )
                held[..., part] = value

    @property
    def _pairs(self) -> int:
        """Query-key pairs that may be worked on together."""
        return max(_BATCH_CELLS // len(self.info.head_ids()), 1)

    def _batches(self, features: Features) -> list[list[int]]:
        return list(like_batches(features.lengths, range(len(features)), _BATCH_TOKENS, self._pairs))

    def _measured(
        self, recorder: Recorder, features: Features, draw: torch.Generator, probes: Mapping[str, Probe]
    ) -> Iterator[tuple[_Measured, dict[str, Tensor], dict[str, dict[HeadId, np.ndarray]]]]:
        """Of a batch, layer by layer: which programs ran, figures [passage, head], and what probes find."""
        output = recorder.forward(features, range(len(features)))
        layers = sorted({head.layer for head in self.heads} & set(recorder.attention))
        slopes = _slopes(recorder, features, output, layers, draw)
        del output
        evaluator, patterns = self._evaluator(features, recorder), dict[str, Tensor]()
        for place, layer in enumerate(layers):
            heads = [head for head in self.heads if head.layer == layer]
            produced = patterns_on(evaluator, {head: self.programs[head] for head in heads}, self.info)
            reading, every = self._reading(
                recorder, features, heads, produced.weights, slopes[place], evaluator, patterns
            )
            values = self._figures(reading, every)
            slopes[place] = torch.zeros(0)
            probed = {
                name: {head: value.double().cpu().numpy() for head, value in probe(reading).items()}
                for name, probe in probes.items()
            }
            yield _Measured(heads, produced.ran), values, probed

    def _evaluator(self, features: Features, recorder: Recorder) -> Evaluator:
        """Of passages that were just read: programs that look at heads see what these attend to there, or
        what their programs say.
        """
        from core.language import Evaluator
        from core.scoring import Resolved

        causal, device = self.info.is_causal, self.load().device
        looks = Resolved(self.behind, features, causal, device) if self.behind else recorder.looks
        return Evaluator(features, causal, device, looks=looks)

    def _reading(
        self,
        recorder: Recorder,
        features: Features,
        heads: Sequence[HeadId],
        x: Tensor,
        slopes: Tensor,
        evaluator: Evaluator,
        patterns: dict[str, Tensor],
    ) -> tuple[Reading, _Layer]:
        layer, chosen = heads[0].layer, [head.head for head in heads]
        lengths = torch.from_numpy(features.lengths).to(x.device)
        every = recorder.attention[layer].detach().float() * _real(lengths, x.shape[-1])
        z = None
        if layer in self.projections:
            z = recorder.written(layer, self.projections[layer])
        reading = Reading(
            self.info, heads, features, lengths, every[:, chosen], x,
            self._twins_on(features, heads, x), None if z is None else z[:, chosen], slopes[:, :, chosen],
            self.programs, evaluator, patterns,
        )  # fmt: skip
        return reading, _Layer(every, z)

    def _figures(self, reading: Reading, layer: _Layer) -> dict[str, Tensor]:
        """Figures [passage, head]."""
        a, x, t, z, g = reading.a, reading.x, reading.t, reading.z, reading.g
        lengths = reading.lengths
        rests = measures.resting_places(layer.attention, lengths, self.info.is_causal)
        later = (lengths - 1).clamp(min=1)[:, None]
        values = {
            "iou": measures.iou(a, x),
            "off_sink": measures.off_sink(a, x, rests),
            "cost": measures.estimated_cost(a, x, g),
            "sink": a[:, :, 1:, 0].sum(-1) / later,
            "silent_cost": measures.estimated_cost(a, torch.zeros_like(a), g),
        }
        if t is not None:
            values["twin_iou"] = measures.iou(a, t)
            values["twin_off_sink"] = measures.off_sink(a, t, rests)
            values["twin_cost"] = measures.estimated_cost(a, t, g)
        if z is not None and layer.z is not None:
            sizes = (layer.attention @ layer.z).norm(dim=-1).sum(-1) / lengths[:, None]
            values["size"] = sizes[:, [head.head for head in reading.heads]]
            values["layer_size"] = sizes.mean(1, keepdim=True).expand(-1, len(reading.heads))
            values["weighted"] = measures.norm_weighted(a, x, z)
            values["apart"] = measures.written_apart(a, x, z)
            values["written"] = measures.written(a, z)
            if t is not None:
                values["twin_weighted"] = measures.norm_weighted(a, t, z)
                values["twin_apart"] = measures.written_apart(a, t, z)
        return {name: torch.where(_finite(a), value, torch.nan) for name, value in values.items()}

    def _twins_on(self, features: Features, heads: Sequence[HeadId], like: Tensor) -> Tensor | None:
        """What the heads' twins attend to, in the shape of their programs' patterns."""
        if not self.twins:
            return None
        found = np.zeros(tuple(like.shape), np.float32)
        for at, head in enumerate(heads):
            for row, n in enumerate(features.lengths):
                found[row, at, :n, :n] = self.twins[head].pattern(int(n))
        window = self.info.window(heads[0].layer)
        return confined(torch.from_numpy(found).to(like.device), window, self.info.is_causal)

    def edits(self, wanted: int, seed: int = 0) -> EditFigures:
        """What so many edits of each test passage change in heads and in programs."""
        if (wanted, seed) not in self._edits:
            self._edits[wanted, seed] = self._edited(wanted, seed)
        return self._edits[wanted, seed]

    def cues(self, wanted: int, seed: int, without: Mapping[HeadId, Sequence[ParsedProgram]]) -> EditFigures:
        """The same of swaps for tokens of any kind, with what each rule's effect changes by.

        `without` has each head's program without each of its rules.
        """
        if (-wanted, seed) not in self._edits:
            self._edits[-wanted, seed] = self._edited(wanted, seed, without)
        return self._edits[-wanted, seed]

    def _edited(
        self, wanted: int, seed: int, without: Mapping[HeadId, Sequence[ParsedProgram]] | None = None
    ) -> EditFigures:
        from core.audit.recording import recording

        loaded, features = self.load(), self._tested
        donors = self.splits.get(Split.TRAIN, self.splits[Split.TEST])
        self.told.progress("swapping tokens", 0, 0)
        edits = swaps(loaded, self.splits[Split.TEST], donors, wanted, seed, without is not None)
        read = features_of(loaded, edits, features.pipeline)
        collected = _Collected(self.heads, edits, self.info.is_causal)
        by_row: dict[int, list[int]] = {}
        for at, edit in enumerate(edits):
            by_row.setdefault(edit.row, []).append(at)
        done = 0
        with recording(loaded) as recorder:
            for batch in like_batches(
                features.lengths, by_row, _EDITED_TOKENS // wanted, max(self._pairs // wanted, 1)
            ):
                self.told.progress("seeing what edits change", done, len(by_row))
                which = [at for row in batch for at in by_row[row]]
                before, rules = self._all_patterns(recorder, features.select(batch), without)
                after, rules_after = self._all_patterns(recorder, read.select(which), without)
                for place, at in enumerate(which):
                    was = batch.index(edits[at].row)
                    collected.take(at, read, [part[was] for part in before], [part[place] for part in after])
                    for head in rules:
                        collected.note(at, read, head, rules[head][was], rules_after[head][place])
                done += len(batch)
        return collected.figures()

    def _all_patterns(
        self,
        recorder: Recorder,
        features: Features,
        without: Mapping[HeadId, Sequence[ParsedProgram]] | None,
    ) -> tuple[tuple[Tensor, Tensor, Tensor], dict[HeadId, Tensor]]:
        """Heads and programs on passages, [passage, head, query, key], and where programs ran; and what each
        rule of a head's program adds, [passage, rule, query, key].
        """
        recorder.forward(features, range(len(features)))
        evaluator = self._evaluator(features, recorder)
        produced = patterns_on(evaluator, {head: self.programs[head] for head in self.heads}, self.info)
        own = torch.stack([recorder.attention[h.layer][:, h.head].detach().float() for h in self.heads], 1)
        adds = {}
        for head, programs in (without or {}).items():
            if programs:
                rest = [patterns_on(evaluator, {head: one}, self.info).weights for one in programs]
                adds[head] = produced.weights[:, [self.row(head)]] - torch.cat(rest, 1)
        return (own, produced.weights, produced.ran), adds


def patterns_on(evaluator: Evaluator, programs: Mapping[HeadId, ParsedProgram], info: ModelInfo) -> HeadMaps:
    """What programs attend to on the evaluator's passages, each within its layer's window: the one place
    where audits ask it.
    """
    from core.hybrid import together

    ran = {program.id: _ran(evaluator, program) for program in set(programs.values())}
    produced = {head: ran[program.id] for head, program in programs.items()}
    found = together(produced, evaluator.features, evaluator.device)
    layers = sorted({head.layer for head in programs} & set(dict(info.traits.windows)))
    for layer in layers:
        at = [place for place, head in enumerate(found.heads) if head.layer == layer]
        found.weights[:, at] = confined(found.weights[:, at], info.window(layer), info.is_causal)
    return found


def _ran(evaluator: Evaluator, program: ParsedProgram) -> Evaluated:
    """What a program gives; resolved, it fails where one fails that it rests on."""
    from core.language import Evaluated
    from core.scoring import Resolved

    found = evaluator.run(program)
    behind = evaluator.looks.failures_behind(program) if isinstance(evaluator.looks, Resolved) else {}
    if not behind:
        return found
    weights = found.weights.clone()
    weights[list(behind)] = 0
    return Evaluated(weights, behind | dict(found.failures))


def _real(lengths: Tensor, n: int) -> Tensor:
    """1 where both query and key are tokens and not padding, [passage, 1, query, key]."""
    there = torch.arange(n, device=lengths.device) < lengths[:, None]
    return (there[:, :, None] & there[:, None, :])[:, None].float()


def _finite(a: Tensor) -> Tensor:
    return a.isfinite().all(-1).all(-1)


def _slopes(
    recorder: Recorder, features: Features, output: Tensor, layers: Sequence[int], draw: torch.Generator
) -> list[Tensor]:
    """Of each layer the slopes of drawn targets in its attention, [draw, passage, head, query, key].

    A causal model draws tokens it expects; of an encoder final states of length 1 are projected at random, so
    that half the mean squared score is their cosine distance.
    """
    weights = [recorder.attention[layer] for layer in layers]
    from core.hybrid.predicted import drawn_tokens, projected_states

    if recorder.loaded.info.is_causal:
        kept = torch.cat([output[at, : max(int(n) - 1, 0)] for at, n in enumerate(features.lengths)])
        log_p = torch.log_softmax(kept.float(), -1)
        targets = drawn_tokens(log_p, _DRAWS, draw) if len(log_p) else [output.sum() * 0] * _DRAWS
    else:
        kept = torch.cat([output[at, : int(n)] for at, n in enumerate(features.lengths)]).float()
        targets = projected_states(torch.nn.functional.normalize(kept, dim=-1), _DRAWS, draw)
    found = []
    for at, target in enumerate(targets):
        gradients = torch.autograd.grad(
            target, weights, retain_graph=at + 1 < len(targets), allow_unused=True
        )
        found.append(
            [torch.zeros_like(w) if g is None else g for g, w in zip(gradients, weights, strict=True)]
        )
    return [torch.stack(draws).float() for draws in zip(*found, strict=True)]


class _Collected:
    """Figures of edits as they come in, passage by passage."""

    def __init__(self, heads: Sequence[HeadId], edits: Sequence[Edit], is_causal: bool) -> None:
        self._heads, self._edits, self._is_causal = heads, edits, is_causal
        shape = (len(heads), len(edits))
        self._apart, self._total, self._moved, self._foreseen = (np.full(shape, np.nan) for _ in range(4))
        self._failed = np.zeros(shape, bool)
        self._most = np.zeros(len(heads))
        self._shifts: dict[HeadId, Shift] = {}
        self._effects: dict[HeadId, np.ndarray] = {}

    def take(self, number: int, read: Features, before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
        """An edit: heads, programs [head, query, key] and whether programs ran, before it and after."""
        edit, n = self._edits[number], int(read.lengths[number])
        since = torch.arange(n, device=before[0].device) >= (edit.place if self._is_causal else 0)
        head = measures.change(before[0][:, :n, :n], after[0][:, :n, :n], since)
        program = measures.change(before[1][:, :n, :n], after[1][:, :n, :n], since)
        ran = before[2] & after[2]
        program = program * ran.to(program.device)[:, None, None]
        rows = int(since.sum())
        self._apart[:, number] = _sums((head - program).square())
        self._total[:, number] = _sums(head.square())
        self._moved[:, number] = _sums(head.abs()) / 2 / rows
        self._foreseen[:, number] = _sums(program.abs()) / 2 / rows
        self._failed[:, number] = ~ran.numpy()
        changes, was = (head, program), (before[0][:, :n, :n], before[1][:, :n, :n])
        self._remember(edit, read.surfaces[read.span(number)], changes, was)

    def note(self, number: int, read: Features, head: HeadId, before: Tensor, after: Tensor) -> None:
        """What an edit changes of what each rule adds, [rule, query, key]."""
        edit, n = self._edits[number], int(read.lengths[number])
        since = torch.arange(n, device=before.device) >= (edit.place if self._is_causal else 0)
        moved = measures.change(before[:, :n, :n], after[:, :n, :n], since)
        held = self._effects.setdefault(head, np.zeros((len(before), len(self._edits))))
        held[:, number] = _sums(moved.abs()) / 2

    def _remember(
        self,
        edit: Edit,
        tokens: Sequence[str],
        changes: tuple[Tensor, Tensor],
        was: tuple[Tensor, Tensor],
    ) -> None:
        """Keep the row that each head changed most, of all edits; maps are of heads and of programs."""
        largest, query = changes[0].abs().sum(-1).max(-1)
        for at in np.flatnonzero(largest.cpu().numpy() > self._most):
            self._most[at] = float(largest[at])
            q = int(query[at])
            self._shifts[self._heads[int(at)]] = Shift(
                edit, tuple(tokens), q, *(_numbers(maps[at, q]) for maps in (*changes, *was))
            )

    def figures(self) -> EditFigures:
        """All of them."""
        return EditFigures(
            np.array([edit.row for edit in self._edits], np.int64),
            self._apart, self._total, self._moved, self._foreseen, self._failed, self._shifts,
            self._edits, self._effects,
        )  # fmt: skip


def _sums(cells: Tensor) -> np.ndarray:
    """Over queries and keys, of each head."""
    found: np.ndarray = cells.sum((-1, -2)).double().cpu().numpy()
    return found


def _numbers(row: Tensor) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in row)
