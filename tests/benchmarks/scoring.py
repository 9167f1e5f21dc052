"""Scoring speed: all programs x all heads x all sentences against one numpy IoU a pair.

`python -m tests.benchmarks.scoring` prints seconds, L1 operations a second, the machine's measured limit
for such a kernel, and the ratio to the loop, which is measured on a sample and scaled.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit

from core.maps import _compiled, cell_count, iou_of, places
from core.scoring import ProgramMaps, sentence_ious

LAYERS, HEADS = 30, 9
SAMPLE = 8000  # pairs of the loop that are timed


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


l1 = _compiled()


@njit(nogil=True)
def _again_and_again(a: np.ndarray, b: np.ndarray, out: np.ndarray, repeats: int) -> None:
    for _ in range(repeats):
        l1(a, b, out)


def limit_operations(rows: int = 8, cells: int = 256, repeats: int = 100_000) -> float:
    """The same loop over 16 KB that never leave the nearest cache, on all cores, in operations a second."""
    rng, cores = np.random.default_rng(0), os.cpu_count() or 1
    held = [rng.random((2, rows, cells), np.float32) for _ in range(cores)]
    out = np.zeros((cores, rows, rows), np.float32)
    _again_and_again(*held[0], out[0], 1)
    started = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(lambda at: _again_and_again(*held[at], out[at], repeats), range(cores)))
    return cores * rows**2 * cells * repeats / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=500)
    parser.add_argument("--sentences", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=50)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    n, names = given.tokens, tuple(f"s{row}" for row in range(given.sentences))
    query, key = places(n, is_causal=True)
    made = random_maps(rng, given.programs, n)
    cells = torch.from_numpy(made[:, query, key].copy())
    produced = ProgramMaps(tuple(map(str, range(given.programs))), names, (cells,) * len(names), {}, True)
    layers = [{name: random_maps(rng, HEADS, n) for name in names} for _ in range(LAYERS)]

    sentence_ious(produced, layers[0])  # compiles
    started = time.perf_counter()
    results = [sentence_ious(produced, layer) for layer in layers]
    seconds = time.perf_counter() - started

    pairs = given.programs * LAYERS * HEADS * given.sentences
    operations = pairs * cell_count(n, True)
    loop = loop_seconds(made, layers[0][names[0]]) * pairs
    a, b = made[3], layers[2][names[1]][4]
    expected = np.minimum(a, b).sum() / np.maximum(a, b).sum()
    assert abs(results[2][3, 4, 1] - expected) < 1e-4
    assert abs(iou_of(a, b) - expected) < 1e-4
    print(f"cores                  {os.cpu_count()}")
    print(f"scoring                {seconds:8.2f} s for {pairs:,} pairs of {n} tokens")
    limit = limit_operations() / 1e9
    print(f"L1 operations          {operations / seconds / 1e9:8.2f} G/s, limit {limit:.2f} G/s")
    print(f"numpy loop             {loop:8.1f} s (scaled from {SAMPLE} pairs)")
    print(f"ratio                  {loop / seconds:8.0f} x (wanted: 100)")


if __name__ == "__main__":
    main()
