"""What a hybrid is compared with its model on: the next token, a masked token, or the final states.

A causal model predicts every token from those before it. A masked language model predicts tokens that are
hidden from it: a seventh of each passage, drawn with the passage's id, is replaced by the mask, and the
programs read the same masked passage as the model. An encoder without a language model's head predicts
nothing; there the final states of all tokens are compared, by cosine distance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.errors import HybridError
from core.features import Features, annotate_each
from core.models.pretrained import LoadedModel
from core.types import Measure

_HIDDEN = 1 / 7  # of the ordinary tokens of a passage, at least one: near the share of BERT's training


def measure_of(loaded: LoadedModel) -> Measure:
    """What of this model is compared; raises HybridError if it predicts tokens that nothing can mask."""
    if loaded.info.is_causal:
        return "next tokens"
    if loaded.model.get_output_embeddings() is None:
        return "final states"
    if loaded.tokenizer.mask_token_id is None:
        raise HybridError(
            f"{loaded.info.title} predicts masked tokens, but its tokenizer has no mask; save one with it "
            "(tokenizer.mask_token), or the bare encoder"
        )
    return "masked tokens"


def asked(loaded: LoadedModel, features: Features) -> Features:
    """The passages as the model is asked: of a masked language model with tokens hidden, else as they are."""
    if features.hidden is not None or measure_of(loaded) != "masked tokens" or not len(features):
        return features
    shown, hidden = {}, []
    for row, name in enumerate(features.sentences):
        shown[name], behind = _masked(loaded, features, row)
        hidden.append(behind)
    read = annotate_each(shown, loaded.tokenizer, loaded.embeddings(), features.pipeline)
    return replace(read, truncated=features.truncated, hidden=np.concatenate(hidden))


def _masked(loaded: LoadedModel, features: Features, row: int) -> tuple[list[int], np.ndarray]:
    """A passage's ids with tokens hidden, and what they were: int32 [token], -1 where nothing is hidden."""
    ids, ordinary = features.token_ids[features.span(row)], _ordinary(loaded, features, row)
    count = min(len(ordinary), max(1, round(_HIDDEN * len(ordinary))))
    draw = np.random.default_rng(crc32(features.sentences[row].encode()))
    places = draw.choice(ordinary, count, replace=False)
    hidden = np.full(len(ids), -1, np.int32)
    hidden[places] = ids[places]
    return np.where(hidden < 0, ids, loaded.tokenizer.mask_token_id).tolist(), hidden


def _ordinary(loaded: LoadedModel, features: Features, row: int) -> np.ndarray:
    """Where tokens of a passage stand that may be hidden."""
    ids = features.token_ids[features.span(row)]
    return np.flatnonzero(~np.isin(ids, loaded.tokenizer.all_special_ids))


def predictions(loaded: LoadedModel, features: Features) -> np.ndarray:
    """How much of each passage is compared, int64 [passage]; of passages as they are `asked`."""
    match measure_of(loaded):
        case "next tokens":
            found: np.ndarray = np.maximum(features.lengths - 1, 0)
        case "masked tokens":
            assert features.hidden is not None
            before = np.concatenate([[0], np.cumsum(features.hidden >= 0)])
            found = np.diff(before[features.offsets])
        case _:
            found = features.lengths
    return found


def predictable(loaded: LoadedModel, features: Features) -> list[int]:
    """Rows with something to compare; raises HybridError if there is none."""
    if measure_of(loaded) == "masked tokens" and features.hidden is None:  # each such row will hide one
        counts = [len(_ordinary(loaded, features, row)) for row in range(len(features))]
    else:
        counts = predictions(loaded, features).tolist()
    rows = [row for row, count in enumerate(counts) if count]
    if not rows:
        lacks = "two tokens" if loaded.info.is_causal else "a token"
        raise HybridError(f"no passage has {lacks}, so there is nothing to predict; give longer text")
    return rows


def predicted(loaded: LoadedModel, features: Features, batch: Sequence[int]) -> Predicted:
    """What is compared of the passages `batch`, as they are `asked`."""
    spans = [features.span(row) for row in batch]
    ids = [features.token_ids[span].astype(np.int64) for span in spans]
    match measure_of(loaded):
        case "next tokens":
            places = [np.arange(len(found) - 1) for found in ids]
            return PredictedTokens(batch, places, [found[1:] for found in ids], loaded.device)
        case "masked tokens":
            assert features.hidden is not None
            hidden = [features.hidden[span].astype(np.int64) for span in spans]
            places = [np.flatnonzero(found >= 0) for found in hidden]
            return PredictedTokens(batch, places, [found[found >= 0] for found in hidden], loaded.device)
        case _:
            return FinalStates(batch, [np.arange(len(found)) for found in ids])


class Predicted(ABC):
    """What is compared of a batch, end to end."""

    def __init__(self, batch: Sequence[int], places: Sequence[np.ndarray]) -> None:
        self.batch_rows = np.repeat(np.arange(len(batch)), [len(found) for found in places])
        self.rows = np.array(batch, np.int64)[self.batch_rows]  # int64 [prediction]: the passage
        self._places = np.concatenate(places)

    def __len__(self) -> int:
        return len(self.rows)

    def _taken(self, output: Tensor) -> Tensor:
        """Of [passage, token, ...] the rows that are compared, [prediction, ...]."""
        return output[torch.from_numpy(self.batch_rows), torch.from_numpy(self._places)].float()

    @abstractmethod
    def read(self, output: Tensor) -> Tensor:
        """What is compared [prediction, dimension] out of a model's output [passage, token, dimension]."""

    @abstractmethod
    def losses(self, read: Tensor) -> Tensor:
        """Negative log-likelihoods [prediction], nats; nan where nothing is predicted."""

    @abstractmethod
    def distance(self, base: Tensor, changed: Tensor) -> Tensor:
        """How far one model's `read` is from another's [prediction]."""

    @abstractmethod
    def drawn(self, read: Tensor, draws: int, generator: torch.Generator) -> list[Tensor]:
        """Targets, half of whose mean squared gradient is the `distance` to second order."""


class PredictedTokens(Predicted):
    """Tokens that a language model predicts; compared by KL(base || changed), nats."""

    def __init__(
        self,
        batch: Sequence[int],
        places: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        device: torch.device,
    ) -> None:
        super().__init__(batch, places)
        self.targets = torch.from_numpy(np.concatenate(targets)).to(device)  # [prediction]

    def read(self, output: Tensor) -> Tensor:
        """Log probabilities [prediction, vocabulary]."""
        return torch.log_softmax(self._taken(output), dim=-1)

    def losses(self, read: Tensor) -> Tensor:
        """Of the tokens that stand there."""
        return -read.gather(1, self.targets[:, None])[:, 0]

    def distance(self, base: Tensor, changed: Tensor) -> Tensor:
        """KL(base || changed), nats."""
        return functional.kl_div(changed, base, log_target=True, reduction="none").sum(-1)

    def drawn(self, read: Tensor, draws: int, generator: torch.Generator) -> list[Tensor]:
        """Of tokens that the model draws."""
        return drawn_tokens(read, draws, generator)


class FinalStates(Predicted):
    """The final states of an encoder; compared by 1 - cosine."""

    def read(self, output: Tensor) -> Tensor:
        """States of length 1 [token, dimension]."""
        return functional.normalize(self._taken(output), dim=-1)

    def losses(self, read: Tensor) -> Tensor:
        """None: nan."""
        return torch.full(read.shape[:1], torch.nan, device=read.device)

    def distance(self, base: Tensor, changed: Tensor) -> Tensor:
        """1 - cosine, which is exactly 0 where the states are equal."""
        return (base - changed).square().sum(-1) / 2

    def drawn(self, read: Tensor, draws: int, generator: torch.Generator) -> list[Tensor]:
        """Of random directions."""
        return projected_states(read, draws, generator)


def drawn_tokens(log_p: Tensor, draws: int, generator: torch.Generator) -> list[Tensor]:
    """The summed log likelihood of tokens that the model draws from its own [prediction, vocabulary]."""
    chances = log_p.detach().exp().nan_to_num(1.0).cpu()
    drawn = torch.multinomial(chances, draws, replacement=True, generator=generator).to(log_p.device)
    return [log_p.gather(1, ids[:, None]).sum() for ids in drawn.unbind(1)]


def projected_states(unit: Tensor, draws: int, generator: torch.Generator) -> list[Tensor]:
    """States of length 1 [token, dimension] projected at random and summed."""
    return [(torch.randn(unit.shape, generator=generator).to(unit.device) * unit).sum() for _ in range(draws)]
