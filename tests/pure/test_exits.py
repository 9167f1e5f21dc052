"""How a command ends whose answer nobody reads."""

import os
import subprocess
import sys


def ended(run: str, is_read: bool = False) -> tuple[int, str]:
    """Exit code and stderr of a command whose stdout is a pipe that nobody reads, or nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    if is_read:
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
    script = f"import sys; from core.cli.exits import exit_code; sys.exit(exit_code(lambda: {run}))"
    with os.fdopen(writing, "w") as stdout:
        found = subprocess.run(
            [sys.executable, "-c", script], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60
        )
    return found.returncode, found.stderr


def test_an_answer_that_nobody_reads_ends_without_a_traceback() -> None:
    assert ended("print('a' * 200_000) or 0") == (141, "")
    assert ended("print('short') or 0") == (141, "")


def test_memory_that_ran_out_is_told_without_a_traceback() -> None:
    code, told = ended("__import__('numpy').empty(2**47)")
    assert code == 4
    assert told == (
        "headscript: the memory of this machine ran out; close what else uses it and run the command again\n"
    )


def test_any_other_closed_pipe_is_not_hidden() -> None:
    code, told = ended("(_ for _ in ()).throw(BrokenPipeError('of a worker'))", is_read=True)
    assert code == 1
    assert "BrokenPipeError: of a worker" in told
