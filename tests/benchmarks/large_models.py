"""What a large model takes, by arithmetic from its shape, and beside two random models that are run here.

    python -m tests.benchmarks.large_models [--passages 50000] [--tokens 128] [--measured]

Bytes are those of the cells: half of each causal map, float16, uncompressed. Hours are of one core and of
one GPU at the rates below; the GPU's is a guess. `--measured` runs random models of 2 and 40 layers and the
same width: bytes and seconds beside the arithmetic, and the peak memory of extraction, to be the same.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

GB, HOUR = 1e9, 3600
CORE, GPU = 2.5e10, 1e14  # floating-point operations a second that forward passes reach; a GPU in bfloat16
SEARCH = 2.9  # seconds of a core a head: 395 s on two cores for the demo's 270; no more on a longer corpus


@dataclass(frozen=True)
class Shape:
    """A model's size."""

    name: str
    layers: int
    heads: int
    parameters: float
    width: int


MODELS = (
    Shape("SmolLM2-135M", 30, 9, 1.35e8, 576),
    Shape("Llama-3.2-3B", 28, 24, 3.2e9, 3072),
    Shape("Llama-3.1-8B", 32, 32, 8.0e9, 4096),
    Shape("Llama-3.1-70B", 80, 64, 7.06e10, 8192),
)


@dataclass(frozen=True)
class Need:
    """What a model takes on a corpus of passages of one length."""

    attention: float  # bytes
    chunk: float  # bytes of one layer's maps of one batch, float32: what extraction holds besides the model
    forward: float  # floating-point operations of one pass over all passages
    search: float  # seconds of a core

    @classmethod
    def of(cls, shape: Shape, passages: int, tokens: int) -> Need:
        heads = shape.layers * shape.heads
        batch = max(1, 512 // tokens)
        attending = 4 * shape.layers * shape.width * tokens  # a token's, both products
        return cls(
            attention=2.0 * heads * passages * tokens * (tokens + 1) / 2,
            chunk=4.0 * shape.heads * batch * tokens**2,
            forward=passages * tokens * (2 * shape.parameters + attending),
            search=SEARCH * heads,
        )


def main() -> None:
    options = _options()
    if options.child:
        print(*_extracted(options.child, options.passages, options.tokens))
        return
    print(f"{options.passages:,} passages of {options.tokens} tokens")
    print("| model | heads | attention | a layer's batch | forward, core | GPU | search, core |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for shape in MODELS:
        need = Need.of(shape, options.passages, options.tokens)
        row = (
            shape.name,
            f"{shape.layers * shape.heads:,}",
            f"{need.attention / GB:,.0f} GB",
            f"{need.chunk / 1e6:.0f} MB",
            f"{need.forward / CORE / HOUR:,.0f} h",
            f"{need.forward / GPU / HOUR:.1f} h",
            f"{need.search / HOUR:.1f} h",
        )
        print("|", " | ".join(row), "|")
    if options.measured:
        _compare()


def _compare() -> None:
    """Two random models beside the arithmetic, each extracted in a process of its own."""
    passages, tokens, seconds = 64, 200, []
    for layers in (2, 40):
        command = [sys.executable, "-m", "tests.benchmarks.large_models", "--child", str(layers)]
        command += ["--passages", str(passages), "--tokens", str(tokens)]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        peak, written, took, parameters = map(float, told)
        need = Need.of(Shape("random", layers, _HEADS, parameters, _WIDTH), passages, tokens)
        seconds.append(took)
        print(
            f"{layers:3} layers: {written / 1e6:6.1f} MB written, {need.attention / 1e6:6.1f} MB of cells; "
            f"{took:5.1f} s, by arithmetic {need.forward / CORE:4.1f} s of forward passes; "
            f"peak {peak:.0f} MB above the model"
        )


_HEADS, _WIDTH = 8, 256


def _extracted(layers: int, passages: int, tokens: int) -> tuple[float, int, float, int]:
    """Peak MB above the loaded model, bytes written, seconds, parameters."""
    import transformers

    from core.corpus import Corpus, from_passages
    from core.jobs.folder import EventWriter, Job, JobFolder
    from core.jobs.place import Place
    from core.jobs.tasks import ExtractTask
    from core.jobs.work.extract import annotate_and_extract
    from core.models.pretrained import load
    from tests import tiny
    from tests.benchmarks.extraction import _peak_reset, _status

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = transformers.LlamaConfig(
            vocab_size=tiny.VOCABULARY,
            hidden_size=_WIDTH,
            num_hidden_layers=layers,
            num_attention_heads=_HEADS,
            intermediate_size=2 * _WIDTH,
            max_position_embeddings=512,
        )
        transformers.LlamaForCausalLM(config).save_pretrained(folder / "model")
        tiny.tokenizer().save_pretrained(folder / "model")
        loaded = load(str(folder / "model"), device="cpu")
        text = "The fox said to Anna that it was late. " * tokens
        cut = loaded.tokenizer.decode(loaded.tokenizer(text)["input_ids"][:tokens])
        corpus = Corpus(
            "same", from_passages("same", [(f"{at} {cut}", "") for at in range(passages)]).sentences
        )
        place, task = Place(folder, folder, "cpu", "none"), ExtractTask("model", "same")
        job = JobFolder.create(folder / "jobs", "extract", place, task)
        start, before = time.perf_counter(), _status("VmRSS")
        with _peak_reset(), EventWriter(job) as events:
            annotate_and_extract(Job(job, place, task, events), loaded, corpus)
        took, peak = time.perf_counter() - start, (_status("VmHWM") - before) / 1024
        written = sum(path.stat().st_size for path in folder.glob("attention/*/layer=*.parquet"))
        return peak, written, took, sum(one.numel() for one in loaded.model.parameters())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--measured", action="store_true")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
