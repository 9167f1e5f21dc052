"""The commands that replace heads and measure what it costs; the answers are plain values, ready for JSON."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from cyclopts import Group, Parameter

from core.cli.options import exactly_one, given, made_of, options_of, whole_number
from core.cli.session import Model, Now, Session
from core.display import counted
from core.errors import HybridError
from core.types import (
    COUNTS,
    FIGURES,
    ORDERS,
    Bounds,
    HeadId,
    HeadOrder,
    HybridRequest,
    Json,
    ModelInfo,
    ProgramChoice,
    Sentence,
    Split,
)

if TYPE_CHECKING:
    import pandas as pd

_HOW_MANY = exactly_one("How many heads (one of these)")
_REQUEST = Group("Which heads go first, and what is done with them", sort_key=2)

Programs = Annotated[
    ProgramChoice,
    Parameter(
        help="replace heads by accepted programs only, by the best, by the best where those that they look "
        "at are replaced, too, or by the best that look at no other head"
    ),
]
Passages = Annotated[
    str | None,
    Parameter(
        name="--eval",
        help="measure on this file's passages instead of the test split, without those of train and "
        "validation",
        metavar="FILE",
    ),
]
StoredHybrid = Annotated[
    str | None,
    Parameter(name="--hybrid", help="a hybrid's id, or how it starts; the latest unless given", metavar="ID"),
]
if TYPE_CHECKING:
    RequestOptions = Any
else:
    RequestOptions = options_of({_REQUEST: HybridRequest}, within={"budget": _HOW_MANY})


def hybrid(
    *,
    now: Now,
    model: Model = None,
    share: Annotated[
        float | None, Parameter(help="share of all heads, 0 to 1", metavar="X", group=_HOW_MANY)
    ] = None,
    hybrid_id: Annotated[
        str | None,
        Parameter(
            name="--hybrid", help="measure this one of the workspace, as it is", metavar="ID", group=_HOW_MANY
        ),
    ] = None,
    programs: Programs = "best",
    passages: Passages = None,
    options: RequestOptions = None,
) -> Json:
    """Replace heads by their programs, cheapest first, and measure what it costs in perplexity.

    Example: python -m core hybrid --share 0.25 --calibrate

    Example: python -m core hybrid --budget 0.05 --strict
    """
    asked = given(options)
    request: HybridRequest = made_of(HybridRequest, asked, "hybrid", title="")
    if "steps" in asked and not request.calibrate:
        raise HybridError("--steps are those of --calibrate; give that, too, or leave them out")
    if hybrid_id is not None:
        if request.calibrate:
            raise HybridError("--hybrid measures a hybrid as it is; leave out --calibrate")
        return _measure(now, model, hybrid_id, passages, request.strict)
    info = now.model(model)
    sources = _sources(now, info, programs)
    if share is not None:
        from core.review import heads_in_share

        count = heads_in_share(share, info.head_count)
        request = _titled(request, f"{share:.0%} of heads, {programs} programs", count)
    else:
        request = _titled(request, f"within {request.budget:+.0%}, {programs} programs", None)
    text, label = _passages(now, info, passages)
    now.follow(now.runner.start_hybrid(info, sources, text, label, request))
    return _report(now, info, now.workspace.hybrids.frame(info.id).iloc[0])


def _sources(now: Session, info: ModelInfo, programs: ProgramChoice) -> dict[HeadId, str]:
    """The programs that may replace heads, resolved first where that says which."""
    if programs == "resolved":
        now.resolve(info)
    return now.workspace.replacements.sources(info.id, programs)


def _measure(now: Session, model: str | None, hybrid_id: str, passages: str | None, strict: bool) -> Json:
    """Measure a hybrid of the workspace as it is, such as an imported one."""
    info = now.model(model)
    chosen = str(stored_hybrid(now, info, hybrid_id).hybrid_id)
    text, label = _passages(now, info, passages)
    now.follow(now.runner.start_measuring(info, chosen, text, label, strict))
    rows = now.workspace.hybrids.frame(info.id)
    return _report(now, info, rows[(rows.hybrid_id == chosen) & (rows.passages_from == label)].iloc[0])


def _report(now: Session, info: ModelInfo, row: pd.Series) -> Json:
    """An evaluation of a hybrid in the form of design §6."""
    made = now.workspace.hybrids.made(row.hybrid_id)
    assert made is not None
    strict = now.workspace.hybrids.details(row.hybrid_id, row.passages_from).strict
    return {
        "model": info.title,
        "hybrid": row.hybrid_id,
        "share": float(row.share),
        "order": made.order,
        "calibrated": bool(made.calibration),
        "measure": str(row.measure),
        **{name: None if math.isnan(row[name]) else float(row[name]) for name in FIGURES},
        **{name: int(row[name]) for name in COUNTS},
        **({} if strict is None else {"strict": strict.strict.figures(), "usual": strict.usual.figures()}),
        "heads": [str(program.head) for program in made.programs],
    }


def _titled(request: HybridRequest, title: str, count: int | None) -> HybridRequest:
    calibrated = ", calibrated" if request.calibrate else ""
    if request.steps != HybridRequest.steps:
        calibrated += f" in {request.steps} steps"
    return replace(request, title=f"{title}, by {request.order}{calibrated}", count=count)


def curve(
    *,
    now: Now,
    model: Model = None,
    programs: Programs = "best",
    orders: Annotated[
        str,
        Parameter(
            help=f"which heads go first, of {', '.join(ORDERS)}; the first also with controls",
            metavar="ORDERS",
        ),
    ] = "cost,iou,random",
    limit: Annotated[
        int, whole_number("measure on so many passages", Bounds(above=0)), Parameter(name="--passages")
    ] = 40,
    passages: Passages = None,
) -> Json:
    """Measure perplexity against share of heads, with controls in the place of the same heads.

    Example: python -m core curve --orders cost,greedy --passages 20
    """
    info = now.model(model)
    asked = orders.split(",")
    unknown = [order for order in asked if order not in ORDERS]
    if unknown:
        raise HybridError(f"there is no order {unknown[0]!r}; there are {', '.join(ORDERS)}")
    text, label = _passages(now, info, passages)
    title = f"{programs} programs"
    sources = _sources(now, info, programs)
    now.follow(
        now.runner.start_curve(info, sources, text[:limit], label, title, cast(list[HeadOrder], asked))
    )
    found = now.workspace.hybrids.curve(info.id)
    assert found is not None
    from core import wire

    answer = wire.plain(found)
    for row in answer["rows"]:  # JSON has no nan, which is the increase where there is no perplexity
        row.update({name: None for name in ("increase", "low", "high") if math.isnan(float(row[name]))})
    return {**answer, "model": info.title}


def downstream(
    file: Annotated[Path | None, Parameter(help="questions in PIQA's format")] = None,
    /,
    *,
    now: Now,
    model: Model = None,
    hybrid_id: StoredHybrid = None,
    tasks: Annotated[
        str | None, Parameter(help="tasks of lm-eval instead, such as piqa,arc_easy", metavar="TASKS")
    ] = None,
    limit: Annotated[int | None, whole_number("take the first so many questions", Bounds(above=0))] = None,
) -> Json:
    """Measure the accuracy of the model and of a hybrid on questions.

    Example: python -m core downstream questions.jsonl --limit 200
    """
    info = now.model(model)
    if (file is None) == (not tasks):
        raise HybridError("give a file of questions, or --tasks with names of lm-eval's tasks")
    chosen = str(stored_hybrid(now, info, hybrid_id).hybrid_id)
    named = tasks.split(",") if tasks else []
    now.follow(now.runner.start_downstream(info, chosen, file, named, limit))
    names = named or [file.name if file else ""]
    from core import wire

    found = [wire.plain(row) for row in now.workspace.hybrids.downstream(chosen) if row.task in names]
    return {"model": info.title, "hybrid": chosen, "rows": found}


def export_hybrid(now: Session, model: str | None, hybrid_id: str | None, folder: Path) -> Json:
    """Write a hybrid as a folder that can be published."""
    from core.sharing import hybrid_folder  # imports transformers

    info = now.model(model)
    chosen = stored_hybrid(now, info, hybrid_id)
    written = hybrid_folder.export_hybrid(now.workspace, info, str(chosen.hybrid_id), folder)
    return {"model": info.title, "hybrid": str(chosen.hybrid_id), "heads": written, "folder": str(folder)}


def import_hybrid(now: Session, path: Path) -> Json:
    """Take a shipped hybrid, a folder or the zip archive of one, into the workspace.

    Its programs are parsed, and nothing in it is executed.
    """
    from core.files import read_bytes
    from core.sharing import hybrid_folder  # imports transformers
    from core.sharing.archive import MAX_PACKED, unzipped

    if path.is_dir():
        hybrid_id, heads = hybrid_folder.import_hybrid(now.workspace, path)
    else:
        try:
            packed = read_bytes(path, MAX_PACKED)
        except OSError as error:
            raise HybridError(f"cannot read {path}: {error.strerror}") from error
        with unzipped(packed) as folder:
            hybrid_id, heads = hybrid_folder.import_hybrid(now.workspace, folder)
    return {"hybrid": hybrid_id, "heads": heads, "folder": str(path)}


def stored_hybrid(now: Session, info: ModelInfo, hybrid_id: str | None) -> pd.Series:
    """The evaluation of a hybrid by (the start of) its id, or the latest."""
    rows = now.workspace.hybrids.frame(info.id)
    if hybrid_id is not None:
        rows = rows[rows.hybrid_id.str.startswith(hybrid_id)]
    if rows.empty:
        wanted = "no hybrid yet; run `hybrid`" if hybrid_id is None else f"no hybrid {hybrid_id}"
        raise HybridError(f"the workspace holds {wanted}")
    return rows.iloc[0]


def _passages(now: Session, info: ModelInfo, source: str | None) -> tuple[list[Sentence], str]:
    if source is not None:
        return _fresh(now, info, source), source
    held_out = now.workspace.models.sentences(info.id, Split.TEST)
    if not held_out:
        raise HybridError("the corpus has no test passage to measure on; give passages with --eval FILE")
    return held_out, str(Split.TEST)


def _fresh(now: Session, info: ModelInfo, source: str) -> list[Sentence]:
    """The passages of a file that no program was found, chosen or calibrated on."""
    from core.corpus import load_corpus

    known = {s.id for s in now.workspace.models.sentences(info.id, Split.TRAIN, Split.VALIDATION)}
    found = load_corpus(source).sentences
    fresh = [sentence for sentence in found if sentence.id not in known]
    if not fresh:
        raise HybridError(
            f"every passage of {source} is in the train or validation split of {info.title}, on which its "
            "programs were found and chosen; give passages that are not"
        )
    if len(fresh) < len(found):
        now.terminal.say(
            f"left out {counted(len(found) - len(fresh), 'passage')} of {source} that programs were found or "
            "chosen on"
        )
    return fresh
