"""Scoring speed: all programs x all heads x all sentences against one numpy IoU a pair.

`python -m tests.benchmarks.scoring` prints seconds, L1 operations a second, the machine's measured limit
for such a kernel, and the ratio to the loop, which is measured on a sample and scaled.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from core.score import Patterns, cell_count, iou_from_l1, sentence_ious

LAYERS, HEADS = 30, 9
SAMPLE = 2000  # pairs of the loop that are timed


def random_maps(rng: np.random.Generator, count: int, n: int) -> np.ndarray:
    """Row-stochastic causal maps, float32 [map, query, key]."""
    weights = np.tril(rng.random((count, n, n), np.float32) ** 8)
    scaled: np.ndarray = weights / weights.sum(-1, keepdims=True)
    return scaled


def loop_seconds(programs: np.ndarray, heads: np.ndarray) -> float:
    """Seconds a pair for the plain numpy IoU."""
    pairs = [(i % len(programs), i % len(heads)) for i in range(SAMPLE)]
    started = time.perf_counter()
    for program, head in pairs:
        a, b = programs[program], heads[head]
        np.minimum(a, b).sum() / np.maximum(a, b).sum()
    return (time.perf_counter() - started) / SAMPLE


def limit_operations(cells: int = 2**15, repeats: int = 2000) -> float:
    """|a - b| summed over rows that stay in the cache, in operations a second: what the machine gives."""
    a, b = torch.rand(2, cells), torch.rand(2, cells)
    torch.cdist(a, b, p=1)
    started = time.perf_counter()
    for _ in range(repeats):
        torch.cdist(a, b, p=1)
    return 4 * cells * repeats / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=500)
    parser.add_argument("--sentences", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=50)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    n, names = given.tokens, tuple(f"s{row}" for row in range(given.sentences))
    query, key = np.tril_indices(n)
    made = random_maps(rng, given.programs, n)
    cells = torch.from_numpy(made[:, query, key].copy())
    produced = Patterns(tuple(map(str, range(given.programs))), names, (cells,) * len(names), {})
    layers = [{name: random_maps(rng, HEADS, n) for name in names} for _ in range(LAYERS)]

    started = time.perf_counter()
    results = [sentence_ious(produced, layer, is_causal=True) for layer in layers]
    seconds = time.perf_counter() - started

    pairs = given.programs * LAYERS * HEADS * given.sentences
    operations = pairs * cell_count(n, True)
    loop = loop_seconds(made, layers[0][names[0]]) * pairs
    a, b = made[3], layers[2][names[1]][4]
    expected = np.minimum(a, b).sum() / np.maximum(a, b).sum()
    assert abs(results[2][3, 4, 1] - expected) < 1e-4
    assert abs(iou_from_l1(np.abs(a - b).sum(), n) - expected) < 1e-4
    print(f"torch threads          {torch.get_num_threads()}")
    print(f"scoring                {seconds:8.2f} s for {pairs:,} pairs of {n} tokens")
    limit = limit_operations() / 1e9
    print(f"L1 operations          {operations / seconds / 1e9:8.2f} G/s, limit {limit:.2f} G/s")
    print(f"numpy loop             {loop:8.1f} s (scaled from {SAMPLE} pairs)")
    print(f"ratio                  {loop / seconds:8.0f} x (wanted: 100)")


if __name__ == "__main__":
    main()
