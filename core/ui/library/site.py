"""The static site of a model's programs: what it shows, how large it will be, and the folder as a zip."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import streamlit as st

from core.errors import HeadscriptError
from core.sharing.archive import zipped
from core.sharing.site import SitePlan, plan_site, write_site
from core.types import ModelInfo, SiteOptions
from core.ui.parts import frame, state

_WHICH = {"all": "every head", "accepted": "accepted programs"}


def draw_site(model: ModelInfo) -> None:
    """Options, the size, and the button."""
    st.markdown("**A site** that any host serves and a browser opens from disk")
    with st.container(horizontal=True, vertical_alignment="center"):
        programs = st.segmented_control(
            "Programs of the site", list(_WHICH), default="all", format_func=_WHICH.__getitem__,
            key="site-programs", required=True, label_visibility="collapsed",
        )  # fmt: skip
        names = st.toggle("Reviewers by name, with notes", value=True, key="site-names")
    options = SiteOptions("accepted" if programs == "accepted" else "all", names)
    try:
        plan = _plan(model, options, state.version(), state.owner().workspace.verdicts.revision())
    except HeadscriptError as error:
        st.caption(f"No site: {frame.as_text(str(error))}.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Prepare the site", icon=":material/public:", key="site-prepare"):
            st.session_state["site-packed"] = (plan, _packed(plan))
        st.caption(plan.in_words, width="content")
    held = st.session_state.get("site-packed")
    if held is not None and held[0] == plan:
        st.download_button(
            f"Download ({len(held[1]) / 1e6:.1f} MB)",
            held[1],
            file_name=f"headscript-{model.title}-{date.today()}.zip",
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
            key="site-download",
        )


@st.cache_data(show_spinner=False, max_entries=4)
def _plan(model: ModelInfo, options: SiteOptions, library: int, verdicts: int) -> SitePlan:
    """Asked for are the revisions of both."""
    return plan_site(state.owner().workspace, model, options)


def _packed(plan: SitePlan) -> bytes:
    bar = st.progress(0.0, "Writing the site")

    def show(done: int, total: int) -> None:
        bar.progress(done / total, f"Writing head {done} of {total}")

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "site"
        write_site(state.owner().workspace, plan, folder, show)
        content = zipped(folder)
    bar.empty()
    return content
