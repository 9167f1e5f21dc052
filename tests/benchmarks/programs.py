"""What programs cost: many small ones, many literals, one that is far too long, those that the search writes.

`python -m tests.benchmarks.programs` takes 300 plain programs into a new workspace and evaluates them on 60
passages, beside 300 constants, which is what any program takes; then programs of 75 literals each, beside
as many of one literal; then it refuses a source of 10 MB; then it evaluates programs such as the search
writes, which look at other heads, beside the same ones as the interpreter runs them.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from core.errors import ProgramError
from core.features import FeatureBuilder, Features
from core.features.kinds import ATTRIBUTES
from core.language import Evaluated, Evaluator, parse
from core.language.tensor import evaluator as evaluators
from core.language.tensor.products import multiplied
from core.scoring import program_maps
from core.sharing.decisions import import_lines
from core.store import Workspace
from core.types import HeadId

PASSAGES, TOKENS, WORDS = 60, 46, 3000
PLAIN, TESTS, LITERALS = 300, 75, 75
LOOKING, HEADS = 60, 12


def passages() -> Features:
    """Passages of words that are as frequent as Zipf has it."""
    rng, builder = np.random.default_rng(0), FeatureBuilder()
    nothing = {name: attribute.missing for name, attribute in ATTRIBUTES.items()}
    for at in range(PASSAGES):
        words = rng.zipf(1.3, TOKENS).clip(max=WORDS)
        rows = [{**nothing, "text": f"w{word}", "index": place} for place, word in enumerate(words)]
        builder.add(f"s{at}", list(range(TOKENS)), [f" w{word}" for word in words], rows)
    return builder.build()


def plain(at: int) -> str:
    """A program as people write them."""
    return (
        f'def attend(q, k):\n    weight = 0.{at:03}\n    if k.text == "w{at}":\n        weight += 2\n'
        f"    if k.index == q.index - {at % 7}:\n        weight += 3\n    return weight\n"
    )


def testing(at: int, literals: int) -> str:
    """A program that tests one attribute for literals that no other program has."""
    tests = " or ".join(f'startswith(k.text, "w{at}x{number}")' for number in range(literals))
    return f"def attend(q, k):\n    return 1 + ({tests})\n"


def import_seconds(sources: Sequence[str]) -> float:
    """Taking programs into a new workspace."""
    header = {"kind": "headscript decisions", "version": 1}
    programs = [
        {"kind": "program", "id": parse(source).id, "source": source, "origin": "person", "parent": None}
        for source in sources
    ]
    lines = [json.dumps(row) for row in (header, *programs)]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder))
        seconds = seconds_of(lambda: import_lines(workspace, lines))
        workspace.close()
    return seconds


def seconds_of(run: Callable[[], object]) -> float:
    """How long something takes, in seconds of this process, whatever else the machine does."""
    started = time.process_time()
    run()
    return time.process_time() - started


def evaluation_seconds(sources: Sequence[str], features: Features) -> float:
    """Evaluating programs on all passages; parsed before."""
    programs = [parse(source) for source in sources]
    return seconds_of(lambda: program_maps(programs, features, is_causal=True))


def searched(at: int) -> str:
    """A program as the search writes them."""
    return f"""def attend(q, k):
    weight = 1.0
    weight *= (look("L0H{at % HEADS}", q, k) + 0.002) ** 0.{at + 1:03}
    if k.is_first:
        weight *= 24
    if q.lower in {{"w{at % 9}", "w1", "w2"}} and k.is_first:
        weight *= 0.6
    if k.lower == "w{at % 5}":
        weight *= (look("L0H{(at + 1) % HEADS}", q, k) + 0.002) ** -0.2
    weight *= 0.9 ** min(q.index - k.index, 8)
    if q.index - k.index < 4:
        weight *= (look("L0H{(at + 2) % HEADS}", q, k) + 0.002) ** 0.3
    weight *= table(k.lower, {{"w1": 2, "w3": 0.3}}, 1)
    return weight
"""


def short_way(features: Features) -> tuple[float, float]:
    """Seconds of programs that look, by the short way and by the interpreter, a few passages at a time."""
    programs = [parse(searched(at)) for at in range(LOOKING)]
    some = [features.select(range(at, at + 4)) for at in range(0, len(features), 4)]
    maps = torch.ones(4, TOKENS, TOKENS).tril()
    looks = {HeadId(0, head): maps / maps.sum(-1, keepdim=True) for head in range(HEADS)}

    def run() -> float:
        ready = [Evaluator(one, looks=looks) for one in some]
        return seconds_of(lambda: found.append([one.run(program) for one in ready for program in programs]))

    found: list[list[Evaluated]] = []
    short = run()
    evaluators.multiplied = lambda *_: None  # type: ignore[assignment]
    try:
        interpreted = run()
    finally:
        evaluators.multiplied = multiplied
    for one, other in zip(*found, strict=True):
        if one.failures or float((one.weights - other.weights).abs().max()) > 1e-5:
            raise AssertionError("the short way gives something else")
    return short, interpreted


def main() -> None:
    features = passages()
    evaluation_seconds([plain(0)], features)
    sources = [plain(at) for at in range(PLAIN)]
    imported = import_seconds(sources)
    evaluated = evaluation_seconds(sources, features)
    constants = [f"def attend(q, k):\n    return 1.{at}\n" for at in range(PLAIN)]
    itself = evaluation_seconds(constants, features)
    print(f"{PLAIN} plain programs     import {imported:5.2f} s, evaluation {evaluated:5.2f} s")
    print(f"{PLAIN} constants          evaluation {itself:5.2f} s: what any program takes")
    print(f"beyond the scoring     {imported + evaluated - itself:8.2f} s (wanted: 1)")
    many = evaluation_seconds([testing(at, LITERALS) for at in range(TESTS)], features)
    few = evaluation_seconds([testing(at, 1) for at in range(TESTS)], features)
    print(f"{TESTS} x {LITERALS} literals       {many:8.2f} s, of one literal each {few:5.2f} s")
    print(f"a literal              {1e3 * (many - few) / (TESTS * (LITERALS - 1)):8.2f} ms")
    long = "def attend(q, k):\n    return 1" + "\n# more" * (10 * 2**20 // 7)

    def refuse() -> None:
        try:
            parse(long)
        except ProgramError:
            return
        raise AssertionError("a source of 10 MB was read")

    print(f"a source of 10 MB      {1e3 * seconds_of(refuse):8.2f} ms to refuse (wanted: 10)")
    short, interpreted = short_way(features)
    ratio = interpreted / short
    print(f"{LOOKING} that look           {short:8.2f} s, interpreted {interpreted:5.2f} s: {ratio:.1f} x")


if __name__ == "__main__":
    main()
