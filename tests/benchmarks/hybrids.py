"""What hybrids of a model cost: the table by share of heads, and how fast they run.

    python -m tests.benchmarks.hybrids --workspace DIR --passages FILE [--shares 0.1,0.25,0.5,1]

Programs are the workspace's best on validation, or `--programs resolved` or `text` (for the published
table: `extract --corpus FILE --limit 400`, then `synthesize`). FILE is divided by the same hash as every
corpus: heads are ordered on its validation passages, constants calibrated on its train passages and chosen
on validation, figures are of test passages of at most 96 tokens (`--longest`), 100 of them (`--most`), drawn
with a fixed seed. `--only-cost`: no other order than by cost, no controls, no speed.
"""

from __future__ import annotations

import core  # noqa: F401  (before torch: it lets waiting threads sleep)

# isort: split
import argparse
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.audit.control_patterns import controls
from core.corpus import load_corpus
from core.features import Features, annotate
from core.hybrid import Hybrid, ProgramPatterns, hybrid, replaced
from core.hybrid.calibrate import STEPS, calibrate
from core.hybrid.costs import measured_costs, scores
from core.hybrid.order import estimated_kl, measured_kl, ranked
from core.hybrid.perplexity import BATCH_TOKENS, Variant, evaluation, measure
from core.jobs.work.calibrate import TRAIN_PASSAGES
from core.language import ParsedProgram, parse
from core.maps import like_batches
from core.models.pretrained import LoadedModel, load
from core.scoring.ranks import rank_correlation
from core.store import Workspace
from core.types import HeadId, HybridSpec, Split

COST_PASSAGES, MEASURED_PASSAGES = 120, 6
DONORS, VALIDATION_PASSAGES = 160, 24
SPEED_PASSAGES, ROUNDS = 24, 5


def main() -> None:
    options = _options()
    workspace = Workspace.open(options.workspace)
    info = workspace.models.all()[0]
    sources = workspace.replacements.sources(info.id, options.programs)
    fits = workspace.replacements.fits(info.id, sources)
    workspace.close()
    programs = {head: parse(source) for head, source in sources.items()}
    loaded = load(info.name, options.models, options.device)
    passages = _passages(loaded, options)
    if options.peak is not None:
        _print_peak(
            loaded, programs, ranked(list(programs), "iou", {}, fits, 0), passages[Split.TEST], options
        )
        return
    print(f"{info.title}: {len(programs)} programs, {len(passages[Split.TEST])} test passages", flush=True)
    if not options.only_speed:
        costs = _print_costs(loaded, programs, passages[Split.VALIDATION], options.measured)
        names = ("cost",) if options.only_cost else ("cost", "iou", "random")
        orders = {name: ranked(list(programs), name, costs, fits, 0) for name in names}
        _print_table(loaded, programs, orders, passages, options)
    if options.only_cost:
        return
    _print_speed(loaded, programs, ranked(list(programs), "iou", {}, fits, 0), passages[Split.TEST])
    _print_memory()


def _passages(loaded: LoadedModel, options: argparse.Namespace) -> dict[Split, Features]:
    corpus = load_corpus(str(options.passages))
    found = {}
    for split in Split:
        features = annotate(list(corpus.of(split)), loaded.tokenizer, loaded.embeddings())
        found[split] = features.select(
            [row for row, n in enumerate(features.lengths) if 2 <= n <= options.longest]
        )
    found[Split.TEST] = found[Split.TEST].select(_drawn(found[Split.TEST], options.most))
    return found


def _drawn(features: Features, count: int, start: int = 0) -> list[int]:
    order = np.random.default_rng(0).permutation(len(features))
    return sorted(int(row) for row in order[start : start + count])


def _print_costs(
    loaded: LoadedModel, programs: dict[HeadId, ParsedProgram], validation: Features, measured: int
) -> dict[HeadId, float]:
    source = ProgramPatterns(programs, True, loaded.device)
    rows = _drawn(validation, COST_PASSAGES)
    started = time.perf_counter()
    found = scores(loaded, source, validation, rows)
    seconds = time.perf_counter() - started
    half = np.arange(len(rows)) % 2 == 0
    agreement = rank_correlation(estimated_kl(found, half), estimated_kl(found, ~half))
    costs = estimated_kl(found)
    print(f"\ncosts estimated from {len(rows)} passages: {seconds:.0f} s   (wanted: 300 for 270 heads)")
    print(f"  two halves order the heads alike: rank correlation {agreement:.2f}")
    if measured:
        started = time.perf_counter()
        rows = _drawn(validation, measured, COST_PASSAGES)
        alone = measured_costs(loaded, source, validation, rows)
        seconds = time.perf_counter() - started
        exact = measured_kl(alone)
        half = np.arange(len(rows)) % 2 == 0
        losses = [
            dict(zip(alone.heads, alone.loss[part].sum(0) / alone.tokens[part].sum(), strict=True))
            for part in (half, ~half)
        ]
        print(f"costs measured head by head on {len(rows)} other passages: {seconds:.0f} s")
        print(
            f"  as KL:   halves {rank_correlation(measured_kl(alone, half), measured_kl(alone, ~half)):.2f}"
        )
        print(f"  as loss: halves {rank_correlation(*losses):.2f}")
        print(f"  estimated against measured KL: {rank_correlation(costs, exact):.2f}")
    return costs


def _print_table(
    loaded: LoadedModel,
    programs: dict[HeadId, ParsedProgram],
    orders: dict[str, list[HeadId]],
    passages: dict[Split, Features],
    options: argparse.Namespace,
) -> None:
    test = passages[Split.TEST]
    total = loaded.info.layers * loaded.info.heads
    shares = [float(share) for share in options.shares.split(",")]
    plain = ProgramPatterns(programs, True, loaded.device)
    donors = passages[Split.TRAIN].select(_drawn(passages[Split.TRAIN], DONORS))
    names, variants = [], []
    for share in shares:
        count = round(share * total)
        for order, heads in orders.items():
            names.append((share, f"by {order}"))
            variants.append(Variant(plain, frozenset(heads[:count])))
        names.append((share, "by cost, calibrated"))
        variants.append(_calibrated(loaded, programs, orders["cost"][:count], passages, options.steps))
    beside = {} if options.only_cost else controls(loaded, orders["cost"], donors)
    for name, control in beside.items():
        for share in shares[:3]:
            names.append((share, f"control: {name}"))
            variants.append(Variant(control, frozenset(orders["cost"][: round(share * total)])))
    losses = measure(loaded, variants, test)
    print(f"\n{'share':>6}  {'heads of the model':<24}{'increase':>10}{'95 % interval':>22}{'KL':>8}")
    for at, (share, name) in sorted(enumerate(names), key=lambda item: item[1][0]):
        found = evaluation(losses, at)
        interval = f"[{found.increase.low:+.1%}, {found.increase.high:+.1%}]"
        print(f"{share:>6.0%}  {name:<24}{found.increase.value:>+10.1%}{interval:>22}{found.kl.value:>8.3f}")
    print(f"{len(losses.rows)} tokens; unmodified perplexity {evaluation(losses).base_ppl:.2f}", flush=True)


def _calibrated(
    loaded: LoadedModel,
    programs: dict[HeadId, ParsedProgram],
    heads: list[HeadId],
    passages: dict[Split, Features],
    steps: int,
) -> Variant:
    spec = HybridSpec.of(loaded.info.id, ((head, programs[head].source) for head in heads))
    train = passages[Split.TRAIN].select(_drawn(passages[Split.TRAIN], TRAIN_PASSAGES * steps))
    validation = passages[Split.VALIDATION]
    started = time.perf_counter()
    kept = validation.select(_drawn(validation, VALIDATION_PASSAGES))
    found = calibrate(loaded, spec, train, kept, steps)
    seconds = time.perf_counter() - started
    kl = f"KL {found.before:.3f} -> {found.after:.3f} on validation"
    print(f"calibrated {len(heads)} heads: {seconds:.0f} s, {kl}", flush=True)
    written = {head: parse(source) for head, source in found.spec.programs}
    return Variant(ProgramPatterns(written, True, loaded.device), frozenset(written))


def _print_speed(
    loaded: LoadedModel, programs: dict[HeadId, ParsedProgram], order: list[HeadId], test: Features
) -> None:
    """Tokens a second of hybrids beside the unmodified eager model's, on the same batches in turn."""
    total = loaded.info.layers * loaded.info.heads
    features = test.select(_drawn(test, SPEED_PASSAGES))
    tokens = int(features.lengths.sum())
    rows = list(like_batches(features.lengths, range(len(features)), BATCH_TOKENS))
    print(f"\n{tokens} tokens in batches of at most {BATCH_TOKENS}; best of {ROUNDS} rounds in turn")
    empty = ProgramPatterns({}, True, loaded.device)
    for share, wanted in ((0.25, 0.85), (1.0, 0.5)):
        heads = order[: round(share * total)]
        spec = HybridSpec.of(loaded.info.id, ((head, programs[head].source) for head in heads))
        ratios = []
        with replaced(loaded, empty) as plain, hybrid(loaded, spec) as patched:
            for _ in range(ROUNDS):
                base = _seconds(lambda: _run(plain, features, rows, False))
                changed = _seconds(lambda: _run(patched, features, rows, True))
                ratios.append(base / changed)
        speed = statistics.median(ratios)
        print(f"  {share:>4.0%} of heads: {speed:.2f} x the model's tokens per second (wanted: {wanted})")


def _run(patched: Hybrid, features: Features, rows: list[list[int]], replaced: bool) -> None:
    for batch in rows:
        patched.logits(features, batch, replaced)


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _print_memory() -> None:
    """Peak memory while hybrids are evaluated, each in a process of its own, beside the model alone."""
    peaks = {}
    for share in (0.0, 0.25, 1.0):
        command = [sys.executable, "-m", "tests.benchmarks.hybrids", *sys.argv[1:], "--peak", str(share)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        peaks[share] = float(told.split()[-1])
    print(f"  evaluating the model alone: peak memory {peaks[0.0]:.2f} GiB")
    for share in (0.25, 1.0):
        ratio = peaks[share] / peaks[0.0]
        print(f"  {share:>4.0%} of heads: peak memory {ratio:.2f} x the model's (wanted: 1.3)")


def _print_peak(
    loaded: LoadedModel,
    programs: dict[HeadId, ParsedProgram],
    order: list[HeadId],
    test: Features,
    options: argparse.Namespace,
) -> None:
    """GiB at most while the model alone (share 0) or a hybrid is evaluated; loading it does not count."""
    heads = order[: round(options.peak * loaded.info.layers * loaded.info.heads)]
    chosen = {head: programs[head] for head in heads}
    variants = [Variant(ProgramPatterns(chosen, True, loaded.device), frozenset(heads))] if heads else []
    features = test.select(_drawn(test, SPEED_PASSAGES))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    measure(loaded, variants, features)
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM"))  # KiB
    print(peak / 2**20)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--passages", type=Path, required=True)
    parser.add_argument("--shares", default="0.1,0.25,0.5,1")
    parser.add_argument("--programs", choices=("best", "resolved", "text"), default="best")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the calibration")
    parser.add_argument("--longest", type=int, default=96)
    parser.add_argument("--most", type=int, default=100)
    parser.add_argument("--measured", type=int, default=MEASURED_PASSAGES)
    parser.add_argument("--only-speed", action="store_true")
    parser.add_argument("--only-cost", action="store_true")
    parser.add_argument("--peak", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--models", type=Path, default=Path(os.environ.get("HEADSCRIPT_MODELS", "workspace/models"))
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
