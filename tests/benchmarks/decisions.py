"""How long many decisions take to enter a workspace: `python -m tests.benchmarks.decisions`."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from core.language import parse
from core.sharing.decisions import export_lines, import_lines
from core.store import Workspace

SOURCE = "def attend(q, k):\n    return 1.0\n"


def log(count: int) -> list[str]:
    """A file of so many decisions, every tenth of which takes the one before back."""
    program = parse(SOURCE).id
    rows: list[dict[str, object]] = [
        {"kind": "headscript decisions", "version": 1},
        {"kind": "program", "id": program, "source": SOURCE, "origin": "person", "parent": None},
    ]
    for at in range(count):
        is_undo = at % 10 == 9
        rows.append(
            {
                "kind": "verdict",
                "uid": f"{at:032x}",
                "model": "m",
                "layer": at % 30,
                "head": at % 9,
                "program": program,
                "action": "undo" if is_undo else "accept",
                "undoes": f"{at - 1:032x}" if is_undo else None,
                "batch": None,
                "reviewer": "ada",
                "reason": "",
                "note": "",
                "made_at": f"2026-01-01T00:00:00.{at % 10**6:06}Z",
            }
        )
    return [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=100_000)
    count = parser.parse_args().decisions
    lines = log(count)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder))
        for what in ("taken in", "taken in again"):
            started, used = time.perf_counter(), time.process_time()
            found = import_lines(workspace, lines)
            seconds, computed = time.perf_counter() - started, time.process_time() - used
            print(f"{count:,} {what:15} {seconds:6.1f} s, {computed:5.1f} s of computing (wanted: 20)")
        assert found.known == count + 1
        assert list(export_lines(workspace))[2:] == lines[2:]
        workspace.close()


if __name__ == "__main__":
    main()
