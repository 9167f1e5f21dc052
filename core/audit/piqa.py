"""Questions with two answers, in PIQA's format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from core.corpus import read_lines, whole_characters
from core.errors import CorpusError


@dataclass(frozen=True)
class Question:
    """A goal, answers to it, and which is right."""

    goal: str
    answers: tuple[str, str]
    right: int  # 0 or 1


def read_questions(path: Path, limit: int | None = None) -> list[Question]:
    """A PIQA-format file: JSON lines of goal, sol1, sol2 and label (0 or 1).

    Raises CorpusError naming the line that is wrong.
    """
    lines = read_lines(path)
    found = [_question(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise CorpusError(f"{path} holds no question")
    return found[:limit]


def _question(path: Path, number: int, line: str) -> Question:
    wanted = 'an object like {"goal": "...", "sol1": "...", "sol2": "...", "label": 0}'
    try:
        row = json.loads(line)
        goal, first, second, label = (row[name] for name in ("goal", "sol1", "sol2", "label"))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorpusError(f"{path}: line {number} is not {wanted}") from error
    texts = (goal, first, second)
    if str(label) not in ("0", "1") or not all(isinstance(text, str) and text.strip() for text in texts):
        raise CorpusError(f"{path}: line {number} is not {wanted}")
    goal, first, second = map(whole_characters, texts)
    return Question(goal, (first, second), int(label))
