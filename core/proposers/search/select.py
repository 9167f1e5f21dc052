"""Rules chosen for all heads of a layer at once: screened, added, refitted, pruned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from core.proposers.search.goal import Goal
from core.proposers.search.layout import Layout
from core.proposers.search.limits import SearchLimits
from core.proposers.search.part_values import Values
from core.proposers.search.refit import Fields, fields, ious, limits_of, logits_of, refit
from core.proposers.search.rule import Rule
from core.proposers.search.screen import Screen
from core.types import HeadId

_PER_ROUND = 3  # rules added between two refits
_SCREEN_EVERY = 2  # rounds; between, the best of the last screening are ranked again
_SHORTLIST = 24  # best of a screening
_SURPLUS = 6  # rules added beyond the most, to be pruned again
_TABLES = 2  # added to the rules, to be pruned with them
_LOOK_ROUNDS = 2  # of looks under a condition, after the other rules
_STEPS = 8  # of a refit after adding
_PRUNE_STEPS = 5  # of a refit after dropping
_LAST_STEPS = 20
_FAR = 3  # rules too many, from which two are dropped at a time
_LEAST_STEP = 0.002  # IoU on train that a round has to gain for another to follow
_FAINT = 0.2  # of the weight that a rule's tokens should have
_ALIKE = 0.5  # cosine above which two rules of one round are taken for the same


@dataclass(frozen=True)
class Chosen:
    """A head's rules, the ones it would miss most first."""

    rules: tuple[Rule, ...]
    constants: tuple[float, ...]  # logarithms, as many of each rule as it has
    worth: tuple[float, ...]  # IoU on validation that each adds to all others


@dataclass
class RuleFit:
    """The rules that one head has so far."""

    target: Tensor  # float32 [cell]
    base: Tensor  # float32 [cell] or [1], of the logits
    rules: list[Rule]
    constants: Tensor  # float32 [constant], logarithms
    limits: Tensor  # float32 [constant]: how far from 0 each may go
    powers: Tensor  # float32 [constant, cell]
    iou: float = 0.0  # after the last refit

    def add(self, rules: list[Rule], powers: list[Tensor], constants: list[float]) -> None:
        """More rules, with log constants to start from."""
        self.rules = self.rules + rules
        starts = [self.constants.new_full((len(own),), at) for own, at in zip(powers, constants, strict=True)]
        self.constants = torch.cat([self.constants, *starts])
        self.limits = torch.cat([self.limits, *map(limits_of, powers)])
        self.powers = torch.cat([self.powers, *powers])

    def drop(self, at: int) -> None:
        """Forget a rule."""
        start, end = self.span(at)
        kept = [other for other in range(len(self.constants)) if not start <= other < end]
        self.rules = [*self.rules[:at], *self.rules[at + 1 :]]
        self.constants, self.limits, self.powers = self.constants[kept], self.limits[kept], self.powers[kept]

    def span(self, at: int) -> tuple[int, int]:
        """Where a rule's constants begin and end."""
        start = sum(rule.width for rule in self.rules[:at])
        return start, start + self.rules[at].width


def empty_fits(values: Values, goal: Goal) -> list[RuleFit]:
    """A fit without rules for each head."""
    none = goal.targets.new_zeros(0)
    nothing = goal.targets.new_zeros(0, values.layout.cells)
    heads = zip(goal.targets, goal.bases, strict=True)
    return [RuleFit(target, base, [], none, none, nothing) for target, base in heads]


def fits_of(values: Values, goal: Goal, like: list[RuleFit]) -> list[RuleFit]:
    """The same rules and constants on other sentences."""
    fits = []
    for fit, target, base in zip(like, goal.targets, goal.bases, strict=True):
        powers = [values.columns(rule) for rule in fit.rules]
        stacked = torch.cat(powers) if powers else target.new_zeros(0, len(target))
        fits.append(RuleFit(target, base, fit.rules, fit.constants, fit.limits, stacked))
    return fits


def _stacked(fits: list[RuleFit]) -> tuple[Tensor, list[Tensor], Goal]:
    """Constants [fit, constant], 0 beyond a fit's own, powers [constant, cell] of each, and their goal."""
    constants = pad_sequence([fit.constants for fit in fits], batch_first=True)
    goal = Goal(torch.stack([fit.target for fit in fits]), torch.stack([fit.base for fit in fits]))
    return constants, [fit.powers for fit in fits], goal


def _fields(layout: Layout, fits: list[RuleFit]) -> Fields:
    constants, powers, goal = _stacked(fits)
    return fields(layout, logits_of(constants, powers, goal.bases), goal.targets)


def _refit(layout: Layout, fits: list[RuleFit], steps: int) -> None:
    """Move the constants of these fits, each of which has rules, to where they fit better."""
    if fits:
        constants, powers, goal = _stacked(fits)
        limits = pad_sequence([fit.limits for fit in fits], batch_first=True)
        best, reached = refit(layout, constants, limits, powers, goal, steps)
        for fit, row, iou in zip(fits, best, reached.tolist(), strict=True):
            fit.constants, fit.iou = row[: len(fit.constants)].clone(), iou


def _worth(
    layout: Layout, fits: list[RuleFit], held_out: list[RuleFit], which: list[int]
) -> list[list[float]]:
    """IoU on other sentences that each rule of `which` fits adds to all its others."""
    if not which:
        return []
    for at in which:
        held_out[at].constants = fits[at].constants
    constants, powers, goal = _stacked([held_out[at] for at in which])
    logits = logits_of(constants, powers, goal.bases)
    whole = ious(layout, logits, goal.targets)
    worth: list[list[float]] = [[] for _ in which]
    for at in range(max(len(fits[fit].rules) for fit in which)):
        having = [row for row, fit in enumerate(which) if at < len(fits[fit].rules)]
        without = []
        for row in having:
            start, end = fits[which[row]].span(at)
            without.append(logits[row] - constants[row, start:end] @ powers[row][start:end])
        left = ious(layout, torch.stack(without), goal.targets[having])
        for row, lost in zip(having, (whole[having] - left).tolist(), strict=True):
            worth[row].append(lost)
    return worth


def select(
    screen: Screen,
    validation: Values,
    goals: tuple[Goal, Goal],
    limits: SearchLimits,
    owners: Sequence[HeadId] = (),
) -> list[Chosen]:
    """Each head's rules. `goals` say what the heads of a layer should do on train and on validation.

    `owners` says which heads these are, where rules may look at other heads.
    """
    fits = empty_fits(screen.values, goals[0])
    _grow(screen, fits, limits, owners)
    if owners:
        _look_under_conditions(screen, fits, owners)
    if limits.tables:
        _tabulate(screen, fits)
    held_out = fits_of(validation, goals[1], fits)
    _prune(screen.layout, fits, validation.layout, held_out, limits)
    with_rules = [at for at, fit in enumerate(fits) if fit.rules]
    _refit(screen.layout, [fits[at] for at in with_rules], _LAST_STEPS)
    worth: list[list[float]] = [[] for _ in fits]
    for at, row in zip(with_rules, _worth(validation.layout, fits, held_out, with_rules), strict=True):
        worth[at] = row
    return [_ordered(fit, row) for fit, row in zip(fits, worth, strict=True)]


def _ordered(fit: RuleFit, worth: list[float]) -> Chosen:
    order = sorted(range(len(worth)), key=lambda at: -worth[at])
    logs = fit.constants.tolist()
    return Chosen(
        tuple(fit.rules[at] for at in order),
        tuple(log for at in order for log in logs[slice(*fit.span(at))]),
        tuple(worth[at] for at in order),
    )


def _grow(screen: Screen, fits: list[RuleFit], limits: SearchLimits, owners: Sequence[HeadId]) -> None:
    """Add rules to every fit until it has a few too many or gains no more, even from faint tokens."""
    most = limits.rules + _SURPLUS
    _grow_while_it_pays(screen, fits, most, owners, faint=False)
    stalls = [at for at, fit in enumerate(fits) if 0 < len(fit.rules) < most]
    stalled = [fits[at] for at in stalls]
    _refit(screen.layout, stalled, _LAST_STEPS)  # what is still off would drown what is faint
    _grow_while_it_pays(screen, stalled, most, [owners[at] for at in stalls] if owners else (), faint=True)


def _grow_while_it_pays(
    screen: Screen, fits: list[RuleFit], most: int, owners: Sequence[HeadId], faint: bool
) -> None:
    """Add rules to each fit, round by round; with `faint` the first round looks at faint tokens too."""
    reached = [fit.iou for fit in fits]
    shortlists: list[list[Rule]] = [[] for _ in fits]
    active, turn = list(range(len(fits))), 0
    while active:
        growing = [fits[at] for at in active]
        found = _fields(screen.layout, growing)
        if turn % _SCREEN_EVERY == 0:
            these = [owners[at] for at in active] if owners else ()
            ranked = screen.rank(found, faint and turn == 0, these)
        else:
            ranked = screen.again(found, [shortlists[at] for at in active])
        grown = []
        for at, gains, weights in zip(active, ranked, found.weights, strict=True):
            shortlists[at] = [rule for _, rule in gains[:_SHORTLIST]]
            if _add(screen, fits[at], shortlists[at], weights):
                grown.append(at)
        _refit(screen.layout, [fits[at] for at in grown], _STEPS)
        active = [
            at for at in grown if fits[at].iou - reached[at] > _LEAST_STEP and len(fits[at].rules) < most
        ]
        reached = [fit.iou for fit in fits]
        turn += 1


def _look_under_conditions(screen: Screen, fits: list[RuleFit], owners: Sequence[HeadId]) -> None:
    """Give every fit that has rules the looks under a condition that would help it most.

    Among the other rules they would be taken too early, before what holds everywhere is there.
    """
    having = [at for at, fit in enumerate(fits) if fit.rules]
    growing = [fits[at] for at in having]
    shortlists: list[list[Rule]] = []
    for turn in range(_LOOK_ROUNDS if growing else 0):
        found = _fields(screen.layout, growing)
        if not turn:
            ranked = screen.conditional_looks(found, [owners[at] for at in having])
        else:
            ranked = screen.again(found, shortlists)
        shortlists = [[rule for _, rule in gains] for gains in ranked]
        for fit, rules, weights in zip(growing, shortlists, found.weights, strict=True):
            _add(screen, fit, rules, weights)
        _refit(screen.layout, growing, _STEPS)


def _tabulate(screen: Screen, fits: list[RuleFit]) -> None:
    """Give every fit that has rules the tables that would help it most."""
    growing = [fit for fit in fits if fit.rules]
    if not growing:
        return
    found = _fields(screen.layout, growing)
    for fit, gains in zip(growing, screen.tables(found), strict=True):
        rules = [rule for _, rule in gains[:_TABLES]]
        fit.add(rules, [screen.values.columns(rule) for rule in rules], [0.0] * len(rules))
    _refit(screen.layout, growing, _STEPS)


def _add(screen: Screen, fit: RuleFit, ranked: list[Rule], weights: Tensor) -> bool:
    """Give a fit the first of these rules, unlike each other and those it has; whether there was any."""
    scale = (weights * screen.layout.share).sqrt()
    added: list[Rule] = []
    powers: list[Tensor] = []
    directions: list[Tensor] = []
    for rule in ranked:
        if rule in fit.rules:
            continue
        values = screen.values.of(rule)
        direction = values * scale
        direction /= direction.norm() + 1e-12
        if all(float(direction @ other) < _ALIKE for other in directions):
            directions.append(direction)
            added.append(rule)
            powers.append(values[None])
        if len(added) == _PER_ROUND:
            break
    if added:
        starts = [_start(screen, fit, values[0], weights) for values in powers]
        fit.add(added, powers, starts)
    return bool(added)


def _start(screen: Screen, fit: RuleFit, values: Tensor, weights: Tensor) -> float:
    """Where a rule's log constant starts: at 0, unless its tokens have next to none of what they should."""
    if float(values.amin()) < 0:
        return 0.0  # a law of another head
    share = (values > 0) * screen.layout.share
    wanted, held = float(share @ fit.target), float(share @ weights)
    is_faint = held < _FAINT * wanted and float(values.amax()) <= 1
    return math.log(wanted / max(held, 1e-9)) if is_faint else 0.0


def _prune(
    layout: Layout, fits: list[RuleFit], other: Layout, held_out: list[RuleFit], limits: SearchLimits
) -> None:
    """Drop the rule that validation misses least, refit, and so on, until every one is worth its line.

    Of far too many rules the two that are missed least are dropped at once.
    """
    active = [at for at, fit in enumerate(fits) if fit.rules]
    while active:
        dropped = []
        for at, row in zip(active, _worth(other, fits, held_out, active), strict=True):
            surplus = len(row) - limits.rules
            least = sorted(range(len(row)), key=row.__getitem__)[: 2 if surplus >= _FAR else 1]
            if surplus > 0 or row[least[0]] < limits.least_gain:
                for rule in sorted(least, reverse=True):
                    fits[at].drop(rule)
                    held_out[at].drop(rule)
                dropped.append(at)
        active = [at for at in dropped if fits[at].rules]
        _refit(layout, [fits[at] for at in active], _PRUNE_STEPS)
