"""The command line: `python -m core COMMAND`. Progress goes to stderr, results to stdout.

Exit codes: 0 done, 2 bad usage or input, 3 workspace busy, 4 job failed, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import __version__
from core.errors import HeadscriptError, HybridError
from core.settings import Settings
from core.types import ORDERS, ClaudeLimits, HybridRequest, SearchLimits, Split

if TYPE_CHECKING:
    from core.cli.programs import Session


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "worker":
            return _work(arguments.job_dir)
        settings = Settings.read(os.environ)
        if arguments.workspace is not None:
            settings = replace(settings, workspace=arguments.workspace)
        if arguments.device is not None:
            settings = replace(settings, device=arguments.device)
        answer = _run(arguments, settings)
    except HeadscriptError as error:
        print(f"headscript: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nheadscript: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    print(json.dumps(answer) if arguments.json else _in_words(answer))
    return 0


def _work(job_dir: Path) -> int:
    from core.jobs.worker import work

    return work(job_dir)


def _run(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    from core.cli import programs as commands

    with commands.session(settings) as now:
        match arguments.command:
            case "demo":
                return commands.demo(now)
            case "extract":
                return commands.extract(now, arguments.model, arguments.corpus, arguments.limit)
            case "synthesize" if arguments.proposer == "claude":
                return commands.synthesize_with_claude(
                    now,
                    arguments.model,
                    arguments.heads,
                    ClaudeLimits(
                        settings.claude_model,
                        arguments.candidates,
                        arguments.rounds,
                        arguments.budget,
                        arguments.batches,
                    ),
                )
            case "synthesize":
                limits = SearchLimits(arguments.rules, arguments.least_gain)
                return commands.synthesize(now, arguments.model, arguments.heads, limits)
            case "score":
                return commands.score(now, arguments.model, arguments.program, arguments.at_least)
            case "best":
                return commands.best(now, arguments.model, Split(arguments.split), arguments.eval)
            case "export" | "import":
                return _exchange(arguments, now)
            case _:
                return _run_on_hybrids(arguments, now)


def _run_on_hybrids(arguments: argparse.Namespace, now: Session) -> dict[str, Any]:
    from core.cli import hybrids as commands

    match arguments.command:
        case "curve":
            orders = arguments.orders.split(",")
            return commands.curve(
                now, arguments.model, arguments.programs, orders, arguments.passages, arguments.eval
            )
        case "downstream":
            tasks = arguments.tasks.split(",") if arguments.tasks else []
            return commands.downstream(
                now, arguments.model, arguments.hybrid, arguments.questions, tasks, arguments.limit
            )
        case _ if arguments.hybrid is not None:
            if arguments.calibrate:
                raise HybridError("--hybrid measures a hybrid as it is; leave out --calibrate")
            return commands.measure(now, arguments.model, arguments.hybrid, arguments.eval, arguments.strict)
        case _:
            request = HybridRequest(
                title="",
                order=arguments.order,
                budget=arguments.budget,
                calibrate=arguments.calibrate,
                strict=arguments.strict,
                seed=arguments.seed,
            )
            return commands.hybrid(
                now, arguments.model, arguments.share, arguments.programs, arguments.eval, request
            )


def _exchange(arguments: argparse.Namespace, now: Session) -> dict[str, Any]:
    """Between this workspace and files: what is exported is named, what is imported is seen."""
    from core.cli import exchange
    from core.cli import hybrids as hybrid_commands

    if arguments.command == "import":
        if arguments.path.is_dir():
            return hybrid_commands.import_hybrid(now, arguments.path)
        return exchange.import_library(now, arguments.path)
    match arguments.what:
        case "hybrid":
            return hybrid_commands.export_hybrid(now, arguments.model, arguments.hybrid, arguments.path)
        case "report":
            return exchange.export_report(now, arguments.model, arguments.path)
        case _:
            return exchange.export_library(now, arguments.path)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--workspace", type=Path, metavar="DIR", help="default: $HEADSCRIPT_WORKSPACE, workspace"
    )
    shared.add_argument("--device", help="auto (default), cpu, cuda, mps")
    shared.add_argument("--json", action="store_true", help="print one JSON object")
    of_model = argparse.ArgumentParser(add_help=False, parents=[shared])
    of_model.add_argument("--model", metavar="M", help="a model of the workspace; default: the latest")

    parser = argparse.ArgumentParser(prog="python -m core", description="Attention heads as short programs.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "demo", parents=[shared], help="build the demo workspace; resumes an interrupted build"
    )
    extract = commands.add_parser(
        "extract", parents=[shared], help="add a model and its attention on a corpus"
    )
    extract.add_argument("--model", required=True, metavar="M", help="hub id, folder, .gguf file or demo")
    extract.add_argument(
        "--corpus", default="bundled", metavar="FILE", help="text, JSON lines, Parquet or dataset"
    )
    extract.add_argument("--limit", type=_positive, metavar="N", help="take at most N passages")
    synthesize = commands.add_parser("synthesize", parents=[of_model], help="find a program for every head")
    synthesize.add_argument("--proposer", choices=["search", "claude"], default="search")
    synthesize.add_argument("--heads", metavar="L0H1,L3H*", help="only these; default: all")
    synthesize.add_argument(
        "--rules", type=_positive, default=12, metavar="N", help="most rules of a program (default 12)"
    )
    synthesize.add_argument(
        "--least-gain",
        type=_from_zero,
        default=0.003,
        metavar="IOU",
        help="what each rule must add on validation (default 0.003)",
    )
    limits = ClaudeLimits()
    claude = synthesize.add_argument_group("with --proposer claude, whose key is in $ANTHROPIC_API_KEY")
    claude.add_argument(
        "--budget",
        type=_dollars,
        default=limits.budget,
        metavar="USD",
        help=f"a call that could pass it is not made (default {limits.budget:g})",
    )
    claude.add_argument(
        "--candidates",
        type=_up_to_ten,
        default=limits.candidates,
        metavar="K",
        help=f"programs a call, at most 10 (default {limits.candidates})",
    )
    claude.add_argument(
        "--rounds",
        type=_rounds,
        default=limits.rounds,
        metavar="R",
        help=f"refinements of a head, at most 10 (default {limits.rounds})",
    )
    claude.add_argument("--batches", action="store_true", help="half the price, answers within a day")
    score = commands.add_parser(
        "score", parents=[of_model], help="score the library, or one file, on every head"
    )
    score.add_argument("--program", type=Path, metavar="FILE", help="a file that holds one attend(q, k)")
    score.add_argument(
        "--at-least",
        type=_from_zero,
        default=0.0,
        metavar="IOU",
        help="with --program: heads it fits this well",
    )
    best = commands.add_parser("best", parents=[of_model], help="the best program of every head")
    best.add_argument("--split", choices=[str(split) for split in Split], default=str(Split.TEST))
    best.add_argument("--eval", metavar="FILE", help="score on these passages instead of a split")
    _add_hybrid_commands(commands, shared, of_model)
    export = commands.add_parser(
        "export", parents=[of_model], help="decisions, a report or a hybrid, as files"
    )
    export.add_argument(
        "what",
        choices=["library", "report", "hybrid"],
        help="library: every decision and the programs they are about, as JSON lines; report: the accepted "
        "programs as one HTML page; hybrid: a folder with its programs, figures and model card",
    )
    export.add_argument("path", type=Path, metavar="PATH")
    export.add_argument("--hybrid", metavar="ID", help="which hybrid; default: the latest")
    take_in = commands.add_parser(
        "import", parents=[shared], help="take in what `export library` or `export hybrid` wrote"
    )
    take_in.add_argument("path", type=Path, metavar="PATH")
    worker = commands.add_parser("worker", help="(internal) run one job")
    worker.add_argument("job_dir", type=Path, metavar="JOB_DIR")
    worker.set_defaults(json=False)
    return parser


def _add_hybrid_commands(
    commands: Any, shared: argparse.ArgumentParser, of_model: argparse.ArgumentParser
) -> None:
    measured = argparse.ArgumentParser(add_help=False, parents=[of_model])
    measured.add_argument("--programs", choices=["accepted", "best"], default="best")
    measured.add_argument(
        "--eval",
        metavar="FILE",
        help="measure on these passages instead, without those of train and validation",
    )
    stored = argparse.ArgumentParser(add_help=False, parents=[of_model])
    stored.add_argument("--hybrid", metavar="ID", help="of the workspace; default: the latest")

    hybrid = commands.add_parser("hybrid", parents=[measured], help="replace heads and measure perplexity")
    how_many = hybrid.add_mutually_exclusive_group(required=True)
    how_many.add_argument("--share", type=float, help="share of all heads, 0 to 1")
    how_many.add_argument(
        "--budget", type=_from_zero, help="as many heads as raise perplexity by no more: 0.05 for 5 %%"
    )
    how_many.add_argument("--hybrid", metavar="ID", help="measure this one of the workspace, as it is")
    hybrid.add_argument(
        "--order", choices=ORDERS, default="cost", help="which heads go first (default: cost)"
    )
    hybrid.add_argument(
        "--calibrate", action="store_true", help="fit the programs' constants through the model"
    )
    hybrid.add_argument("--strict", action="store_true", help="measure also without any look ahead")
    hybrid.add_argument("--seed", type=_seed, default=0, help="of the random order and of what is drawn")
    curve = commands.add_parser(
        "curve", parents=[measured], help="perplexity against share of heads, with controls"
    )
    curve.add_argument("--orders", default="cost,iou,random", help="the first also with controls")
    curve.add_argument("--passages", type=_positive, default=40, metavar="N", help="measure on N passages")
    downstream = commands.add_parser("downstream", parents=[stored], help="accuracy of model and hybrid")
    downstream.add_argument("questions", type=Path, nargs="?", metavar="FILE", help="in PIQA's format")
    downstream.add_argument("--tasks", metavar="piqa,arc_easy", help="tasks of lm-eval instead")
    downstream.add_argument("--limit", type=_positive, metavar="N", help="take the first N questions")


def _positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


def _seed(text: str) -> int:
    """A whole number that a random generator takes."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def _from_zero(text: str) -> float:
    """A number from 0."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0")
    return number


def _up_to_ten(text: str) -> int:
    """A whole number from 1 to 10."""
    if not 1 <= int(text) <= 10:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 10")
    return int(text)


def _rounds(text: str) -> int:
    """A whole number from 0 to 10."""
    if not 0 <= int(text) <= 10:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 10")
    return int(text)


def _dollars(text: str) -> float:
    """An amount above 0."""
    amount = float(text)
    if not 0 < amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not an amount above 0")
    return amount


def _in_words(answer: dict[str, Any]) -> str:
    """An answer for people: its numbers a line each, its heads as a table."""
    from core.cli.terminal import table

    heads = answer.get("heads")
    lines = [
        f"{name:<12} {_number(value)}"
        for name, value in answer.items()
        if name not in ("heads", "program", "rows")
    ]
    if isinstance(heads, int):
        lines.append(f"{'heads':<12} {heads}")
    elif heads and isinstance(heads[0], str):
        lines.append(f"{'heads':<12} {len(heads)}: {' '.join(heads)}")
    elif heads:
        columns = [name for name in heads[0] if name not in ("layer", "head", "program")]
        rows = [
            (f"L{row['layer']}H{row['head']}", *(_number(row[name]) for name in columns)) for row in heads
        ]
        lines += ["", table(["head", *columns], rows)]
    if points := answer.get("rows"):
        columns = [name for name in points[0] if name != "control"]
        lines += ["", table(columns, [[_number(point[name]) for name in columns] for point in points])]
    return "\n".join(lines)


def _number(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_number, value))}]"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
