"""Where a curve's controls cost no more than the programs: there the programs explain nothing."""

from __future__ import annotations

import pandas as pd


def cheap_controls(rows: pd.DataFrame) -> dict[str, list[float]]:
    """Controls with the shares at which the programs on the same heads do not clearly cost less KL.

    Clearly: the 95 % interval of the difference lies above 0; in older curves the KL itself is lower.
    """
    programs = rows[~rows.control]
    first = programs[programs.order == programs.order.iloc[0]].set_index("share").kl
    cheap: dict[str, list[float]] = {}
    for row in rows[rows.control].sort_values("share").to_dict("records"):
        beyond = row.get("beyond")
        least = beyond[0] if isinstance(beyond, list | tuple) else row["kl"] - first[row["share"]]
        if least <= 0:
            cheap.setdefault(row["order"], []).append(row["share"])
    return cheap
