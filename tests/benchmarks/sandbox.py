"""Scoring speed of plain Python: programs x passages x heads in the sandbox against a plain loop without one.

`python -m tests.benchmarks.sandbox` prints seconds of both and their ratio. The programs are those of the
tutorial, each many times over with a number of its own, so that no two are one; heads are random maps. The
loop calls each program on each passage in this process with the model's own tokenizer and spaCy, as the
published one does, and compares what it gives with every head in numpy; it is measured on a sample.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.features import Features, annotate
from core.maps import cell_sum
from core.sandbox import PlainSource, read_programs
from core.scoring import in_blocks, program_maps, program_of, score
from core.types import HeadId, Split
from tests import tiny
from tests.benchmarks.scoring import random_maps

TUTORIAL = Path(__file__).parents[2] / "docs/plain_programs.py"
LAYERS, HEADS = 30, 9
SAMPLE = 40  # programs of the loop that are timed


def variants(count: int) -> list[str]:
    """So many programs, those of the tutorial over and over, each with a number of its own."""
    found = read_programs(TUTORIAL)
    return [f"{found[at % len(found)].source}\nNUMBER = {at}\n" for at in range(count)]


def passages(count: int, tokens: int) -> tuple[Features, Any]:
    """Passages of the bundled corpus cut to so many tokens, and the tokenizer."""
    tokenizer = tiny.tokenizer("byte")
    features = annotate(tiny.load_corpus().sentences, tokenizer, max_length=tokens)
    whole = [row for row, n in enumerate(features.lengths) if n == tokens][:count]
    return features.select(whole), tokenizer


def random_heads(features: Features) -> dict[str, np.ndarray]:
    """A map of every head on every passage, float32 [head, query, key]."""
    rng = np.random.default_rng(0)
    lengths = zip(features.sentences, features.lengths, strict=True)
    return {name: random_maps(rng, LAYERS * HEADS, int(n)) for name, n in lengths}


def in_the_sandbox(
    sources: list[str], features: Features, maps: dict[str, np.ndarray]
) -> tuple[float, float, int]:
    """Seconds of running all programs and of comparing them with all heads; how many calls failed."""
    programs = [program_of(source) for source in sources]
    running = comparing = 0.0
    failed = 0
    for part in in_blocks(programs, cell_sum(features.lengths, True)):
        started = time.perf_counter()
        produced = program_maps(part, features, True)
        running += time.perf_counter() - started
        failed += len(produced.failures)
        started = time.perf_counter()
        for layer in range(LAYERS):
            own = {name: held[layer * HEADS : (layer + 1) * HEADS] for name, held in maps.items()}
            score(produced, own, [HeadId(layer, head) for head in range(HEADS)], Split.TEST)
        comparing += time.perf_counter() - started
    return running, comparing, failed


def in_a_loop(sources: list[str], features: Features, maps: dict[str, np.ndarray], tokenizer: Any) -> float:
    """Seconds of the same without a sandbox, program by program, passage by passage, head by head."""
    import spacy

    from core.features import BUNDLED, load_pipeline

    spacy.load = lambda name: load_pipeline(BUNDLED)  # type: ignore[assignment]
    assert features.reading is not None
    texts = features.reading.texts(features.sentences)
    started = time.perf_counter()
    for source in sources:
        name = source.partition("\n")[0].rpartition(" ")[2]
        names: dict[str, Any] = {"__name__": "program"}
        exec(compile(source, "<program>", "exec"), names)
        for sentence, text in zip(features.sentences, texts, strict=True):
            matrix = np.tril(np.clip(names[name](text, tokenizer)[1], 0, None)).astype(np.float32)
            total = matrix.sum(1, keepdims=True)
            matrix /= np.where(total == 0, 1, total)
            for held in maps[sentence]:
                np.minimum(matrix, held).sum() / np.maximum(matrix, held).sum()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--passages", type=int, default=25)
    parser.add_argument("--tokens", type=int, default=25)
    given = parser.parse_args()
    sources = variants(given.programs)
    features, tokenizer = passages(given.passages, given.tokens)
    maps = random_heads(features)
    warm: list[PlainSource] = read_programs(TUTORIAL)
    program_maps([program_of(warm[0].source)], features.select([0]), True)  # the process that guests come of
    running, comparing, failed = in_the_sandbox(sources, features, maps)
    sample = sources[:: max(1, len(sources) // SAMPLE)]
    loop = in_a_loop(sample, features, maps, tokenizer) * len(sources) / len(sample)
    a_call = 1000 * running / (len(sources) * len(features))
    print(
        f"{len(sources)} programs x {len(features)} passages of {given.tokens} tokens x "
        f"{LAYERS * HEADS} heads; {failed} calls failed\n"
        f"in the sandbox   {running + comparing:7.1f} s: {running:.1f} s to run, {a_call:.2f} ms a call, and "
        f"{comparing:.1f} s to compare\n"
        f"in a plain loop  {loop:7.1f} s, from {len(sample)} programs\n"
        f"ratio            {(running + comparing) / loop:7.2f}"
    )


if __name__ == "__main__":
    main()
