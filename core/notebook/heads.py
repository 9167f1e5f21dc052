"""One head of a workspace: its attention, its programs, and both as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from core.errors import WorkspaceError
from core.files import disk_errors, write_whole
from core.language import ParsedProgram
from core.notebook import frames
from core.scoring import Examiner, Example, program_of
from core.sharing.snippet import Drawn, page, snippet
from core.store import Workspace
from core.types import HeadId, ModelInfo, Sentence

TOKENS_SHOWN = 40


@dataclass(frozen=True)
class Picture:
    """A drawing that Jupyter shows, and that can be kept as a page of its own."""

    drawn: Drawn

    def __repr__(self) -> str:
        return f"<{self.drawn.title}: {self.drawn.caption}>"

    def _repr_html_(self) -> str:
        return snippet(self.drawn)

    def save(self, path: str | Path) -> None:
        """Write it as an HTML file that needs nothing else."""
        path = Path(path)
        with disk_errors(path.parent):
            write_whole(path, page(self.drawn))


class Reader(Protocol):
    """What a head is read with: a `WorkspaceReader`."""

    model: ModelInfo

    @property
    def workspace(self) -> Workspace:
        """The workspace as it was opened, or refreshed last."""

    def sentence(self, wanted: str | Sentence) -> Sentence:
        """The passage that is meant; raises WorkspaceError if there is none."""

    def examiner(self, sentence: Sentence | None = None) -> Examiner:
        """What compares programs with heads: on a passage, or on all of test."""


@dataclass(frozen=True)
class Head:
    """A head of the workspace's model."""

    id: HeadId
    _reader: Reader

    @property
    def program(self) -> str | None:
        """The source of its best program, chosen on validation; None where it has none."""
        best = dict(self._reader.workspace.library.best_programs(self._reader.model.id))
        found = self._reader.workspace.library.program(best[self.id]) if self.id in best else None
        return None if found is None else found.source

    def scores(self) -> pd.DataFrame:
        """Every program scored on it: one row a program, IoU on each split, the best on validation first."""
        return self._reader.workspace.library.head_scores(self._reader.model.id, self.id)

    def audits(self) -> pd.DataFrame:
        """Every figure that audits found of its best program; columns `frames.FIGURES`."""
        workspace, model = self._reader.workspace, self._reader.model
        best = dict(workspace.library.best_programs(model.id))
        found = workspace.findings.of_program(model.id, self.id, best.get(self.id, ""))
        return frames.figures(found)

    def attention(self, sentence: str | Sentence) -> np.ndarray:
        """What it does with a passage, float32 [query, key]; see `WorkspaceReader.sentence`."""
        found = self._reader.sentence(sentence)
        return self._reader.workspace.attention(self._reader.model.id).one(self.id, found.id)

    def predicted(self, sentence: str | Sentence, program: str | None = None) -> np.ndarray:
        """What a program does in its place, float32 [query, key]; its best one unless a source is given."""
        return self._compared(sentence, program)[0].program

    def show(
        self, sentence: str | Sentence | None = None, program: str | None = None, first: int = TOKENS_SHOWN
    ) -> Picture:
        """Head, program and their difference on a passage's first tokens.

        A typical test passage unless one is named as `WorkspaceReader.sentence` takes it. Raises
        WorkspaceError if there is no such passage or program, or the program fails on it; ProgramError if
        `program` is none.
        """
        example, tokens, compared = self._compared(sentence, program)
        passage, maps = f"{example.sentence.split} passage", (example.head, example.program)
        drawn = Drawn.of(self._reader.model, self.id, compared, tokens, maps, passage, example.iou, first)
        return Picture(drawn)

    def _compared(
        self, sentence: str | Sentence | None, program: str | None
    ) -> tuple[Example, tuple[str, ...], ParsedProgram]:
        """Head and program on a passage, its tokens, and the program."""
        source = program or self.program
        if source is None:
            raise WorkspaceError(f"{self.id} has no program yet; give the source of one")
        examiner = self._reader.examiner(None if sentence is None else self._reader.sentence(sentence))
        compared = program_of(source)
        (example,) = examiner.compare(self.id, compared, worst=0).examples
        if example.failure is not None:
            raise WorkspaceError(f"the program fails on this passage: {example.failure.detail}")
        return example, examiner.tokens(example.sentence), compared
