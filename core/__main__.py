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
from typing import Any

from core import __version__
from core.errors import HeadscriptError
from core.settings import Settings
from core.types import SearchLimits, Split


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
    import transformers

    from core.jobs.worker import work

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return work(job_dir)


def _run(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    from core import commands, exchange

    with commands.session(settings) as now:
        match arguments.command:
            case "demo":
                return commands.demo(now)
            case "extract":
                return commands.extract(now, arguments.model, arguments.corpus, arguments.limit)
            case "synthesize":
                limits = SearchLimits(arguments.rules, arguments.least_gain)
                return commands.synthesize(now, arguments.model, arguments.heads, limits)
            case "score":
                return commands.score(now, arguments.model, arguments.program, arguments.at_least)
            case "best":
                return commands.best(now, arguments.model, Split(arguments.split), arguments.eval)
            case "export":
                if arguments.what == "report":
                    return exchange.export_report(now, arguments.model, arguments.path)
                return exchange.export_library(now, arguments.path)
            case "import":
                return exchange.import_library(now, arguments.path)
            case _:
                return commands.hybrid(
                    now,
                    arguments.model,
                    arguments.share,
                    arguments.order,
                    arguments.programs,
                    arguments.eval,
                    arguments.seed,
                )


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
    extract.add_argument("--limit", type=int, metavar="N", help="take at most N passages")
    synthesize = commands.add_parser("synthesize", parents=[of_model], help="find a program for every head")
    synthesize.add_argument("--proposer", choices=["search"], default="search")
    synthesize.add_argument("--heads", metavar="L0H1,L3H*", help="only these; default: all")
    synthesize.add_argument(
        "--rules", type=_positive, default=12, metavar="N", help="most rules of a program (default 12)"
    )
    synthesize.add_argument(
        "--least-gain",
        type=float,
        default=0.003,
        metavar="IOU",
        help="what each rule must add on validation (default 0.003)",
    )
    score = commands.add_parser(
        "score", parents=[of_model], help="score the library, or one file, on every head"
    )
    score.add_argument("--program", type=Path, metavar="FILE", help="a file that holds one attend(q, k)")
    score.add_argument(
        "--at-least", type=float, default=0.0, metavar="IOU", help="with --program: heads it fits this well"
    )
    best = commands.add_parser("best", parents=[of_model], help="the best program of every head")
    best.add_argument("--split", choices=[str(split) for split in Split], default=str(Split.TEST))
    best.add_argument("--eval", metavar="FILE", help="score on these passages instead of a split")
    hybrid = commands.add_parser("hybrid", parents=[of_model], help="replace heads and measure perplexity")
    hybrid.add_argument("--share", type=float, required=True, help="share of all heads, 0 to 1")
    hybrid.add_argument("--order", choices=["iou", "random"], default="iou", help="which heads go first")
    hybrid.add_argument("--programs", choices=["accepted", "best"], default="best")
    hybrid.add_argument("--eval", metavar="FILE", help="measure on these passages instead of the test split")
    hybrid.add_argument("--seed", type=int, default=0, help="of the random order")
    export = commands.add_parser(
        "export", parents=[of_model], help="decisions as JSON lines, or the accepted programs as a page"
    )
    export.add_argument(
        "what",
        choices=["library", "report"],
        help="library: every decision and the programs they are about; report: one HTML page",
    )
    export.add_argument("path", type=Path, metavar="FILE")
    take_in = commands.add_parser("import", parents=[shared], help="take in what `export library` wrote")
    take_in.add_argument("path", type=Path, metavar="FILE")
    worker = commands.add_parser("worker", help="(internal) run one job")
    worker.add_argument("job_dir", type=Path, metavar="JOB_DIR")
    worker.set_defaults(json=False)
    return parser


def _positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


def _in_words(answer: dict[str, Any]) -> str:
    """An answer for people: its numbers a line each, its heads as a table."""
    from core.terminal import table

    heads = answer.get("heads")
    lines = [
        f"{name:<12} {_number(value)}" for name, value in answer.items() if name not in ("heads", "program")
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
    return "\n".join(lines)


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
