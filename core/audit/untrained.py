"""Untrained twin: what the same search finds in the same model with weights drawn anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audit import known
from core.audit.contract import Audit, Figure, Finding, ProgramSubject
from core.audit.passages import Passages
from core.audit.twin import fit_twin
from core.display import counted
from core.errors import AuditError
from core.types import AttentionMap, Bounds, Estimate, HeadId, ModelInfo, Split, Told, option

if TYPE_CHECKING:
    from core.features import Features
    from core.models.pretrained import LoadedModel

OWN, REDRAWN = "lift of the search on this head", "median lift of the search on heads of drawn weights"
ABOVE = "heads of drawn weights that it exceeds"
Maps = Mapping[str, np.ndarray]  # Sentence.id -> float32 [head, query, key] of a layer


@dataclass(frozen=True)
class UntrainedLimits:
    """On how many passages both searches work, and how many drawn heads a trained one should exceed."""

    passages: int = option(32, "passages of each split that are searched and told on", Bounds(known.ENOUGH))
    share: float = option(0.95, "share of heads of drawn weights to exceed", Bounds(0, 1))
    seed: int = option(0, "what the weights are drawn from", Bounds(0))


def run(subject: ProgramSubject, limits: UntrainedLimits, told: Told) -> Finding:
    """The lift over the text-blind twin that a search reaches on the head, among those on drawn heads.

    Both searches are the same, on the same passages; programs look at no other head. The heads are those
    of the layer.
    """
    lacking = [split for split in Split if split not in subject.splits]
    if lacking:
        return Finding("cannot tell", f"There is no {lacking[0]} passage, which a search needs.")
    key = ("untrained", subject.head.layer, limits)
    if key not in subject.shared.of_layers:
        subject.shared.of_layers[key] = _lifts(subject, limits, told)
    trained, drawn = subject.shared.of_layers[key]
    own = trained[subject.head.head]
    above = float((drawn < own.mean()).mean())
    passages = len(own)
    is_above = above >= limits.share
    return Finding(
        "cannot tell" if passages < known.ENOUGH else "passes" if is_above else "fails",
        f"The same search, in the same layer with weights drawn anew, reaches {float(np.median(drawn)):+.3f} "
        f"beyond the twin (most {float(drawn.max()):+.3f}, {counted(len(drawn), 'head')}); on this head it "
        f"reaches {float(own.mean()):+.3f}. Of {counted(passages, 'test passage')}.",
        (
            Figure(OWN, known.mean(own)),
            Figure(REDRAWN, Estimate(float(np.median(drawn)))),
            Figure(ABOVE, Estimate(above), "share"),
        ),
    )


def _lifts(subject: ProgramSubject, limits: UntrainedLimits, told: Told) -> tuple[np.ndarray, np.ndarray]:
    """Lift over the twin, [head, test passage] as the model is, and its mean [head] with drawn weights."""
    loaded, layer = subject.load(), subject.head.layer
    told.note(
        "untrained: a layer takes two passes over the passages and two searches, about a minute on two cores"
    )
    few = {split: _first(subject.splits[split], limits.passages) for split in Split}

    def maps() -> dict[Split, Maps]:
        return {split: _maps(loaded, features, layer) for split, features in few.items()}

    told.progress("searching a layer", 0, 2)
    trained = lifts_of(maps(), few, loaded, layer)
    told.progress("searching a layer", 1, 2)
    with drawn_anew(loaded, limits.seed):
        untrained = maps()
    return trained, lifts_of(untrained, few, loaded, layer).mean(1)


def _first(passages: Passages, count: int) -> Features:
    return passages.features.select(range(min(count, len(passages.sentences))))


def _maps(loaded: LoadedModel, features: Features, layer: int) -> Maps:
    from core.models.attention import extract

    place = loaded.info.attention_layers.index(layer)
    found = extract(loaded, features, range(len(features)))
    return {one.sentence: one.weights[place].astype(np.float32) for one in found}


@contextmanager
def drawn_anew(loaded: LoadedModel, seed: int = 0) -> Iterator[None]:
    """Within the block each weight tensor is drawn anew, normal with its mean and deviation.

    Embeddings of tokens stay, so that the model still knows which tokens are the same.
    """
    import torch

    if any(weight.is_meta for weight in loaded.model.parameters()):
        raise AuditError(
            "weights that are not in memory are not drawn anew; give a device map that holds all of them"
        )
    kept = {id(weight) for weight in loaded.model.get_input_embeddings().parameters()}
    weights = [one for one in loaded.model.parameters() if id(one) not in kept and one.is_floating_point()]
    held = [one.detach().clone() for one in weights]
    draw = torch.Generator().manual_seed(seed)
    try:
        with torch.no_grad():
            for one in weights:
                deviation, mean = torch.std_mean(one.float(), correction=0)
                noise = torch.randn(one.shape, generator=draw).to(one.device)
                one.copy_(mean + deviation * noise)
        yield
    finally:
        with torch.no_grad():
            for one, before in zip(weights, held, strict=True):
                one.copy_(before)


def lifts_of(
    maps: Mapping[Split, Maps], features: Mapping[Split, Features], loaded: LoadedModel, layer: int
) -> np.ndarray:
    """IoU beyond the twin that a search on a layer reaches on test, [head, passage]."""
    from core.proposers.search.limits import SearchLimits
    from core.proposers.search.propose import prepare_search
    from core.scoring import program_maps, sentence_ious

    info, test = loaded.info, maps[Split.TEST]
    search = prepare_search(
        features[Split.TRAIN], features[Split.VALIDATION], info.is_causal, SearchLimits(look="none")
    )
    programs = search.propose({**maps[Split.TRAIN], **maps[Split.VALIDATION]})
    produced = program_maps(programs, features[Split.TEST], info.is_causal).within(info.window(layer))
    reached = np.diagonal(sentence_ious(produced, test)).T  # [head, passage]
    twins = [
        _twin_ious(maps[Split.TRAIN], produced.sentences, test, HeadId(layer, head), info)
        for head in range(info.heads)
    ]
    found: np.ndarray = reached - np.stack(twins)
    return found


def _twin_ious(train: Maps, names: tuple[str, ...], test: Maps, head: HeadId, info: ModelInfo) -> np.ndarray:
    maps = (AttentionMap(head, name, weights[head.head]) for name, weights in train.items())
    twin = fit_twin(maps, info.is_causal)
    return np.array([twin.iou(test[name][head.head], info.window(head.layer)) for name in names])


UNTRAINED = Audit(
    "untrained",
    "Untrained twin",
    "Would a head of drawn weights be explained as well?",
    of="program",
    is_resolvable=False,
    limits=UntrainedLimits,
    run=run,
    is_usual=False,
    about=(
        "Each weight tensor but the embeddings is drawn anew with its mean and deviation, and the same "
        "search runs on the same passages of both models, looking at no other head. A lift that heads of "
        "drawn weights reach too says nothing of what the model learned. About a minute a layer."
    ),
    sources=(
        "Attention is not not Explanation (2019)",
        "Sparse Autoencoders Can Interpret Randomly Initialized Transformers (2025)",
    ),
)
