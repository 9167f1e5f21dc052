"""What the model does where one head attends to something else: passes that check what gradients estimate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.features import Features
from core.hybrid import NO_PATTERNS, HeadMaps, PatternSource, replaced
from core.hybrid.predicted import PredictedTokens, asked, predictable, predicted
from core.maps import like_batches
from core.models.attention import extract
from core.models.pretrained import LoadedModel
from core.scoring.intervals import token_interval
from core.types import Estimate, HeadId

_BATCH_TOKENS = 256

Change = Callable[[Tensor, str], Tensor]  # what a head attends to [query, key] on a sentence, as it should be


class ChangedHead:
    """One head's own attention, changed; as a source of patterns."""

    def __init__(self, loaded: LoadedModel, head: HeadId, change: Change) -> None:
        self.heads = [head]
        self._loaded = loaded
        self._change = change

    def patterns(self, features: Features) -> HeadMaps:
        """The head's attention on each passage, changed."""
        (head,) = self.heads
        place = self._loaded.info.attention_layers.index(head.layer)
        width = int(features.lengths.max(initial=0))
        found = torch.zeros(len(features), 1, width, width)
        for one in extract(self._loaded, features, range(len(features))):
            own = torch.from_numpy(one.weights[place, head.head].astype(np.float32))
            found[features.row(one.sentence), 0, : len(own), : len(own)] = self._change(own, one.sentence)
        return HeadMaps(self.heads, found.to(self._loaded.device))


@dataclass(frozen=True)
class Moved:
    """How far sources move what a model predicts."""

    rows: np.ndarray  # int64 [prediction]: the passage
    apart: np.ndarray  # float32 [source, prediction]: total variation; nan of final states
    distance: np.ndarray  # float32 [source, prediction]: KL in nats, or 1 - cosine of final states

    def mean(self, source: int) -> Estimate:
        """The mean distance of a source, with its interval over passages."""
        values = self.distance[source].astype(float)
        return Estimate(float(values.mean()), *map(float, token_interval(values, self.rows)))

    def median(self, source: int) -> float:
        """The median total variation of a source, or its median distance where there is none."""
        has_predictions = bool(np.isfinite(self.apart).any())
        return float(np.median((self.apart if has_predictions else self.distance)[source]))


def moved(loaded: LoadedModel, features: Features, sources: Sequence[PatternSource]) -> Moved:
    """How far each source moves what the model predicts on these passages."""
    features = asked(loaded, features)
    rows = predictable(loaded, features)
    found, of_passage = [], []
    with replaced(loaded, NO_PATTERNS) as patched, torch.inference_mode():
        for batch in like_batches(features.lengths, rows, _BATCH_TOKENS):
            tokens = predicted(loaded, features, batch)
            base = tokens.read(patched.forward(features, batch, None))
            values = torch.full((2, len(sources), len(tokens)), torch.nan)
            for at, source in enumerate(sources):
                changed = tokens.read(
                    patched.passed(features, batch, source.patterns(features.select(batch))).logits
                )
                if isinstance(tokens, PredictedTokens):
                    values[0, at] = (base.exp() - changed.exp()).abs().sum(-1).cpu() / 2
                values[1, at] = tokens.distance(base, changed).cpu()
            found.append(values.numpy())
            of_passage.append(tokens.rows)
    apart, distance = np.concatenate(found, axis=-1)
    return Moved(np.concatenate(of_passage), apart, distance)
