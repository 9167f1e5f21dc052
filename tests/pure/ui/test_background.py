"""A thread that computes while the process ends is waited for, and one that waits does not hold it up."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

COMPUTES = """
import time
import torch
from core.ui.parts import background

begun = []

def compute():
    until = time.monotonic() + 1
    while time.monotonic() < until:
        torch.rand(60, 60).softmax(-1).sum().item()
        begun.append(1)
    print("computed", flush=True)

def wait():
    if not background.pause(250):
        print("called off", flush=True)

background.begin(compute, "computes")
background.begin(wait, "waits")
while not begun:
    time.sleep(0.01)
"""


def test_the_process_ends_well_while_one_thread_computes_and_another_waits() -> None:
    ended = subprocess.run([sys.executable, "-c", COMPUTES], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(ended.stdout.splitlines()) == ["called off", "computed"]
