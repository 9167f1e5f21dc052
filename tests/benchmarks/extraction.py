"""What extraction costs: its time beside bare forward passes, and its memory on 100 and on 1,000 passages.

    python -m tests.benchmarks.extraction [--model demo] [--models workspace/models] [--corpus FILE]
        [--memory-corpus FILE]

Wanted: at most 1.3 times the bare passes; at most 100 MB more on 1,000 passages than on 100. Annotation is
done before any clock starts; extraction includes writing the Parquet files. Memory is the peak resident
set of a fresh process (Linux only), counted from after the model is loaded.
"""

from __future__ import annotations

import os

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before torch; spinning threads spoil times on a busy machine

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from core.corpus import load_corpus
from core.features import Features, annotate
from core.maps import like_batches
from core.models.attention import BATCH_TOKENS, MAP_BUDGET, extract, padded_ids, without_cache
from core.models.pretrained import LoadedModel, load
from core.store import AttentionWriter, TokenStore
from core.store.attention import CHUNK_SENTENCES

RATIO_WANTED, GROWTH_WANTED = 1.3, 100
PASSAGES = (100, 1000)


def main() -> None:
    options = _options()
    if options.measure is not None:
        print(_peak_megabytes(options.model, options.models, options.measure, options.sizes[0]))
        return
    with tempfile.TemporaryDirectory() as name:
        compare_times(options, Path(name))
        compare_memory(options, Path(name))


def compare_times(options: argparse.Namespace, folder: Path) -> None:
    """Print extraction time over the time of the bare passes, batched and one by one."""
    loaded = load(options.model, options.models, options.device)
    features = _annotated(loaded, options.corpus, options.limit)
    tokens = len(features.token_ids)
    print(f"{loaded.info.title} on {loaded.device}: {len(features)} passages, {tokens} tokens", flush=True)
    order = sorted(range(len(features)), key=lambda row: int(features.lengths[row]))
    groups = [order[at : at + CHUNK_SENTENCES] for at in range(0, len(order), CHUNK_SENTENCES)]
    _forward(loaded, features, [groups[0]])  # the first pass pays for allocations that later ones reuse

    # The three take turns on a few passages, and the best round of each counts: whatever else the machine
    # does then disturbs all three alike.
    rounds = [_time_groups(loaded, features, groups, folder / f"{at}") for at in range(options.rounds)]
    bare, one_by_one, extraction = np.min(rounds, axis=0).sum(axis=1)
    print(f"bare forward passes, same batches      {bare:7.1f} s")
    print(f"bare forward passes, one passage each  {one_by_one:7.1f} s")
    print(f"extraction, files written              {extraction:7.1f} s  (best of {options.rounds} each)")
    print(f"ratio to the same batches   {extraction / bare:.2f}  (wanted: at most {RATIO_WANTED})")
    print(f"ratio to one passage each   {extraction / one_by_one:.2f}", flush=True)


def _time_groups(
    loaded: LoadedModel, features: Features, groups: Sequence[list[int]], folder: Path
) -> list[list[float]]:
    """Seconds of each group, then of merging: bare batches, bare single passages, extraction."""
    writer = AttentionWriter(folder, loaded.info.attention_layers, loaded.info.is_causal)
    heads = loaded.info.layers * loaded.info.heads
    bare, single, extraction = [], [], []
    for rows in groups:
        batched = list(like_batches(features.lengths, rows, BATCH_TOKENS, MAP_BUDGET // heads))
        bare.append(_seconds(_forward, loaded, features, batched))
        single.append(_seconds(_forward, loaded, features, [[row] for row in rows]))
        extraction.append(_seconds(list, writer.write(extract(loaded, features, rows))))
    return [[*bare, 0.0], [*single, 0.0], [*extraction, _seconds(writer.finish)]]


def compare_memory(options: argparse.Namespace, folder: Path) -> None:
    """Print the peak memory of extracting fewer and more passages, each in a process of its own."""
    loaded = load(options.model, options.models, options.device)
    tokens = options.cut if options.cut else loaded.info.max_length
    corpus = options.memory_corpus or options.corpus
    features = _annotated(loaded, corpus, max(options.sizes), tokens)
    if len(features) < max(options.sizes):
        print(f"memory: not measured; {corpus} holds {len(features)} passages, give --memory-corpus FILE")
        return
    if features.truncated:
        print(f"memory: {features.truncated} of {len(features)} passages cut to {tokens} tokens", flush=True)
    del loaded
    peaks = []
    for size in options.sizes:
        store = folder / f"memory{size}"
        # Evenly spaced, so that both sizes have the same lengths.
        rows = range(0, len(features), max(1, len(features) // size))
        TokenStore(store).add(features.select(list(rows)[:size]))
        command = [sys.executable, "-m", "tests.benchmarks.extraction", "--measure", str(store)]
        command += ["--model", options.model, "--models", str(options.models), "--device", options.device]
        result = subprocess.run(
            [*command, "--sizes", str(size)], stdout=subprocess.PIPE, text=True, check=True
        )
        peaks.append(float(result.stdout))
        stored = len(TokenStore(store).sentences())
        print(f"peak memory of extracting {stored:5} passages  {peaks[-1]:7.0f} MB", flush=True)
    print(f"difference {peaks[-1] - peaks[0]:.0f} MB  (wanted: less than {GROWTH_WANTED})")


def _annotated(
    loaded: LoadedModel, corpus: str, limit: int | None = None, max_length: int | None = None
) -> Features:
    sentences = load_corpus(corpus, limit).sentences
    tokens = min(max_length or loaded.info.max_length, loaded.info.max_length)
    return annotate(sentences, loaded.tokenizer, loaded.embeddings(), tokens)


def _forward(loaded: LoadedModel, features: Features, groups: Sequence[Sequence[int]]) -> None:
    """The passes that extraction makes, their attention thrown away."""
    for rows in groups:
        ids, mask = padded_ids(features, rows, loaded.device)
        with torch.inference_mode():
            loaded.model.base_model(
                input_ids=ids, attention_mask=mask, output_attentions=True, **without_cache(loaded)
            )
        if loaded.device.type == "cuda":
            torch.cuda.synchronize()


def _extract(loaded: LoadedModel, features: Features, folder: Path) -> None:
    writer = AttentionWriter(folder, loaded.info.attention_layers, loaded.info.is_causal)
    for _ in writer.write(extract(loaded, features, range(len(features)))):
        pass
    writer.finish()


def _peak_megabytes(model: str, models: Path, store: Path, passages: int) -> float:
    loaded = load(model, models, "cpu")
    features = TokenStore(store).read()
    assert len(features) == passages, (len(features), passages)
    with _peak_reset():
        _extract(loaded, features, store)
    return _status("VmHWM") / 1024


@contextmanager
def _peak_reset() -> Iterator[None]:
    """Forget the peak so far: loading a model may have needed more than extraction does."""
    Path("/proc/self/clear_refs").write_text("5")
    yield


def _status(field: str) -> int:
    """A field of this process's status in kB. `ru_maxrss` would include the parent's peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def _seconds(work: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="demo")
    parser.add_argument("--models", type=Path, default=Path("workspace/models"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--corpus", default="bundled", help="for the times")
    parser.add_argument("--memory-corpus", help="for memory; --corpus if not given")
    parser.add_argument("--limit", type=int, help="passages of the time runs; all if not given")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(PASSAGES))
    parser.add_argument("--cut", type=int, default=40, help="tokens of a passage in the memory runs; 0: all")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
