"""Change a program in place: what is wrong with it, how it scores, and saving it as a new program."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.errors import Problem, ProgramError, WorkspaceError
from core.language import ParsedProgram, parse
from core.review import Desk
from core.scoring import Evidence
from core.types import Card, Estimate, ModelInfo, Split
from core.ui.parts import frame, state
from core.ui.review.shelf import examiner

_PARTS = (Split.TRAIN, Split.VALIDATION)  # the test split is scored when an edit is saved, not before


@dataclass(frozen=True)
class Assessment:
    """A draft that is a program, with its fit on the head."""

    program: ParsedProgram
    fits: dict[Split, Estimate]
    failures: int
    evidence: Evidence  # on validation


def assess(model: ModelInfo, card: Card, source: str) -> Assessment:
    """A draft on train and validation; raises ProgramError with what is wrong with it."""
    program = parse(source)
    found = {split: examiner(model, split).compare(card.head, program) for split in _PARTS}
    fits = {split: evidence.fit for split, evidence in found.items() if len(evidence.ious)}
    failures = sum(len(evidence.failures) for evidence in found.values())
    return Assessment(program, fits, failures, found[Split.VALIDATION])


def save(desk: Desk, card: Card, found: Assessment) -> None:
    """Keep a draft as a new program with scores on all splits, and show its card."""
    model, program = desk.model, found.program
    scores = [examiner(model, split).score(card.head, program, split) for split in Split
              if examiner(model, split).sentences]  # fmt: skip
    workspace = state.owner().workspace
    workspace.library.save_edit(model.id, program.source, card.program.id, scores)
    desk.keep_draft(card.id, None)
    desk.go_to((card.head, program.id))
    state.owner().runner.start_scoring(model, [program.source])
    desk.notice = "Saved as a new program; it is being scored on the other heads."


def keep_draft(desk: Desk, card: Card, field: str) -> None:
    """Hold on to what was typed, also if the same click leaves the card."""
    typed = st.session_state[field]
    desk.keep_draft(card.id, None if typed == card.program.source else typed)


def draw_editor(desk: Desk, card: Card, hidden: bool) -> Assessment | None:
    """The program as text to change, its problems or its figures above; what was found, if it is a program.

    `hidden` says only which is better.
    """
    buttons = st.container(horizontal=True, gap="small")
    told = st.container()
    with st.container(key="program-editor"):
        field = f"draft-{desk.ticket}"
        draft = st.text_area(
            "Program", desk.draft(card.id) or card.program.source, key=field, height="stretch",
            label_visibility="collapsed", on_change=keep_draft, args=(desk, card, field),
        )  # fmt: skip
    found: Assessment | None = None
    try:
        found = assess(desk.model, card, draft)
    except ProgramError as error:
        with told:
            _draw_problems(error.problems, draft)
    except (WorkspaceError, OSError, KeyError) as error:
        told.warning(f"It cannot be scored: {frame.as_text(str(error))}", icon=":material/warning:")
    else:
        with told:
            draw_difference(card, found, hidden)
    with buttons:
        st.button(
            "Check", key="check-draft", icon=":material/fact_check:",
            help="Or leave the text field; Esc leaves the editor and keeps the change",
        )  # fmt: skip
        is_new = found is not None and found.program.id != card.program.id
        if (
            st.button("Save as a new program", key="save-draft", type="primary", disabled=not is_new)
            and found
        ):
            save(desk, card, found)
            st.rerun()
        if st.button("Cancel", key="cancel-draft", help="Throw the change away"):
            desk.keep_draft(card.id, None)
            desk.is_editing = False
            desk.change(desk.view)
            st.rerun()
    return found


def _draw_problems(problems: tuple[Problem, ...], draft: str) -> None:
    """Each problem with its line and a mark below the column."""
    lines = draft.split("\n")
    shown = []
    for problem in problems[:3]:
        line = lines[problem.line - 1] if problem.line <= len(lines) else ""
        shown.append(f"{problem}\n    {line}\n    {' ' * (problem.column - 1)}^")
    more = f"\n… and {len(problems) - 3} more" if len(problems) > 3 else ""
    st.markdown(f"**:material/error: {len(problems)} problem{'s' * (len(problems) > 1)}**")
    st.code("\n".join(shown) + more, language=None, wrap_lines=True)


def draw_difference(card: Card, found: Assessment, hidden: bool) -> None:
    """IoU of the draft beside its parent's; where it is `hidden`, only which is better."""
    if found.program.id == card.program.id:
        st.caption("The same program so far; leave the field or press Check to score a change.")
        return
    parts = []
    for split, fit in found.fits.items():
        change = fit.value - card.iou(split)
        figures = f"**{fit.value:.3f}** \\[{fit.low:.2f}, {fit.high:.2f}\\] ({change:+.3f})"
        parts.append(f"{split} {_tendency(change) if hidden else figures}")
    failed = f" · fails on {'some' if hidden else found.failures} sentences" if found.failures else ""
    st.markdown(f"IoU {' · '.join(parts)} against {card.program.id[:6]}{failed}")


def _tendency(change: float) -> str:
    """A difference of IoU without its size; below 0.0005 it is none."""
    return "as good" if abs(change) < 0.0005 else "better" if change > 0 else "worse"
