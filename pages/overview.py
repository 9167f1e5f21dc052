"""Overview: where the work stands, the map of all heads, and what to do next."""

import math
from contextlib import suppress
from typing import Any

import pandas as pd
import streamlit as st

from core.display import RUNGS, VERDICT_MARKS, counted
from core.errors import WorkspaceError
from core.review import progress
from core.sharing.figures import made
from core.types import Action, HeadId, MapColour, ModelInfo, Verdict
from core.ui.overview.own import draw_own
from core.ui.parts import charts, frame, jobs, state
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.map_keys import draw_map_keys
from core.ui.parts.reviewer import in_address
from core.ui.review.shelf import current_opinions

_HELP = {
    "Reviewed": "Heads with an accepted program, or whose best program is rejected",
    "Explained": "Heads whose best program audits call an explanation: better than its text-blind twin in "
    "what it attends to and in what is written, and it foresees edits; corrected for the number of heads",
    "Most replaced": "The largest number of heads in a measured hybrid",
}
_BAR = (
    '<div title="{title}" style="height:.35rem;border-radius:.2rem;background:#8886">'
    '<div style="height:100%;border-radius:.2rem;width:{share};background:#4a6ed0"></div></div>'
)
_FIGURES: dict[str, MapColour] = {
    "IoU": "iou", "Resolved": "resolved", "Lift": "lift", "Over the twin": "twin", "Audits": "audits",
    "Category": "category", "Verdict": "verdict",
}  # fmt: skip
Decided = dict[HeadId, Verdict]


def draw_welcome() -> None:
    st.title("Headscript")
    st.markdown(
        "**What does this attention head do?** Headscript explains each head of a transformer as a short "
        "program `attend(q, k)`, lets you accept or reject it, and measures what it costs to replace the "
        "head by the program."
    )
    with st.container(border=True):
        st.header("Start with the demo")
        st.markdown(
            "SmolLM2-135M (270 heads) on 240 passages of stories, dialogue, code and arithmetic: fetches the "
            "model (89 MB), extracts its attention and finds a program for every head. About ten "
            "minutes on two cores, the first layer after one. Interrupted, it goes on where it stopped."
        )
        if st.button(
            "Build the demo workspace", type="primary", icon=":material/play_arrow:", key="build-demo"
        ):
            state.owner().runner.start_or_resume_demo()
            st.rerun()
    for kind in jobs.BUILDS:
        jobs.draw_last_failure(kind)
    if (model := state.chosen_model()) is not None and is_extracted(model):
        st.info(
            f"The attention of {frame.as_text(model.title)} is extracted; programs for it can be found now.",
            icon=":material/auto_awesome:",
        )
        st.page_link("pages/synthesize.py", label="Find programs", icon=":material/auto_awesome:")
    with st.container(border=True):
        st.header("Use my own model and corpus")
        draw_own()
        draw_commands()


def is_extracted(model: ModelInfo) -> bool:
    """Whether programs can be found for all heads; layers are put together in order."""
    workspace = state.owner().workspace
    with suppress(WorkspaceError):  # their store does not answer
        is_read = bool(workspace.models.sentences(model.id))
        return is_read and workspace.attention(model.id).has(model.attention_layers[-1])
    return False


def draw_commands() -> None:
    """The same without the app."""
    with st.expander("The same on the command line"):
        st.code(
            "python -m core extract --model MODEL_OR_FOLDER --corpus passages.txt\npython -m core synthesize",
            language="bash",
        )
        st.caption("Stop this app first: one process holds a workspace at a time.")


@st.fragment(run_every=2 * state.POLL_SECONDS)
def draw_building() -> None:
    job = state.running_job()
    if job is None:
        st.rerun()
        return
    jobs.draw_progress(job)
    jobs.draw_notes(job)
    model = state.chosen_model()
    if model is None or not state.has_programs(model):
        st.caption("Heads appear here layer by layer, as soon as each layer has its programs.")
    else:
        decided = state.owner().workspace.verdicts.decided(model.id)
        draw_map(model, state.best_frame(model), decided, live=True)


def heads_table(model: ModelInfo, heads: pd.DataFrame, decided: Decided) -> pd.DataFrame:
    """The best program of each head with the verdict on it."""
    words = {Action.ACCEPT: "accepted", Action.REJECT: "rejected"}
    names = [HeadId(layer, head) for layer, head in zip(heads["layer"], heads["head"], strict=True)]
    disputed = current_opinions(model).disputed
    verdicts = [
        "undecided" if name not in decided
        else "disputed" if (name, decided[name].program) in disputed
        else words[decided[name].action]
        for name in names
    ]  # fmt: skip
    standings = state.standings(model)
    audited = [standings.get(card) for card in zip(names, heads["program_id"].map(str), strict=True)]
    twins = state.owner().workspace.findings.twins(model.id)
    return heads.assign(
        name=list(map(str, names)),
        verdict=verdicts,
        mark=[VERDICT_MARKS[verdict] for verdict in verdicts],
        rung=["not audited" if one is None else one.rung for one in audited],
        over_twin=heads.validation - [twins.get(name, math.nan) for name in names],
    )


def draw_map(model: ModelInfo, heads: pd.DataFrame, decided: Decided, live: bool = False) -> None:
    columns = ["layer", "head", "name", "iou", "resolved", "lift", "category", "verdict", "mark", "summary"]
    table = heads_table(model, heads, decided)[[*columns, "rung", "over_twin"]]
    is_resolved = bool(heads.looks.any())
    is_audited = bool((table.rung != "not audited").any())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        audits = ["Over the twin", "Audits"] if is_audited else []
        colour = st.segmented_control(
            "Colour by",
            ["IoU", *(["Resolved"] if is_resolved else []), "Lift", *audits, "Category", "Verdict"],
            default="IoU",
            key="colour",
            required=True,
        )
        named = st.text_input("Open a head", placeholder="L3H7", key="open-head", width=110)
        if is_audited:
            rungs = [rung for rung in RUNGS if rung in set(table.rung)]
            kept = st.multiselect("Only", rungs, key="rungs", placeholder="all heads", width=340)
            table = table[table.rung.isin(kept)] if kept else table
        if not live:
            workspace = state.owner().workspace
            shown = _FIGURES[colour or "IoU"]
            draw_figure_button(
                {
                    "map": lambda: made.head_map(workspace, model, shown),
                    "histogram": lambda: made.histogram(workspace, model),
                    "table": lambda: made.head_table(workspace, model),
                },
                f"headscript-{model.title}",
                "overview-figure",
            )
    _open_named(model, named)
    is_dark = st.context.theme.type == "dark"
    chart = charts.head_map(table, colour or "IoU", model.layers, model.heads, is_dark)
    if live:
        st.altair_chart(chart, key="live-map")
        return
    event = st.altair_chart(chart, on_select="rerun", key="map")
    draw_map_keys(
        "map",
        model,
        {HeadId(row.layer, row.head): _in_words(row) for row in table.itertuples()},
        "A cell is a head: its best program, chosen on validation, scored on test. A click opens it; so do "
        "arrow keys and Enter.",
    )
    picked = event.selection.get(charts.SELECTION)
    if picked:
        st.session_state.pop("map", None)
        frame.open_head(HeadId(int(picked[0]["layer"]), int(picked[0]["head"])))


def _in_words(row: Any) -> str:
    """What a cell of the map says."""
    verdict = "" if row.verdict == "undecided" else f" · {row.verdict}"
    return f"IoU {row.iou:.2f} · lift {row.lift:+.2f} · {row.category}{verdict} · {row.summary}"


def _open_named(model: ModelInfo, named: str) -> None:
    """Open the head that was typed, which needs no pointer."""
    if not named.strip():
        return
    try:
        head = HeadId.parse(named)
    except ValueError as error:
        st.caption(frame.as_text(f"{error}."))
        return
    if lacking := model.lacks(head):
        st.caption(frame.as_text(f"{head} {lacking}."))
        return
    st.session_state.pop("open-head", None)
    frame.open_head(head)


def draw_funnel(model: ModelInfo, heads: pd.DataFrame, decided: Decided) -> None:
    """How many heads got how far, each number with its share of all heads."""
    hybrids = state.owner().workspace.hybrids.frame(model.id)
    reached = progress(len(model.head_ids()), len(heads), decided)
    rungs = heads_table(model, heads, decided).rung
    counts: dict[str, int] = {
        "Heads": reached.heads,
        "With a program": reached.proposed,
        **({"Explained": int((rungs == "explains").sum())} if (rungs != "not audited").any() else {}),
        "Reviewed": reached.decided,
        "Accepted": reached.accepted,
        "Most replaced": int(hybrids.heads.max()) if len(hybrids) else 0,
    }
    columns = st.columns(len(counts) + 1, gap="small")
    for column, (label, count) in zip(columns, counts.items(), strict=False):
        column.metric(label, count, help=_HELP.get(label))
        share = count / counts["Heads"]
        column.html(_BAR.format(share=f"{share:.1%}", title=f"{share:.0%} of all heads"))
    columns[-1].metric("Mean IoU, test", f"{heads.iou.mean():.3f}", help=_mean_help(heads))
    draw_next_step(reached.proposed - reached.decided, reached.accepted, len(hybrids))


def _mean_help(heads: pd.DataFrame) -> str:
    """What the mean is of, and the other figure where programs look."""
    if not heads.looks.any():
        return "Of each head's best program"
    known = heads.resolved.notna().all()
    resolved = f"**{heads.resolved.mean():.3f}**" if known else "not known yet"
    looking = int((heads.looks > 0).sum())
    return (
        f"Of each head's best program, given what the heads do that {looking} of them look at. "
        f"Resolved, with those heads' resolved programs instead: {resolved}"
    )


def draw_next_step(undecided: int, accepted: int, hybrids: int) -> None:
    """One sentence on what to do next, and a button to do it."""
    if accepted == 0 and undecided:
        sentence = f"Next: look at the {undecided} programs one by one and accept those you trust."
        page, label = "pages/review.py", "Review programs"
    elif accepted and hybrids == 0:
        sentence = f"Next: replace {counted(accepted, 'accepted head')} and see what that costs."
        page, label = "pages/hybrid.py", "Build a hybrid"
    elif undecided:
        waiting = counted(undecided, "head")
        sentence = f"Next: {waiting} left to review; each one accepted can go into a larger hybrid."
        page, label = "pages/review.py", "Go on reviewing"
    else:
        sentence = "Every head is reviewed. Export the accepted programs, or edit the rejected ones."
        page, label = "pages/library.py", "Open the library"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(sentence, width="content")
        if st.button(label, key="next-step", type="primary", icon=":material/arrow_forward:"):
            st.switch_page(page, query_params=in_address())


def draw_overview(model: ModelInfo) -> None:
    heads = state.best_frame(model)
    decided = state.owner().workspace.verdicts.decided(model.id)
    st.title(f"Overview · {model.title}")
    draw_funnel(model, heads, decided)
    draw_map(model, heads, decided)
    builds = [found for found in state.owner().workspace.jobs.all() if found.kind in jobs.BUILDS]
    if builds:
        jobs.draw_notes(builds[0])
        if builds[0].state in ("failed", "stopped"):
            jobs.draw_state(builds[0])
            jobs.draw_buttons(builds[0], "overview")
    st.header("How well programs fit")
    st.altair_chart(charts.iou_histogram(heads[["iou"]]), width="stretch")
    st.caption(
        "Dashed lines: mean best IoU published for other models (arXiv 2606.19317), picked and reported "
        "on the same few sentences; here chosen on validation, reported on test."
    )
    with st.expander("Another model or corpus", icon=":material/add:"):
        draw_own()


frame.through_app()
model = state.chosen_model()
job = state.running_job()
has_programs = model is not None and state.has_programs(model)
if job is not None and (job.kind in jobs.BUILDS or (job.kind == "synthesize" and not has_programs)):
    st.title("Building the workspace")
    draw_building()
elif not has_programs:
    draw_welcome()
else:
    draw_overview(model)
