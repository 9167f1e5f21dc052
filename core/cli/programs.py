"""What each command does, on an open workspace; the answers are plain values, ready for JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.cli.terminal import Terminal
from core.corpus import load_corpus
from core.display import counted
from core.errors import ModelError, ProgramError, WorkspaceError
from core.jobs import Jobs
from core.language import parse
from core.proposers.llm.prices import PRICES_OF, estimate_cost
from core.review import heads_named
from core.settings import Settings
from core.store import JobRecord, Workspace
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.types import BestProgram, ClaudeLimits, ModelInfo, SearchLimits, Split

Json = dict[str, Any]


@dataclass(frozen=True)
class Session:
    """An open workspace, its jobs, and a terminal to report to."""

    workspace: Workspace
    runner: Jobs
    settings: Settings
    terminal: Terminal

    def follow(self, job: str) -> JobRecord:
        """Show a job's progress until it ends. An interrupt stops the job; it can be resumed."""
        try:
            record = self.runner.wait(job, show=self.terminal.progress)
        except KeyboardInterrupt:
            self.runner.cancel(job)
            raise
        for note in self.runner.notes(job):
            self.terminal.say(note)
        return record

    def model(self, name: str | None) -> ModelInfo:
        """The model called `name` (or with that id), else the latest; raises ModelError if there is none."""
        models = self.workspace.models.all()
        if not models:
            raise ModelError(
                "the workspace holds no model yet; run `demo`, or `extract --model M --corpus FILE`"
            )
        if name is None:
            return models[0]
        wanted = {name, str(Path(name).resolve())}
        for model in models:
            if name in (model.id, model.title) or model.name in wanted:
                return model
        raise ModelError(
            f"the workspace holds no model {name!r}; it has {', '.join(m.title for m in models)}"
        )


@contextmanager
def session(settings: Settings) -> Iterator[Session]:
    """The workspace of `settings`, held until the block ends."""
    workspace = Workspace.open(settings.workspace)
    try:
        yield Session(workspace, Jobs(workspace, settings), settings, Terminal())
    finally:
        workspace.close()


def demo(now: Session) -> Json:
    """Build the demo workspace, or go on with a build that was interrupted."""
    now.follow(now.runner.start_or_resume_demo())
    return summary(now, now.model(now.settings.demo_model))


def extract(now: Session, model: str, corpus: str, limit: int | None) -> Json:
    """Add a model and its attention on a corpus."""
    now.follow(now.runner.start_build(model, corpus, limit, search=False))
    info = now.model(model)
    count = len(now.workspace.models.sentences(info.id))
    return {
        "model": info.title,
        "id": info.id,
        "layers": info.layers,
        "heads": info.heads,
        "sentences": count,
    }


def synthesize(now: Session, model: str | None, heads: str | None, limits: SearchLimits) -> Json:
    """Find a program for every head, or for those that `heads` names, such as `L0H1,L3H*`."""
    info = now.model(model)
    chosen = None if heads is None else heads_named(heads, info)
    now.follow(now.runner.start_search(info, chosen, limits))
    return summary(now, info)


def synthesize_with_claude(now: Session, model: str | None, heads: str | None, limits: ClaudeLimits) -> Json:
    """Have Claude propose programs for these heads, or all; what it cost is part of the answer.

    Goes on with the last run of the same heads and limits if that did not end well: its replies are paid for.
    """
    info = now.model(model)
    chosen = None if heads is None else heads_named(heads, info)
    key = now.settings.require_api_key()
    known = {record.id for record in now.runner.refresh()}
    job = now.runner.start_claude(info, chosen, limits, key)
    if job in known:
        now.terminal.say(f"going on with {job}; what it has paid for is not paid again")
    else:
        count = len(info.head_ids() if chosen is None else chosen)
        now.terminal.say(
            f"about ${estimate_cost(count, limits):.2f} for {counted(count, 'head')} "
            f"at the list prices of {PRICES_OF}, at most ${limits.budget:.2f}"
        )
    return _claude_report(now, info, job)


def _claude_report(now: Session, info: ModelInfo, job: str) -> Json:
    now.follow(job)
    paid = [event for _, event in now.runner.folder(job).events() if event["event"] == "cost"][-1]
    ledger = {name: value for name, value in paid.items() if name not in ("event", "at")}
    return {**summary(now, info), **ledger}


def score(now: Session, model: str | None, program: Path | None, at_least: float = 0.0) -> Json:
    """Score one program file, or the whole library, against every head.

    Of one file, the heads that it fits on validation with at least this IoU are listed.
    """
    info = now.model(model)
    if program is None:
        sources = [found.source for found in now.workspace.library.programs()]
        now.follow(now.runner.start_scoring(info, sources))
        return summary(now, info)
    source = read_program(program)
    now.follow(now.runner.start_scoring(info, [source]))
    rows = now.workspace.library.heads_fitted(info.id, parse(source).id, at_least)
    heads = [{"layer": head.layer, "head": head.head, "iou": iou} for head, iou in rows]
    return {"model": info.title, "program": source, "split": str(Split.VALIDATION), "heads": heads}


def read_program(path: Path) -> str:
    """A program's source from a file; raises ProgramError with the file's name before each problem."""
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"cannot read the program {path}: {error}") from error
    try:
        parse(source)
    except ProgramError as error:
        raise WorkspaceError("\n".join(f"{path}: {problem}" for problem in error.problems)) from error
    return source


def best(now: Session, model: str | None, split: Split, passages: str | None) -> Json:
    """The best program of every head, chosen on validation, scored on a split or on fresh passages."""
    info = now.model(model)
    found = now.workspace.library.best(info.id, split)
    label = str(split)
    if passages is not None:
        from core.models.pretrained import load
        from core.scoring.fresh import rescore

        fresh = list(load_corpus(passages).sentences)  # before the model, which takes a while
        loaded = load(info.name, now.settings.models_folder, now.settings.device, now.terminal.say, info.id)
        tokens = TokenStore(attention_folder(now.settings.workspace, info.id))
        found = rescore(replace(loaded, pipeline=tokens.pipeline()), found, fresh)
        label = passages
    return best_report(info, label, found)


def best_report(info: ModelInfo, split: str, found: list[BestProgram]) -> Json:
    """Best programs in the form of design §6; raises WorkspaceError if there are none."""
    if not found:
        raise WorkspaceError(f"no program of {info.name} is scored on {split} yet; run `synthesize`")
    ious = [one.score.iou.value for one in found]
    return {
        "model": info.title,
        "split": split,
        "mean_iou": statistics.fmean(ious),
        "median_iou": statistics.median(ious),
        "heads": [
            {
                "layer": one.score.head.layer,
                "head": one.score.head.head,
                "program": one.program.source,
                "iou": one.score.iou.value,
                "low": one.score.iou.low,
                "high": one.score.iou.high,
                "lift": one.lift,
            }
            for one in found
        ],
    }


def summary(now: Session, info: ModelInfo) -> Json:
    """How far a model is, in a few numbers."""
    report = best_report(info, str(Split.TEST), now.workspace.library.best(info.id, Split.TEST))
    heads = report.pop("heads")
    lifts = [head["lift"] for head in heads]
    borrowed = now.workspace.library.borrowed(info.id)
    return {
        **report,
        "heads": len(heads),
        "mean_lift": statistics.fmean(lifts),
        "positive_lift": sum(lift > 0 for lift in lifts) / len(lifts),
        **({} if borrowed is None else {"borrowed": borrowed}),
    }
