"""Read these six: the passages on which a program's error matters most, and two at random; and among which
tokens it errs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audit import known
from core.audit.contract import Audit, Cell, Figure, Finding, ProgramSubject, Shaded
from core.types import Bounds, Estimate, HeadId, Told, option

if TYPE_CHECKING:
    from torch import Tensor

    from core.audit.shared import Reading
    from core.features import Features

CLASSES = ("first token", "line break or space", "punctuation", "number", "name or noun", "verb",
           "function word", "other")  # fmt: skip
_RANDOM = 2
_MUCH, _LITTLE = 0.3, 1 / 3  # of what matters; of the head's weight


@dataclass(frozen=True)
class SixLimits:
    """How many passages are chosen."""

    chosen: int = option(4, "passages chosen by what matters, beside two at random", Bounds(1, 20))
    seed: int = option(0, "of the passages drawn at random", Bounds(0))


def classes_of(features: Features) -> np.ndarray:
    """The class of each token, an index into CLASSES."""
    columns = features.columns
    pos = np.array([features.texts[text] for text in columns["pos"]], dtype=object)
    found = np.full(len(pos), CLASSES.index("other"))
    for name, where in (
        ("function word", np.isin(pos, ["DET", "ADP", "PRON", "CCONJ", "SCONJ", "PART", "AUX"])),
        ("verb", pos == "VERB"),
        ("name or noun", np.isin(pos, ["NOUN", "PROPN"])),
        ("number", np.asarray(columns["is_digit"], bool) | (pos == "NUM")),
        ("punctuation", np.asarray(columns["is_punct"], bool)),
        (
            "line break or space",
            np.asarray(columns["is_space"], bool) | np.asarray(columns["is_newline"], bool),
        ),
        ("first token", np.asarray(columns["is_first"], bool)),
    ):
        found[where] = CLASSES.index(name)
    return found


def probe(reading: Reading, limits: SixLimits) -> Mapping[HeadId, Tensor]:
    """[figure, query class, key class, passage]: error that matters, weight of the head, weight shared."""
    import torch
    from torch.nn.functional import one_hot

    a, x = reading.a, reading.x
    classes = classes_of(reading.features)
    padded = torch.full((len(a), a.shape[-1]), len(CLASSES), dtype=torch.long)
    for row, n in enumerate(reading.features.lengths):
        padded[row, : int(n)] = torch.from_numpy(classes[reading.features.span(row)])
    kinds = one_hot(padded, len(CLASSES) + 1)[..., :-1].to(a.device, a.dtype)[
        :, None
    ]  # [passage, 1, token, class]
    matters = ((x - a) * reading.g).abs().mean(0)
    found = torch.stack(
        [kinds.transpose(-1, -2) @ cells @ kinds for cells in (matters, a, torch.minimum(a, x))]
    )  # [figure, passage, head, class, class]
    return {head: found[:, :, at].permute(0, 2, 3, 1) for at, head in enumerate(reading.heads)}


def greedy(importance: np.ndarray, profiles: np.ndarray, count: int) -> list[int]:
    """Rows chosen one by one: what matters, times how unlike those chosen it errs (cosine distance)."""
    unit = profiles / np.maximum(np.linalg.norm(profiles, axis=1, keepdims=True), 1e-12)
    chosen: list[int] = []
    value = np.where(np.isfinite(importance), importance, -1.0)
    for _ in range(min(count, int((value >= 0).sum()))):
        unlike = np.ones(len(value)) if not chosen else 1 - (unit @ unit[chosen].T).max(1)
        worth = value * np.maximum(unlike, 1e-3)
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
    return chosen


def run(subject: ProgramSubject, limits: SixLimits, told: Told) -> Finding:
    """The passages to read, and the pairs of classes among which the error matters."""
    values = subject.probed(SIX, limits)
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    if known.nothing(found.cost[row]):
        return known.undecided(found.cost[row], "where the program errs")
    matters, weight, shared = np.nansum(values, axis=-1)  # [query class, key class]
    share = matters / max(matters.sum(), 1e-30)
    kept = np.where(weight > 0, shared / np.maximum(weight, 1e-30), 1.0)
    pairs = [divmod(int(at), len(CLASSES)) for at in np.argsort(-share, axis=None)[:8]]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (CLASSES[q], CLASSES[k], round(float(share[q, k]), 3), round(float(kept[q, k]), 3)) for q, k in pairs
    )
    missed = [(q, k) for q, k in pairs if share[q, k] > _MUCH and kept[q, k] < _LITTLE]
    q, k = pairs[0]
    note = (
        f"Most of the error that matters ({share[q, k]:.0%}) is where {CLASSES[q]} looks at {CLASSES[k]}; "
        f"there the program gives {kept[q, k]:.0%} of the head's weight."
    )
    picks = greedy(found.cost[row], values[0].reshape(len(CLASSES) ** 2, -1).T, limits.chosen)
    others = [at for at in range(len(found.cost[row])) if at not in picks]
    drawn = np.random.default_rng(limits.seed).permutation(others)[:_RANDOM].tolist()
    texts = [_shaded(subject, at, ("chosen")) for at in picks] + [
        _shaded(subject, at, ("at random")) for at in drawn
    ]
    return Finding(
        "fails" if missed else "passes",
        note + known.caveats(found.failed[row], found.cost[row], "gives no weight"),
        (Figure("error that matters, where it is most", Estimate(float(share[q, k])), "share"),),
        ("query", "key", "share of the error that matters", "share of the head's weight"),
        rows,
        tuple(texts),
    )


def _shaded(subject: ProgramSubject, at: int, why: str) -> Shaded:
    """A passage; each token with how much of its row the program gives elsewhere."""
    tested = subject.tested
    example = tested.examiner.example("", subject.head, subject.program, at, 0.0)
    n = int(tested.features.lengths[at])
    wrong = np.abs(example.head[:n, :n] - example.program[:n, :n]).sum(1) / 2
    tokens = tuple(tested.features.surfaces[tested.features.span(at)])
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    cost = found.cost[row, at] / found.tokens[at]
    title = (
        f"{why}: IoU {found.iou[row, at]:.2f}, estimated {cost:.4f} nats per token; {example.sentence.genre}"
    )
    return Shaded(tokens, tuple(round(float(value), 3) for value in wrong), title)


SIX = Audit(
    "six",
    "Read these six",
    "Which passages should I look at?",
    of="program",
    is_resolvable=False,
    limits=SixLimits,
    run=run,
    probe=probe,
    is_usual=False,
    about=(
        "Error matters as much as it moves what the model predicts, estimated from gradients. Four "
        "passages are chosen where it matters most and in unlike ways, two at random show what is "
        "usual. Shaded: how much of a token's row the program gives elsewhere."
    ),
    sources=("HIGHLIGHTS: Summarizing Agent Behavior to People (2018)",),
)
