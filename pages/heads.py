"""Heads: one head and one program side by side on one sentence, and why they differ."""

from html import escape

import numpy as np
import pandas as pd
import streamlit as st

from core.audit.rules import Rule
from core.display import RUNG_MARKS
from core.errors import ProgramError
from core.language import ParsedProgram, parse
from core.language.export import export
from core.scoring import looked_at
from core.sharing.figures import Comparison
from core.sharing.snippet import page
from core.types import HeadId, ModelInfo, Program, Sentence, Split
from core.ui.heads import address, contributions, controls, evidence, notices, passages, steps, verdict, why
from core.ui.heads.everywhere import draw_everywhere
from core.ui.heads.passages import OWN, Passage
from core.ui.parts import frame, keys, state
from core.ui.parts.attention_view import Pins, draw_attention
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.head_sprites import draw_head_sprites
from core.ui.parts.program_code import draw_program_code
from core.ui.parts.references import draw_references
from core.ui.parts.state import SideBySide
from core.ui.review.worth import worth_shelf

FIGURE_TOKENS = 32  # of a passage, whose names can be read on paper


@st.cache_data(show_spinner=False, max_entries=64)
def standalone(source: str, looked: dict[str, str]) -> str:
    """The program as a file that runs anywhere; the reason as a comment where it cannot be one.

    `looked` holds the programs of the heads it looks at, directly or through others.
    """
    try:
        return export(parse(source), {HeadId.parse(head): parse(of) for head, of in looked.items()})
    except ProgramError as error:
        return "\n".join(f"# {problem}" for problem in error.problems)


@st.cache_data(show_spinner="Drawing every head", max_entries=4)
def thumbnails(model: ModelInfo, passage: str, text: str, _passage: Passage) -> np.ndarray:
    return passages.thumbnails(model, _passage)


@st.dialog("All heads on this sentence", width="large")
def choose_from_all(model: ModelInfo, passage: Passage, shown: HeadId) -> None:
    if address.is_left():
        st.rerun()
    st.caption("Layers across, heads down · square-root scale · arrow keys walk, Enter or a click opens")
    small = thumbnails(model, passage.id, passage.text, passage)
    draw_head_sprites(small, model, shown, "all-heads", address.open_head)


def scored(model: ModelInfo, head: HeadId) -> pd.DataFrame:
    """Every program of the head with its lift, best first; stops the page if there is none yet."""
    scores = state.owner().workspace.library.head_scores(model.id, head)
    if scores.empty:
        st.title(f"Heads · {head}")
        address.write_address(head)
        st.info(
            f"{head} has no program yet; its layer is still being worked on.", icon=":material/hourglass_top:"
        )
        st.stop()
    return scores.assign(lift=scores.test - scores[scores.origin == "baseline"].test.max())


def draw_title(model: ModelInfo, head: HeadId, row: pd.Series) -> None:
    """The head, what the program says, and its figures."""
    name, words = st.columns([1.4, 8], vertical_alignment="center")
    name.title(str(head))
    interval = "" if pd.isna(row.low) else f" [{row.low:.2f}, {row.high:.2f}]"
    distance = "" if pd.isna(row.js_distance) else f" · JS distance {row.js_distance:.2f}"
    failed = f" · **fails on {int(row.failures)} sentences**" if row.failures else ""
    standing = state.standings(model).get((head, str(row.program_id)))
    audited = ""
    if standing is not None:
        audited = f"  \n{RUNG_MARKS[standing.rung]} **{standing.rung}** · {frame.as_text(standing.why)}"
    resolved = _resolved(model, head, row)
    words.markdown(
        f"**IoU test {row.test:.3f}**{interval.replace('[', '&#91;')} · val {row.validation:.3f} · "
        f"train {row.train:.3f} · **lift {row.lift:+.3f}**{resolved}{distance}{failed}  \n"
        f"{frame.as_text(row.summary)}{audited}"
    )


def _resolved(model: ModelInfo, head: HeadId, row: pd.Series) -> str:
    """The other figure of a program that looks at heads, which the first ones are given."""
    library = state.owner().workspace.library
    if not library.looks(Program(str(row.program_id), row.source)):
        return ""
    found = library.resolved_cards(model.id).get((head, str(row.program_id)), {}).get(Split.TEST)
    return f" · **resolved {'–' if found is None else f'{found.value:.3f}'}**"


def without_a_line(ious: dict[str, float], whole: dict[str, float]) -> str:
    """What leaving a line out does to IoU on the listed sentences, in words."""
    less, own = (float(np.mean(list(found.values()))) for found in (ious, whole))
    return (
        f"A line is left out: IoU **{less:.3f}** instead of {own:.3f} ({less - own:+.3f}) on the "
        f"{len(ious)} listed sentences. The maps are without it; the figures above are of the whole program."
    )


def choose_sentences(sentences: list[Sentence]) -> tuple[list[Sentence], str]:
    """Those that the filters keep, all if they keep none, and always the one asked for; what these are."""
    filters = controls.choose_filters(sentences)
    kept = [sentence for sentence in sentences if filters.keep(sentence)]
    if not kept:
        st.caption("No sentence passes the filters; all are listed.")
        return sentences, "all"
    wanted = st.session_state.get("sentence")
    return kept + [s for s in sentences if s.id == wanted and not filters.keep(s)], filters.title


def stored_passage(model: ModelInfo, sentences: list[Sentence], chosen: str) -> Passage:
    return passages.stored(model, next(s for s in sentences if s.id == chosen))


def looked_by(model: ModelInfo, source: str) -> dict[str, str]:
    """The resolved programs of the heads that a program looks at, directly or through others."""
    program = passages.parsed(source)
    if not program.looks:
        return {}
    behind = state.owner().workspace.library.resolution(model.id).programs
    return {str(head): one.source for head, one in looked_at([program], behind).items()}


def draw_program(
    model: ModelInfo, head: HeadId, row: pd.Series, fired: dict[int, str], off: Rule | None
) -> None:
    """The program beside the maps: the lines that fired marked, that which is left out struck through."""
    marks = f"{row.category}{' · lookahead' if row.lookahead else ''} · {row.origin}"
    st.html(f'<div class="heads-mark"><b>Program</b> · {escape(marks)}</div>')
    lines = range(off.line, off.last + 1) if off else range(0)
    if off:  # the lines after it are further down in the whole program
        fired = {line + len(lines) * (line >= off.line): effect for line, effect in fired.items()}
    known = worth_shelf().known(model, head, row.source)
    with st.container(key="heads-program"):
        draw_program_code(
            row.source.rstrip("\n"),
            str(row.program_id),
            "program-code",
            fired=fired,
            off=lines,
            is_numbered=True,
            worth={line: (str(one), one.in_words) for line, one in known.items()},
        )


def draw_download(model: ModelInfo, row: pd.Series, head: HeadId) -> None:
    st.download_button(
        "Standalone Python file",
        lambda: standalone(row.source, looked_by(model, row.source)),
        file_name=f"{head}.py",
        icon=":material/download:",
        on_click="ignore",
        help="The program with a small runtime that needs only the standard library and a list of tokens; "
        "heads that it looks at are read from their best programs, which the file carries",
    )


def draw_figure(
    model: ModelInfo, head: HeadId, passage: Passage, iou: float, drawn: SideBySide, is_signed: bool,
    program: ParsedProgram,
) -> None:  # fmt: skip
    """What the maps show, for a paper or a post."""
    maps = drawn.head, drawn.program
    found = Comparison.of(
        model, head, program, drawn.tokens, maps, passage.genre, iou, FIGURE_TOKENS, is_signed
    )
    draw_figure_button(
        {"maps": lambda: found}, f"{model.title}-{head}", "heads-figure", {"html": lambda: page(found)}
    )


def draw_evidence(
    model: ModelInfo, head: HeadId, scores: pd.DataFrame, row: pd.Series, ious: dict[str, float],
    compared: SideBySide, pins: Pins, passage: Passage,
) -> None:  # fmt: skip
    """Only the tab that is open is worked out."""
    programs, everywhere, similar, distribution, audits, weights = st.tabs(
        ["Programs", "All heads here", "Similar", "Sentences", "Audits", "Weights"],
        on_change="rerun",
        key="evidence",
    )
    if programs.open:
        with programs:
            evidence.draw_programs(scores, str(row.program_id), model, head)
    if everywhere.open:
        with everywhere:
            draw_everywhere(model, passage, head, pins)
    if similar.open:
        with similar:
            evidence.draw_similar(model, head, str(row.program_id))
    if distribution.open:
        with distribution:
            evidence.draw_distribution(ious, passages.iou(compared), f"{model.title} {head}")
    if weights.open:
        with weights:
            evidence.draw_weights(compared, pins, f"{model.title} {head}")
    if audits.open:
        with audits:
            evidence.draw_audits(model, head, str(row.program_id), row.source)


@st.fragment
def draw_touchable(
    model: ModelInfo, head: HeadId, scores: pd.DataFrame, row: pd.Series, passage: Passage,
    looks: dict[HeadId, np.ndarray], compared: SideBySide, ious: dict[str, float], off: Rule | None,
) -> None:  # fmt: skip
    """Everything that answers to a pin: the maps, the reasons, the tables.

    The maps are of the program of the row, or of that without the rule that is `off`.
    """
    if address.is_left():
        st.rerun()
    pins = address.pins_on(passage.id, len(compared.tokens), model.is_causal)
    shown = passages.parsed(off.without.source if off else row.source)
    reasons = why.reasons_for(shown, passage, looks, compared, model.is_causal, pins)
    maps, program = st.columns([1.3, 1], gap="medium")
    with maps:
        signed = (
            contributions.or_message(model, head, passage, compared) if contributions.are_shown() else None
        )
        drawn = signed or compared
        draw_attention(
            drawn, str(head), model.is_causal, pins, address.stamp(), address.VIEW, address.remember_pins,
            rests=passages.resting_places(passage, head.layer, model.is_causal), is_signed=signed is not None,
            on_turn=contributions.turn,
        )  # fmt: skip
        why.draw_why(reasons, key="why")
    with program:
        draw_program(model, head, row, why.fired_lines(reasons), off)
    references, tabs = st.columns([1, 2], gap="medium")
    with references:
        draw_download(model, row, head)
        if compared.failure is None:
            draw_figure(model, head, passage, passages.iou(compared), drawn, signed is not None, shown)
        draw_references(
            model,
            passages.parsed(row.source),
            lambda other: [looks[other]] if other in looks else [],
            "the same sentence",
            "heads",
        )
    with tabs:
        draw_evidence(model, head, scores, row, ious, compared, pins, passage)
    address.write_address(head, passage.id, str(row.program_id), pins)


STYLE = """
<style>
  /* The program stands beside the maps, as high as the window lets it. */
  [data-testid=stMainBlockContainer] > [data-testid=stVerticalBlock] { gap: .5rem; }
  .st-key-heads-program { max-height: max(260px, calc(100vh - 15.5rem)); overflow-y: auto; }
  .heads-mark { font-size: .85rem; line-height: 1.3rem; }
  @media (max-width: 1000px) { .st-key-heads-program { max-height: none; } }
</style>
"""

frame.through_app()
st.html(STYLE)
model = frame.model_or_stop("Heads")
address.follow_address(model)
top = st.container()
chosen_head, chosen_sentence, chosen_program = st.columns([1.1, 2.4, 2.4])
buttons = st.container(horizontal=True, gap="xsmall")
with chosen_head:
    head = controls.choose_head(model)
with top:
    scores = scored(model, head)
with chosen_program:
    scores = controls.listed(scores, st.session_state.get("program"))
    row = controls.choose_program(scores)
with top:
    draw_title(model, head, row)
with buttons:
    verdict.draw_way_back()
    step_buttons = st.container(horizontal=True, gap="xsmall", width="content")
    sentences, listed = choose_sentences(state.of_splits(model, list(Split)))
    steps.draw_own_text()
    off = controls.leave_out(model, head, str(row.program_id), row.source)
    sees_all = st.button(
        "All heads", icon=":material/apps:", shortcut=keys.ALL_HEADS.shown, key="see-all-heads"
    )
    verdict.draw_verdict(model, head, str(row.program_id))
source = off.without.source if off else row.source
ious = notices.ious_or_stop(model, head, source, sentences)
if source != row.source:
    top.caption(without_a_line(ious, notices.ious_or_stop(model, head, row.source, sentences)))
sentences = [sentence for sentence in sentences if sentence.id in ious]
with chosen_sentence:
    chosen = controls.choose_sentence(sentences, ious, listed)
with step_buttons:
    steps.draw_steps(sorted(ious, key=lambda name: ious[name]), head, str(row.program_id))

with top:
    notices.warn_of_missing(address.missing(model, head, chosen, str(row.program_id)))
passage = notices.own_or_message(model) if chosen == OWN else stored_passage(model, sentences, chosen)
if passage is None:
    st.stop()
if sees_all:
    choose_from_all(model, passage, head)
looks = passages.looked_at(passages.parsed(source), head, passage)
compared = passages.compare(model, head, source, passage, looks)
if chosen == OWN:
    top.caption(f"On your text of {len(compared.tokens)} tokens: IoU **{passages.iou(compared):.3f}**")
steps.pin_if_asked(compared, passage.id)
notices.warn_of_shortcomings(passages.parsed(source), passage, compared)
draw_touchable(model, head, scores, row, passage, looks, compared, ious, off)
