"""A workspace of the size that the app has to stay quick on, made up: no model, random attention.

    python -m tests.benchmarks.big_workspace FOLDER [--layers 40] [--heads 25] [--programs 5000]
        [--sentences 200]

Every program is scored on every head and split (15 million scores at the defaults, 0.3 GB), attention is
random (0.5 GB). Takes about two minutes. `tests/benchmarks/review.py` measures the app on it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.corpus import load_corpus
from core.features import Features, annotate
from core.scoring import BASELINES
from core.store import AttentionWriter, Workspace, attention_folder
from core.store.library import add_program
from core.store.models import add_model, add_sentences
from core.types import ModelInfo, SentenceAttention
from tests import tiny

_RULES = (
    "if k.is_first:", "if k == q.prev:", 'if k.pos == "NOUN":', "if k.lower == q.lower and k != q:",
    "if q.is_punct and k.is_punct:", "if k.is_title:", 'if q.pos == "VERB":', "if k.index * 2 < q.index:",
)  # fmt: skip

# Fits that fall off quickly from a few good programs a head, alike on all splits.
_SCORES = """
INSERT INTO scores
SELECT $model, program_id, layer, head, split, iou, iou - 0.02, iou + 0.02, NULL, 50, 0
FROM (
    SELECT program_id, layer, head, split,
           0.75 * pow((hash(program_id, layer, head) % 10000) / 10000, 3)
           + 0.02 * (hash(program_id, layer, head, split) % 1000) / 1000 AS iou
    FROM range($first, $first + 1) a(layer), programs, range($heads) b(head),
         (VALUES ('train'), ('validation'), ('test')) c(split)
)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=40)
    parser.add_argument("--heads", type=int, default=25)
    parser.add_argument("--programs", type=int, default=5000)
    parser.add_argument("--sentences", type=int, default=200)
    given = parser.parse_args()
    build(given.folder, given.layers, given.heads, given.programs, given.sentences)


def build(folder: Path, layers: int, heads: int, programs: int, sentences: int) -> None:
    """Make the workspace; the folder must not exist."""
    info = ModelInfo("Made-up-00000000", "made-up", "llama", layers, heads, True, 10**9, 2048)
    corpus = load_corpus()
    chosen = corpus.sentences[:sentences]
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(tiny.VOCABULARY, 32)).astype(np.float32)
    features = annotate(chosen, tiny.tokenizer(), embeddings)
    workspace = Workspace.open(folder)
    workspace.tokens(info.id).add(features)
    writer = AttentionWriter(attention_folder(folder, info.id), range(layers), is_causal=True)
    for _ in writer.write(_attention(features, layers, heads, rng)):
        pass
    writer.finish()
    with workspace.database.transaction() as cursor:
        add_model(cursor, info)
        add_sentences(cursor, info.id, "bundled", chosen)
        for source in BASELINES.values():
            add_program(cursor, source, "baseline")
        for number in range(programs - len(BASELINES)):
            add_program(cursor, _program(number, rng), "search")
    for layer in range(layers):
        with workspace.database.transaction() as cursor:
            cursor.execute(_SCORES, {"model": info.id, "first": layer, "heads": heads})
    workspace.close()


def _attention(
    features: Features, layers: int, heads: int, rng: np.random.Generator
) -> Iterator[SentenceAttention]:
    """Random attention that favours the past near and first tokens."""
    for row, sentence in enumerate(features.sentences):
        n = int(features.lengths[row])
        weights = rng.random((layers, heads, n, n), np.float32) ** 8
        weights[..., 0] += 0.5
        weights *= np.tri(n, dtype=np.float32)
        weights /= weights.sum(-1, keepdims=True)
        yield SentenceAttention(sentence, weights.astype(np.float16))


def _program(number: int, rng: np.random.Generator) -> str:
    """A program of three to eight rules; the number makes it the only one of its kind."""
    rules = rng.choice(len(_RULES), size=rng.integers(3, 9), replace=False)
    lines = ["def attend(q, k):", f'    """Made-up program number {number}."""', f"    weight = {1 + number}"]
    for rule in rules:
        lines += [f"    {_RULES[rule]}", f"        weight *= {rng.uniform(0.2, 20):.2g}"]
    return "\n".join([*lines, "    return weight", ""])


if __name__ == "__main__":
    main()
