"""Overview: where the work stands, the map of all heads, and what to do next."""

import pandas as pd
import streamlit as st

from core.curate import decisions, progress
from core.types import Action, HeadId, ModelInfo, Split
from core.ui import charts, frame, jobs, state

_BUILDS = ("build", "extract")
_MARKS = {"accepted": "✓", "rejected": "✕", "undecided": ""}


def draw_welcome() -> None:
    st.title("Headscript")
    st.markdown(
        "**What does this attention head do?** Headscript explains each head of a transformer as a short "
        "program `attend(q, k)`, lets you accept or reject it, and measures what it costs to replace the "
        "head by the program."
    )
    with st.container(border=True):
        st.subheader("Start with the demo")
        st.markdown(
            "SmolLM2-135M (270 heads) on 240 passages of stories, dialogue, code and arithmetic: fetches the "
            "model (89 MB), extracts its attention and finds a program for every head. About seven "
            "minutes on two cores, the first layers after one. Interrupted, it goes on where it stopped."
        )
        if st.button(
            "Build the demo workspace", type="primary", icon=":material/play_arrow:", key="build-demo"
        ):
            state.owner().runner.start_or_resume_demo()
            st.rerun()
        jobs.draw_last_failure("build")
    with st.expander("Use my own model and corpus"):
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
    if model is None or state.best_frame(model).empty:
        st.caption("Heads appear here layer by layer, as soon as each layer has its programs.")
    else:
        draw_map(model, live=True)


def heads_table(model: ModelInfo) -> pd.DataFrame:
    """The best program of each head with the verdict on it."""
    heads = state.best_frame(model, Split.TEST)
    standing = decisions(state.owner().workspace.verdicts.standing(model.id))
    words = {Action.ACCEPT: "accepted", Action.REJECT: "rejected"}
    keys = [(HeadId(int(row.layer), int(row.head)), str(row.program_id)) for row in heads.itertuples()]
    verdicts = [words[standing[key].action] if key in standing else "undecided" for key in keys]
    return heads.assign(
        name=[str(head) for head, _ in keys], verdict=verdicts, mark=[_MARKS[verdict] for verdict in verdicts]
    )


def draw_map(model: ModelInfo, live: bool = False) -> None:
    heads = heads_table(model)
    colour = st.segmented_control(
        "Colour by", ["IoU", "Lift", "Category", "Verdict"], default="IoU", key="colour", required=True
    )
    columns = ["layer", "head", "name", "iou", "lift", "category", "verdict", "mark", "summary"]
    chart = charts.head_map(heads[columns], colour or "IoU", model.layers, model.heads)
    if live:
        st.altair_chart(chart, key="live-map")
        return
    event = st.altair_chart(chart, on_select="rerun", key="map")
    st.caption("A cell is a head: its best program, chosen on validation, scored on test. Click to open it.")
    picked = event.selection.get(charts.SELECTION)
    if picked:
        place = {"layer": str(picked[0]["layer"]), "head": str(picked[0]["head"])}
        st.session_state.pop("map", None)
        st.switch_page("pages/heads.py", query_params=place)


def draw_funnel(model: ModelInfo) -> None:
    workspace = state.owner().workspace
    best = workspace.library.best(model.id, Split.TEST)
    counts = progress(model.layers * model.heads, best, workspace.verdicts.standing(model.id))
    hybrids = workspace.hybrids.frame(model.id)
    replaced = int(hybrids.heads.max()) if len(hybrids) else 0
    columns = st.columns(6)
    columns[0].metric("Heads", counts.heads)
    columns[1].metric("With a program", counts.proposed)
    columns[2].metric("Reviewed", counts.decided)
    columns[3].metric("Accepted", counts.accepted)
    columns[4].metric("Most replaced", replaced, help="The largest number of heads in a measured hybrid")
    columns[5].metric("Mean IoU, test", f"{sum(found.score.iou for found in best) / max(1, len(best)):.3f}")
    draw_next_step(counts.decided, counts.accepted, len(hybrids))


def draw_next_step(decided: int, accepted: int, hybrids: int) -> None:
    """One sentence on what to do next, and the page to do it on."""
    if accepted == 0:
        sentence = (
            "Next: look at programs one by one and accept those you trust."
            if not decided
            else ("Nothing is accepted yet; go on reviewing.")
        )
        page, label = "pages/review.py", "Review programs"
    elif hybrids == 0:
        sentence = f"Next: replace the {accepted} accepted heads and see what that costs."
        page, label = "pages/hybrid.py", "Build a hybrid"
    else:
        sentence, page, label = (
            "Next: review more heads, or measure a larger hybrid.",
            "pages/review.py",
            "Review",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(sentence, width="content")
        st.page_link(page, label=f"**{label}**", icon=":material/arrow_forward:")


frame.through_app()
model = state.chosen_model()
job = state.running_job()
has_programs = model is not None and not state.best_frame(model).empty
if job is not None and (job.kind in _BUILDS or (job.kind == "synthesize" and not has_programs)):
    st.title("Building the workspace")
    draw_building()
elif not has_programs:
    draw_welcome()
else:
    st.title(f"Overview · {model.title}")
    draw_funnel(model)
    draw_map(model)
    builds = [found for found in state.owner().workspace.jobs.all() if found.kind in _BUILDS]
    if builds:
        jobs.draw_notes(builds[0])
    st.subheader("How well programs fit")
    st.altair_chart(charts.iou_histogram(state.best_frame(model)), width="stretch")
    st.caption(
        "Dashed lines: mean best IoU published for other models (arXiv 2606.19317), picked and reported "
        "on the same few sentences; here chosen on validation, reported on test."
    )
