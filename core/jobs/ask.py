"""What can be asked of jobs: a method for each kind, which writes down what its worker needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core import wire
from core.audit import AUDITS, Of, checked
from core.audit.piqa import read_questions
from core.corpus import CORPORA, is_dataset, load_corpus, require_splits, there
from core.display import counted
from core.errors import AuditError, HybridError
from core.jobs.kinds import KINDS
from core.jobs.queue import JobQueue
from core.jobs.shares import ORDERS, SHARES
from core.jobs.tasks import (
    AskedAudit,
    AuditTask,
    BuildTask,
    Candidate,
    ConvertTask,
    CurveTask,
    DownstreamTask,
    ExtractTask,
    HybridTask,
    MeasureTask,
    ProposeTask,
    Resolvable,
    ResolveTask,
    ScoreTask,
)
from core.models.names import is_path
from core.proposers import ClaudeLimits, LanguageModel, Proposer, SearchLimits, check_limits
from core.proposers.llm.entry import CLAUDE
from core.proposers.search.entry import SEARCH
from core.sandbox import require_sandbox
from core.scoring import looked_at, program_of
from core.settings import trusts_programs
from core.store.jobs import JobRecord
from core.store.passages import keep_passages
from core.types import HeadId, HeadOrder, HybridRequest, ModelInfo, Sentence, Split, is_plain

_RESOLVE = "resolve"  # the kind of job
_NOT_AUDITED = "plain Python, which is run and not read, so no audit takes it; `convert` finds one to audit"


class Jobs(JobQueue):
    """The jobs of an open workspace: ask for one, watch it, stop it, go on with it."""

    def start_build(
        self,
        model: str,
        corpus: str,
        limit: int | None = None,
        search: bool = True,
        layers: tuple[int, ...] | None = None,
    ) -> str:
        """Extract a model's attention on a corpus and, with `search`, find first programs; the job's id.

        Of all layers, or of these and those extracted before.
        Raises CorpusError if the corpus is a file and cannot be read, or has too few passages to search on.
        """
        if not is_dataset(corpus):
            read = load_corpus(corpus, limit)
            if search:
                require_splits(read.sentences)
        is_file = corpus not in CORPORA and there(Path(corpus))
        corpus = str(Path(corpus).resolve()) if is_file else corpus
        return self._start((BuildTask if search else ExtractTask)(_in_full(model), corpus, limit, layers))

    def start_or_resume_demo(self) -> str:
        """Build the demo workspace, or go on with the build that was interrupted; the job's id."""
        return self.start_build(self._settings.demo_model, "bundled")

    def is_demo_unfinished(self) -> bool:
        """Whether a build of the demo workspace was begun and has not come to its end."""
        task = BuildTask(_in_full(self._settings.demo_model), "bundled")
        return self._unfinished(KINDS["build"], task) is not None

    def start_proposals(
        self,
        info: ModelInfo,
        proposer: Proposer,
        heads: Sequence[HeadId] | None = None,
        limits: Any = None,
        secrets: Mapping[str, str] | None = None,
    ) -> str:
        """Find programs for these heads, or all, of a model whose attention is extracted.

        A language model starts from the best known ones, the worst head first. Secrets, the settings' own
        where none are given, reach the worker in its environment alone. Raises ProposerError if a limit is
        out of bounds or what the proposer needs is missing, CorpusError if a split has no passage.
        """
        limits = proposer.default_limits(self._settings) if limits is None else limits
        check_limits(limits)
        task = ProposeTask(
            info,
            self._passages(info, needs_splits=True),
            _chosen(info, heads),
            limits,
            proposer=proposer.name,
        )
        if isinstance(proposer.way, LanguageModel):
            proposer.way.check(limits, self._settings.with_secrets(secrets or {}))
            proposer.way.terms(limits)
            task = self._from_the_best(task)
        return self._start(task, secrets)

    def _from_the_best(self, task: ProposeTask[Any]) -> ProposeTask[Any]:
        """The task with the best known program of each head, and the order of their heads, worst first."""
        chosen = sorted(task.info.head_ids() if task.heads is None else task.heads)
        best = {b.score.head: b for b in self._workspace.library.best(task.info.id, Split.VALIDATION)}
        known = {head: best[head] for head in chosen if head in best}
        worst_first = sorted(chosen, key=lambda head: known[head].score.iou.value if head in known else -1.0)
        sources = {
            head: program.program.source
            for head, program in known.items()
            if not is_plain(program.program.source)  # nothing of it can be gone on with
        }
        return replace(task, known=sources, order=tuple(worst_first))

    def start_search(
        self, info: ModelInfo, heads: Sequence[HeadId] | None = None, limits: SearchLimits | None = None
    ) -> str:
        """`start_proposals` of the search."""
        return self.start_proposals(info, SEARCH, heads, limits)

    def start_claude(
        self,
        info: ModelInfo,
        heads: Sequence[HeadId] | None = None,
        limits: ClaudeLimits | None = None,
        api_key: str | None = None,
    ) -> str:
        """`start_proposals` of Claude."""
        secrets = {"ANTHROPIC_API_KEY": api_key} if api_key else None
        return self.start_proposals(info, CLAUDE, heads, limits, secrets)

    def start_scoring(self, info: ModelInfo, sources: list[str], origin: str = "person") -> str:
        """Score programs on every head of a model; `origin` is that of new ones.

        Raises SandboxError if one is plain Python and this machine runs none.
        """
        if any(map(is_plain, sources)):
            require_sandbox(trusts_programs())
        return self._start(ScoreTask(info, self._passages(info), tuple(sources), origin))

    def start_conversion(
        self,
        info: ModelInfo,
        sources: Sequence[str],
        proposer: Proposer = SEARCH,
        limits: Any = None,
        secrets: Mapping[str, str] | None = None,
    ) -> str:
        """Find programs of the language for what these plain ones do.

        Raises SandboxError where none may be run, ProposerError and CorpusError as `start_proposals` does.
        """
        require_sandbox(trusts_programs())
        limits = proposer.default_limits(self._settings) if limits is None else limits
        check_limits(limits)
        if isinstance(proposer.way, LanguageModel):
            proposer.way.check(limits, self._settings.with_secrets(secrets or {}))
            proposer.way.terms(limits)
        passages = self._passages(info, needs_splits=True)
        return self._start(ConvertTask(info, passages, tuple(sources), limits, proposer.name), secrets)

    def start_resolving(self, info: ModelInfo, refit: bool = False) -> str | None:
        """Resolve what programs look at, choosing which stands for each head.

        With `refit`, best programs that look are fitted anew to what those programs say, too. None where no
        best program looks; without `refit` also where no best program's resolved score is missing. A model
        has one such job at a time: the one that works is gone on with, or gives way to one with `refit`.
        """
        for record in self.refresh():
            if record.kind == _RESOLVE and record.model == info.id and record.is_active:
                if not refit or self.folder(record.id).spec().task["refit"]:
                    return record.id
                self.cancel(record.id)
        library = self._workspace.library
        looking = [head for head, program in library.parsed_best(info.id).items() if program.looks]
        if not (looking if refit else library.unresolved(info.id)):
            return None
        programs = tuple(
            Resolvable(head, source, iou)
            for head, found in library.to_resolve(info.id).items()
            for source, iou in found
        )
        return self._start(ResolveTask(info, self._passages(info), programs, refit))

    def _after(self, record: JobRecord) -> None:
        info = next((one for one in self._workspace.models.all() if one.id == record.model), None)
        if info is None:
            return
        if KINDS[record.kind].finds_programs:
            limits = record.settings.get("limits") or {}
            is_search = KINDS[record.kind].proposer is SEARCH
            self.start_resolving(info, refit=is_search and bool(limits.get("refit")))
        elif record.kind == _RESOLVE and self._is_outdated(record, info):
            self.start_resolving(info)

    def _is_outdated(self, record: JobRecord, info: ModelInfo) -> bool:
        """Whether heads have other best programs than when a job that resolves them was asked."""
        task = wire.read(ResolveTask, self.folder(record.id).spec().task, record.id)
        asked: dict[HeadId, str] = {}
        for one in task.programs:  # a head's best comes first
            asked.setdefault(one.head, one.source)
        best = self._workspace.library.parsed_best(info.id)
        return asked != {head: program.source for head, program in best.items()}

    def start_hybrid(
        self,
        info: ModelInfo,
        sources: Mapping[HeadId, str],
        passages: Sequence[Sentence],
        passages_from: str,
        request: HybridRequest,
    ) -> str:
        """Build a hybrid out of programs, one for each head that may be replaced, and measure it on passages.

        Raises HybridError if there are fewer programs than heads to replace, or the model's heads cannot be.
        """
        _require_candidates(info, sources, request.strict)
        if request.calibrate and (plain := sum(map(is_plain, sources.values()))):
            raise HybridError(
                f"{counted(plain, 'program')} to choose among: plain Python, which has no constants to fit; "
                "leave out --calibrate, or `convert` them first"
            )
        if request.count is not None and request.count > len(sources):
            raise HybridError(
                f"{request.count} heads were asked for, but only {len(sources)} have a program to choose "
                "from; accept more in Review, or use the best programs (--programs best)"
            )
        candidates = self._candidates(info, sources)
        chosen_on, measured_on = self._kept_apart(info, passages)
        return self._start(HybridTask(info, candidates, chosen_on, measured_on, passages_from, request))

    def start_measuring(
        self,
        info: ModelInfo,
        hybrid: str,
        passages: Sequence[Sentence],
        passages_from: str,
        strict: bool = False,
    ) -> str:
        """Measure a stored hybrid as it is, such as an imported one; what was measured of it is kept.

        Raises HybridError if there is no such hybrid, or `strict` is asked of an encoder.
        """
        made = self._workspace.hybrids.made(hybrid)
        if made is None:
            raise HybridError(f"the workspace holds no hybrid {hybrid}")
        _require_replaceable(info, strict)
        measured_on = keep_passages(self._workspace.folder, passages)
        return self._start(MeasureTask(info, made, measured_on, passages_from, made.title, strict))

    def start_curve(
        self,
        info: ModelInfo,
        sources: Mapping[HeadId, str],
        passages: Sequence[Sentence],
        passages_from: str,
        title: str,
        orders: Sequence[HeadOrder] = ORDERS,
        shares: Sequence[float] = SHARES,
        seed: int = 0,
    ) -> str:
        """Measure hybrids of many shares for each order, with controls on the heads of the first.

        Raises HybridError if there is no program, or the model's heads cannot be replaced.
        """
        _require_candidates(info, sources)
        candidates = self._candidates(info, sources)
        chosen_on, measured_on = self._kept_apart(info, passages)
        return self._start(
            CurveTask(
                info,
                candidates,
                chosen_on,
                measured_on,
                passages_from,
                title,
                tuple(orders),
                tuple(shares),
                seed=seed,
            )
        )

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
        _require_replaceable(info)
        if not info.is_causal:
            raise HybridError(
                f"{info.title} is an encoder: it predicts no next token, so answers no questions"
            )
        spec = self._workspace.hybrids.spec(hybrid)
        if spec is None:
            raise HybridError(f"the workspace holds no hybrid {hybrid}")
        if questions is not None:
            read_questions(questions)
        title = ", ".join(tasks) if questions is None else questions.name
        path = None if questions is None else questions.resolve()
        return self._start(DownstreamTask(info, hybrid, spec.programs, path, tuple(tasks), limit, title))

    def start_program_audits(
        self,
        info: ModelInfo,
        audits: Mapping[str, object],
        programs: Mapping[HeadId, str],
        is_resolved: bool = False,
    ) -> str:
        """Run audits, each name with its limits, of the program that each head is given.

        Programs that look read what heads attend to; or, resolved, what the resolved programs of those say.
        Those of plain Python are left out. Raises AuditError if there is no other, or an audit is not of
        programs or lacks something; PluginError if there is no such audit.
        """
        if not programs:
            raise AuditError("no head has a program to audit yet; find programs first with `synthesize`")
        read = {head: source for head, source in sorted(programs.items()) if not is_plain(source)}
        if not read:
            raise AuditError(f"{counted(len(programs), 'program')} to audit, {_NOT_AUDITED}")
        behind, left_out = self._behind(info, audits, read) if is_resolved else {}, len(programs) - len(read)
        return self._audit(info, "program", audits, tuple(read.items()), behind=behind, left_out=left_out)

    def _behind(
        self, info: ModelInfo, audits: Mapping[str, object], programs: Mapping[HeadId, str]
    ) -> dict[HeadId, str]:
        """The resolved program of every head that these look at, however far down."""
        for name in audits:
            if not AUDITS.named(name).is_resolvable:
                raise AuditError(f"{name} reads heads as they are; leave out --resolved")
        read = [program_of(source) for source in programs.values()]
        found = looked_at(read, self._workspace.library.resolution(info.id).programs)
        wanted = {head for program in (*read, *found.values()) for head in program.looks}
        if missing := sorted(wanted - found.keys()):
            raise AuditError(f"{missing[0]} is looked at, but has no program yet; find one with `synthesize`")
        if not found:
            raise AuditError("none of these programs looks at a head: leave out --resolved")
        return {head: program.source for head, program in found.items()}

    def start_hybrid_audits(self, info: ModelInfo, audits: Mapping[str, object], hybrid: str) -> str:
        """Run audits, each name with its limits, of a stored hybrid.

        Raises HybridError if there is no such hybrid, AuditError if an audit is not of hybrids, cannot be
        asked of encoders or lacks something, PluginError if there is no such audit.
        """
        _require_replaceable(info)
        spec = self._workspace.hybrids.spec(hybrid)
        if spec is None:
            raise HybridError(f"the workspace holds no hybrid {hybrid}")
        if plain := sum(is_plain(source) for _, source in spec.programs):
            raise AuditError(f"{counted(plain, 'program')} of this hybrid: {_NOT_AUDITED}")
        return self._audit(info, "hybrid", audits, spec.programs, hybrid)

    def _audit(
        self,
        info: ModelInfo,
        of: Of,
        audits: Mapping[str, object],
        programs: tuple[tuple[HeadId, str], ...],
        hybrid: str = "",
        behind: Mapping[HeadId, str] | None = None,
        left_out: int = 0,
    ) -> str:
        if not self._workspace.models.sentences(info.id, Split.TEST):
            raise AuditError("the corpus has no test passage to audit on; extract more passages first")
        for name in audits:
            if AUDITS.named(name).needs_next_tokens and not info.is_causal:
                raise AuditError(
                    f"{name} reads what a model predicts next, but {info.title} is an encoder; leave it out"
                )
        asked = tuple(
            AskedAudit(name, wire.plain(checked(name, limits, of))) for name, limits in audits.items()
        )
        placed, title = tuple(sorted((behind or {}).items())), ", ".join(audits)
        return self._start(
            AuditTask(info, self._passages(info), asked, programs, title, hybrid, placed, left_out)
        )

    def _candidates(self, info: ModelInfo, sources: Mapping[HeadId, str]) -> tuple[Candidate, ...]:
        """The programs to choose among, with what is known of each."""
        fits = self._workspace.replacements.fits(info.id, sources)
        costs = self._workspace.hybrids.costs(info.id)
        return tuple(
            Candidate(head, source, fits.get(head, 0.0), costs.get((head, program_of(source).id)))
            for head, source in sorted(sources.items())
        )

    def _kept_apart(self, info: ModelInfo, passages: Sequence[Sentence]) -> tuple[str, str]:
        """The passages to choose on, of train and validation, and those to measure on; none is both."""
        measured_on = {sentence.id: sentence for sentence in passages}
        known = self._workspace.models.sentences(info.id, Split.TRAIN, Split.VALIDATION)
        chosen_on = [sentence for sentence in known if sentence.id not in measured_on]
        folder = self._workspace.folder
        return keep_passages(folder, chosen_on), keep_passages(folder, list(measured_on.values()))

    def _passages(self, info: ModelInfo, needs_splits: bool = False) -> str:
        """All passages of a model; raises CorpusError if it `needs_splits` and one has no passage."""
        sentences = self._workspace.models.sentences(info.id)
        if needs_splits:
            require_splits(sentences)
        return keep_passages(self._workspace.folder, sentences)


def _chosen(info: ModelInfo, heads: Sequence[HeadId] | None) -> tuple[HeadId, ...] | None:
    """The heads that a job is about, the same however it was asked; None for all of the model's."""
    chosen = sorted(set(info.head_ids() if heads is None else heads))
    return None if chosen == info.head_ids() else tuple(chosen)


def _require_replaceable(info: ModelInfo, is_strict: bool = False) -> None:
    if info.traits.attention_only:
        raise HybridError(f"the heads of {info.title} cannot be replaced: {info.traits.attention_only}")
    if is_strict and not info.is_causal:
        raise HybridError(
            f"{info.title} is an encoder, whose heads look both ways: no text lies ahead that programs "
            "should not see; leave out --strict"
        )


def _require_candidates(info: ModelInfo, sources: Mapping[HeadId, str], is_strict: bool = False) -> None:
    _require_replaceable(info, is_strict)
    if not sources:
        raise HybridError(
            "no head has a program to replace it by; accept some in Review, use the best programs "
            "(--programs best), or find programs first with `synthesize`"
        )


def _in_full(model: str) -> str:
    """The name of a model, with its full path where it is on this machine."""
    return str(Path(model).expanduser().resolve()) if is_path(model) else model
