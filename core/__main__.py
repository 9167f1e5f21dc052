"""`python -m core`: the command line."""

import sys


def run(given: list[str]) -> int:
    """What these arguments ask for; the exit code. Also an interrupt within the first imports is told."""
    try:
        from core.cli.exits import exit_code

        return exit_code(lambda: _run(given))
    except KeyboardInterrupt:
        print("\nheadscript: interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def _run(given: list[str]) -> int:
    import os
    from pathlib import Path

    from core.plugins import load_plugins, prepare_process
    from core.settings import Settings

    if len(given) == 2 and given[0] == "fork-server":
        from core.jobs.runners.fork_server import serve

        given = serve(
            int(given[1])
        )  # from here on this is a child, with a command and environment of its own
    load_plugins(Settings.read(os.environ))  # first: what packages add has options, too
    if len(given) == 2 and given[0] == "worker" and not given[1].startswith("-"):
        import logging

        from core.jobs.worker import work  # workers start often: they do not wait for the command line

        logging.captureWarnings(True)
        return work(Path(given[1]), prepare_process)
    from core.cli.app import main

    return main(given)


def headscript() -> None:
    """The command that an installed package brings."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
