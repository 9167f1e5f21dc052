"""Which lines of a program had a say in each weight of a passage."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from core.language import RETURNED, ParsedProgram, Step, TracedBatch
from core.ui.parts.thumbnails import Fired

_NEUTRAL = {"*": 1.0, "/": 1.0, "**": 1.0, "+": 0.0, "-": 0.0}  # operands that change nothing
_MOST = 255  # different sets of lines on a passage; the rarest beyond are not told


def fired_lines(batch: TracedBatch, lengths: Sequence[int]) -> list[Fired]:
    """The lines that fired for each pair of each passage, those under a condition first.

    Left out are lines that change nothing there, and those that only name something, unless a pair has no
    other.
    """
    told = sorted(batch.steps, key=lambda step: (not step.conditions, step.line))
    says = [_has_a_say(step) for step in told]
    return [_on_passage(told, says, at, n) for at, n in enumerate(lengths)]


def share_of(lines: Collection[int], batch: TracedBatch, lengths: Sequence[int], is_causal: bool) -> float:
    """The share of all pairs of the passages in whose weight one of these lines has a say."""
    says = [_has_a_say(step) for step in batch.steps if step.line in lines]
    fired = pairs = 0
    for at, n in enumerate(lengths):
        seen = np.tril(np.ones((n, n), bool)) if is_causal else np.ones((n, n), bool)
        pairs += int(seen.sum())
        if says:
            fired += int((np.any([one[at, :n, :n] for one in says], axis=0) & seen).sum())
    return fired / pairs


def line_texts(program: ParsedProgram) -> dict[int, str]:
    """The lines of a program that may fire, as written, without what is around them."""
    return {at: line.strip() for at, line in enumerate(program.source.split("\n"), 1) if line.strip()}


def _has_a_say(step: Step) -> np.ndarray:
    """bool [sentence, query, key]: where the step changes a weight, or is returned from a branch."""
    said = bool(step.conditions) or step.name == RETURNED
    if step.operator in _NEUTRAL:
        said = step.operand.numpy() != _NEUTRAL[step.operator]
    fired: np.ndarray = step.fired.numpy() & said
    return fired


def _on_passage(steps: Sequence[Step], says: Sequence[np.ndarray], at: int, n: int) -> Fired:
    if not steps:
        return Fired(((),), np.zeros((n, n), np.uint8))
    had = np.stack([one[at, :n, :n] for one in says])  # [step, query, key]
    sets_number = [step.operator == "=" and step.kind == "number" for step in steps]
    named = [step.fired.numpy()[at, :n, :n] & sets for step, sets in zip(steps, sets_number, strict=True)]
    had |= np.stack(named) & ~had.any(0)
    cells = had.reshape(len(steps), -1)
    names = np.ascontiguousarray(np.packbits(cells, axis=0).T)  # a few bytes a cell
    _, first, places, counts = np.unique(
        names.view(f"V{names.shape[1]}")[:, 0], return_index=True, return_inverse=True, return_counts=True
    )
    kept = np.argsort(-counts, kind="stable")[:_MOST]
    new = np.full(len(counts), len(kept))
    new[kept] = np.arange(len(kept))
    rows = [np.flatnonzero(cells[:, first[one]]) for one in kept]
    sets = [tuple(dict.fromkeys(steps[row].line for row in found.tolist())) for found in rows]
    return Fired((*sets, ()), new[places].reshape(n, n).astype(np.uint8))
