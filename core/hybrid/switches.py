"""A hybrid on passages at hand whose heads are switched on and off, and what giving each back repairs.

Layers before the first one in which something is switched give what they gave before, so only those from it
on run again. That is exact: nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.errors import HybridError
from core.features import Features
from core.hybrid.layers import decoder_layers, recording, resumed
from core.hybrid.patched import parsed, replaced
from core.hybrid.perplexity import Tell
from core.hybrid.predicted import asked, predictable, predicted
from core.hybrid.sources import NO_PATTERNS, ProgramPatterns
from core.models.pretrained import LoadedModel
from core.types import HeadId, HybridSpec


@dataclass(frozen=True)
class TokenCosts:
    """Of every token that is predicted, in order: what it costs with some heads replaced, nats."""

    rows: np.ndarray  # int64 [token]: the passage, as a row of the features
    base: np.ndarray  # float32 [token]: loss of the unmodified model
    changed: np.ndarray  # float32 [token]: loss with the heads replaced
    kl: np.ndarray  # float32 [token]: KL(unmodified || replaced)

    @property
    def perplexities(self) -> tuple[float, float]:
        """Of the unmodified model and with the heads replaced."""
        base, changed = (float(np.exp(losses.mean(dtype=float))) for losses in (self.base, self.changed))
        return base, changed


@dataclass(frozen=True)
class Repair:
    """What giving one head its own attention back does for one token."""

    head: HeadId
    loss: float  # nats by which the token's loss comes nearer to the unmodified model's; below 0: further
    kl: float  # nats by which KL falls


@dataclass(frozen=True)
class _State:
    """A pass with some heads replaced, from which another goes on."""

    heads: frozenset[HeadId]
    outputs: Sequence[Any]  # of every layer
    seen: Mapping[HeadId, Tensor]  # what heads gave that programs look at


class Switchboard:
    """Passages on which any of a hybrid's heads are replaced; not for two threads at once.

    Raises HybridError if the hybrid does not fit the model or no passage has anything to predict.
    """

    def __init__(self, loaded: LoadedModel, spec: HybridSpec, features: Features) -> None:
        self._loaded, self._features = loaded, asked(loaded, features)
        self._rows = predictable(loaded, self._features)
        self._tokens = predicted(loaded, self._features, self._rows)
        source = ProgramPatterns(parsed(loaded.info, spec), loaded.info.is_causal, loaded.device)
        with torch.inference_mode():
            self._patterns = source.patterns(self._features.select(self._rows))
        looking = self._patterns.looking
        self._watched = frozenset[HeadId]() if looking is None else looking.watched
        self._layers = _layers_of(loaded)
        self._state: _State | None = None
        self._state, self._base = self._run(frozenset())

    @property
    def heads(self) -> frozenset[HeadId]:
        """The heads that can be replaced."""
        return frozenset(self._patterns.heads)

    def costs(self, heads: Set[HeadId]) -> TokenCosts:
        """What every token costs with these heads replaced."""
        self._state, read = self._run(heads)
        return self._costs(read)

    def given_back(
        self, heads: Set[HeadId], tell: Tell = lambda done, total: None
    ) -> dict[HeadId, TokenCosts]:
        """The same with each of these heads given its own attention back, the others replaced.

        `tell` hears of heads done and in all.
        """
        self._state, _ = self._run(heads)
        found = {}
        for done, head in enumerate(sorted(heads), start=1):
            found[head] = self._costs(self._run(heads - {head})[1])
            tell(done, len(heads))
        return found

    def _costs(self, read: Tensor) -> TokenCosts:
        tokens = self._tokens
        with torch.inference_mode():
            base, changed = tokens.losses(self._base), tokens.losses(read)
            kl = tokens.distance(self._base, read)
        return TokenCosts(tokens.rows, *(values.cpu().numpy() for values in (base, changed, kl)))

    def _run(self, heads: Set[HeadId]) -> tuple[_State, Tensor]:
        """A pass that goes on from the latest state, and what it reads of the tokens."""
        before = self._state
        start = self._first_layer(before.heads ^ heads) if before is not None and self._layers else 0
        outputs: list[Any] = [] if before is None else list(before.outputs[:start])
        seen: Mapping[HeadId, Tensor] = {} if before is None else before.seen
        with (
            replaced(self._loaded, NO_PATTERNS) as patched,
            torch.inference_mode(),
            resumed(self._layers[:start], outputs[-1] if start else None, 1),
            recording(self._layers[start:], outputs),
        ):
            passed = patched.passed(
                self._features,
                self._rows,
                self._patterns.among({head for head in heads if head.layer >= start}),
                self._watched,
                {head: maps for head, maps in seen.items() if head.layer < start},
            )
            read = self._tokens.read(passed.logits)
        return _State(frozenset(heads), outputs, passed.seen), read

    def _first_layer(self, switched: Set[HeadId]) -> int:
        """The layer from which a pass differs; the last one at the least, so that it ends in logits."""
        return min([len(self._layers) - 1, *(head.layer for head in switched)])


def _layers_of(loaded: LoadedModel) -> Sequence[Any]:
    """The model's layers in order; none where they are no list, and so cannot be left out."""
    try:
        return decoder_layers(loaded)
    except HybridError:
        return ()


def repairs(now: TokenCosts, given_back: Mapping[HeadId, TokenCosts], token: int) -> list[Repair]:
    """What giving each head back does for a token, by its place in `now`; the best first.

    A loss below the unmodified model's is as far from it as one above.
    """

    def damage(costs: TokenCosts) -> float:
        return abs(float(costs.changed[token]) - float(costs.base[token]))

    found = [
        Repair(head, damage(now) - damage(costs), float(now.kl[token]) - float(costs.kl[token]))
        for head, costs in given_back.items()
    ]
    return sorted(found, key=lambda one: (-one.loss, one.head))
