"""Two hybrids side by side: the heads on which they differ, and what each costs by genre."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from core.display import COSTS, counted
from core.scoring import program_of
from core.sharing.figures import TableFigure
from core.types import Evaluation, MadeHybrid
from core.ui.hybrid.results import distance_column
from core.ui.parts import frame, state
from core.ui.parts.figure import draw_figure_button


def draw_two(first: pd.Series, second: pd.Series) -> None:
    """Two rows of `HybridTable.frame`."""
    hybrids = state.owner().workspace.hybrids
    made = [hybrids.made(row.hybrid_id) for row in (first, second)]
    assert made[0] is not None
    assert made[1] is not None
    changes = heads_apart(made[0], made[1])
    counts = changes.change.value_counts()
    words = COSTS[second.measure] if pd.notna(second.kl) else COSTS["next tokens"]
    st.markdown(
        f"From **{frame.as_text(first.title)}** to **{frame.as_text(second.title)}**: "
        + ", ".join(f"{counted(int(counts.get(name, 0)), 'head')} {name}" for name in _CHANGES)
        + (f"; {words.short} {second.kl - first.kl:+.3f}" if is_comparable(first, second) else "")
    )
    if not is_comparable(first, second):
        st.caption("What they cost was not measured on the same passages, so that no difference is told.")
    left, right = st.columns([1.4, 1], gap="large")
    left.dataframe(changes, hide_index=True, height=min(300, 36 * (len(changes) + 1)))
    told = f"From {first.title} to {second.title}"
    figures = {
        "heads": lambda: TableFigure.of(f"{told}: heads", changes, "Programs by the start of their ids.")
    }
    if is_comparable(first, second):
        genres = [hybrids.details(row.hybrid_id, row.passages_from).genres for row in (first, second)]
        costs = by_genre(*genres)
        figures["genres"] = lambda: TableFigure.of(f"{told}: by genre", costs, f"{words.distance}.")
        right.dataframe(
            costs,
            hide_index=True,
            column_config={name: distance_column(words) for name in ("first", "second")}
            | {"difference": st.column_config.NumberColumn(format="%+.3f")},
        )
    pair = f"{first.hybrid_id[:6]}-{second.hybrid_id[:6]}"
    draw_figure_button(figures, f"hybrids-{pair}", f"figure-{pair}")


_CHANGES = ("added", "lost", "with another program")


def is_comparable(first: pd.Series, second: pd.Series) -> bool:
    """Whether both were measured in the same way on the same passages."""
    same = (first.passages_from, first.measure) == (second.passages_from, second.measure)
    return bool(pd.notna(first.kl) and pd.notna(second.kl) and same)


def heads_apart(first: MadeHybrid, second: MadeHybrid) -> pd.DataFrame:
    """A row a head on which two hybrids differ: head, change, and the programs' ids, before and after."""
    ids = [{one.head: program_of(one.source).id[:6] for one in made.programs} for made in (first, second)]
    before, after = ids
    rows = []
    for head in sorted(before.keys() | after.keys()):
        if before.get(head) == after.get(head):
            continue
        change = "added" if head not in before else "lost" if head not in after else "with another program"
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
