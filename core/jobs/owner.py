"""What can be asked of jobs: a method for each kind, which writes down what its worker needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from core.jobs.folder import Json
from core.jobs.queue import JobQueue
from core.types import HeadId, ModelInfo, SearchLimits, Sentence


class JobRunner(JobQueue):
    """The jobs of an open workspace: ask for one, watch it, stop it, go on with it."""

    def start_build(self, model: str, corpus: str, limit: int | None = None, search: bool = True) -> str:
        """Extract a model's attention on a corpus and, with `search`, find first programs; the job's id."""
        kind = "build" if search else "extract"
        corpus = corpus if corpus == "bundled" or not Path(corpus).exists() else str(Path(corpus).resolve())
        model = str(Path(model).resolve()) if Path(model).exists() else model
        return self._start(kind, {"model": model, "corpus": corpus, "limit": limit})

    def start_or_resume_demo(self) -> str:
        """Build the demo workspace, or go on with the build that was interrupted; the job's id."""
        return self.start_build(self._settings.demo_model, "bundled")

    def start_search(
        self, info: ModelInfo, heads: Sequence[HeadId] | None = None, limits: SearchLimits | None = None
    ) -> str:
        """Find programs for these heads, or all, of a model whose attention is extracted."""
        spec = {
            "info": asdict(info),
            "sentences": self._sentences(info),
            "heads": None if heads is None else [str(head) for head in heads],
            "limits": asdict(limits or SearchLimits()),
        }
        return self._start("synthesize", spec)

    def start_scoring(self, info: ModelInfo, sources: list[str]) -> str:
        """Score programs on every head of a model."""
        spec = {"info": asdict(info), "sentences": self._sentences(info), "programs": sources}
        return self._start("score", spec)

    def start_hybrid(
        self, info: ModelInfo, programs: list[Json], title: str, passages: list[Sentence], passages_from: str
    ) -> str:
        """Measure a hybrid on passages."""
        spec = {
            "model": info.name,
            "model_id": info.id,
            "programs": programs,
            "title": title,
            "sentences": [asdict(sentence) for sentence in passages],
            "passages_from": passages_from,
        }
        return self._start("hybrid", spec)

    def _sentences(self, info: ModelInfo) -> list[Json]:
        return [asdict(sentence) for sentence in self._workspace.library.sentences(info.id)]
