"""The search of some layers by threads of one process, and by this process and its helpers.

    python -m tests.benchmarks.helpers [--workspace DIR] [--layers 8]

Prints the wall time of both and their ratio, and whether both found the same programs.
"""

from __future__ import annotations

import core  # noqa: F401  (before torch: it lets waiting threads sleep)

# isort: split
import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from core.jobs.crew import Bench, Heard, Stage, Station
from core.jobs.crew.local import LocalCrew
from core.plugins import prepare_process
from core.proposers.search.propose import Search, prepare_search
from core.store import Workspace
from core.store.attention import AttentionReader
from core.store.tokens import TokenStore
from core.types import Split


@dataclass(frozen=True)
class Searching:
    """A stage whose unit is a layer, and what it finds the sources of its programs."""

    folder: Path  # of the attention
    chosen: dict[Split, tuple[str, ...]]  # sentences to search on
    heads: int
    is_causal: bool

    def search(self) -> Search:
        tokens = TokenStore(self.folder)
        train, validation = (tokens.read(list(self.chosen[s])) for s in (Split.TRAIN, Split.VALIDATION))
        reader = AttentionReader(self.folder).restricted({name for s in self.chosen.values() for name in s})
        return prepare_search(train, validation, self.is_causal, read=reader.layer)

    def __call__(self, bench: Bench) -> Station[int, list[str]]:
        search = self.search()

        def work(layer: int) -> list[str]:
            ((_, found),) = search.over_layers({layer: range(self.heads)})
            return [program.source for program in found]

        return Station(work, side_by_side=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--layers", type=int, default=8)
    options = parser.parse_args()
    workspace = Workspace.open(options.workspace)
    info = workspace.models.all()[0]
    sentences = workspace.models.sentences(info.id)
    folder = workspace.attention(info.id).folder
    workspace.close()
    chosen = {
        split: tuple(s.id for s in sentences if s.split == split) for split in (Split.TRAIN, Split.VALIDATION)
    }
    searching = Searching(folder, chosen, info.heads, info.is_causal)
    layers = range(min(options.layers, info.layers))
    started = time.perf_counter()
    search = searching.search()
    threaded = {
        str(layer): [program.source for program in found]
        for layer, found in search.over_layers({layer: range(info.heads) for layer in layers})
    }
    threads = time.perf_counter() - started
    del search
    started = time.perf_counter()
    crew = LocalCrew(Heard(), prepare_process)
    helped = dict(crew.run(Stage("search", searching), {str(layer): layer for layer in layers}))
    processes = time.perf_counter() - started
    print(f"{info.title}: {len(layers)} layers of {info.heads} heads")
    print(f"  threads of one process   {threads:6.1f} s")
    print(f"  with helping processes   {processes:6.1f} s   {processes / threads:.2f} x")
    print(f"  the same programs: {'yes' if helped == threaded else 'NO'}")


if __name__ == "__main__":
    main()
