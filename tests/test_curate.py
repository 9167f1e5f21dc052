"""How far a model's heads are, and which go into a hybrid."""

import pytest

from core.curate import choose_for_hybrid, decisions, heads_in_share, progress
from core.errors import HybridError
from core.types import Action, HeadId, Verdict


def verdict(event: int, head: str, action: Action) -> Verdict:
    return Verdict(event, HeadId.parse(head), f"p-{head}", action, "ada", "", "2026-01-01T00:00:00Z")


def test_skips_and_flags_are_not_decisions() -> None:
    found = decisions([verdict(1, "L0H0", Action.SKIP), verdict(2, "L0H1", Action.FLAG)])
    assert not found


def test_progress_counts_heads_proposed_decided_accepted() -> None:
    verdicts = [verdict(1, "L0H0", Action.ACCEPT), verdict(2, "L0H1", Action.REJECT)]
    counts = progress(270, 3, decisions(verdicts))
    assert (counts.heads, counts.proposed, counts.decided, counts.accepted) == (270, 3, 2, 1)


PROGRAMS = {HeadId(0, head): f"program {head}" for head in range(4)}
FITS = {HeadId(0, 0): 0.1, HeadId(0, 1): 0.9, HeadId(0, 2): 0.5, HeadId(0, 3): 0.7}


def test_heads_that_fit_best_are_replaced_first() -> None:
    spec = choose_for_hybrid("m", PROGRAMS, FITS, 2)
    assert [head.head for head, _ in spec.programs] == [1, 3]


def test_a_random_order_is_decided_by_its_seed() -> None:
    drawn = {choose_for_hybrid("m", PROGRAMS, FITS, 2, "random", seed) for seed in range(20)}
    assert choose_for_hybrid("m", PROGRAMS, FITS, 2, "random", 3) in drawn
    assert len(drawn) > 1


def test_more_heads_than_programs_is_refused() -> None:
    with pytest.raises(HybridError, match="5 heads were asked for, but only 4"):
        choose_for_hybrid("m", PROGRAMS, FITS, 5)


def test_a_share_is_rounded_to_heads_and_must_lie_between_0_and_1() -> None:
    assert heads_in_share(0.25, 270) == 68
    with pytest.raises(HybridError, match=r"not 1\.5"):
        heads_in_share(1.5, 270)
