"""The figure of a damaged token: what giving each head of a hybrid back does for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from core.display import counted
from core.features import Features
from core.sharing.figures.of_hybrid import told
from core.sharing.figures.tables import TableFigure
from core.types import HeadId, TokenDamage

if TYPE_CHECKING:
    from core.hybrid.switches import Repair, Switchboard


def repair_figure(title: str, token: str, damage: float, table: pd.DataFrame) -> TableFigure:
    """The rows of `repair_table` as a figure; `damage` in nats."""
    caption = (
        f"“{' '.join(token.split())}”: {damage:+.2f} nats with {counted(len(table), 'head')} replaced. "
        "By how many nats one of them given back brings its loss nearer to the model's, and KL down."
    )
    named = table.rename(columns={"of it": "of it, %"})
    return TableFigure.of(f"{title}: a damaged token", named, caption)


def repair_table(repairs: Sequence[Repair], damage: float, sources: Mapping[HeadId, str]) -> pd.DataFrame:
    """A row a head given back, the best first: head, nats, of it (per cent of the damage), KL, program."""
    return pd.DataFrame(
        {
            "head": [str(one.head) for one in repairs],
            "nats": [one.loss for one in repairs],
            "of it": [100 * one.loss / abs(damage) if damage else None for one in repairs],
            "KL": [one.kl for one in repairs],
            "program": [told(sources[one.head])[1] for one in repairs],
        }
    )


def damaged_token(
    board: Switchboard, title: str, tokens: Sequence[str], sources: Mapping[HeadId, str], token: int | None
) -> TableFigure:
    """What each head repairs of a token of the board's one passage; of the most damaged unless it is given.

    Raises IndexError for a token that is not predicted, such as the first.
    """
    from core.hybrid.switches import repairs

    now = board.costs(board.heads)
    damage = now.changed - now.base  # float32 [token less the first]
    at = int(np.argmax(damage)) if token is None else token - 1
    if not 0 <= at < len(damage):
        raise IndexError(f"token {token} is not predicted among {len(tokens)}")
    found = repairs(now, board.given_back(board.heads), at)
    table = repair_table(found, float(damage[at]), sources)
    return repair_figure(title, tokens[at + 1], float(damage[at]), table)


def added(passage: TokenDamage) -> float:
    """Nats a token that the hybrid is more surprised by a passage than its model."""
    return (sum(passage.changed) - sum(passage.base)) / max(1, len(passage.base))


def names_by_tokens(features: Features) -> dict[tuple[str, ...], str]:
    """The ids of passages by their tokens, as measured damage tells them."""
    return {tuple(features.surfaces[features.span(row)]): name for row, name in enumerate(features.sentences)}
