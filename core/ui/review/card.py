"""A review card: figures, program, evidence."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import streamlit as st

from core.audit import Standing
from core.display import RUNG_MARKS, counted
from core.errors import HeadscriptError
from core.language import without_docstring
from core.review import DECISIONS, Desk, Pile
from core.scoring import FITS, Evidence, Example, histogram, program_of
from core.types import Card, HeadId, Split, Verdict, is_plain
from core.ui.parts import frame, state
from core.ui.parts.program_code import draw_program_code
from core.ui.parts.references import draw_references
from core.ui.parts.thumbnails import Bars, Fired, Group, Map, draw_thumbnails, opened
from core.ui.parts.verdict_row import WORDS
from core.ui.review.alike import alike_shelf, differences
from core.ui.review.editor import Assessment, assess, draw_difference, draw_editor
from core.ui.review.fired import line_texts
from core.ui.review.lines import line_off
from core.ui.review.place import ask_for_heads
from core.ui.review.shelf import evidence_shelf, examiner
from core.ui.review.strongest import Looked, strongest_queries
from core.ui.review.worth import worth_shelf

_SHORT = {Split.TEST: "test", Split.VALIDATION: "val", Split.TRAIN: "train"}
_RESOLVED = (
    "The other figures are given what the heads do that it looks at; here those heads are replaced by their "
    "own resolved programs. – where that was not scored since a program changed"
)
_OTHERS = 8  # heads named that the program fits too

STYLE = """
<style>
  /* The page is as high as the window: what is left of it belongs to the program and its evidence. */
  .st-key-review { min-height: calc(100vh - 2.2rem); }
  .st-key-review > [data-testid=stLayoutWrapper] { flex: 1; }
  .st-key-review > [data-testid=stLayoutWrapper] > [data-testid=stVerticalBlock] { gap: .45rem; }
  [data-testid=stLayoutWrapper]:has(> .st-key-card-body) {
    flex: 1 1 240px; display: flex; min-height: 240px; }
  .st-key-card-body { position: relative; flex: 1; }
  [data-testid=stLayoutWrapper]:has(> .st-key-program-panel),
  [data-testid=stLayoutWrapper]:has(> .st-key-evidence-panel) { position: absolute; top: 0; bottom: 0; }
  [data-testid=stLayoutWrapper]:has(> .st-key-program-panel) { left: 0; width: 53%; }
  [data-testid=stLayoutWrapper]:has(> .st-key-evidence-panel) { right: 0; width: 45.5%; }
  .st-key-program-panel, .st-key-evidence-panel { height: 100%; overflow-y: auto; }
  /* The editor takes what buttons and problems leave of the panel, which therefore does not scroll. */
  .st-key-program-panel:has(.st-key-program-editor) { gap: .4rem; flex-wrap: nowrap; }
  [data-testid=stLayoutWrapper]:has(> .st-key-program-editor) {
    flex: 1 1 8rem; min-height: 8rem; display: flex; }
  .st-key-program-editor { flex: 1; height: 100%; }
  .st-key-program-panel:has(.st-key-program-editor) pre { max-height: 9rem; padding: .4rem .6rem; }
  .st-key-program-panel:has(.st-key-program-editor) pre code { font-size: .75rem; line-height: 1.3; }
  .st-key-program-editor textarea {
    font-family: monospace; font-size: .85rem; white-space: pre; overflow-x: auto; }
  @media (max-height: 600px), (max-width: 1000px) {
    [data-testid=stLayoutWrapper]:has(> .st-key-program-panel),
    [data-testid=stLayoutWrapper]:has(> .st-key-evidence-panel) { position: static; width: auto; }
  }
  .st-key-verdicts { padding: .2rem 0 0; }
  .st-key-recent [data-testid=stPopover] button { min-height: 1.6rem; padding: 0 .5rem; font-size: .8rem; }
  .st-key-recent > :first-child { flex: 1; min-width: 0; }
  .st-key-verdicts [data-testid=stCaptionContainer] p { white-space: nowrap; overflow: hidden;
    text-overflow: ellipsis; }
  .st-key-card-title h1 { padding: 0 !important; line-height: 2.2rem; white-space: nowrap; }
  .st-key-card-title { flex-wrap: nowrap; }
  /* What is said once is read whole, in as many lines as it takes, and not below the help's button. */
  .st-key-card-title > :has(.card-news) { flex: 1 1 0; min-width: 0; margin-right: 2rem; }
  .st-key-card-title > :not(:has(.card-news)) { flex: none; }
  .card-news { font-size: .85rem; line-height: 1.1rem; font-weight: 600; }
  .card-figures { display: flex; flex-wrap: wrap; column-gap: 1rem; align-items: baseline;
    font-variant-numeric: tabular-nums; line-height: 1.7rem; }
  .card-figures span { white-space: nowrap; }
  .card-figures b { font-size: 1.1rem; font-weight: 600; }
  .card-figures small { opacity: .8; font-size: .8rem; }
  .card-line { line-height: 1.4rem; font-weight: 600; }
  .card-mark { font-weight: normal; opacity: .8; font-size: .82rem; line-height: 1.2rem; }
  .card-like { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
</style>
"""


def is_hidden(desk: Desk, card: Card) -> bool:
    """Whether blind mode hides the card's numbers."""
    word = desk.own_word(card)
    return desk.view.is_blind and (word is None or word.action not in DECISIONS)


def draw_card(desk: Desk, card: Card, hidden: bool) -> None:
    """Everything about the card but the verdict row; without its numbers where they are hidden."""
    word = desk.own_word(card)
    st.html(_figures(desk, card, hidden) + _line(desk, card, word, hidden))
    with st.container(key="card-body"):
        draft: Assessment | None = None
        with st.container(key="program-panel"):
            if desk.is_editing:
                draft = draw_editor(desk, card, hidden)
            else:
                draft = draw_program(desk, card, hidden)
                draw_looks(desk, card)
        with st.container(key="evidence-panel"):
            draw_evidence(desk, card, hidden, draft)


def draw_program(desk: Desk, card: Card, hidden: bool) -> Assessment | None:
    """The program's code; where a line of it is left out, what the rest is worth, which is returned."""
    shown, off = shown_source(card), line_off(card)
    less = card.program.source.rstrip("\n").count("\n") - shown.count("\n")
    rest = None
    if off is not None:
        with suppress(HeadscriptError, OSError, KeyError):  # the evidence says what cannot be read
            rest = assess(desk.model, card, off.without.source)
            st.caption("Without the line that is struck through, figures and maps are:")
            draw_difference(card, rest, hidden)
    worth = {}
    if not hidden:
        known = worth_shelf().known(desk.model, card.head, card.program.source)
        worth = {line - less: (str(one), one.in_words) for line, one in known.items()}
    draw_program_code(
        shown, desk.ticket, "card-program", scrolled_by="j", worth=worth,
        off=range(off.line - less, off.last + 1 - less) if off and rest else (),
        less=None if rest else less,
    )  # fmt: skip
    return rest


def shown_source(card: Card) -> str:
    """The program as the card shows it: its docstring stands above it already, unless it says more."""
    source = card.program.source.rstrip("\n")
    if is_plain(source):
        return source
    return without_docstring(source) if program_of(source).docstring == card.summary else source


def _figures(desk: Desk, card: Card, hidden: bool) -> str:
    """IoU with interval on the three splits, and lift, as HTML."""
    candidates = desk.candidates(card)
    place = f"candidate {candidates.index(card) + 1} of {len(candidates)}"
    parts = [f"<small>{place}</small>"]
    if hidden:
        parts.append("<small>numbers hidden until the verdict</small>")
        return f'<div class="card-figures">{"".join(parts)}</div>'
    for split in (Split.TEST, Split.VALIDATION, Split.TRAIN):
        fit = card.fits.get(split)
        interval = "" if fit is None else f"[{fit.low:.2f}, {fit.high:.2f}]"
        beside = f" <small>{interval}</small>" if split == Split.TEST else ""  # of the others on hovering
        shown = "–" if fit is None else f"{fit.value:.2f}"
        parts.append(
            f'<span title="{interval}"><small>IoU {_SHORT[split]}</small> <b>{shown}</b>{beside}</span>'
        )
    if card.looks:
        known = card.resolved_iou(Split.TEST)
        shown = "–" if math.isnan(known) else f"{known:.2f}"
        parts.append(f'<span title="{_RESOLVED}"><small>resolved, test</small> <b>{shown}</b></span>')
    parts.append(f"<span><small>lift, test</small> <b>{card.lift(Split.TEST):+.2f}</b></span>")
    if card.cost is not None:
        cost = f"KL {card.cost:.4f}" if math.isfinite(card.cost) else "–, mostly fails"
        parts.append(f"<span><small>cost alone</small> <b>{cost}</b></span>")
    if card.failures:
        parts.append(f"<span><small>⚠ fails on {card.failures} sentences</small></span>")
    return f'<div class="card-figures">{"".join(parts)}</div>'


def _line(desk: Desk, card: Card, word: Verdict | None, hidden: bool) -> str:
    """The plain-English line and what kind of program it is, as HTML."""
    looks = [f"looks at {counted(card.looks, 'head')}"] if card.looks else []
    marks = [
        card.category,
        *looks,
        *(["lookahead"] if card.lookahead else []),
        f"{card.origin}, {card.nodes} nodes",
    ]
    if card.parent is not None:
        marks.append(f"edited from {card.parent[:6]}")
    others = [name for name in desk.opinions.of.get(card.id, {}) if name != desk.reviewer]
    is_open = desk.view.pile == Pile.DISPUTED or (word is not None and word.action in DECISIONS)
    if card.id in desk.opinions.disputed and is_open:
        marks.insert(0, f"disputed: {desk.opinions.in_words(card.id)}")
    elif others:
        marks.append(f"seen by {', '.join(sorted(others))}")
    if desk.draft(card.id) is not None and not desk.is_editing:
        marks.append("unsaved edit, e goes on with it")
    if word is not None:
        note = f" “{word.note}”" if word.note else ""
        marks.append(f"yours: {WORDS[word.action]}{note}")
    if not hidden and (standing := desk.standings.get(card.id)) is not None:
        marks.insert(
            0, f"audited: {RUNG_MARKS[standing.rung]} {standing.rung} ({_over_twin(card, standing)})"
        )
        marks.append(standing.why)
    kind = html.escape(" · ".join(marks))
    summary = html.escape(card.summary)
    like = _like(desk, card, hidden)
    told = html.escape(like)
    shown = f'<div class="card-mark card-like" title="{told}">{told}</div>' if like else ""
    return f'<div class="card-line">{summary}</div><div class="card-mark">{kind}</div>{shown}'


def _like(desk: Desk, card: Card, hidden: bool) -> str:
    """Which other head has nearly the same program, decided ones first, and in what they differ."""
    alike = alike_shelf().get(desk.model)
    found = alike.of(card.id) if alike is not None else []
    if not found:
        return ""
    said = [(other, desk.opinions.by_reviewer(desk.reviewer, other[0])) for other in found]
    (other, iou), word = next((one for one in said if one[1] is not None), said[0])
    figure = "" if hidden else f" (IoU {iou:.2f})"
    told = f"like {other[0]}’s{figure}"
    if word is not None:
        told += f", which you {WORDS[word.action].split(' ', 1)[1]}"
    if other[1] == card.program.id:
        return f"{told}: the same program"
    (theirs,) = desk.shelf.cards([other])
    own, others = differences(card.program.source, theirs.program.source)
    parts = [f"here {_first(own)}", f"there {_first(others)}"]
    return f"{told}; differs in: {', '.join(part for part in parts if not part.endswith(' '))}"


def _first(lines: list[str]) -> str:
    """One line, and how many more there are."""
    more = f" and {counted(len(lines) - 1, 'line')} more" if len(lines) > 1 else ""
    return "".join(lines[:1]) + more


def _over_twin(card: Card, standing: Standing) -> str:
    over = card.iou(Split.TEST) - standing.twin_iou
    return f"IoU {over:+.2f} over its text-blind twin" if math.isfinite(over) else "its twin is not known"


def draw_evidence(desk: Desk, card: Card, hidden: bool, draft: Assessment | None = None) -> None:
    """Worst and typical sentences, how IoU is distributed, baselines and other heads; of a draft if given."""
    try:
        if draft is not None:
            found = draft.evidence
        else:
            found = evidence_shelf().get(desk.model, examiner(desk.model, Split.VALIDATION), card)
    except (HeadscriptError, OSError, KeyError) as error:
        st.warning(f"The evidence cannot be drawn: {frame.as_text(str(error))}", icon=":material/warning:")
        return
    if found.failures:
        detail = next(iter(found.failures.values())).detail
        count = "some" if hidden else f"{len(found.failures)} of {len(found.ious)}"
        st.warning(
            f"The program fails on {count} validation sentences: {frame.as_text(detail)}",
            icon=":material/warning:",
        )
    model, reader = desk.model, state.owner().workspace.attention(desk.model.id)
    examined = examiner(model, Split.VALIDATION)
    seen = evidence_shelf().looked(model, examined, reader, card.head, found.examples)
    written = draft.program if draft is not None else program_of(card.program.source)
    known = evidence_shelf().fired(model, examined, written, found.examples)
    fired: Sequence[Fired | None] = known or [None] * len(seen)
    groups = [_group(*one, hidden) for one in zip(found.examples, seen, fired, strict=True)]
    program = card.program.id

    def open_cell() -> None:
        at, query, key = opened("evidence")
        ask_for_heads(card.head, program, found.examples[at].sentence.id, (query, key))

    draw_thumbnails(
        groups,
        desk.model.is_causal,
        "evidence",
        None if hidden else _bars(found),
        queries=strongest_queries(seen),
        on_open=None if draft is not None else open_cell,
        is_blind=hidden,
        lines=line_texts(written),
    )
    st.caption(_neighbours(desk, card, hidden))


def draw_looks(desk: Desk, card: Card) -> None:
    """The heads that the program looks at, on the sentences of the evidence."""
    program = program_of(card.program.source)
    if not program.looks:
        return

    def maps_of(head: HeadId) -> list[np.ndarray]:
        with suppress(HeadscriptError, OSError, KeyError):  # the evidence says why it cannot be drawn
            found = evidence_shelf().get(desk.model, examiner(desk.model, Split.VALIDATION), card)
            reader = state.owner().workspace.attention(desk.model.id)
            return [reader.one(head, example.sentence.id) for example in found.examples]
        return []

    where = "on the sentences of the evidence, in its order"
    draw_references(desk.model, program, maps_of, where, f"card-{card.head}")


def _group(example: Example, seen: Looked, fired: Fired | None, hidden: bool) -> Group:
    figure = "" if hidden else f" {example.iou:.2f}"
    return Group(
        f"{example.word}{figure} · {example.sentence.genre}",
        example.sentence.text,
        (Map("head", example.head), Map("program", example.program)),
        tuple(seen.tokens),
        tuple(seen.rests),
        fired,
    )


def _bars(found: Evidence) -> Bars:
    caption = f"IoU over {len(found.ious)} validation sentences"
    return Bars(caption, tuple(histogram(found.ious)))


def _neighbours(desk: Desk, card: Card, hidden: bool) -> str:
    """Baselines and the other heads the program fits."""
    legend = "Head left, program right; in the text head above, program below. A click opens Heads there."
    if hidden:
        return legend
    shelf = desk.shelf
    baselines = shelf.baselines(card.head)[:2]
    beaten = ", ".join(f"“{frame.as_text(name.rstrip('.'))}” {iou:.2f}" for name, iou in baselines)
    others = [f"{head} {iou:.2f}" for head, iou in shelf.fits(card.program.id) if head != card.head]
    more = " …" * (len(others) > _OTHERS)
    fits = (
        f"fits {len(others)} other heads: {' · '.join(others[:_OTHERS])}{more}"
        if others
        else f"fits no other head with an IoU of {FITS} or more"
    )
    return f"{legend}  \nbest baselines: {beaten}  \n{fits}"
