"""What the search reaches and costs on a model's heads, beside the best baseline of each head.

    python -m tests.benchmarks.search [--workspace DIR] [--model M] [--rules 12,24] [--look none] [--long F]

Only a workspace's sentences and Parquet files are read. Programs are found on train and validation, the best
of the library is chosen on validation, and figures are of test. `--long` names passages of which those of 50
to 120 tokens are read by the model afresh: how programs fare on texts longer than those they come from.
"""

from __future__ import annotations

import core  # noqa: F401  (before torch: it lets waiting threads sleep)

# isort: split
import argparse
import resource
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.corpus import load_corpus
from core.features import Features
from core.language import ParsedProgram, parse
from core.proposers import SearchLimits
from core.proposers.search.limits import LOOKS
from core.proposers.search.propose import prepare_search
from core.scoring import BASELINES, Resolved, program_maps, sentence_ious
from core.store import Workspace
from core.store.attention import AttentionReader
from core.store.tokens import TokenStore
from core.types import HeadId, ModelInfo, Split

LONG = range(50, 121)  # tokens
LONG_PASSAGES = 60
LEAST_GAINS = {24: 0.001}  # more rules are only worth having if each may be worth less
Programs = dict[int, list[ParsedProgram]]  # layer -> a program for each head


def main() -> None:
    options = _options()
    workspace = Workspace.open(options.workspace)
    models = workspace.models.all()
    info = next(model for model in models if options.model in (None, model.title, model.name))
    sentences = workspace.models.sentences(info.id)
    reader = workspace.attention(info.id)
    workspace.close()
    tokens = TokenStore(reader.folder)
    features = {split: tokens.read([s.id for s in sentences if s.split == split]) for split in Split}
    genres = np.array([s.genre for s in sentences if s.split == Split.TEST])
    print(f"{info.title}: {info.layers} x {info.heads} heads, {len(sentences)} passages")
    for rules in map(int, options.rules.split(",")):
        limits = SearchLimits(rules, LEAST_GAINS.get(rules, SearchLimits().least_gain), options.look)
        started = time.perf_counter()
        chooser = reader.restricted({s.id for s in sentences if s.split != Split.TEST})
        splits = features[Split.TRAIN], features[Split.VALIDATION]
        search = prepare_search(*splits, info.is_causal, limits, read=chooser.layer)
        found = dict(search.over_layers({layer: range(info.heads) for layer in range(info.layers)}))
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"\nat most {rules} rules, each worth {limits.least_gain} IoU")
        print(f"  time             {seconds:8.0f} s   (wanted: 360 for 270 heads)")
        print(f"  peak memory      {peak:8.1f} GB  (wanted: 6)")
        _report(found, features, reader, genres, info)
        if options.long:
            _report_long(found, options.long, options.models, info)


def _report(
    found: Programs,
    features: Mapping[Split, Features],
    reader: AttentionReader,
    genres: np.ndarray,
    info: ModelInfo,
) -> None:
    baselines = [parse(source) for source in BASELINES.values()]
    library = list({p.id: p for p in [*baselines, *(p for row in found.values() for p in row)]}.values())
    produced = {
        split: program_maps(
            library, features[split], info.is_causal, looks=reader.looks(features[split].sentences)
        )
        for split in (Split.VALIDATION, Split.TEST)
    }
    place = {program.id: at for at, program in enumerate(library)}
    own, best, baseline, by_genre, borrowed = [], [], [], [], 0
    chosen: dict[HeadId, ParsedProgram] = {}
    for layer, programs in found.items():
        maps = reader.layer(layer)
        validation = sentence_ious(produced[Split.VALIDATION], maps).mean(-1)
        test = sentence_ious(produced[Split.TEST], maps)
        for head, program in enumerate(programs):
            one = HeadId(layer, head)
            may = [at for at, p in enumerate(library) if not p.looks or p.may_stand_for(one)]
            winner = max(may, key=lambda at: validation[at, head])
            chosen[one] = library[winner]
            borrowed += library[winner].id != program.id
            own.append(float(test[place[program.id], head].mean()))
            best.append(float(test[winner, head].mean()))
            baseline.append(max(float(test[place[b.id], head].mean()) for b in baselines))
            by_genre.append(test[winner, head])
    resolved = Resolved(chosen, features[Split.TEST], info.is_causal)
    alone = []
    for layer in found:
        maps = reader.restricted(features[Split.TEST].sentences).layer(layer)
        heads = [head for head in chosen if head.layer == layer]
        alone += [float(sentence_ious(resolved.produced(head), maps)[0, head.head].mean()) for head in heads]
    rules = [program.source.count("weight *=") for row in found.values() for program in row]
    lifts = np.array(best) - np.array(baseline)
    print(f"  rules            {statistics.fmean(rules):8.1f}     at most {max(rules)}")
    print(f"  best baseline    {statistics.fmean(baseline):8.3f}")
    print(f"  own program      {statistics.fmean(own):8.3f}     median {statistics.median(own):.3f}")
    share, ratio = borrowed / len(own), statistics.fmean(best) / statistics.fmean(baseline)
    positive = (lifts > 0).mean()
    print(f"  best of library  {statistics.fmean(best):8.3f}     another head's wins on {share:.0%}")
    print(f"  resolved         {statistics.fmean(alone):8.3f}     {_looking(chosen):.0%} look at other heads")
    print(f"  ratio            {ratio:8.2f} x the best baseline's")
    print(f"  lift             {lifts.mean():8.3f}     positive on {positive:.1%} (wanted: 0.12, 95%)")
    scores = np.stack(by_genre)
    means = ", ".join(f"{genre} {scores[:, genres == genre].mean():.3f}" for genre in sorted(set(genres)))
    print(f"  by genre         {means}")


def _looking(chosen: Mapping[HeadId, ParsedProgram]) -> float:
    return statistics.fmean(bool(program.looks) for program in chosen.values())


def _report_long(found: Programs, path: Path, models: Path, info: ModelInfo) -> None:
    from core.features import annotate
    from core.models.attention import extract
    from core.models.pretrained import load

    loaded = load(info.name, models, "cpu")
    passages = [s for s in load_corpus(path).sentences if s.split == Split.TEST]
    features = annotate(passages, loaded.tokenizer, loaded.embeddings(), info.max_length)
    rows = [row for row, n in enumerate(features.lengths) if int(n) in LONG][:LONG_PASSAGES]
    features = features.select(rows)
    library = list({p.id: p for row in found.values() for p in row}.values())
    place = {program.id: at for at, program in enumerate(library)}
    ious = np.zeros((info.layers, info.heads, len(rows)))
    for at, attention in enumerate(extract(loaded, features, range(len(rows)))):
        looks = {head: [attention.weights[head.layer][head.head]] for head in info.head_ids()}
        read = features.select([features.row(attention.sentence)])
        one = program_maps(library, read, info.is_causal, looks=looks)
        for layer, programs in found.items():
            maps = {attention.sentence: attention.weights[layer].astype(np.float32)}
            scores = sentence_ious(one, maps)[:, :, 0]
            ious[layer, :, at] = [scores[place[p.id], head] for head, p in enumerate(programs)]
    mean = float(features.lengths.mean())
    print(f"  {path.name:<16} {ious.mean():8.3f}     {len(rows)} passages of {mean:.0f} tokens on average")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--model", help="default: the latest")
    parser.add_argument("--models", type=Path, default=Path("workspace/models"))
    parser.add_argument("--rules", default="12,24", help="limits to try")
    parser.add_argument("--look", default=SearchLimits().look, choices=LOOKS)
    parser.add_argument("--long", type=Path, metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
