"""Names, tags and notes of runs and hybrids, and taking them off their tables and back."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.store import Label, read_tags
from core.ui.parts import frame, state

TAGS = st.column_config.ListColumn("tags")
_DELETED = "just-deleted"  # what a person deleted last in this session


def draw_label(subject: str, title: str, stays: str, may_delete: bool = True) -> None:
    """A form for the name, tags and note of a run or a hybrid, and the button that deletes it.

    `title` is what it is called without a name, `stays` what deleting leaves.
    """
    labels = state.owner().workspace.labels
    label = labels.of(subject)
    with st.form(f"label-{subject}", border=False):
        left, middle, right = st.columns([1, 1, 1.6])
        name = left.text_input("Name", label.name, placeholder=title, max_chars=80)
        tags = middle.text_input("Tags", ", ".join(label.tags), placeholder="between commas", max_chars=200)
        note = right.text_input("Note", label.note, max_chars=1000)
        saved = st.form_submit_button("Save", icon=":material/save:")
    if saved:
        labels.set(subject, Label(" ".join(name.split()), note.strip(), read_tags(tags)))
        st.rerun()
    if may_delete and st.button("Delete", icon=":material/delete:", key=f"delete-{subject}", help=stays):
        labels.delete(subject)
        st.session_state[_DELETED] = subject
        st.rerun()


def draw_deleted(deleted: Mapping[str, str], what: str) -> None:
    """What is deleted, by id with its name, the latest first; each with a button that brings it back.

    The one that was just deleted stands outright, the others behind a button.
    """
    if not deleted:
        return
    latest = str(st.session_state.get(_DELETED, ""))
    with st.container(horizontal=True, vertical_alignment="center"):
        if latest in deleted:
            st.markdown(f"**{frame.as_text(deleted[latest])}** is deleted.", width="content")
            _draw_restore(latest, "Undo", "undo")
        with st.popover(f"Deleted {what}: {len(deleted)}", icon=":material/delete:"):
            for subject, title in deleted.items():
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(frame.as_text(title))
                    _draw_restore(subject, "Restore", "restore")


def _draw_restore(subject: str, label: str, where: str) -> None:
    if st.button(label, icon=":material/undo:", key=f"{where}-{subject}"):
        state.owner().workspace.labels.restore(subject)
        st.session_state.pop(_DELETED, None)
        st.rerun()
