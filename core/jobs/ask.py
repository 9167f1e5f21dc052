"""What can be asked of jobs: a method for each kind, which writes down what its worker needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from core.audit.piqa import read_questions
from core.corpus import is_dataset, load_corpus, require_splits, there
from core.errors import HybridError
from core.jobs.folder import Json
from core.jobs.queue import JobQueue
from core.language import parse
from core.proposers.llm.prices import price_of
from core.store.hybrids import spec_to_json
from core.types import (
    ClaudeLimits,
    HeadId,
    HeadOrder,
    HybridRequest,
    ModelInfo,
    SearchLimits,
    Sentence,
    Split,
)

SHARES = (0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0)


class JobRunner(JobQueue):
    """The jobs of an open workspace: ask for one, watch it, stop it, go on with it."""

    def start_build(self, model: str, corpus: str, limit: int | None = None, search: bool = True) -> str:
        """Extract a model's attention on a corpus and, with `search`, find first programs; the job's id.

        Raises CorpusError if the corpus is a file and cannot be read, or has too few passages to search on.
        """
        if not is_dataset(corpus):
            read = load_corpus(corpus, limit)
            if search:
                require_splits(read.sentences)
        kind = "build" if search else "extract"
        corpus = corpus if corpus == "bundled" or not there(Path(corpus)) else str(Path(corpus).resolve())
        model = str(Path(model).resolve()) if there(Path(model)) else model
        return self._start(kind, {"model": model, "corpus": corpus, "limit": limit})

    def start_or_resume_demo(self) -> str:
        """Build the demo workspace, or go on with the build that was interrupted; the job's id."""
        return self.start_build(self._settings.demo_model, "bundled")

    def start_search(
        self, info: ModelInfo, heads: Sequence[HeadId] | None = None, limits: SearchLimits | None = None
    ) -> str:
        """Find programs for these heads, or all, of a model whose attention is extracted.

        Raises CorpusError if a split has no passage.
        """
        spec = {
            "info": asdict(info),
            "sentences": self._split_sentences(info),
            "heads": _names(info, info.head_ids() if heads is None else heads),
            "limits": asdict(limits or SearchLimits()),
        }
        return self._start("synthesize", spec)

    def start_claude(
        self,
        info: ModelInfo,
        heads: Sequence[HeadId] | None = None,
        limits: ClaudeLimits | None = None,
        api_key: str | None = None,
    ) -> str:
        """Have Claude propose programs for these heads, or all, starting from the best known ones.

        The key, the settings' own if none is given, reaches the worker in its environment alone. Raises
        ClaudeError if there is none or the model's price is unknown, CorpusError if a split has no passage.
        """
        limits = limits or ClaudeLimits(model=self._settings.claude_model)
        key = replace(self._settings, api_key=api_key or self._settings.api_key).require_api_key()
        price_of(limits)
        chosen = sorted(set(info.head_ids() if heads is None else heads))
        best = {b.score.head: b for b in self._workspace.library.best(info.id, Split.VALIDATION)}
        known = {head: best[head] for head in chosen if head in best}
        worst_first = sorted(chosen, key=lambda head: known[head].score.iou.value if head in known else -1.0)
        spec = {
            "info": asdict(info),
            "sentences": self._split_sentences(info),
            "heads": _names(info, chosen),
            "limits": asdict(limits),
            "known": {str(head): found.program.source for head, found in known.items()},
            # In this order a budget that does not hold for all is spent.
            "order": [str(head) for head in worst_first],
        }
        return self._start("claude", spec, key)

    def start_scoring(self, info: ModelInfo, sources: list[str]) -> str:
        """Score programs on every head of a model."""
        spec = {"info": asdict(info), "sentences": self._sentences(info), "programs": sources}
        return self._start("score", spec)

    def start_hybrid(
        self,
        info: ModelInfo,
        sources: Mapping[HeadId, str],
        passages: Sequence[Sentence],
        passages_from: str,
        request: HybridRequest,
    ) -> str:
        """Build a hybrid out of programs, one for each head that may be replaced, and measure it on passages.

        Raises HybridError if there are fewer programs than heads to replace, or the model is an encoder.
        """
        _require_candidates(info, sources)
        if request.count is not None and request.count > len(sources):
            raise HybridError(
                f"{request.count} heads were asked for, but only {len(sources)} have a program to choose "
                "from; accept more in Review, or use the best programs (--programs best)"
            )
        return self._start(
            "hybrid", {**self._choice(info, sources, passages, passages_from), **asdict(request)}
        )

    def start_measuring(
        self,
        info: ModelInfo,
        hybrid: str,
        passages: Sequence[Sentence],
        passages_from: str,
        strict: bool = False,
    ) -> str:
        """Measure a stored hybrid as it is, such as an imported one; what was measured of it is kept.

        Raises HybridError if there is no such hybrid, or the model is an encoder.
        """
        made = self._workspace.hybrids.made(hybrid)
        if made is None:
            raise HybridError(f"the workspace holds no hybrid {hybrid}")
        _require_causal(info)
        asked = {
            "given": made,
            "title": made["title"],
            "sentences": [asdict(sentence) for sentence in passages],
            "passages": [sentence.id for sentence in passages],
            "passages_from": passages_from,
            "strict": strict,
        }
        return self._start("measure", {"model": info.name, "model_id": info.id, **asked})

    def start_curve(
        self,
        info: ModelInfo,
        sources: Mapping[HeadId, str],
        passages: Sequence[Sentence],
        passages_from: str,
        title: str,
        orders: Sequence[HeadOrder] = ("cost", "iou", "random"),
        shares: Sequence[float] = SHARES,
        seed: int = 0,
    ) -> str:
        """Measure hybrids of many shares for each order, with controls on the heads of the first.

        Raises HybridError if there is no program, or the model is an encoder.
        """
        _require_candidates(info, sources)
        asked = {
            "title": title,
            "orders": list(orders),
            "shares": list(shares),
            "controls": True,
            "seed": seed,
        }
        return self._start("curve", {**self._choice(info, sources, passages, passages_from), **asked})

    def start_downstream(
        self,
        info: ModelInfo,
        hybrid: str,
        questions: Path | None = None,
        tasks: Sequence[str] = (),
        limit: int | None = None,
    ) -> str:
        """Have a stored hybrid and its model answer a PIQA-format file, or tasks of lm-eval by name.

        Raises HybridError if there is no such hybrid or the model is an encoder, CorpusError if the file
        holds no questions.
        """
        _require_causal(info)
        spec = self._workspace.hybrids.spec(hybrid)
        if spec is None:
            raise HybridError(f"the workspace holds no hybrid {hybrid}")
        if questions is not None:
            read_questions(questions)
        asked = {
            "hybrid": hybrid,
            "programs": spec_to_json(spec),
            "questions": None if questions is None else str(questions.resolve()),
            "tasks": list(tasks),
            "limit": limit,
            "title": ", ".join(tasks) if questions is None else questions.name,
        }
        return self._start("downstream", {"model": info.name, "model_id": info.id, **asked})

    def _choice(
        self,
        info: ModelInfo,
        sources: Mapping[HeadId, str],
        passages: Sequence[Sentence],
        passages_from: str,
    ) -> Json:
        """What a worker needs to choose among programs and to measure its choice."""
        best = self._workspace.library.best(info.id, Split.VALIDATION)
        fits = {found.score.head: found.score.iou.value for found in best}
        costs = self._workspace.hybrids.costs(info.id)
        candidates = [
            {
                "layer": head.layer,
                "head": head.head,
                "source": source,
                "iou": fits.get(head, 0.0),
                "cost": costs.get((head, parse(source).id)),
            }
            for head, source in sorted(sources.items())
        ]
        chosen_on = [s for s in self._workspace.models.sentences(info.id) if s.split != Split.TEST]
        measured_on = {sentence.id: sentence for sentence in passages}
        sentences = [s for s in chosen_on if s.id not in measured_on]
        return {
            "model": info.name,
            "model_id": info.id,
            "candidates": candidates,
            "sentences": [asdict(sentence) for sentence in (*sentences, *measured_on.values())],
            "passages": list(measured_on),
            "passages_from": passages_from,
        }

    def _sentences(self, info: ModelInfo) -> list[Json]:
        return [asdict(sentence) for sentence in self._workspace.models.sentences(info.id)]

    def _split_sentences(self, info: ModelInfo) -> list[Json]:
        sentences = self._workspace.models.sentences(info.id)
        require_splits(sentences)
        return [asdict(sentence) for sentence in sentences]


def _names(info: ModelInfo, heads: Sequence[HeadId]) -> list[str] | None:
    """The heads that a job is about, the same however it was asked; None for all of the model's."""
    chosen = sorted(set(heads))
    return None if chosen == info.head_ids() else [str(head) for head in chosen]


def _require_causal(info: ModelInfo) -> None:
    if not info.is_causal:
        raise HybridError(f"{info.title} is an encoder: it predicts no next token, so has no perplexity")


def _require_candidates(info: ModelInfo, sources: Mapping[HeadId, str]) -> None:
    _require_causal(info)
    if not sources:
        raise HybridError(
            "no head has a program to replace it by; accept some in Review, use the best programs "
            "(--programs best), or find programs first with `synthesize`"
        )
