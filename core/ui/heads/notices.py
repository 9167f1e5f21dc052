"""What the Heads page says when something is missing."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import HeadscriptError, SandboxError, WorkspaceError
from core.features import ATTRIBUTES
from core.language import ParsedProgram
from core.types import HeadId, ModelInfo, Sentence
from core.ui.heads import passages
from core.ui.heads.passages import OWN, Passage
from core.ui.parts import frame, state
from core.ui.parts.state import SideBySide

_SYNTAX = frozenset(name for name, attribute in ATTRIBUTES.items() if attribute.from_parser)


def own_or_message(model: ModelInfo) -> Passage | None:
    """The text of one's own; a message instead if the model or the text cannot be read."""
    try:
        return passages.own(model, st.session_state["text"])
    except HeadscriptError as error:
        st.error(f"Your text cannot be read: {frame.as_text(str(error))}", icon=":material/error:")
        return None


def ious_or_stop(
    model: ModelInfo, head: HeadId, source: str, sentences: Sequence[Sentence]
) -> dict[str, float]:
    """IoU on each sentence; stops the page where there is no attention to compare with."""
    try:
        ious = state.ious_by_sentence(model, head, source, tuple(sentence.id for sentence in sentences))
    except (WorkspaceError, SandboxError) as error:
        st.error(frame.as_text(str(error)), icon=":material/error:")
        st.stop()
    if not ious:
        st.info("The attention on these sentences is still being extracted.", icon=":material/hourglass_top:")
        st.stop()
    return ious


def warn_of_missing(missing: Sequence[str]) -> None:
    """What a link asked for and is not here."""
    if missing:
        words = frame.as_text("; ".join(missing))
        st.warning(
            f"The link leads to what is not here: {words}. What is shown is something else.",
            icon=":material/link_off:",
        )


def warn_of_shortcomings(program: ParsedProgram, passage: Passage, compared: SideBySide) -> None:
    """What stands between this program and this passage."""
    if compared.failure is not None:
        words = frame.as_text(compared.failure.detail)
        st.warning(f"The program fails on this sentence, and scores 0: {words}", icon=":material/warning:")
    if passage.id == OWN and passage.features.truncated:
        st.warning(
            f"Only the first {len(compared.tokens)} tokens of your text were read.",
            icon=":material/content_cut:",
        )
    missing = sorted(program.features & _SYNTAX) if not passage.features.has_syntax else []
    if missing:
        st.warning(
            f"The program reads {', '.join(missing)}, which are empty: the spaCy model was not "
            "installed when this text was read.",
            icon=":material/warning:",
        )
