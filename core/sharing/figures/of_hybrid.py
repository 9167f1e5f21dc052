"""The figures of one hybrid: cost by genre, programs, calibration, questions, what audits found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import pandas as pd

from core.display import COSTS
from core.language import describe
from core.scoring import program_of
from core.sharing.figures.audits import finding_figures
from core.sharing.figures.lines import LineFigure
from core.sharing.figures.paper import Drawable
from core.sharing.figures.tables import TableFigure
from core.store import Workspace
from core.types import EvaluationDetails, HybridProgram, Measure, ModelInfo, TaskAccuracy


def hybrid_figures(
    workspace: Workspace, model: ModelInfo, row: pd.Series
) -> dict[str, Callable[[], Drawable]]:
    """By what they show; `row` is of `HybridTable.frame`. What was not measured is not among them."""
    hybrids, title = workspace.hybrids, f"{model.title}, {row.title}"
    made, answers = hybrids.made(row.hybrid_id), hybrids.downstream(row.hybrid_id)
    found: dict[str, Callable[[], Drawable]] = {}
    if pd.notna(row.passages_from):
        details = hybrids.details(row.hybrid_id, row.passages_from)
        if details.genres:
            caption = f"On {int(row.passages)} passages, {int(row.tokens):,} tokens."
            genres = genre_table(details, row.measure)
            found["genres"] = partial(TableFigure.of, f"{title}: by genre", genres, caption)
    if made is not None:
        programs = program_table(made.programs)
        found["programs"] = partial(TableFigure.of, f"{title}: programs", programs, "In the order of heads.")
        if made.calibration:
            words = COSTS[row.measure if pd.notna(row.kl) else "next tokens"]
            line = [(float(step), cost) for step, cost in made.calibration]
            found["calibration"] = partial(
                LineFigure, f"{title}: calibration", "step", words.short, {words.short: line},
                f"{words.distance}, validation passages.",
            )  # fmt: skip
    if answers:
        caption = "Share of right answers of model and hybrid; how often both give the same."
        found["questions"] = partial(TableFigure.of, f"{title}: questions", answer_table(answers), caption)
    audited = workspace.findings.of_hybrid(model.id, row.hybrid_id)
    return found | finding_figures(title, {one.audit: one.finding for one in audited})


def genre_table(details: EvaluationDetails, measure: Measure) -> pd.DataFrame:
    """What a hybrid costs on each genre: genre, kl, tokens, kept; of perplexity increase, low, high."""
    genres = pd.DataFrame([{"genre": name, **cost.figures()} for name, cost in details.genres.items()])
    increase = ["increase", "low", "high"] if COSTS[measure].perplexity else []
    return genres[["genre", *increase, "kl", "tokens", "kept"]]


def program_table(programs: Sequence[HybridProgram]) -> pd.DataFrame:
    """A row a head that a hybrid replaces: head, program, fitted from."""
    return pd.DataFrame([_program_row(program) for program in programs])


def answer_table(answers: Sequence[TaskAccuracy]) -> pd.DataFrame:
    """A row a task: task, questions, model, hybrid, same answer, kept."""
    return pd.DataFrame(
        [
            {
                "task": accuracy.task,
                "questions": accuracy.questions,
                "model": accuracy.original,
                "hybrid": accuracy.changed,
                "same answer": accuracy.agreement,
                "kept": accuracy.kept,
            }
            for accuracy in answers
        ]
    )


def _program_row(replaced: HybridProgram) -> dict[str, str]:
    program, sentence = told(replaced.source)
    parent = replaced.parent or program
    return {
        "head": str(replaced.head),
        "program": sentence,
        "fitted from": "" if parent == program else parent,
    }


@lru_cache(maxsize=4096)
def told(source: str) -> tuple[str, str]:
    """A program's id, and what it does in a sentence; a hybrid has one for each head."""
    program = program_of(source)
    return program.id, describe(program).sentence
