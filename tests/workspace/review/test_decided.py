"""Whether a head is decided has one answer, in the store and on every page."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.review import Opinions, Pile, View, progress, review_queue
from core.sharing.accepted import curated
from core.store import Workspace
from core.types import Action, HeadId, ModelInfo
from core.ui.parts import state
from tests.workspace.pages.test_pages import OpenApp, go, open_app, text_of

__all__ = ["open_app"]


@pytest.fixture
def workspace(workspace_copy: Path) -> Iterator[Workspace]:
    opened = Workspace.open(workspace_copy)
    yield opened
    opened.close()


def model_of(workspace: Workspace) -> ModelInfo:
    return workspace.models.all()[0]


def second_program(workspace: Workspace) -> tuple[HeadId, str]:
    """A head with the best of its programs that is not its best one."""
    model = model_of(workspace)
    head, best = workspace.library.best_programs(model.id)[0]
    return head, next(p for p in workspace.cards.candidates(model.id, head, 3) if p != best)


def say(workspace: Workspace, program: str, *words: tuple[str, Action]) -> None:
    model = model_of(workspace)
    head, _ = workspace.library.best_programs(model.id)[0]
    for reviewer, action in words:
        workspace.verdicts.record(model.id, head, program, action, reviewer)


def answers(workspace: Workspace) -> dict[str, int]:
    """How many heads are decided or accepted, as each part of the app would count them."""
    model = model_of(workspace)
    best = workspace.library.best_programs(model.id)
    cards = workspace.cards.cards(model.id, best)
    decided = workspace.verdicts.decided(model.id)
    opinions = Opinions(workspace.verdicts.opinions(model.id), decided)
    queue = review_queue(cards, [], opinions, "cleo", View(pile=Pile.NEW))
    reached = progress(len(best), len(best), decided)
    return {
        "review": len(best) - len(queue),
        "overview": reached.decided,
        "overview accepted": reached.accepted,
        "hybrid": len(workspace.verdicts.accepted(model.id)),
        "report": len({entry.card.head for entry in curated(workspace, model)}),
    }


def everywhere(decided: int, accepted: int) -> dict[str, int]:
    return {"review": decided, "overview": decided} | dict.fromkeys(
        ("overview accepted", "hybrid", "report"), accepted
    )


ADA_ACCEPTS, BOB_REJECTS = ("ada", Action.ACCEPT), ("bob", Action.REJECT)


def test_a_head_whose_second_program_was_accepted_and_then_rejected_is_decided_nowhere(
    workspace: Workspace,
) -> None:
    _, second = second_program(workspace)
    say(workspace, second, ADA_ACCEPTS)
    assert answers(workspace) == everywhere(decided=1, accepted=1)
    say(workspace, second, BOB_REJECTS)
    assert answers(workspace) == everywhere(decided=0, accepted=0)


def test_a_head_whose_second_program_was_rejected_and_then_accepted_is_decided_everywhere(
    workspace: Workspace,
) -> None:
    _, second = second_program(workspace)
    say(workspace, second, BOB_REJECTS)
    assert answers(workspace) == everywhere(decided=0, accepted=0)
    say(workspace, second, ADA_ACCEPTS)
    assert answers(workspace) == everywhere(decided=1, accepted=1)


def test_a_head_whose_best_program_stands_rejected_is_decided_and_not_accepted(workspace: Workspace) -> None:
    _, best = workspace.library.best_programs(model_of(workspace).id)[0]
    say(workspace, best, ADA_ACCEPTS, BOB_REJECTS)
    assert answers(workspace) == everywhere(decided=1, accepted=0)


def test_an_accept_of_another_program_outweighs_the_reject_of_the_best(workspace: Workspace) -> None:
    head, second = second_program(workspace)
    _, best = workspace.library.best_programs(model_of(workspace).id)[0]
    say(workspace, second, ADA_ACCEPTS)
    say(workspace, best, BOB_REJECTS)
    assert answers(workspace) == everywhere(decided=1, accepted=1)
    assert workspace.verdicts.decided(model_of(workspace).id)[head].program == second


@pytest.mark.parametrize("later", [Action.FLAG, Action.SKIP])
def test_a_later_flag_or_skip_takes_no_decision_back_and_makes_none(
    later: Action, workspace: Workspace
) -> None:
    _, second = second_program(workspace)
    say(workspace, second, ("bob", later))
    assert answers(workspace) == everywhere(decided=0, accepted=0)
    say(workspace, second, ADA_ACCEPTS, ("bob", later))
    assert answers(workspace) == everywhere(decided=1, accepted=1)


def test_an_undone_reject_lets_the_accept_stand_again(workspace: Workspace) -> None:
    _, second = second_program(workspace)
    say(workspace, second, ADA_ACCEPTS, BOB_REJECTS)
    workspace.verdicts.undo(model_of(workspace).id, "bob")
    assert answers(workspace) == everywhere(decided=1, accepted=1)


Words = list[tuple[str, Action]]


@pytest.mark.parametrize(
    ("words", "decided"), [([ADA_ACCEPTS, BOB_REJECTS], 0), ([BOB_REJECTS, ADA_ACCEPTS], 1)]
)
def test_review_overview_and_hybrid_show_the_same(
    words: Words, decided: int, open_app: OpenApp, workspace_copy: Path
) -> None:
    with_workspace(workspace_copy, lambda opened: say(opened, second_program(opened)[1], *words))
    app = open_app(workspace_copy)
    metrics = {metric.label: metric.value for metric in app.metric}
    assert (metrics["Reviewed"], metrics["Accepted"]) == (str(decided), str(decided))
    app = go(app, "review")
    (count,) = re.findall(r"(\d+) of \d+ decided", text_of(app))
    assert int(count) == decided
    assert len(app.session_state["desk"].queue()) == len(app.session_state["desk"].shelf.best) - decided
    assert len(state.owner().workspace.verdicts.accepted(state.models()[0].id)) == decided
    app = go(app, "hybrid")
    assert ("No program is accepted yet" in text_of(app) or app.radio(key="which").index == 1) == (
        not decided
    )


def with_workspace(folder: Path, act: Callable[[Workspace], None]) -> None:
    workspace = Workspace.open(folder)
    act(workspace)
    workspace.close()
