"""`python -m core`: the command line."""

import logging
import sys
from pathlib import Path

from core.cli.exits import exit_code


def _main(given: list[str]) -> int:
    if len(given) == 2 and given[0] == "worker" and not given[1].startswith("-"):
        from core.jobs.worker import work  # workers start often: they do not wait for the command line

        logging.captureWarnings(True)
        return exit_code(lambda: work(Path(given[1])))
    from core.cli.app import main

    return main(given)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
