"""The commands on plain Python of other people: taken in, converted into the language, compared with ours."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from core.cli.options import number
from core.cli.programs import ProposerOptions, limits_of
from core.cli.session import Model, Now, Session
from core.errors import SandboxError
from core.proposers import PROPOSERS, LanguageModel
from core.types import (
    PLAIN_MARK,
    Bounds,
    Conversion,
    HeadId,
    HybridRequest,
    Json,
    LibraryBest,
    Split,
    is_plain,
)

if TYPE_CHECKING:
    from core.sandbox import PlainSource
    from core.types import ModelInfo

Trust = Annotated[
    bool, Parameter(help="run its programs without the sandbox, with all that you may do yourself")
]


def import_plain_python(now: Session, path: Path, model: str | None = None, trust: bool = False) -> Json:
    """Score the programs of a file on every head of a model, and say what came of each."""
    from core.sharing.plain_python import import_report

    info = now.model(model)
    programs = _scored(now, info, path, trust)
    return {"file": str(path), **import_report(now.workspace, info, programs)}


def _scored(now: Session, info: ModelInfo, path: Path, trust: bool) -> list[PlainSource]:
    """The programs of a file, all of them scored that may be kept."""
    from core.sandbox import read_programs
    from core.settings import trust_programs
    from core.sharing.plain_python import origin_of, usable

    programs = read_programs(path)
    if trust:
        trust_programs()
        now.terminal.say("these programs run without a lock, with all that you may do yourself")
    if sources := usable(programs):
        now.follow(now.runner.start_scoring(info, sources, origin_of(path)))
        now.resolve(info)
    return programs


def convert(
    programs: Annotated[
        str | None,
        Parameter(help="an id, how one starts, or a function's name; all plain Python unless given"),
    ] = None,
    /,
    *,
    now: Now,
    model: Model = None,
    proposer: Annotated[str, Parameter(help="who writes programs", choices=list(PROPOSERS))] = "search",
    options: ProposerOptions = None,
) -> Json:
    """Find programs of the closed language for what plain Python of the workspace does.

    What a program computes takes the place of a head's attention. The IoU between both is that on the test
    passages; what is found is scored on every head and names the program that it came of.

    Example: python -m core convert previous_token

    Example: python -m core convert --proposer claude --budget 1
    """
    info, entry = now.model(model), PROPOSERS.named(proposer)
    chosen = _chosen(now, programs)
    limits = limits_of(now, entry, options)
    secrets = None
    if isinstance(entry.way, LanguageModel):
        secrets = {name: value for name in entry.secrets if (value := now.settings.secret(name))}
    job = now.runner.start_conversion(info, list(chosen.values()), entry, limits, secrets)
    now.follow(job)
    now.resolve(info)
    folder = now.runner.folder(job)
    files = [file for file in sorted(folder.finished()) if _is_conversions(file)]
    found = [one for file in files for one in folder.result("conversions", file).conversions]
    return _conversions(info, chosen, found)


def _is_conversions(file: str) -> bool:
    return file.startswith("converted-") and not file.endswith("-programs.json")


def _chosen(now: Session, wanted: str | None) -> dict[str, str]:
    """The plain programs that are meant: id -> source. Raises SandboxError if there is none."""
    plain = {one.id: one.source for one in now.workspace.library.programs() if is_plain(one.source)}
    if wanted is None:
        found = plain
    else:
        found = {
            program: source
            for program, source in plain.items()
            if program.startswith(wanted) or source.startswith(f"{PLAIN_MARK}{wanted}\n")
        }
    if not found:
        called = "" if wanted is None else f" called {wanted}"
        raise SandboxError(f"the workspace holds no plain Python{called}; take some in with `import FILE.py`")
    return found


def _conversions(info: ModelInfo, chosen: Mapping[str, str], found: Sequence[Conversion]) -> Json:
    ious = [one.iou.value for one in found if one.program is not None]
    return {
        "model": info.title,
        "programs": len(chosen),
        "converted": len(ious),
        "mean_iou": statistics.fmean(ious) if ious else None,
        "rows": [
            {
                "program": _name(chosen[one.plain]),
                "id": one.plain,
                "becomes": one.program,
                "iou": _known(one.iou.value),
                "low": _known(one.iou.low),
                "high": _known(one.iou.high),
                "passages": one.passages,
                "why_not": one.why_not,
            }
            for one in found
        ],
    }


def compare(
    path: Annotated[Path, Parameter(help="a .py file of programs", metavar="FILE.py")],
    /,
    *,
    now: Now,
    model: Model = None,
    share: Annotated[
        float, number("of heads, that hybrids of each library replace; 0 for none", Bounds(least=0, most=1))
    ] = 0.25,
    trust: Trust = False,
) -> Json:
    """Compare the programs of a file with the workspace's own, on the same held-out passages.

    Of every head the best of theirs, of ours and of both, picked on validation and scored on test; then what
    a hybrid costs that takes its programs from each. Ours are those of the closed language that were not
    converted from plain Python.

    Example: python -m core compare docs/plain_programs.py
    """
    info = now.model(model)
    programs = _scored(now, info, path, trust)
    table = now.workspace.conversions
    theirs = table.best_among(info.id, [one.id for one in programs])
    ours = table.best_of_ours(info.id)
    heads = [head for head in info.head_ids() if head in theirs and head in ours]
    if not heads:
        raise SandboxError(f"no head has a score of both; find programs with `synthesize`, and see {path}")
    both = {head: max(ours[head], theirs[head], key=lambda one: one.validation) for head in heads}
    libraries = {"theirs": theirs, "ours": ours, "both": both}
    return {
        "model": info.title,
        "file": str(path),
        "programs": len(programs),
        "passages": len(now.workspace.models.sentences(info.id, Split.TEST)),
        **{f"mean_{name}": _mean(best, heads) for name, best in libraries.items()},
        "theirs_better": sum(theirs[head].validation > ours[head].validation for head in heads),
        **_hybrids(now, info, libraries, heads, share),
        "heads": [
            {
                "layer": head.layer,
                "head": head.head,
                **{name: best[head].test for name, best in libraries.items()},
                "their_program": _name(theirs[head].source),
            }
            for head in heads
        ],
    }


def _hybrids(
    now: Session,
    info: ModelInfo,
    libraries: Mapping[str, Mapping[HeadId, LibraryBest]],
    heads: Sequence[HeadId],
    share: float,
) -> Json:
    """What a hybrid of a share of heads costs on the test passages with the programs of each library."""
    from core.review import heads_in_share

    count = heads_in_share(share, info.head_count) if share else 0
    if not count or info.traits.attention_only:
        return {}
    held_out = now.workspace.models.sentences(info.id, Split.TEST)
    found: Json = {"hybrid_share": share}
    for name, best in libraries.items():
        sources = {head: best[head].source for head in heads}
        request = HybridRequest(f"{share:.0%} of heads, {name}", count=min(count, len(sources)))
        job = now.runner.start_hybrid(info, sources, held_out, str(Split.TEST), request)
        now.follow(job)
        cost = now.runner.folder(job).result("evaluation", "evaluation.json").evaluation
        figures = {"increase": _known(cost.increase.value), "kl": _known(cost.kl.value), "kept": cost.kept}
        found |= {f"{figure}_{name}": value for figure, value in figures.items()}
    return found


def _mean(best: Mapping[HeadId, LibraryBest], heads: Sequence[HeadId]) -> float:
    return statistics.fmean(best[head].test for head in heads)


def _name(source: str) -> str:
    return source.partition("\n")[0].removeprefix(PLAIN_MARK)


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else float(figure)
