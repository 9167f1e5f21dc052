"""The Library page's parts: the table of programs, one program, two programs side by side."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import streamlit as st

from core.display import RUNG_MARKS
from core.display.glossary import meaning
from core.errors import HeadscriptError
from core.language import ParsedProgram
from core.review import DECISIONS, Opinions
from core.scoring import FITS, Evidence, program_of
from core.sharing.figures import made
from core.types import Action, HeadId, ModelInfo, Split, Verdict
from core.ui.library.behaviour import behaviours
from core.ui.library.plain import draw_plain
from core.ui.parts import charts, frame, state
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.reviewer import in_address
from core.ui.parts.thumbnails import Group, Map, draw_thumbnails
from core.ui.review.shelf import current_opinions, examiner

PAGE_ROWS = 50
SORTS = {
    "best fit first": (["best", "nodes"], [False, True]),
    "highest lift first": (["lift", "best"], [False, False]),
    "most over the twin first": (["over_twin", "best"], [False, False]),
    "fits most heads first": (["heads", "best"], [False, False]),
    "shortest first": (["nodes", "best"], [True, False]),
    "newest first": (["added_at", "program_id"], [False, True]),
}
UNDECIDED = "undecided"
VERDICT_NAMES = ("disputed", "accepted", "rejected", UNDECIDED)  # of several heads the first counts
_MARKS = {"disputed": "≠", "accepted": "✓", "rejected": "✕"}
_COMPARED = 3  # sentences, those on which two programs differ most


@st.cache_resource(show_spinner=False, max_entries=2)
def _catalogue(model: str, revision: int) -> pd.DataFrame:
    found = state.owner().workspace.catalogue.programs(model, FITS)
    heads = [_head_name(layer, head) for layer, head in zip(found.best_layer, found.best_head, strict=True)]
    words = found.source + "\n" + found.summary
    told = words + "\n" + words.map(behaviours) + "\n" + found.category + "\n" + heads
    twins = {str(head): iou for head, iou in state.owner().workspace.findings.twins(model).items()}
    over = found.best - np.array([twins.get(head, np.nan) for head in heads])
    best = state.owner().workspace.library.best_frame(model, Split.VALIDATION).to_dict("records")
    baselines = {str(HeadId(int(row["layer"]), int(row["head"]))): row["baseline"] for row in best}
    lift = found.best - np.array([baselines.get(head, np.nan) for head in heads])
    return found.assign(searched=told.str.lower(), over_twin=over, lift=lift)


def _head_name(layer: float, head: float) -> str:
    return "" if pd.isna(layer) else str(HeadId(int(layer), int(head)))


def catalogue(model: ModelInfo) -> pd.DataFrame:
    """Every program, see `Catalogue.programs`; for reading only.

    `searched` is its text in small letters, `lift` and `over_twin` its IoU beyond the best baseline and
    the twin of the head it fits best, on validation (NaN where that head was not audited). `verdict`,
    `reviewers` and `decided` say what was decided on it, on any head.
    """
    programs = _catalogue(model.id, state.version())
    said = _decisions(current_opinions(model))
    names = list(programs.program_id)
    return programs.assign(
        verdict=[said[name].verdict if name in said else UNDECIDED for name in names],
        reviewers=pd.Series([said[name].reviewers if name in said else () for name in names], dtype=object),
        decided=pd.to_datetime(pd.Series([said[name].at if name in said else None for name in names])),
    )


@dataclass(frozen=True)
class Decided:
    """What was decided on a program, on any head."""

    verdict: str
    reviewers: tuple[str, ...]
    at: str  # of the latest decision, ISO 8601


def _decisions(opinions: Opinions) -> dict[str, Decided]:
    """By program; disputed where reviewers differ on a head, accepted where it stands so on one."""
    words: dict[str, list[Verdict]] = {}
    verdicts: dict[str, set[str]] = {}
    for (head, program), of_card in opinions.of.items():
        standing = opinions.standing((head, program))
        if standing is None:
            continue
        words.setdefault(program, []).extend(word for word in of_card.values() if word.action in DECISIONS)
        told = "accepted" if standing.action == Action.ACCEPT else "rejected"
        verdicts.setdefault(program, set()).add("disputed" if (head, program) in opinions.disputed else told)
    return {
        program: Decided(
            next(one for one in VERDICT_NAMES if one in verdicts[program]),
            tuple(sorted({word.reviewer for word in found})),
            max(word.at for word in found),
        )
        for program, found in words.items()
    }


def matching(
    programs: pd.DataFrame,
    words: str,
    categories: Sequence[str] = (),
    origins: Sequence[str] = (),
    verdicts: Sequence[str] = (),
) -> pd.DataFrame:
    """The programs whose code, sentence or best head holds every word; of these kinds where any are named."""
    keep = pd.Series(True, index=programs.index)
    for word in words.lower().split():
        keep &= programs.searched.str.contains(word, regex=False)
    if categories:
        keep &= programs.category.isin(categories)
    if origins:
        keep &= programs.origin.isin(origins)
    if verdicts:
        keep &= programs.verdict.isin(verdicts)
    return programs[keep]


def narrowed(
    programs: pd.DataFrame,
    reviewers: Sequence[str] = (),
    since: date | None = None,
    least_lift: float | None = None,
) -> pd.DataFrame:
    """The programs that one of these decided on, on this day or later, with this lift or more."""
    keep = pd.Series(True, index=programs.index)
    if reviewers:
        keep &= programs.reviewers.map(lambda names: bool(set(names) & set(reviewers)))
    if since is not None:
        keep &= programs.decided >= pd.Timestamp(since, tz=programs.decided.dt.tz)
    if least_lift is not None:
        keep &= programs.lift >= least_lift
    return programs[keep]


def draw_table(model: ModelInfo, found: pd.DataFrame, key: str) -> list[str]:
    """A page of programs with a sparkline each; the ids of the rows that are picked."""
    ious = state.owner().workspace.catalogue.best_ious(model.id, list(found.program_id))
    audited = _audited(model)
    table = pd.DataFrame(
        {
            "program": found.summary,
            "best IoU": found.best,
            "best head": [
                _head_name(layer, head) for layer, head in zip(found.best_layer, found.best_head, strict=True)
            ],
            "lift": found.lift,
            "verdict": [f"{_MARKS[one]} {one}" if one != UNDECIDED else "" for one in found.verdict],
            "reviewers": found.reviewers.map(", ".join),
            "decided": ["" if pd.isna(at) else str(at.date()) for at in found.decided],
            "over twin": found.over_twin,
            "audited": [audited.get(str(name), "") for name in found.program_id],
            "heads": found["heads"],
            "fits": [ious.get(name, []) for name in found.program_id],
            "category": found.category,
            "origin": found.origin,
            "lookahead": found.lookahead,
            "nodes": found.nodes,
        }
    )
    if not found.reviewers.map(bool).any():
        table = table.drop(columns=["verdict", "reviewers", "decided"])
    if not audited:  # nothing to say of any program
        table = table.drop(columns=["over twin", "audited"])
    event = st.dataframe(
        table,
        hide_index=True,
        height=min(420, 36 * (len(table) + 1)),
        on_select="rerun",
        selection_mode="multi-row",
        key=key,
        column_config={
            "program": st.column_config.TextColumn(width=300 if audited else 440),
            "best IoU": st.column_config.ProgressColumn(
                min_value=0, max_value=1, format="%.2f", width=110, help=meaning("IoU")
            ),
            "lift": st.column_config.NumberColumn(
                format="%+.2f", help=f"Of its best head, validation. {meaning('Lift')}"
            ),
            "over twin": st.column_config.NumberColumn(
                format="%+.2f",
                help=f"IoU beyond the twin of its best head, validation. {meaning('Text-blind twin')}",
            ),
            "audited": st.column_config.TextColumn(
                help=f"What audits call it on the heads it is the best program of. {meaning('Rung')}"
            ),
            "verdict": st.column_config.TextColumn(help=meaning("Verdict")),
            "lookahead": st.column_config.CheckboxColumn(help=meaning("Lookahead")),
            "nodes": st.column_config.NumberColumn(help=meaning("Nodes")),
            "heads": st.column_config.NumberColumn(help=f"It fits with an IoU of {FITS} or more"),
            "fits": st.column_config.BarChartColumn(
                "its best heads", y_min=0, y_max=1, help="IoU on the heads it fits best, validation"
            ),
        },
    )
    return [str(found.program_id.iloc[row]) for row in event.selection.rows if row < len(found)]


def _audited(model: ModelInfo) -> dict[str, str]:
    """What audits call each program, and on how many heads where these are several."""
    rungs: dict[str, Counter[str]] = {}
    for (_, program), standing in state.standings(model).items():
        rungs.setdefault(program, Counter())[standing.rung] += 1
    return {
        program: ", ".join(
            f"{RUNG_MARKS[rung]} {rung}" + (f" × {counts[rung]}" if counts[rung] > 1 else "")
            for rung in RUNG_MARKS
            if counts[rung]
        )
        for program, counts in rungs.items()
    }


def draw_program(model: ModelInfo, row: pd.Series) -> None:
    """One program and all the heads it fits."""
    ious = state.owner().workspace.catalogue.ious(model.id, row.program_id)
    marks = [row.category, *(["lookahead"] if row.lookahead else []), f"{row.origin}, {row.nodes} nodes"]
    if isinstance(row.parent, str):
        marks.append(f"edited from {row.parent[:6]}")
    st.header(frame.as_text(row.summary), anchor=False)
    st.caption(frame.as_text(" · ".join(marks)))
    code, heads = st.columns([1, 1.2], gap="medium")
    with code:
        st.code(row.source, language="python", wrap_lines=True)
        draw_plain(model, row)
    with heads:
        if not ious:
            st.info("It has no score yet; `python -m core score` scores the library.", icon=":material/info:")
            return
        fitted = sum(iou >= FITS for _, iou in ious)
        st.markdown(f"Fits **{fitted}** of {len(ious)} heads with an IoU of {FITS} or more, on validation.")
        table = pd.DataFrame(
            [{"layer": head.layer, "head": head.head, "name": str(head), "iou": iou} for head, iou in ious]
        )
        st.altair_chart(charts.program_map(table, model.layers, model.heads))
        name = str(row.program_id)[:6]
        draw_figure_button(
            {"map": lambda: made.program_map(model, f"{model.title} {name}", str(row.summary), ious)},
            f"{model.title}-{name}",
            "program-figure",
        )
        with st.container(horizontal=True, gap="small"):
            for head, iou in ious[:6]:
                place = {"layer": str(head.layer), "head": str(head.head), "program": str(row.program_id)}
                st.page_link("pages/heads.py", label=f"{head} {iou:.2f}", query_params=place | in_address())


def draw_comparison(model: ModelInfo, first: pd.Series, second: pd.Series) -> None:
    """How two programs differ: in code, and on a head where."""
    st.header("Two programs", anchor=False)
    lines = difflib.unified_diff(
        first.source.splitlines(),
        second.source.splitlines(),
        first.program_id,
        second.program_id,
        lineterm="",
        n=99,
    )
    code, maps = st.columns([1, 1.2], gap="medium")
    difference = "\n".join(list(lines)[3:])
    code.caption(
        frame.as_text(
            f"− {first.program_id[:6]}: {first.summary}  +  {second.program_id[:6]}: {second.summary}"
        )
    )
    code.code(difference or "The same code.", language="diff", wrap_lines=True)
    with maps:
        heads = [
            HeadId(int(row.best_layer), int(row.best_head))
            for row in (first, second)
            if not pd.isna(row.best)
        ]
        offered = list(dict.fromkeys([*heads, *model.head_ids()]))
        try:
            programs = [program_of(row.source) for row in (first, second)]
            both = [head for head in offered if all(one.may_stand_for(head) for one in programs)]
            head = st.selectbox("On the head", both or offered, key="compare-head")
            _draw_maps(model, head, programs)
        except (HeadscriptError, OSError, KeyError) as error:
            st.warning(f"The maps cannot be drawn: {frame.as_text(str(error))}", icon=":material/warning:")


def _draw_maps(model: ModelInfo, head: HeadId, programs: Sequence[ParsedProgram]) -> None:
    found = examiner(model, Split.VALIDATION)
    evidence: list[Evidence] = [found.compare(head, program, worst=0) for program in programs]
    change = evidence[1].ious - evidence[0].ious
    st.markdown(
        f"IoU on {head}, validation: **{evidence[0].ious.mean():.3f}** and **{evidence[1].ious.mean():.3f}** "
        f"({change.mean():+.3f})"
    )
    groups = []
    for at in map(int, np.argsort(-np.abs(change), kind="stable")[:_COMPARED]):
        sentence = found.sentences[at]
        a, b = (
            found.example("", head, program, at, float(one.ious[at]))
            for program, one in zip(programs, evidence, strict=True)
        )
        groups.append(
            Group(
                f"{a.iou:.2f} and {b.iou:.2f} · {sentence.genre}",
                sentence.text,
                (
                    Map("head", a.head),
                    Map("first program", a.program),
                    Map("second program", b.program),
                    Map("first − second", a.program - b.program, is_signed=True),
                ),
                found.tokens(sentence),
            )
        )
    draw_thumbnails(groups, model.is_causal, "comparison", wide=True)
    st.caption(
        "Head, first program, second program (0 to 1), first − second (−1 to 1, orange: the first "
        "weighs more); the sentences on which they differ most."
    )
