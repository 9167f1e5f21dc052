"""The command line: `python -m core COMMAND`, `headscript COMMAND` where it is installed.

Progress goes to stderr, results to stdout.
Exit codes: 0 done, 2 bad usage or input, 3 workspace busy, 4 job failed, 130 interrupted.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter, UnknownOptionError
from rich.text import Text

from core import __version__
from core.cli import audits, browser, exchange, figures, hybrids, plain_python, programs, serve
from core.cli.exits import exit_code
from core.cli.session import session
from core.cli.terminal import console, show_answer
from core.plugins import prepare_process
from core.settings import Settings

_IN_A_CHECKOUT, _INSTALLED = "python -m core", "headscript"
_EVERY_COMMAND = Group("Options of every command, before its name or after it", sort_key=9)
Workspace = Annotated[
    Path | None,
    Parameter(
        help="its folder; $HEADSCRIPT_WORKSPACE or `workspace` unless given",
        metavar="DIR",
        group=_EVERY_COMMAND,
    ),
]
Device = Annotated[
    str | None,
    Parameter(
        help="auto, cpu, cuda, cuda:1 or mps; $HEADSCRIPT_DEVICE or auto unless given",
        metavar="D",
        group=_EVERY_COMMAND,
    ),
]
Dtype = Annotated[
    str | None,
    Parameter(
        help="of weights: auto, float32, bfloat16 or float16; $HEADSCRIPT_DTYPE or auto unless given",
        metavar="T",
        group=_EVERY_COMMAND,
    ),
]
DeviceMap = Annotated[
    str | None,
    Parameter(
        help="over which devices a model is spread: auto, balanced, sequential, or JSON of its parts; "
        "$HEADSCRIPT_DEVICE_MAP or one device unless given",
        metavar="M",
        group=_EVERY_COMMAND,
    ),
]
Runner = Annotated[
    str | None,
    Parameter(
        help="where jobs run: local, ray, forked or inline; $HEADSCRIPT_RUNNER or local unless given",
        metavar="R",
        group=_EVERY_COMMAND,
    ),
]
Address = Annotated[
    str | None,
    Parameter(
        help="the cluster of --runner ray: auto, HOST:PORT or ray://HOST:PORT; "
        "$HEADSCRIPT_RAY_ADDRESS or auto unless given",
        metavar="A",
        group=_EVERY_COMMAND,
    ),
]
AsJson = Annotated[
    bool,
    Parameter(
        name="--json", help="print one JSON object on stdout", show_default=False, group=_EVERY_COMMAND
    ),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code(lambda: _run(given))


def _run(given: Sequence[str]) -> int:
    app = _app()
    if not given:
        app.help_print([], console=console(sys.stderr))
        return 2
    try:
        return int(app.meta(given, console=console(sys.stdout)) or 0)
    except CycloptsError as error:
        _explain(error, app)
        return 2


def _explain(error: CycloptsError, app: App) -> None:
    """What was wrong with how a command was called, and where to read how it is."""
    if isinstance(error, UnknownOptionError):  # it may have been one of every command
        error.argument_collection.extend(app.meta.assemble_argument_collection())
    command = " ".join([_own_name(), *(error.command_chain or ())])
    see = f"\nsee `{command} --help`"
    console(sys.stderr).print(Text.assemble("headscript: ", error.__rich__(), see))


def _app() -> App:
    """All commands, each a function whose parameters are its arguments and options."""
    app = App(
        name=_own_name(),
        help="Attention heads as short programs.\n\n"
        "Start with `demo`; `best` then shows every head's program, `hybrid` what replacing heads costs.",
        version=__version__,
        help_format="plaintext",
        help_formatter="default" if sys.stdout.isatty() else "plain",
        group_parameters=Group("Options", sort_key=0),
        default_parameter=Parameter(negative=()),
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    app.meta.suppress_keyboard_interrupt = False  # an interrupt is told as every other end is
    for place, command in enumerate(_COMMANDS):
        name = command.__name__.strip("_")
        app.command(command, name=name, help=_unwrapped(command), sort_key=place)

    @app.meta.default
    def launch(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        workspace: Workspace = None,
        device: Device = None,
        dtype: Dtype = None,
        device_map: DeviceMap = None,
        runner: Runner = None,
        address: Address = None,
        as_json: AsJson = False,
    ) -> int:
        command, bound, ignored = app.parse_args(tokens)
        given = {
            "workspace": workspace,
            "device": device,
            "dtype": dtype,
            "device_map": device_map,
            "runner": runner,
            "ray_address": address,
        }
        if "settings" in ignored:
            bound.arguments["settings"] = _settings(given)
        if "now" not in ignored:
            answer = command(*bound.args, **bound.kwargs)
        else:
            with session(_settings(given)) as now:
                answer = command(*bound.args, **bound.kwargs, now=now)
        if not isinstance(answer, dict):
            return int(answer or 0)
        if as_json:
            print(json.dumps(answer))
        else:
            show_answer(answer)
        return 0

    return app


def _own_name() -> str:
    """What the command line was started as."""
    return _INSTALLED if Path(sys.argv[0]).stem == _INSTALLED else _IN_A_CHECKOUT


def _unwrapped(command: Callable[..., object]) -> str:
    """A command's docstring, each paragraph a line: the terminal's width decides where it breaks."""
    text = (inspect.getdoc(command) or "").replace(_IN_A_CHECKOUT, _own_name())
    paragraphs = text.split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _settings(given: Mapping[str, Any]) -> Settings:
    """The environment's settings, but for what was given."""
    return replace(
        Settings.read(os.environ), **{name: value for name, value in given.items() if value is not None}
    )


def _worker(job_dir: Annotated[Path, Parameter(help="the job's folder")], /) -> int:
    """(internal) Run one job.

    Example: python -m core worker workspace/jobs/20260101-120000-search-1a2b3c
    """
    from core.jobs.worker import work

    return work(job_dir, prepare_process)


_COMMANDS: tuple[Callable[..., object], ...] = (
    browser.app,
    programs.demo,
    programs.extract,
    programs.synthesize,
    programs.score,
    programs.resolve,
    programs.best,
    hybrids.hybrid,
    hybrids.curve,
    hybrids.downstream,
    audits.audit,
    figures.figure,
    exchange.export,
    exchange.import_,
    exchange.snapshot,
    serve.serve,
    plain_python.convert,
    plain_python.compare,
    _worker,
)  # in the order of `--help`
