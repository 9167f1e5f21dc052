"""The figures of reviewers: how far every two of them agree, and what two of them decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from core.review import Agreement
from core.sharing.figures.paper import Drawable
from core.sharing.figures.tables import TableFigure
from core.types import ModelInfo

PAIRS = "pairs"


def agreement_figures(model: ModelInfo, found: Sequence[Agreement]) -> dict[str, Callable[[], Drawable]]:
    """By what they show: all pairs of reviewers, then each pair by their names, such as `Ada and Bo`."""
    of_two = {f"{one.first} and {one.second}": partial(agreement_figure, one) for one in found}
    return {PAIRS: partial(_pairs_figure, model, found), **of_two}


def agreement_figure(one: Agreement) -> TableFigure:
    """What two reviewers decided on the programs that both decided."""
    table = two_by_two(one).rename_axis("programs").reset_index()
    caption = f"{kappa_in_words(one)}. {one.same} of {one.both} programs decided alike."
    return TableFigure.of(f"{one.first} and {one.second}", table, caption)


def two_by_two(one: Agreement) -> pd.DataFrame:
    """Counts of programs; rows are the first reviewer's words, columns the second's."""
    return pd.DataFrame(
        one.table,
        index=[f"{one.first} accepts", f"{one.first} rejects"],
        columns=[f"{one.second} accepts", f"{one.second} rejects"],
    )


def kappa_in_words(one: Agreement) -> str:
    """Cohen's κ of two reviewers with its 95 % interval, or why there is none."""
    if one.kappa is None:
        return "Cohen’s κ undefined: both decided the same throughout"
    return f"Cohen’s κ {one.kappa.value:.2f} (95 %: {one.kappa.low:.2f} to {one.kappa.high:.2f})"


def _pairs_figure(model: ModelInfo, found: Sequence[Agreement]) -> TableFigure:
    columns = ("first", "second", "programs", "both accept", "only first", "only second", "both reject",
               "κ", "low", "high")  # fmt: skip
    rows = []
    for one in found:
        (both_accept, only_first), (only_second, both_reject) = one.table
        kappa = (one.kappa.value, one.kappa.low, one.kappa.high) if one.kappa else (None,) * 3
        rows.append(
            (one.first, one.second, one.both, both_accept, only_first, only_second, both_reject, *kappa)
        )
    caption = "Programs that both accepted or rejected; only first: accepted by the first alone. κ: Cohen’s."
    return TableFigure(f"{model.title}: agreement", columns, rows, caption)
