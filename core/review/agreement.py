"""How far two reviewers agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from core.review.opinions import DECISIONS, Opinions
from core.types import Action, CardId, Estimate, Verdict


@dataclass(frozen=True)
class Agreement:
    """Two reviewers' decisions on the same programs for the same heads."""

    first: str
    second: str
    both: int  # programs that both accepted or rejected
    same: int  # of these, how many alike
    table: tuple[tuple[int, int], tuple[int, int]]  # of the first: accept, reject; of the second: the same
    kappa: Estimate | None  # Cohen's; None where chance alone gives full agreement
    disagreements: tuple[tuple[Verdict, Verdict], ...]  # in the order of heads


def agreements(opinions: Opinions) -> list[Agreement]:
    """Every pair of reviewers that decided on a program both."""
    decided: dict[str, dict[CardId, Verdict]] = {}
    for card, words in opinions.of.items():
        for reviewer, word in words.items():
            if word.action in DECISIONS:
                decided.setdefault(reviewer, {})[card] = word
    pairs = (_agreement(a, b, decided[a], decided[b]) for a, b in combinations(sorted(decided), 2))
    return [agreement for agreement in pairs if agreement.both]


def _agreement(a: str, b: str, of_a: dict[CardId, Verdict], of_b: dict[CardId, Verdict]) -> Agreement:
    shared = sorted(of_a.keys() & of_b.keys())
    differ = tuple((of_a[card], of_b[card]) for card in shared if of_a[card].action != of_b[card].action)
    ratings = [(of_a[card].action, of_b[card].action) for card in shared]
    counts = Counter(ratings)
    accepted, rejected = (
        (counts[action, Action.ACCEPT], counts[action, Action.REJECT])
        for action in (Action.ACCEPT, Action.REJECT)
    )
    kappa = cohens_kappa(ratings)
    return Agreement(a, b, len(shared), len(shared) - len(differ), (accepted, rejected), kappa, differ)


def cohens_kappa(ratings: Iterable[tuple[Action, Action]]) -> Estimate | None:
    """Agreement beyond chance, (observed - expected) / (1 - expected), and its 95 % interval (Cohen 1960).

    None without ratings, and where both gave one and the same rating throughout: chance explains it all.
    """
    pairs = list(ratings)
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    kinds = {kind for pair in pairs for kind in pair}
    expected = (
        sum(sum(a == kind for a, _ in pairs) * sum(b == kind for _, b in pairs) for kind in kinds) / n**2
    )
    if expected == 1:
        return None
    kappa = (observed - expected) / (1 - expected)
    error = math.sqrt(observed * (1 - observed) / n) / (1 - expected)
    return Estimate(kappa, max(-1.0, kappa - 1.96 * error), min(1.0, kappa + 1.96 * error))
