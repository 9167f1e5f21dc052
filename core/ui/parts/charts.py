"""Charts: the layer x head map, the IoU distribution, perplexity against share of heads."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from core.display import (
    CATEGORY_COLOURS,
    CIVIDIS,
    COSTS,
    LINES,
    PUBLISHED_INCREASE,
    PUBLISHED_IOU,
    PUOR,
    PUOR_DARK,
    RUNGS,
    VERDICTS,
    CostWords,
    are_light,
    between,
)

SELECTION = "head"
_NAMES = "light-dark(#a34a08, #fdb863)"  # what is written in the colour of the published figures


def head_map(
    heads: pd.DataFrame, colour: str, layers: int, per_layer: int, is_dark: bool = False
) -> alt.TopLevelMixin:
    """Every head as a cell, layers from left to right; a click selects it under the name `head`.

    `heads` has columns layer, head, name, iou, resolved, lift, category, verdict, summary, rung, over_twin.
    `is_dark`: the page, so that a difference of nothing is dark as well.
    """
    audited = [
        alt.Tooltip("rung:N", title="audits say"),
        alt.Tooltip("over_twin:Q", title="over its twin, validation", format="+.2f"),
    ]
    audited = audited if (heads.rung != "not audited").any() else []
    cell = max(12, min(34, 1050 // layers))
    click = alt.selection_point(name=SELECTION, fields=["layer", "head"], on="click", empty=False)
    x = alt.X(
        "layer:O", title="layer", scale=alt.Scale(domain=list(range(layers))), axis=alt.Axis(labelAngle=0)
    )
    y = alt.Y("head:O", title="head", scale=alt.Scale(domain=list(range(per_layer))))
    cells = (
        alt.Chart(heads)
        .mark_rect(cornerRadius=2, stroke=None, cursor="pointer")
        .encode(
            x=x,
            y=y,
            color=_colour(colour, is_dark),
            tooltip=[
                alt.Tooltip("name:N", title="head"),
                alt.Tooltip("iou:Q", title="IoU, test", format=".2f"),
                alt.Tooltip("resolved:Q", title="resolved", format=".2f"),
                alt.Tooltip("lift:Q", title="lift", format="+.2f"),
                *audited,
                alt.Tooltip("category:N"),
                alt.Tooltip("verdict:N"),
                alt.Tooltip("summary:N", title="program"),
            ],
        )
        .add_params(click)
    )
    is_light = on_light_cells(heads, colour, is_dark)
    marks = [
        alt.Chart(heads[(heads.verdict != "undecided") & of_these])
        .mark_text(fontSize=cell * 0.5, fontWeight="bold", color=ink, strokeWidth=0)
        .encode(x=x, y=y, text=alt.Text("mark:N"))
        for ink, of_these in (("#000000", is_light), ("#ffffff", ~is_light))
    ]
    return alt.layer(cells, *marks).properties(width=cell * layers, height=max(cell, 22) * per_layer)


def on_light_cells(heads: pd.DataFrame, colour: str, is_dark: bool = False) -> np.ndarray:
    """Whether each head's cell is so light that a mark on it has to be dark."""
    match colour:
        case "IoU":
            colours = between(CIVIDIS, heads.iou.to_numpy())
        case "Resolved":
            colours = between(CIVIDIS, heads.resolved.fillna(0).to_numpy())
        case "Lift":
            colours = between(_diverging(is_dark), heads.lift.to_numpy() + 0.5)
        case "Over the twin":
            colours = between(_diverging(is_dark), heads.over_twin.fillna(0).to_numpy() + 0.5)
        case "Audits":
            colours = _rgb(heads.rung.map(RUNGS))
        case "Category":
            colours = _rgb(heads.category.map(CATEGORY_COLOURS))
        case _:
            colours = _rgb(heads.verdict.map(VERDICTS))
    return are_light(colours)


def _diverging(is_dark: bool) -> tuple[str, ...]:
    return PUOR_DARK if is_dark else PUOR


def _rgb(colours: pd.Series) -> np.ndarray:
    return np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in colours]).reshape(-1, 3)


def _colour(name: str, is_dark: bool) -> alt.Color:
    if name not in _DIFFERENCES:
        return _COLOURS[name]
    column, title = _DIFFERENCES[name]
    scale = alt.Scale(domain=[-0.5, 0.5], range=list(_diverging(is_dark)), clamp=True)
    return alt.Color(f"{column}:Q", title=title, scale=scale)


_DIFFERENCES = {"Lift": ("lift", "lift"), "Over the twin": ("over_twin", "IoU over the twin, validation")}
_COLOURS = {
    "IoU": alt.Color("iou:Q", title="IoU, test", scale=alt.Scale(domain=[0, 1], range=list(CIVIDIS))),
    "Resolved": alt.Color(
        "resolved:Q", title="resolved IoU, test", scale=alt.Scale(domain=[0, 1], range=list(CIVIDIS))
    ),
    "Audits": alt.Color(
        "rung:N", title="audits say", scale=alt.Scale(domain=list(RUNGS), range=list(RUNGS.values()))
    ),
    "Category": alt.Color(
        "category:N",
        title="category",
        scale=alt.Scale(domain=list(CATEGORY_COLOURS), range=list(CATEGORY_COLOURS.values())),
    ),
    "Verdict": alt.Color(
        "verdict:N", title="verdict", scale=alt.Scale(domain=list(VERDICTS), range=list(VERDICTS.values()))
    ),
}


def program_map(heads: pd.DataFrame, layers: int, per_layer: int) -> alt.Chart:
    """One program's IoU on every head; `heads` has columns layer, head, name, iou."""
    cell = max(8, min(20, 520 // layers))
    chart: alt.Chart = (
        alt.Chart(heads)
        .mark_rect(cornerRadius=1, stroke=None)
        .encode(
            x=alt.X("layer:O", title="layer", scale=alt.Scale(domain=list(range(layers))),
                    axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("head:O", title="head", scale=alt.Scale(domain=list(range(per_layer))),
                    axis=alt.Axis(labelOverlap=True)),
            color=alt.Color("iou:Q", title="IoU", scale=alt.Scale(domain=[0, 1], range=list(CIVIDIS))),
            tooltip=[alt.Tooltip("name:N", title="head"), alt.Tooltip("iou:Q", title="IoU", format=".2f")],
        )
        .properties(width=cell * layers, height=cell * per_layer)
    )  # fmt: skip
    return chart


def iou_bars(values: pd.DataFrame, across: str, counted: str) -> alt.Chart:
    """How many of what is `counted` have which IoU, in bins of 0.05; `values` has a column iou."""
    chart: alt.Chart = (
        alt.Chart(values)
        .mark_bar(color=CIVIDIS[5], binSpacing=1)
        .encode(
            x=alt.X(
                "iou:Q", bin=alt.Bin(extent=[0, 1], step=0.05), title=across, axis=alt.Axis(format=".2f")
            ),
            y=alt.Y("count()", title=counted),
            tooltip=[alt.Tooltip("count()", title=counted)],
        )
    )
    return chart


def iou_histogram(heads: pd.DataFrame) -> alt.TopLevelMixin:
    """How the heads' best IoU is distributed, beside the published means."""
    bars = iou_bars(heads, "best IoU on test", "heads")
    mean = pd.DataFrame(
        [{"iou": heads.iou.mean(), "label": f"mean {heads.iou.mean():.2f}", "kind": "this model"}]
    )
    published = pd.DataFrame(
        [{"iou": iou, "label": name, "kind": "published"} for name, iou in PUBLISHED_IOU.items()]
    )
    lines = pd.concat([mean, published]).sort_values("iou")
    marks = alt.Chart(lines)
    dash = alt.StrokeDash(
        "kind:N",
        title=None,
        scale=alt.Scale(domain=["this model", "published"], range=[[1, 0], [3, 3]]),
        legend=alt.Legend(orient="top", offset=52),
    )
    rules = marks.mark_rule(strokeWidth=2, color="#e08214").encode(
        x="iou:Q", strokeDash=dash, tooltip=["label:N", alt.Tooltip("iou:Q", format=".3f")]
    )
    # Above the bars, on which they could not be read; neighbours in three rows, so that they do not overlap.
    names = [
        alt.Chart(lines[row::3]).mark_text(align="left", y=y, color=_NAMES).encode(x="iou:Q", text="label:N")
        for row, y in enumerate((-35, -22, -9))
    ]
    return alt.layer(bars, rules, *names).properties(height=270)


def curve_chart(rows: pd.DataFrame, words: CostWords) -> alt.LayerChart | alt.FacetChart:
    """Cost against the share of heads, a line for each order and, dashed, each control.

    `rows` has columns order, control, share, increase, low, high, kl.
    """
    shown = rows.assign(kind=rows.control.map({True: "control", False: "programs"}))
    names = list(dict.fromkeys(rows.order))
    base = alt.Chart(shown).encode(
        x=alt.X("share:Q", title="share of heads replaced", axis=alt.Axis(format="%")),
        color=alt.Color(
            "order:N", title=None, scale=alt.Scale(domain=names, range=list(LINES[: len(names)])), sort=names
        ),
    )
    scale = alt.Scale(type="symlog", constant=0.1)
    y = (
        alt.Y(
            "increase:Q",
            title=f"{words.perplexity} increase (log above 10 %)",
            scale=scale,
            axis=alt.Axis(format="+%", values=[0, 0.1, 0.5, 1, 5, 25, 100], labelOverlap=False),
        )
        if words.perplexity
        else alt.Y("kl:Q", title=f"{words.distance} (log above 0.1)", scale=scale)
    )
    dash = alt.StrokeDash(
        "kind:N", title=None, scale=alt.Scale(domain=["programs", "control"], range=[[1, 0], [4, 3]])
    )
    lines = base.mark_line(strokeWidth=2.5).encode(y=y, strokeDash=dash)
    points = base.mark_point(filled=True, size=50, opacity=1).encode(
        y=y,
        tooltip=[
            "order:N",
            alt.Tooltip("share:Q", format=".0%"),
            *([alt.Tooltip("increase:Q", format="+.1%")] if words.perplexity else []),
            alt.Tooltip("kl:Q", title=words.short, format=".3f"),
        ],
    )
    if words != COSTS["next tokens"]:
        return alt.layer(lines, points).properties(height=380)
    published = pd.DataFrame(
        [{"share": 0.25, "increase": v, "title": f"{n}, published"} for n, v in PUBLISHED_INCREASE.items()]
    )
    reference = (
        alt.Chart(published)
        .mark_tick(thickness=2, size=22, orient="horizontal", color="#e08214")
        .encode(x="share:Q", y="increase:Q", tooltip=["title:N", alt.Tooltip("increase:Q", format="+.1%")])
    )
    return alt.layer(lines, points, reference).properties(height=380)


def increase_chart(hybrids: pd.DataFrame, words: CostWords) -> alt.LayerChart | alt.FacetChart:
    """Cost against the share of heads replaced, with the published points at 25 % where they compare.

    `hybrids` has columns share, increase, low, high, kl, kl_low, kl_high, title.
    """
    value, low, high, form = (
        ("increase", "low", "high", "+%") if words.perplexity else ("kl", "kl_low", "kl_high", ".2f")
    )
    base = alt.Chart(hybrids).encode(
        x=alt.X(
            "share:Q",
            title="share of heads replaced",
            axis=alt.Axis(format="%"),
            scale=alt.Scale(domainMin=0),
        )
    )
    y_title = f"{words.perplexity} increase" if words.perplexity else words.distance
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        y=alt.Y(f"{value}:Q", title=y_title, axis=alt.Axis(format=form)),
        color=alt.value("#4c78a8"),
        tooltip=[
            "title:N",
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip(f"{value}:Q", format="+.1%" if words.perplexity else ".3f"),
        ],
    )
    bars = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y(f"{low}:Q", title=y_title), y2=f"{high}:Q", color=alt.value("#4c78a8")
    )
    if words != COSTS["next tokens"]:
        return alt.layer(bars, points).properties(height=320)
    published = pd.DataFrame(
        [
            {"share": 0.25, "increase": rise, "title": f"{name}, published"}
            for name, rise in PUBLISHED_INCREASE.items()
        ]
    )
    reference = (
        alt.Chart(published)
        .mark_tick(thickness=2, size=22, orient="horizontal", color="#e08214")
        .encode(x="share:Q", y="increase:Q", tooltip=["title:N", alt.Tooltip("increase:Q", format="+.1%")])
    )
    return alt.layer(bars, points, reference).properties(height=320)


def calibration_chart(history: pd.DataFrame, words: CostWords) -> alt.Chart:
    """Distance from the model against the steps of a calibration.

    `history` has columns step and the distance's short name. Streamlit's own line chart has a mark without a
    name for people who hear it.
    """
    chart: alt.Chart = (
        alt.Chart(history)
        .mark_line(strokeWidth=2.5, color="#4c78a8")
        .encode(
            x=alt.X("step:Q", scale=alt.Scale(nice=False)),
            y=alt.Y(f"{words.short}:Q", scale=alt.Scale(zero=False)),
            tooltip=["step:Q", alt.Tooltip(f"{words.short}:Q", format=".4f")],
        )
        .properties(height=160)
    )
    return chart


def climb_chart(course: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """Mean IoU of a run's heads against minutes of work, before the run and with what it found.

    `course` has columns minutes, heads, before, after.
    """
    long = course.melt(["minutes", "heads"], ["before", "after"], var_name="when", value_name="iou")
    low, high = float(long.iou.min()), float(long.iou.max())
    margin = max(0.01, (high - low) * 0.15)
    scale = alt.Scale(domain=[max(0.0, low - margin), min(1.0, high + margin)], nice=False)
    names = {"before": "best before", "after": "with this run"}
    long = long.assign(when=long.when.map(names))
    base = alt.Chart(long).encode(
        x=alt.X("minutes:Q", title="minutes of work", scale=alt.Scale(domainMin=0, nice=False)),
        y=alt.Y("iou:Q", title="mean IoU, this run's heads", scale=scale),
        color=alt.Color(
            "when:N",
            title=None,
            scale=alt.Scale(domain=list(names.values()), range=["#9aa3b2", "#e08214"]),
            legend=alt.Legend(orient="top"),
        ),
        tooltip=[
            alt.Tooltip("when:N", title="mean IoU"),
            alt.Tooltip("iou:Q", title="of this run's heads", format=".3f"),
            alt.Tooltip("heads:Q"),
            alt.Tooltip("minutes:Q", format=".1f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2, interpolate="step-after")
    return alt.layer(lines, base.mark_point(filled=True, size=28, opacity=1)).properties(height=230)
