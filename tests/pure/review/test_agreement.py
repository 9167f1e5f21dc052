"""How far two reviewers agree: Cohen's kappa, and where they differ."""

import pytest

from core.review import Opinions, agreements, cohens_kappa
from core.types import Action
from tests.pure.review.test_queue import word


def test_kappa_of_a_table_worked_by_hand() -> None:
    # Cohen 1960's form: 20 both accept, 5 and 10 differ, 15 both reject: (0.7 - 0.5) / (1 - 0.5)
    a, x = Action.ACCEPT, Action.REJECT
    ratings = [(a, a)] * 20 + [(a, x)] * 5 + [(x, a)] * 10 + [(x, x)] * 15
    kappa = cohens_kappa(ratings)
    assert kappa is not None
    # Its standard error is the root of 0.7 * 0.3 / 50, over 0.5.
    assert (kappa.value, kappa.low, kappa.high) == pytest.approx((0.4, 0.4 - 0.2540, 0.4 + 0.2540), abs=1e-3)
    assert cohens_kappa([(a, a)] * 3) is None
    opposed = cohens_kappa([(a, x), (x, a)])
    assert opposed is not None
    assert opposed.value == pytest.approx(-1)


def test_agreement_counts_shared_decisions_and_lists_the_others() -> None:
    words = [
        word(1, "L0H0", Action.ACCEPT), word(2, "L0H0", Action.ACCEPT, "bob"),
        word(3, "L0H1", Action.ACCEPT), word(4, "L0H1", Action.REJECT, "bob", reason="trivial"),
        word(5, "L1H0", Action.ACCEPT), word(6, "L1H0", Action.SKIP, "bob"),
    ]  # fmt: skip
    (found,) = agreements(Opinions(words))
    assert (found.first, found.second, found.both, found.same) == ("ada", "bob", 2, 1)
    assert found.table == ((1, 1), (0, 0))  # ada accepts: bob accepts one, rejects one
    assert [(a.event, b.event) for a, b in found.disagreements] == [(3, 4)]
