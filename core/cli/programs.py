"""The commands that find, score and show programs; the answers are plain values, ready for JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from core.audit import Standing
from core.cli.options import given, made_of, number, options_of, whole_number
from core.cli.session import Model, Now, Session
from core.display import counted
from core.errors import ProgramError, SandboxError, WorkspaceError
from core.proposers import PROPOSERS, ClaudeLimits, LanguageModel, Proposer
from core.types import (
    BestProgram,
    Bounds,
    CardId,
    HeadId,
    Json,
    ModelInfo,
    Split,
    is_plain,
    layer_numbers,
    layer_spans,
)

_MAX_PROGRAM = 2**20  # bytes of a program's file; what is too long for a program is said as of any source


def _title(proposer: Proposer) -> str:
    """What its options are listed under."""
    keys = " and ".join(f"${name}" for name in proposer.secrets)
    return f"Options of --proposer {proposer.name}" + (f", whose key is in {keys}" if keys else "")


if TYPE_CHECKING:
    ProposerOptions = Any
else:
    ProposerOptions = options_of(
        {
            Group(_title(proposer), sort_key=place): proposer.limits
            for place, proposer in enumerate(PROPOSERS.values(), start=1)
        }
    )


def demo(*, now: Now) -> Json:
    """Build the demo workspace: a small model, its attention, a program for every head.

    Takes some minutes. Stopped or killed, the same command goes on where it was.

    Example: python -m core demo
    """
    now.follow(now.runner.start_or_resume_demo())
    info = now.model(now.settings.demo_model)
    now.resolve(info)
    return summary(now, info)


def extract(
    *,
    now: Now,
    model: Annotated[str, Parameter(help="hub id, folder, .gguf file or demo", metavar="M")],
    corpus: Annotated[
        str,
        Parameter(
            help="text (a passage a line), JSON lines, CSV, Parquet, a folder of these, or a dataset",
            metavar="FILE",
        ),
    ] = "bundled",
    limit: Annotated[int | None, whole_number("take at most so many passages", Bounds(above=0))] = None,
    layers: Annotated[
        str | None,
        Parameter(
            help="only these, such as 0-7,20, and those extracted before; all unless given", metavar="L"
        ),
    ] = None,
) -> Json:
    """Add a model and its attention on a corpus.

    Example: python -m core extract --model gpt2 --corpus passages.txt --limit 500

    Example: python -m core extract --model big --corpus passages.txt --layers 0-7,20
    """
    try:
        chosen = None if layers is None else layer_numbers(layers)
    except ValueError as error:
        raise WorkspaceError(f"--layers: {error}") from None
    now.follow(now.runner.start_build(model, corpus, limit, search=False, layers=chosen))
    info = now.model(model)
    count = len(now.workspace.models.sentences(info.id))
    return {
        "model": info.title,
        "id": info.id,
        "layers": info.layers,
        "heads": info.heads,
        "sentences": count,
        **({"extracted": layer_spans(info.attention_layers)} if info.traits.not_extracted else {}),
    }


def synthesize(
    *,
    now: Now,
    model: Model = None,
    heads: Annotated[
        str | None, Parameter(help="only these, such as L0H1,L3H*; all unless given", metavar="HEADS")
    ] = None,
    proposer: Annotated[str, Parameter(help="who writes programs", choices=list(PROPOSERS))] = "search",
    options: ProposerOptions = None,
) -> Json:
    """Find a program for every head, or for those that --heads names.

    The search needs no language model. One goes on with its last run of the same heads and limits if that did
    not end well: its replies are paid for.

    Example: python -m core synthesize --heads L0H1,L3H* --rules 8

    Example: python -m core synthesize --proposer claude --heads L7H* --budget 2
    """
    entry = PROPOSERS.named(proposer)
    limits = limits_of(now, entry, options)
    if isinstance(entry.way, LanguageModel):
        return synthesize_with(now, model, heads, entry, limits)
    info = now.model(model)
    now.follow(now.runner.start_proposals(info, entry, _named(heads, info), limits))
    now.resolve(info)
    return summary(now, info)


def limits_of(now: Session, proposer: Proposer, options: Any) -> Any:
    """What was asked of a proposer; what was not is its own default."""
    asked = given(options)
    rest = {name: value for name, value in proposer.settings(now.settings).items() if name not in asked}
    return made_of(proposer.limits, asked, f"--proposer {proposer.name}", **rest)


def _named(heads: str | None, info: ModelInfo) -> list[HeadId] | None:
    from core.review import heads_named

    return None if heads is None else heads_named(heads, info)


def synthesize_with_claude(now: Session, model: str | None, heads: str | None, limits: ClaudeLimits) -> Json:
    """`synthesize_with` Claude."""
    return synthesize_with(now, model, heads, PROPOSERS["claude"], limits)


def synthesize_with(
    now: Session, model: str | None, heads: str | None, proposer: Proposer, limits: Any
) -> Json:
    """Have a language model propose programs for these heads, or all; what it took is part of the answer."""
    info = now.model(model)
    chosen = _named(heads, info)
    known = {record.id for record in now.runner.refresh()}
    secrets = {name: value for name in proposer.secrets if (value := now.settings.secret(name))}
    job = now.runner.start_proposals(info, proposer, chosen, limits, secrets)
    if job in known:
        now.terminal.say(f"going on with {job}; what it has paid for is not paid again")
    else:
        count = len(info.head_ids() if chosen is None else chosen)
        now.terminal.say(_expected(proposer, count, limits))
    return _model_report(now, info, job)


def _expected(proposer: Proposer, heads: int, limits: Any) -> str:
    """What a run may take, before it starts."""
    way = proposer.way
    dollars = way.estimate(heads, limits, None) if isinstance(way, LanguageModel) else None
    if not isinstance(way, LanguageModel) or dollars is None:
        return f"asking about {counted(heads, 'head')}"
    return (
        f"about ${dollars:.2f} for {counted(heads, 'head')} at the list prices of {way.prices_of}, at most "
        f"${way.terms(limits).most:.2f}"
    )


def _model_report(now: Session, info: ModelInfo, job: str) -> Json:
    now.follow(job)
    now.resolve(info)
    paid = [event for _, event in now.runner.folder(job).events() if event["event"] == "cost"][-1]
    ledger = {name: value for name, value in paid.items() if name not in ("event", "at")}
    return {**summary(now, info), **ledger}


def score(
    *,
    now: Now,
    model: Model = None,
    program: Annotated[
        Path | None, Parameter(help="a file that holds one attend(q, k)", metavar="FILE")
    ] = None,
    at_least: Annotated[
        float, number("with --program: the IoU on validation of the heads to list", Bounds(least=0))
    ] = 0.0,
) -> Json:
    """Score the library's programs, or one file, on every head.

    Of one file, the heads that it fits on validation with at least this IoU are listed.

    Example: python -m core score --program attend.py --at-least 0.5
    """
    from core.language import parse
    from core.scoring import BASELINES

    info = now.model(model)
    if program is None:
        known = _runnable(now, {one.source: one.id for one in now.workspace.library.programs()})
        baselines = [source for source in BASELINES.values() if parse(source).id not in known.values()]
        now.follow(now.runner.start_scoring(info, [*baselines, *known]))
        now.resolve(info)
        return summary(now, info)
    source = read_program(program)
    now.follow(now.runner.start_scoring(info, [source]))
    rows = now.workspace.library.heads_fitted(info.id, parse(source).id, at_least)
    heads = [{"layer": head.layer, "head": head.head, "iou": iou} for head, iou in rows]
    return {"model": info.title, "program": source, "split": str(Split.VALIDATION), "heads": heads}


def resolve(
    *,
    now: Now,
    model: Model = None,
    is_refit: Annotated[
        bool,
        Parameter(
            name="--refit",
            negative="",
            help="fit best programs that look at heads anew to what those heads' programs say",
        ),
    ] = False,
) -> Json:
    """Choose the program that stands for each head where no attention of the model is left.

    On validation: the best program, the best of text alone, one that was chosen before, or with --refit the
    best one with its constants fitted to that. What is not fitted is resolved by itself after every search.

    Example: python -m core resolve --refit
    """
    info, library = now.model(model), now.workspace.library
    now.resolve(info, is_refit)
    best, resolved = library.best(info.id, Split.TEST), library.best_resolved(info.id, Split.TEST)
    report = best_report(info, str(Split.TEST), best)
    own = {one.score.head: one.program.id for one in best}
    others = [one.program for one in resolved if one.program.id != own.get(one.score.head)]
    looking = sum(bool(library.looks(program)) for program in others)
    return {
        **{name: report[name] for name in ("model", "split", "mean_iou", "mean_resolved")},
        "mean_of_resolved_programs": best_report(info, str(Split.TEST), resolved)["mean_resolved"],
        "heads": len(resolved),
        "by_their_best_program": len(resolved) - len(others),
        "by_another_that_looks": looking,
        "by_another_of_text_alone": len(others) - looking,
    }


def _runnable(now: Session, programs: dict[str, str]) -> dict[str, str]:
    """Programs by their sources, without those of plain Python where none of it is run."""
    from core.sandbox import require_sandbox
    from core.settings import trusts_programs

    plain = sum(map(is_plain, programs))
    if plain:
        try:
            require_sandbox(trusts_programs())
        except SandboxError as error:
            now.terminal.say(f"{counted(plain, 'program')} left out: {error}")
            return {source: program for source, program in programs.items() if not is_plain(source)}
    return programs


def read_program(path: Path) -> str:
    """A program's source from a file; raises ProgramError with the file's name before each problem."""
    from core.files import read_text
    from core.language import parse

    try:
        source = read_text(path, _MAX_PROGRAM)
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"cannot read the program {path}: {error}") from error
    try:
        parse(source)
    except ProgramError as error:
        raise WorkspaceError("\n".join(f"{path}: {problem}" for problem in error.problems)) from error
    return source


def best(
    *,
    now: Now,
    model: Model = None,
    split: Annotated[Split, Parameter(help="of the corpus, to score on")] = Split.TEST,
    passages: Annotated[
        str | None,
        Parameter(name="--eval", help="score on this file's passages instead of a split", metavar="FILE"),
    ] = None,
    is_resolved: Annotated[
        bool,
        Parameter(
            name="--resolved",
            negative="",
            help="the programs that stand for heads where those looked at are programs, too",
        ),
    ] = False,
) -> Json:
    """Show the best program of every head, chosen on validation: IoU, its 95 % interval and lift.

    Example: python -m core best --eval stories.txt --json

    Example: python -m core best --resolved --json
    """
    info, library = now.model(model), now.workspace.library
    found = library.best_resolved(info.id, split) if is_resolved else library.best(info.id, split)
    label = str(split)
    if passages is not None:
        from core.corpus import load_corpus
        from core.scoring.fresh import rescore
        from core.store.loaded import load_stored

        fresh = list(load_corpus(passages).sentences)  # before the model, which takes a while
        loaded = load_stored(info, now.settings, now.terminal.say)
        found = rescore(loaded, found, fresh, library.resolution(info.id).programs)
        label = passages
    return best_report(info, label, found, now.workspace.findings.standings(info.id))


def best_report(
    info: ModelInfo,
    split: str,
    found: list[BestProgram],
    standings: Mapping[CardId, Standing] | None = None,
) -> Json:
    """Best programs in the form of design §6; raises WorkspaceError if there are none.

    Where any of them was audited, each has what audits say of it, or null.
    """
    if not found:
        raise WorkspaceError(f"no program of {info.name} is scored on {split} yet; run `synthesize`")
    ious = [one.score.iou.value for one in found]
    resolved = [one.resolved.value for one in found]
    audited = {card: audit_figures(standing) for card, standing in (standings or {}).items()}
    nothing = dict.fromkeys(next(iter(audited.values()), ()))
    return {
        "model": info.title,
        "split": split,
        "mean_iou": statistics.fmean(ious),
        "median_iou": statistics.median(ious),
        "mean_resolved": None if any(map(math.isnan, resolved)) else statistics.fmean(resolved),
        "heads": [
            {
                "layer": one.score.head.layer,
                "head": one.score.head.head,
                "program": one.program.source,
                "iou": one.score.iou.value,
                "resolved": None if math.isnan(one.resolved.value) else one.resolved.value,
                "low": one.score.iou.low,
                "high": one.score.iou.high,
                "lift": one.lift,
                **(audited.get((one.score.head, one.program.id), nothing) if audited else {}),
            }
            for one in found
        ],
    }


def audit_figures(standing: Standing) -> Json:
    """What `best --json` says of an audited program."""
    figures = {
        "twin_iou": standing.twin_iou,
        "off_sink": standing.off_sink,
        "output_error": standing.output_error,
        "foresight": standing.foresight,
        "promise": standing.promise,
    }
    known = {name: None if math.isnan(value) else value for name, value in figures.items()}
    return {**known, "verdict": standing.rung}


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
