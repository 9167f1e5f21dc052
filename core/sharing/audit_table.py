"""What audits found of many heads, as tables: for a page, for a figure, for a file."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from core.audit import RUNGS, Finding, Standing
from core.types import CardId

# What the table shows of an audit, by the figure's name; other audits show their verdict.
FIGURE_OF = {
    "twin": "IoU beyond the twin",
    "off-sink": "off-sink IoU",
    "written": "output error",
    "foresight": "foresight",
    "promise": "9 of 10 fresh passages reach",
}
Found = Mapping[CardId, Mapping[str, Finding]]


def heads_by_audits(found: Found, standings: Mapping[CardId, Standing]) -> pd.DataFrame:
    """A row a head: layer, head, name, program_id, rung, place (of the rung), iou, why, fails, and a column
    for each audit with its figure, or its verdict where it has none in the table.
    """
    audits = list(dict.fromkeys(name for findings in found.values() for name in findings))
    rows = []
    for (head, program), findings in found.items():
        standing = standings.get((head, program))
        rows.append(
            {
                "layer": head.layer,
                "head": head.head,
                "name": str(head),
                "program_id": program,
                "rung": "not audited" if standing is None else standing.rung,
                "place": -1 if standing is None else RUNGS.index(standing.rung),
                "iou": math.nan if standing is None else standing.iou,
                "why": "" if standing is None else standing.why,
                "fails": "" if standing is None else ", ".join(standing.fails),
                **{name: _shown(name, findings.get(name)) for name in audits},
            }
        )
    return pd.DataFrame(rows)


def _shown(name: str, finding: Finding | None) -> float | str | None:
    if name not in FIGURE_OF:
        return None if finding is None else finding.verdict
    if finding is None:
        return math.nan
    figures = {figure.name: figure.estimate.value for figure in finding.figures}
    return figures.get(FIGURE_OF[name], math.nan)


def as_csv(found: Found, standings: Mapping[CardId, Standing]) -> str:
    """Every figure of every audit a row: head, program, rung, audit, verdict, figure, value, low, high."""
    rows = [
        {
            "head": str(head),
            "program": program,
            "rung": standings[head, program].rung if (head, program) in standings else "",
            "audit": name,
            "verdict": finding.verdict,
            "figure": figure.name,
            "value": figure.estimate.value,
            "low": figure.estimate.low,
            "high": figure.estimate.high,
        }
        for (head, program), findings in found.items()
        for name, finding in findings.items()
        for figure in finding.figures
    ]
    return pd.DataFrame(rows).to_csv(index=False)


def all_figures(found: Found) -> pd.DataFrame:
    """A row a head, a column a figure that is known of any."""
    return pd.DataFrame(
        {
            str(head): {
                figure.name: figure.estimate.value
                for finding in findings.values()
                for figure in finding.figures
            }
            for (head, _), findings in found.items()
        }
    ).T
