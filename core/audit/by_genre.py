"""Genre by genre: whether a program explains its head on every kind of text, or on some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.audit import known
from core.audit.contract import Audit, AuditVerdict, Cell, Figure, Finding, ProgramSubject
from core.display import counted
from core.types import Bounds, Estimate, Told, option

COLUMNS = (
    "genre",
    "verdict",
    "passages",
    "IoU",
    "beyond the twin",
    "low",
    "high",
    "off-sink IoU",
    "output error",
)


@dataclass(frozen=True)
class GenreLimits:
    """By how much a program should beat the twin in every genre."""

    beyond: float = option(
        known.LEAST, "IoU that a program should have beyond the twin in each genre", Bounds(0, 1)
    )


def run(subject: ProgramSubject, limits: GenreLimits, told: Told) -> Finding:
    """The first figures of each genre alone; genres of other splits without a test passage are named."""
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    more = found.iou[row] - found.twin_iou[row]
    rows = {genre: np.array(at, int) for genre, at in _rows_of(subject).items()}
    beyond = {genre: known.mean(more[at]) for genre, at in rows.items()}
    words = {genre: _word(one, len(rows[genre]), limits.beyond) for genre, one in beyond.items()}
    table: list[tuple[Cell, ...]] = [
        (
            genre, words[genre], len(at), _cell(known.mean(found.iou[row, at])), _cell(beyond[genre]),
            _cell(Estimate(beyond[genre].low)), _cell(Estimate(beyond[genre].high)),
            _cell(known.mean(found.off_sink[row, at])),
            _cell(known.ratio(found.apart[row, at], found.written[row, at])),
        )
        for genre, at in rows.items()
    ]  # fmt: skip
    decided = {genre: word for genre, word in words.items() if word in ("passes", "fails")}
    verdict: AuditVerdict = "cannot tell"
    if "fails" in decided.values():
        verdict = "fails"
    elif decided and len(decided) == len(rows):
        verdict = "passes"
    ious = [known.mean(found.iou[row, at]).value for at in rows.values() if len(at)]
    return Finding(
        verdict,
        _note(words) + known.caveats(found.failed[row], more, "counts as IoU 0"),
        (Figure("IoU of its worst genre", Estimate(min(ious))),),
        COLUMNS,
        tuple(table),
    )


def _rows_of(subject: ProgramSubject) -> Mapping[str, list[int]]:
    """Test rows of each genre of any split, by name."""
    genres = {one.genre for passages in subject.splits.values() for one in passages.sentences}
    rows: dict[str, list[int]] = {genre: [] for genre in sorted(genres)}
    for at, sentence in enumerate(subject.tested.sentences):
        rows[sentence.genre].append(at)
    return rows


def _word(beyond: Estimate, passages: int, least: float) -> str:
    if not passages:
        return "no test passage"
    if passages < known.ENOUGH:
        return "too few"
    if beyond.low > least:
        return "passes"
    return "fails" if beyond.high <= least else "cannot tell"


def _note(words: Mapping[str, str]) -> str:
    def named(word: str) -> str:
        return ", ".join(genre or "(none)" for genre, one in words.items() if one == word)

    said = f"{counted(len(words), 'genre')}."
    if failing := named("fails"):
        said += f" Not better than position in {failing}."
    if few := named("too few"):
        said += f" Fewer than {known.ENOUGH} test passages, too few to decide, of {few}."
    if absent := named("no test passage"):
        said += f" No test passage of {absent}: of that nothing is known."
    return said


def _cell(estimate: Estimate) -> float | None:
    return round(estimate.value, 3) if np.isfinite(estimate.value) else None


BY_GENRE = Audit(
    "by-genre",
    "Genre by genre",
    "Does it explain the head on every kind of text?",
    of="program",
    limits=GenreLimits,
    run=run,
    is_usual=False,
    about=(
        "IoU, lift over the text-blind twin, off-sink IoU and output error of the test passages of each "
        "genre alone. A mean over all may hide a genre on which the program tells nothing."
    ),
)
