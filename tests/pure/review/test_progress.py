"""How far a model's heads are, and how many of them a share is."""

import pytest

from core.errors import HybridError
from core.review import heads_in_share, progress
from core.types import Action, HeadId, Verdict


def verdict(event: int, head: str, action: Action) -> Verdict:
    return Verdict(event, HeadId.parse(head), f"p-{head}", action, "ada", "", "2026-01-01T00:00:00Z")


def test_progress_counts_heads_proposed_decided_accepted() -> None:
    verdicts = [verdict(1, "L0H0", Action.ACCEPT), verdict(2, "L0H1", Action.REJECT)]
    counts = progress(270, 3, {word.head: word for word in verdicts})
    assert (counts.heads, counts.proposed, counts.decided, counts.accepted) == (270, 3, 2, 1)


def test_a_share_is_rounded_to_heads_and_must_lie_between_0_and_1() -> None:
    assert heads_in_share(0.25, 270) == 68
    with pytest.raises(HybridError, match=r"not 1\.5"):
        heads_in_share(1.5, 270)
