"""The figures of two hybrids compared: the heads on which they differ, and what each costs by genre."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from core.display import COSTS
from core.scoring import program_of
from core.sharing.figures.paper import Drawable
from core.sharing.figures.tables import TableFigure
from core.store import Workspace
from core.types import Evaluation, MadeHybrid

CHANGES = ("added", "lost", "with another program")


def two_figures(
    workspace: Workspace, first: pd.Series, second: pd.Series
) -> dict[str, Callable[[], Drawable]]:
    """By what they show; of two rows of `HybridTable.frame`. Genres where both were measured alike."""
    told = f"From {first.title} to {second.title}"

    def heads() -> TableFigure:
        changes = changes_of(workspace, first, second)
        return TableFigure.of(f"{told}: heads", changes, "Programs by the start of their ids.")

    def genres() -> TableFigure:
        costs = costs_of(workspace, first, second)
        return TableFigure.of(f"{told}: by genre", costs, f"{COSTS[second.measure].distance}.")

    return {"heads": heads, "genres": genres} if is_comparable(first, second) else {"heads": heads}


def changes_of(workspace: Workspace, first: pd.Series, second: pd.Series) -> pd.DataFrame:
    """`heads_apart` of two rows of `HybridTable.frame`."""
    made = [workspace.hybrids.made(row.hybrid_id) for row in (first, second)]
    assert made[0] is not None
    assert made[1] is not None
    return heads_apart(made[0], made[1])


def costs_of(workspace: Workspace, first: pd.Series, second: pd.Series) -> pd.DataFrame:
    """`by_genre` of two rows of `HybridTable.frame` that are comparable."""
    details = (workspace.hybrids.details(row.hybrid_id, row.passages_from) for row in (first, second))
    return by_genre(*(one.genres for one in details))


def is_comparable(first: pd.Series, second: pd.Series) -> bool:
    """Whether both were measured in the same way on the same passages."""
    same = (first.passages_from, first.measure) == (second.passages_from, second.measure)
    return bool(pd.notna(first.kl) and pd.notna(second.kl) and same)


def heads_apart(first: MadeHybrid, second: MadeHybrid) -> pd.DataFrame:
    """A row a head on which two hybrids differ: head, change, and the programs' ids, before and after."""
    ids = [{one.head: program_of(one.source).id[:6] for one in made.programs} for made in (first, second)]
    before, after = ids
    added, lost, another = CHANGES
    rows = []
    for head in sorted(before.keys() | after.keys()):
        if before.get(head) == after.get(head):
            continue
        change = added if head not in before else lost if head not in after else another
        rows.append((str(head), change, before.get(head, ""), after.get(head, "")))
    return pd.DataFrame(rows, columns=["head", "change", "before", "after"])


def by_genre(first: Mapping[str, Evaluation], second: Mapping[str, Evaluation]) -> pd.DataFrame:
    """KL of both in each genre that both were measured on, and how it changed."""
    rows = [
        (genre, first[genre].kl.value, second[genre].kl.value, second[genre].kl.value - first[genre].kl.value)
        for genre in first
        if genre in second
    ]
    return pd.DataFrame(rows, columns=["genre", "first", "second", "difference"])
