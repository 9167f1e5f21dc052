"""Questions: whether a hybrid still answers as its model does, on PIQA-format files or tasks of lm-eval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.audit.contract import Audit, AuditVerdict, Cell, Figure, Finding, HybridSubject
from core.errors import HybridError
from core.types import Bounds, HybridSpec, Told, option

if TYPE_CHECKING:
    from core.audit.accuracy import Accuracy
    from core.models.pretrained import LoadedModel


@dataclass(frozen=True)
class QuestionLimits:
    """What is asked."""

    questions: Path | None = option(None, "a file of questions in PIQA's format")  # noqa: RUF009 - a field
    tasks: tuple[str, ...] = option((), "tasks of lm-eval instead, such as piqa")
    limit: int = option(0, "take the first so many questions; 0: all", Bounds(least=0))


def accuracies(
    loaded: LoadedModel, spec: HybridSpec, limits: QuestionLimits, told: Told
) -> dict[str, Accuracy]:
    """How often the model and the hybrid are right, by task; of a file, by the file's name.

    Raises HybridError if nothing is asked, a text is too long, or lm-eval cannot run; CorpusError for a file
    without questions.
    """
    from core.audit.accuracy import accuracy
    from core.audit.piqa import read_questions

    if missing := _lacks(limits):
        raise HybridError(missing)
    if limits.questions is None:
        from core.audit.harness import task_accuracies

        told.progress(f"answering {', '.join(limits.tasks)}", 0, 0)
        return task_accuracies(loaded, spec, limits.tasks, limits.limit or None)
    questions = read_questions(limits.questions, limits.limit or None)
    reached = accuracy(loaded, spec, questions, lambda done, total: told.progress("answering", done, total))
    return {limits.questions.name: reached}


def run(subject: HybridSubject, limits: QuestionLimits, told: Told) -> Finding:
    """The shares of questions that model and hybrid answer rightly."""
    reached = accuracies(subject.loaded, subject.spec, limits, told)
    figures = [
        Figure(f"{who} right on {task}", share, "share")
        for task, found in reached.items()
        for who, share in (("model", found.original), ("hybrid", found.changed))
    ]
    rows: list[tuple[Cell, ...]] = [
        (task, found.questions, found.original.value, found.changed.value, found.agreement, found.kept)
        for task, found in reached.items()
    ]
    return Finding(
        _verdict(reached),
        "It passes where the hybrid's interval reaches the model's share, and fails where it lies below.",
        tuple(figures),
        ("task", "questions", "model", "hybrid", "same answer", "kept"),
        tuple(rows),
    )


def _verdict(reached: Mapping[str, Accuracy]) -> AuditVerdict:
    """Fails where the intervals are apart on any task; passes where the hybrid reaches the model on all."""
    if any(found.changed.high < found.original.low for found in reached.values()):
        return "fails"
    reaches = all(found.changed.high >= found.original.value for found in reached.values())
    return "passes" if reaches else "cannot tell"


def _lacks(limits: QuestionLimits) -> str:
    """Something to ask; raises CorpusError for a file that holds no questions."""
    if limits.questions is not None:
        from core.audit.piqa import read_questions  # imports pyarrow

        read_questions(limits.questions)
    if (limits.questions is None) == (not limits.tasks):
        return "give a file of questions, or --tasks with names of lm-eval's tasks"
    return ""


QUESTIONS = Audit(
    "questions",
    "Questions",
    "Does the hybrid still answer questions as its model does?",
    of="hybrid",
    needs_next_tokens=True,
    limits=QuestionLimits,
    run=run,
    lacks=_lacks,
)
