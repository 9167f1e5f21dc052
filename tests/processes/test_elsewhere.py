"""What is asked of a device that is not the CPU, in a process that knows of it before any gradient."""

import os
import subprocess
import sys

from tests.conftest import ROOT


def test_programs_elsewhere_give_what_they_give_on_the_cpu() -> None:
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "tests/elsewhere_cases.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
