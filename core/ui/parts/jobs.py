"""Background jobs on the page: how far they are, what they say, and the buttons that stop or resume them."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from core.errors import HeadscriptError
from core.jobs.crew.cluster import by_node
from core.jobs.kinds import KINDS
from core.store import JobRecord
from core.ui.parts import frame, state

_STATES = {
    "queued": (":material/schedule:", "waits for its turn"),
    "running": (":material/progress_activity:", "under way"),
    "done": (":material/check_circle:", "done"),
    "failed": (":material/error:", "failed"),
    "stopped": (":material/stop_circle:", "stopped"),
}
BUILDS = ("build", "extract")  # what a workspace begins with
_IDLE_SECONDS = 3.0  # between two looks for jobs that another tab may have started


def draw_panel() -> None:
    """The sidebar's jobs, watched; when one starts or ends, the page is drawn again."""
    active = state.active_jobs()
    seconds = state.POLL_SECONDS if active else _IDLE_SECONDS
    shown = [(job.id, job.state) for job in active]

    @st.fragment(run_every=seconds)
    def panel() -> None:
        now = state.active_jobs()
        if [(job.id, job.state) for job in now] != shown:
            st.rerun()
        for job in now:
            with st.container(border=True, gap="xsmall"):
                draw_progress(job)
                draw_buttons(job, "panel")

    with st.sidebar:
        panel()


def draw_progress(job: JobRecord) -> None:
    """What a job is, a bar with its stage and count, its rate, the time left and what it has cost."""
    if job.state == "queued":
        st.caption(f"{_STATES['queued'][0]} **{title(job)}** · waits for its turn")
        return
    count = f" · {job.done:,} of {job.total:,}" if job.total else ""
    st.progress(
        job.share, text=f"**{title(job)}**  \n{frame.as_text(job.stage[:1].upper() + job.stage[1:])}{count}"
    )
    figures = pace(job)
    if figures:
        st.caption(" · ".join(figures))
    for told in by_node(state.owner().runner.nodes(job.id)):
        st.caption(frame.as_text(told))


def pace(job: JobRecord) -> list[str]:
    """How fast a job is, how long it still takes and what it has cost, as far as that is known."""
    left = job.seconds_left(time.time())
    return [
        *([f"{_rate(job.rate)}"] if job.rate is not None and job.state == "running" else []),
        *([f"{duration(left)} left"] if left is not None and job.done < job.total else []),
        *([dollars(job.cost)] if job.cost else []),
    ]


def draw_where() -> None:
    """Whether jobs run here or on the Ray cluster that a setting names; nothing where none does."""
    owner = state.owner()
    address = owner.settings.ray_address
    if address is None:
        return
    here = "local" if owner.settings.runner == "ray" else owner.settings.runner
    titles = {"This machine": here, f"Ray cluster {address}": "ray"}
    first = next(title for title, runner in titles.items() if runner == owner.settings.runner)
    title = st.segmented_control("Where jobs run", list(titles), default=first, key="where", required=True)
    owner.runner.run_on(titles[title or first])


def draw_buttons(job: JobRecord, where: str) -> None:
    """Cancel for a job that waits or works, Resume for one that stopped, Try again for one that failed."""
    runner = state.owner().runner
    key = f"{where}-{job.id}"
    if job.is_active:
        if st.button("Cancel", icon=":material/stop_circle:", key=f"cancel-{key}"):
            runner.cancel(job.id)
            st.rerun()
    elif job.state in ("failed", "stopped"):
        label, icon = ("Resume", "play_arrow") if job.state == "stopped" else ("Try again", "replay")
        if st.button(label, icon=f":material/{icon}:", key=f"resume-{key}", type="primary"):
            start(lambda: runner.resume(job.id, state.secrets(KINDS[job.kind].proposer)))


def start(ask: Callable[[], object]) -> None:
    """Ask for a job and draw the page again, or say why there can be none."""
    try:
        ask()
    except HeadscriptError as error:
        st.error(frame.as_text(str(error)), icon=":material/error:")
    else:
        st.rerun()


def draw_state(job: JobRecord) -> None:
    """How a job stands, in a line, and why if it did not end well."""
    icon, word = _STATES[job.state]
    if job.state == "failed":
        st.error(frame.as_text(job.message), icon=icon)
    elif job.state == "stopped":
        why = f" ({job.message})" if job.message else ""
        st.warning(
            frame.as_text(f"The job stopped while {job.stage}{why}. What is finished stays; it can go on."),
            icon=icon,
        )
    else:
        st.caption(f"{icon} {word.capitalize()}")


def draw_notes(job: JobRecord) -> None:
    """The device a job ran on, what it left out or cut."""
    notes = state.owner().runner.notes(job.id)
    if notes:
        st.caption(frame.as_text(" · ".join(notes)))


def draw_log(job: JobRecord) -> None:
    """The end of what the worker printed, folded away; nothing if it printed nothing."""
    tail = state.owner().runner.folder(job.id).log_tail()
    if tail:
        with st.expander("Log", icon=":material/notes:"):
            st.code(tail, language=None, wrap_lines=True)


def draw_last_failure(kind: str) -> None:
    """What went wrong with the latest job, if it was of this kind and did not end well."""
    jobs = state.owner().workspace.jobs.all()
    if jobs and jobs[0].kind == kind and jobs[0].state in ("failed", "stopped"):
        draw_state(jobs[0])


def title(job: JobRecord) -> str:
    """What a job does, for people."""
    return KINDS[job.kind].title


def duration(seconds: float) -> str:
    """`45 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def dollars(usd: float) -> str:
    """`\\$1.25`; the backslash because a page takes a pair of dollars for mathematics."""
    return f"\\${usd:.2f}" if usd >= 0.1 or not usd else f"\\${usd:.4f}"


def _rate(each_second: float) -> str:
    return f"{each_second:.1f} a second" if each_second >= 1 else f"{each_second * 60:.1f} a minute"
