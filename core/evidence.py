"""What speaks for and against a program on a head: its IoU sentence by sentence, and sentences to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
import torch

from core.features import Features
from core.language import Evaluator, ParsedProgram
from core.score import interval, iou_from_l1
from core.store import AttentionReader, Workspace
from core.types import Failure, Fit, HeadId, ModelInfo, Score, Sentence, Split

_HEADS_HELD = 16  # heads whose maps are kept, about half a megabyte each


@dataclass(frozen=True)
class Example:
    """A head and a program on one sentence."""

    word: str  # "worst" or "typical"
    sentence: Sentence
    iou: float
    head: np.ndarray  # float32 [query, key]
    program: np.ndarray  # float32 [query, key]; zero where the program failed
    failure: Failure | None


@dataclass(frozen=True)
class Evidence:
    """A program against a head on the sentences of one split."""

    ious: np.ndarray  # float32 [sentence]; 0 where the program failed
    examples: tuple[Example, ...]  # the worst sentences, then the typical one
    failures: Mapping[str, Failure]  # Sentence.id -> why

    @property
    def fit(self) -> Fit:
        """The mean with its interval."""
        low, high = interval(self.ious)
        return Fit(float(self.ious.mean()), float(low), float(high))


class Examiner:
    """Compares programs with heads on the same sentences, quickly one after another.

    What programs have in common is computed once. Safe to use from several threads.
    """

    def __init__(
        self, features: Features, sentences: Sequence[Sentence], attention: AttentionReader, is_causal: bool
    ) -> None:
        """`features` holds these sentences in this order."""
        self.sentences = list(sentences)
        self._features = features
        self._attention = attention.restricted([sentence.id for sentence in sentences])
        self._is_causal = is_causal
        self._maps: dict[HeadId, torch.Tensor] = {}
        self._lock = Lock()

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self._features, self._is_causal)

    def compare(self, head: HeadId, program: ParsedProgram, worst: int = 3) -> Evidence:
        """The program against the head, with the `worst` sentences it fits least and the one in the middle.

        Raises WorkspaceError if the head's attention is not there.
        """
        with self._lock:
            maps = self._head(head)
            result = self._evaluator.run(program)
        distance = (result.weights - maps).abs().sum((1, 2)).numpy()
        ious = iou_from_l1(distance, self._features.lengths).astype(np.float32)
        ious[list(result.failures)] = 0
        order = np.argsort(ious, kind="stable")
        picks = [("worst", int(row)) for row in order[:worst]]
        picks += [("typical", int(row)) for row in order[len(order) // 2 :][:1] if row not in order[:worst]]
        examples = tuple(
            self._example(word, row, float(ious[row]), maps, result.weights, result.failures.get(row))
            for word, row in picks
        )
        failures = {self.sentences[row].id: failure for row, failure in result.failures.items()}
        return Evidence(ious, examples, failures)

    def weights(self, program: ParsedProgram, sentence: str) -> np.ndarray:
        """The program's map on one of the sentences, float32 [query, key]."""
        row = self._features.row(sentence)
        n = int(self._features.lengths[row])
        with self._lock:
            found: np.ndarray = self._evaluator.run(program).weights[row, :n, :n].numpy()
        return found

    def score(self, head: HeadId, program: ParsedProgram, split: Split) -> Score:
        """The program's score on the head; the Jensen-Shannon distance is not measured."""
        found = self.compare(head, program)
        fit = found.fit
        return Score(
            program=program.id,
            head=head,
            split=split,
            iou=fit.iou,
            low=fit.low,
            high=fit.high,
            js_distance=float("nan"),
            sentences=len(found.ious),
            failures=len(found.failures),
        )

    def _example(
        self,
        word: str,
        row: int,
        iou: float,
        maps: torch.Tensor,
        weights: torch.Tensor,
        failure: Failure | None,
    ) -> Example:
        n = int(self._features.lengths[row])
        head, program = maps[row, :n, :n].numpy().copy(), weights[row, :n, :n].numpy().copy()
        return Example(word, self.sentences[row], iou, head, program, failure)

    def _head(self, head: HeadId) -> torch.Tensor:
        """The head's maps, float32 [sentence, query, key], padded with zeros."""
        if head not in self._maps:
            while len(self._maps) >= _HEADS_HELD:
                self._maps.pop(next(iter(self._maps)))
            longest = int(self._features.lengths.max(initial=0))
            padded = torch.zeros(len(self.sentences), longest, longest)
            for found in self._attention.head(head):
                n = len(found.weights)
                padded[self._features.row(found.sentence), :n, :n] = torch.from_numpy(found.weights)
            self._maps[head] = padded
        return self._maps[head]


def examiner_of(workspace: Workspace, model: ModelInfo, split: Split) -> Examiner:
    """Compares programs with a model's heads on the sentences of a split."""
    sentences = workspace.library.sentences(model.id, split)
    features = workspace.tokens(model.id).read([sentence.id for sentence in sentences])
    return Examiner(features, sentences, workspace.attention(model.id), model.is_causal)


def histogram(ious: Iterable[float], bins: int = 20) -> list[int]:
    """How many IoUs lie in each of equal bins from 0 to 1."""
    counts, _ = np.histogram(np.clip(list(ious), 0, 1), bins=bins, range=(0, 1))
    return [int(count) for count in counts]
