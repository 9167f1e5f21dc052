"""The review queue, and how many heads a share is."""

import pytest

from core.curate import decisions, heads_in_share, progress, review_queue
from core.errors import HybridError
from core.types import Action, BestProgram, HeadId, Program, Score, Split, Verdict


def best(head: str, iou: float, baseline: float) -> BestProgram:
    score = Score(f"p-{head}", HeadId.parse(head), Split.TEST, iou, iou, iou, 0.1, 10, 0)
    return BestProgram(Program(f"p-{head}", "def attend(q, k):\n    return 1.0\n"), score, baseline)


def verdict(event: int, head: str, action: Action) -> Verdict:
    return Verdict(event, HeadId.parse(head), f"p-{head}", action, "ada", "", "2026-01-01T00:00:00Z")


THREE = [best("L0H0", 0.9, 0.8), best("L0H1", 0.6, 0.1), best("L1H0", 0.7, 0.5)]


def names(queue: list[BestProgram]) -> list[str]:
    return [str(found.score.head) for found in queue]


def test_the_highest_lift_comes_first() -> None:
    assert names(review_queue(THREE, [])) == ["L0H1", "L1H0", "L0H0"]


def test_decided_heads_leave_and_skipped_ones_go_to_the_end() -> None:
    verdicts = [verdict(1, "L0H1", Action.SKIP), verdict(2, "L1H0", Action.ACCEPT)]
    assert names(review_queue(THREE, verdicts)) == ["L0H0", "L0H1"]


def test_a_verdict_on_another_program_of_the_head_decides_nothing() -> None:
    other = Verdict(1, HeadId(0, 1), "another", Action.ACCEPT, "ada", "", "")
    assert len(review_queue(THREE, [other])) == 3


def test_skips_and_flags_are_not_decisions() -> None:
    found = decisions([verdict(1, "L0H0", Action.SKIP), verdict(2, "L0H1", Action.FLAG)])
    assert not found


def test_progress_counts_heads_proposed_decided_accepted() -> None:
    verdicts = [verdict(1, "L0H0", Action.ACCEPT), verdict(2, "L0H1", Action.REJECT)]
    counts = progress(270, THREE, verdicts)
    assert (counts.heads, counts.proposed, counts.decided, counts.accepted) == (270, 3, 2, 1)


def test_a_share_is_rounded_to_heads_and_must_lie_between_0_and_1() -> None:
    assert heads_in_share(0.25, 270) == 68
    with pytest.raises(HybridError, match=r"not 1\.5"):
        heads_in_share(1.5, 270)
