"""What fitting constants costs: all heads of a model with a program of 8 constants, on training sentences.

    python -m tests.benchmarks.fitting [--workspace workspace] [--sentences 80] [--pairs 2]

Wanted: at most 60 s for 270 heads on 80 sentences. Only the workspace's Parquet files are read, and before
any clock starts. The general path fits a few of the pairs one by one through the evaluator; its time for
all of them is that, scaled.
"""

from __future__ import annotations

import core  # noqa: F401  (before torch: it lets waiting threads sleep)

# isort: split
import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from core.corpus import load_corpus
from core.features import Features
from core.language import Looks, ParsedProgram, parse
from core.language.tensor.evaluator import Evaluator
from core.language.tune.descent import STEPS, Fitted, _Fit, _fitted, _general, _written, tune
from core.language.tune.literals import literals
from core.store import AttentionReader, TokenStore
from core.types import Split

SECONDS_WANTED = 60
PROGRAM = '''def attend(q, k):
    """Rests on the first token; else the token itself, its neighbours, repeated words, its sentence."""
    weight = 1.0
    if k.is_first:
        weight *= 24
    if k == q:
        weight *= 4
    if k == q.prev:
        weight *= 4
    if k.lower == q.lower and k != q:
        weight *= 4
    if k.prev.lower == q.lower and k != q:  # induction
        weight *= 8
    if k.is_punct:
        weight *= 2
    if k.sentence == q.sentence:
        weight *= 2
    weight *= 0.9 ** (q.index - k.index)
    return weight
'''


SUM = '''def attend(q, k):
    """Rests on the first token; else the token itself, repeated words, what is near."""
    weight = 0.02
    if k.is_first:
        weight += 0.6
    if k == q:
        weight += 0.2
    if k.lower == q.lower and k != q:
        weight += 0.2
    if k.is_punct:
        weight += 0.1
    weight += 0.5 * 0.8 ** (q.index - k.index)
    return weight
'''


LOOKS = '''def attend(q, k):
    """Follows three heads; rests on the first token."""
    weight = 1.0
    if k.is_first:
        weight *= 8
    weight *= (look("L0H0", q, k) + 0.002) ** 0.4
    weight *= (look("L0H1", q, k) + 0.002) ** 0.2
    if k.is_punct:
        weight *= (look("L1H0", q, k) + 0.002) ** -0.3
    if k == q:
        weight *= table(q.pos, {"NOUN": 2, "VERB": 3}, 1)
    weight *= 0.97 ** (q.index - k.index)
    return weight
'''


def main() -> None:
    options = _options()
    features, maps, looks = _training(options.workspace, options.sentences)
    cells = int((features.lengths * (features.lengths + 1) // 2).sum())
    print(
        f"{len(maps)} heads x {len(features)} sentences ({cells:,} pairs of tokens), "
        f"{STEPS} steps, {torch.get_num_threads()} threads"
    )
    _compare("product", parse(PROGRAM), features, maps, options.pairs)
    _compare("sum", parse(SUM), features, maps[:: options.every], options.pairs)
    _compare("product that looks", parse(LOOKS), features, maps[-1:], 1, looks)


def _compare(
    title: str,
    program: ParsedProgram,
    features: Features,
    maps: list[torch.Tensor],
    pairs: int,
    looks: Looks | None = None,
) -> None:
    """All heads together, beside a few of them one by one through the evaluator."""
    print(f"\n{title} of {len(literals(program))} constants, {len(maps)} heads")
    seconds, fitted = _timed(lambda: tune([(program, target) for target in maps], features, looks=looks))
    print(f"together      {seconds:7.1f} s  (wanted: at most {SECONDS_WANTED} s for a product of 8)")
    print(
        f"mean IoU      {_mean(fitted, 'before'):.3f} before, {_mean(fitted, 'after'):.3f} after", flush=True
    )
    few = np.linspace(0, len(maps) - 1, pairs).astype(int)
    alone, single = _timed(lambda: [_one_by_one(program, maps[at], features, looks) for at in few])
    scaled = alone / len(few) * len(maps)
    print(f"one by one    {scaled:7.1f} s  ({len(few)} pairs measured, scaled to {len(maps)})")
    difference = max(abs(single[i].after - fitted[at].after) for i, at in enumerate(few))
    print(f"ratio {scaled / seconds:.0f}; IoU differs by at most {difference:.4f}")


def _one_by_one(
    program: ParsedProgram, target: torch.Tensor, features: Features, looks: Looks | None
) -> Fitted:
    parts = [list(range(len(features)))]
    fit = _Fit(program, target, literals(program))
    loss = _general([fit], [Evaluator(features, looks=looks)], parts)
    return _written(fit, _fitted([fit], loss, STEPS)[0])


def _training(workspace: Path, limit: int) -> tuple[Features, list[torch.Tensor], Looks]:
    """The first training sentences of the bundled corpus, each head's padded maps, what is looked at."""
    folder = next(path.parent for path in sorted(workspace.glob("attention/*/tokens.parquet")))
    stored = TokenStore(folder).sentences()
    train = [s.id for s in load_corpus().sentences if s.split == Split.TRAIN and s.id in stored][:limit]
    features = TokenStore(folder).read(train)
    reader = AttentionReader(folder).restricted(train)
    size = int(features.lengths.max())
    maps: list[torch.Tensor] = []
    for layer in range(len(list(folder.glob("layer=*.parquet")))):
        found = reader.layer(layer)
        heads = next(iter(found.values())).shape[0]
        padded = torch.zeros(heads, len(train), size, size, dtype=torch.float16)
        for row, sentence in enumerate(train):
            n = found[sentence].shape[-1]
            padded[:, row, :n, :n] = torch.from_numpy(found[sentence])
        maps.extend(padded)
    return features, maps, reader.looks(train)


def _timed(work: Callable[[], list[Fitted]]) -> tuple[float, list[Fitted]]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _mean(fitted: Sequence[Fitted], name: str) -> float:
    return float(np.mean([getattr(one, name) for one in fitted]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--sentences", type=int, default=80)
    parser.add_argument("--pairs", type=int, default=2, help="pairs that are fitted one by one")
    parser.add_argument("--every", type=int, default=9, help="of the heads for the sum: every so many")
    return parser.parse_args()


if __name__ == "__main__":
    main()
