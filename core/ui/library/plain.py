"""Plain Python in the Library: a file of it taken in, and what is said of one of its programs."""

from __future__ import annotations

from pathlib import PurePath

import pandas as pd
import streamlit as st

from core.display import counted
from core.errors import HeadscriptError
from core.sandbox import PlainSource, programs_in
from core.sharing.plain_python import origin_of, usable, why
from core.types import ModelInfo, is_plain
from core.ui.parts import frame, state

_ABOUT = (
    "Plain Python of other people: it runs in a process that can do no harm, and nothing of it is read. It "
    "cannot be edited, calibrated, audited or exported as a file of its own; `python -m core convert` looks "
    "for a program of the language that does the same."
)


def take_in_plain(model: ModelInfo, name: str, content: bytes) -> None:
    """Score the programs of a file on every head, and list them with what they need."""
    try:
        programs = programs_in(content.decode("utf-8"))
        if sources := usable(programs):
            state.owner().runner.start_scoring(model, sources, origin_of(PurePath(name)))
    except (HeadscriptError, UnicodeDecodeError) as error:
        st.error(f"Nothing was taken in: {frame.as_text(str(error))}", icon=":material/error:")
        return
    st.success(f"{counted(len(usable(programs)), 'program')} taken in; they are being scored on every head.")
    st.dataframe(_listed(programs), hide_index=True)


def _listed(programs: list[PlainSource]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "program": one.name,
                "needs": ", ".join(one.needs),
                "not in the sandbox": ", ".join(one.missing),
                "refused": one.unseen,
            }
            for one in programs
        ]
    )


def draw_plain(model: ModelInfo, row: pd.Series) -> None:
    """What a program of plain Python cannot do, and on how many passages it failed; nothing of others."""
    if not is_plain(row.source):
        return
    st.caption(_ABOUT)
    workspace = state.owner().workspace
    failures = workspace.failures.of_program(model.id, row.program_id)
    if failures:
        passages = len(state.sentences(model.id, state.version()))
        st.warning(f"It fails: {frame.as_text(why(failures, passages))}", icon=":material/warning:")
