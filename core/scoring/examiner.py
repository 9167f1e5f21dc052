"""What speaks for and against a program on a head: its IoU sentence by sentence, and sentences to look at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol, Self

import numpy as np
from torch import Tensor

from core.errors import Problem, ProgramError
from core.features import Features
from core.language import Evaluated, Evaluator, Looks, ParsedProgram, SomeLooks, TracedBatch, traced
from core.maps import confined, iou_from_l1, like_batches, mass_of
from core.scoring.intervals import mean_estimate
from core.types import UNBOUNDED, AttentionMap, Estimate, Failure, HeadId, Score, Sentence, Split, Window

_MAP_BYTES_HELD = 2**25  # of the heads looked at last; half a megabyte a head in the demo
_BATCH_PAIRS = 2**19  # padded query-key pairs that are evaluated together: 2 MB a tensor


@dataclass(frozen=True)
class Example:
    """A head and a program on one sentence."""

    word: str  # "worst" or "typical"
    sentence: Sentence
    tokens: tuple[str, ...]  # as drawn on a page
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
    def fit(self) -> Estimate:
        """The mean IoU with its interval."""
        return mean_estimate(self.ious)

    @property
    def nbytes(self) -> int:
        """What holding it takes."""
        return self.ious.nbytes + sum(one.head.nbytes + one.program.nbytes for one in self.examples)


class HeadReader(Protocol):
    """Hands out the attention of one head after another."""

    def head(self, head: HeadId) -> Iterable[AttentionMap]:
        """What the head did with each sentence."""

    def restricted(self, sentences: Collection[str]) -> Self:
        """The same reader, seeing only these sentences."""

    def looks(self, sentences: Sequence[str]) -> Looks:
        """What programs look at, on these sentences."""


class Examiner:
    """Compares programs with heads on the same sentences, quickly one after another.

    What programs have in common is computed once, unless the sentences are so long that keeping it would
    take much memory. Safe to use from several threads.
    """

    def __init__(
        self,
        features: Features,
        sentences: Sequence[Sentence],
        attention: HeadReader,
        is_causal: bool,
        window: Callable[[int], Window] = lambda layer: UNBOUNDED,
    ) -> None:
        """`features` holds these sentences in this order; `window` says how far a layer sees."""
        self.sentences = list(sentences)
        self._features = features
        self._attention = attention.restricted([sentence.id for sentence in sentences])
        self._looks = attention.looks([sentence.id for sentence in sentences])
        self._is_causal = is_causal
        self._window = window
        self._maps: OrderedDict[HeadId, list[np.ndarray]] = OrderedDict()
        self._batches = batches_of(features.lengths)
        self._kept: dict[int, Evaluator] = {}  # by place in _batches
        self._lock = Lock()

    def compare(self, head: HeadId, program: ParsedProgram, worst: int = 3) -> Evidence:
        """The program against the head, with the `worst` sentences it fits least and the one in the middle.

        Raises WorkspaceError if the head's attention is not there, ProgramError if the program looks at
        heads that this one may not.
        """
        if why_not := program.why_not_for(head):
            raise ProgramError([Problem(1, 1, why_not)])
        distance, mass = np.zeros((2, len(self.sentences)), np.float32)
        failures: dict[int, Failure] = {}
        with self._lock:
            maps = self._head(head)
            for rows, result in self._evaluated(program):
                for at, row in enumerate(rows):
                    n = len(maps[row])
                    produced = self._confined(result.weights[at, :n, :n], head)
                    distance[row] = np.abs(produced - maps[row]).sum()
                    mass[row] = (n + mass_of(maps[row])) / 2
                failures |= {rows[at]: failure for at, failure in result.failures.items()}
        ious = iou_from_l1(distance, mass).astype(np.float32)
        ious[list(failures)] = 0
        order = np.argsort(ious, kind="stable")
        picks = [("worst", int(row)) for row in order[:worst]]
        picks += [("typical", int(row)) for row in order[len(order) // 2 :][:1] if row not in order[:worst]]
        examples = tuple(self.example(word, head, program, row, float(ious[row])) for word, row in picks)
        by_sentence = {self.sentences[row].id: failures[row] for row in sorted(failures)}
        return Evidence(ious, examples, by_sentence)

    def example(self, word: str, head: HeadId, program: ParsedProgram, row: int, iou: float) -> Example:
        """The head and the program on the sentence in this place, of which the IoU is known."""
        with self._lock:
            of_head = self._head(head)[row].astype(np.float32)
        result = self._evaluator([row]).run(program)
        return Example(
            word,
            self.sentences[row],
            self.tokens(self.sentences[row]),
            iou,
            of_head,
            self._confined(result.weights[0], head),
            result.failures.get(0),
        )

    def tokens(self, sentence: Sentence) -> tuple[str, ...]:
        """The tokens of one of the sentences, as drawn on a page."""
        return self._features.surfaces[self._features.span(self._features.row(sentence.id))]

    def traced(self, program: ParsedProgram, sentences: Sequence[Sentence]) -> TracedBatch:
        """Every step of a program on some of the sentences, padded to the longest of them."""
        rows = [self._features.row(sentence.id) for sentence in sentences]
        return traced(program, self._features.select(rows), self._is_causal, SomeLooks(self._looks, rows))

    def _confined(self, weights: Tensor, head: HeadId) -> np.ndarray:
        """A program's map on one sentence as the head's layer sees it."""
        found: np.ndarray = confined(weights, self._window(head.layer), self._is_causal).numpy()
        return found

    def score(self, head: HeadId, program: ParsedProgram, split: Split) -> Score:
        """The program's score on the head; the Jensen-Shannon distance is not measured."""
        found = self.compare(head, program)
        return Score(
            program=program.id,
            head=head,
            split=split,
            iou=found.fit,
            js_distance=float("nan"),
            sentences=len(found.ious),
            failures=len(found.failures),
        )

    def _evaluated(self, program: ParsedProgram) -> Iterator[tuple[list[int], Evaluated]]:
        """The program on all sentences, some at a time: their places, and what it gives there."""
        for at, rows in enumerate(self._batches):
            evaluator = self._kept.get(at) or self._evaluator(rows)
            if at == 0:  # of short sentences there is no other
                self._kept[at] = evaluator
            yield rows, evaluator.run(program)

    def _evaluator(self, rows: Sequence[int]) -> Evaluator:
        looks = SomeLooks(self._looks, rows)
        return Evaluator(self._features.select(rows), self._is_causal, looks=looks)

    def _head(self, head: HeadId) -> list[np.ndarray]:
        """The head's maps as they are stored, float16 [query, key], in the order of the sentences."""
        if head not in self._maps:
            found = {one.sentence: one.weights.astype(np.float16) for one in self._attention.head(head)}
            self._maps[head] = [
                found.get(sentence.id, np.zeros((n, n), np.float16))
                for sentence, n in zip(self.sentences, self._features.lengths, strict=True)
            ]
            while len(self._maps) > 1 and _bytes_of(self._maps) > _MAP_BYTES_HELD:
                self._maps.popitem(last=False)
        return self._maps[head]


def batches_of(lengths: np.ndarray) -> list[list[int]]:
    """Sentences of like length that are evaluated together."""
    return list(like_batches(lengths, range(len(lengths)), pairs=_BATCH_PAIRS))


def _bytes_of(maps: Mapping[HeadId, Sequence[np.ndarray]]) -> int:
    return sum(one.nbytes for of_head in maps.values() for one in of_head)


def histogram(ious: Iterable[float], bins: int = 20) -> list[int]:
    """How many IoUs lie in each of equal bins from 0 to 1."""
    counts, _ = np.histogram(np.clip(list(ious), 0, 1), bins=bins, range=(0, 1))
    return [int(count) for count in counts]
