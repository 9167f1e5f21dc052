"""Plain Python in the Library: a file of it taken in, and what is said of one of its programs."""

from __future__ import annotations

from pathlib import PurePath

import pandas as pd
import streamlit as st

from core.display import counted
from core.errors import HeadscriptError
from core.sandbox import PlainSource, programs_in
from core.settings import TRUST_AND_STRANGERS, trusts_programs
from core.sharing.plain_python import origin_of, usable, why
from core.types import ModelInfo, is_plain
from core.ui.parts import frame, state
from core.ui.parts.reviewer import in_address

_ABOUT = (
    "Plain Python of other people: it runs in a process that can do no harm, and nothing of it is read. It "
    "cannot be edited, calibrated, audited or exported as a file of its own; `python -m core convert` looks "
    "for a program of the language that does the same."
)


def take_in_plain(model: ModelInfo, name: str, content: bytes) -> None:
    """Score the programs of a file on every head, and list them with what they need."""
    if trusts_programs():
        st.error(f"Nothing was taken in: {TRUST_AND_STRANGERS}", icon=":material/error:")
        return
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
                "refused": one.refused,
            }
            for one in programs
        ]
    )


def draw_plain(model: ModelInfo, row: pd.Series) -> None:
    """What plain Python cannot do, where it failed, and what a program was converted into or from."""
    _draw_conversions(model, row)
    if not is_plain(row.source):
        return
    st.caption(_ABOUT)
    workspace = state.owner().workspace
    failures = workspace.failures.of_program(model.id, row.program_id)
    if failures:
        passages = len(state.sentences(model.id, state.version()))
        st.warning(f"It fails: {frame.as_text(why(failures, passages))}", icon=":material/warning:")


def _draw_conversions(model: ModelInfo, row: pd.Series) -> None:
    plain = is_plain(row.source)
    for found in state.owner().workspace.conversions.of(model.id, row.program_id):
        other = found.program if plain else found.plain
        words = "Converted into the language" if plain else "Converted from plain Python"
        st.page_link(
            "pages/library.py",
            label=f"{words}: {str(other)[:6]}, IoU {found.iou.value:.2f} on {found.passages} passages",
            icon=":material/swap_horiz:",
            query_params={"program": str(other)} | in_address(),
        )
