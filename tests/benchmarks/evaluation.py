"""How much faster the tensor evaluator is than the reference, on sentences of 50 tokens.

    python -m tests.benchmarks.evaluation [--sentences 64] [--threads 2]

Wanted: at least 300 times. Both times are per program and sentence. The reference runs on one sentence.
The tensor evaluator runs on all sentences after a warm-up run: "warm" with an Evaluator that has run the
program before, as when scoring a library; "fresh" with a new Evaluator, building its batches included.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch

from core.features import Features
from core.language import Evaluator, parse, reference
from tests.language_cases import build, sentence

WANTED = 300
TOKENS = 50
WORDS = "the cat saw a dog and it ran off ; she said no . The Dog barked at Ada , who ate fish".split()  # noqa: SIM905
LABELS = ("DET", "NOUN", "VERB", "PRON", "PUNCT", "PROPN")
PROGRAMS: Mapping[str, str] = {
    "previous token": "    return k == q.prev",
    "decaying distance": "    return 0.7 ** (q.index - k.index)",
    "induction": "    return 1.0 if k.prev != None and k.prev.text == q.text else 0.0",
    "nearest name": '    return 1.0 if q.pos == "PRON" and last(q, pos="PROPN") == k else 0.05 * k.is_first',
    "same or similar": "    return 0.01 + (q.lower == k.lower) + max(0.0, similarity(q, k)) ** 2",
    "example of the design": """    weight = 0.02
    if k.index == 0:
        weight += 0.6
    if q.is_punct and k.pos == "VERB":
        weight += 0.5 * 0.7 ** (q.index - k.index)
    return weight""",
}


def main() -> None:
    """Print a table of times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sentences", type=int, default=64)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    features = random_sentences(options.sentences)
    warm = Evaluator(features)
    print(f"{options.sentences} sentences of {TOKENS} tokens, CPU, torch threads: {torch.get_num_threads()}")
    print(
        f"{'milliseconds per sentence':28}{'reference':>10}{'fresh':>9}{'warm':>9}{'x fresh':>9}{'x warm':>9}"
    )
    rows = []
    for name, body in PROGRAMS.items():
        program = parse(f"def attend(q, k):\n{body}\n")
        tokens = features.tokens(0)
        weights = warm.run(program).weights[0]
        np.testing.assert_allclose(weights, reference(program, tokens), atol=1e-5)
        slow = seconds(lambda: reference(program, tokens), 5)  # noqa: B023
        fresh = seconds(lambda: Evaluator(features).run(program), 20) / len(features)  # noqa: B023
        fast = seconds(lambda: warm.run(program), 200) / len(features)  # noqa: B023
        rows.append((slow, fresh, fast))
        print_row(name, slow, fresh, fast)
    print_row("all programs", *(sum(column) for column in zip(*rows, strict=True)))
    print(f"wanted: warm at least {WANTED} x")


def print_row(name: str, slow: float, fresh: float, fast: float) -> None:
    """Times in milliseconds, and how many times faster than the reference."""
    times = f"{slow * 1e3:10.2f}{fresh * 1e3:9.4f}{fast * 1e3:9.4f}"
    print(f"{name:28}{times}{slow / fresh:9.0f}{slow / fast:9.0f}", flush=True)


def random_sentences(count: int) -> Features:
    """Sentences of TOKENS random words with parts of speech and embeddings."""
    draw = random.Random(0)
    sentences = []
    for _ in range(count):
        words = " ".join(draw.choices(WORDS, k=TOKENS))
        sentences.append(sentence(words, pos=draw.choices(LABELS, k=TOKENS)))
    vectors = np.random.default_rng(0).normal(size=(len(WORDS), 576)).astype(np.float32)
    return build(*sentences, embeddings=vectors)


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The shortest of several runs after one to warm up."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
