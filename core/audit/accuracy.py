"""Questions with two answers, as in PIQA: how often a model and its hybrid prefer the right one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.audit.piqa import Question
from core.errors import HybridError
from core.features import annotate, without_closing
from core.hybrid import ProgramPatterns, parsed
from core.hybrid.perplexity import Tell, Variant, measure
from core.models.pretrained import LoadedModel
from core.scoring.intervals import share_estimate
from core.types import Estimate, HybridSpec, Sentence, Split


@dataclass(frozen=True)
class Accuracy:
    """Shares of questions answered rightly, with 95 % bootstrap intervals over questions."""

    questions: int
    original: Estimate
    changed: Estimate
    agreement: float | None  # questions on which both prefer the same answer; None where that is not told
    kept: int = 0  # (head, text) pairs where the program failed and the head kept its own attention

    def figures(self) -> dict[str, Any]:
        """Every figure by the name under which it is stored and printed; an interval as a pair."""
        return {
            "questions": self.questions,
            "original": self.original.value,
            "original_interval": (self.original.low, self.original.high),
            "changed": self.changed.value,
            "changed_interval": (self.changed.low, self.changed.high),
            "agreement": self.agreement,
            "kept": self.kept,
        }


def accuracy(
    loaded: LoadedModel,
    spec: HybridSpec,
    questions: Sequence[Question],
    tell: Tell = lambda done, total: None,
) -> Accuracy:
    """How often each model gives the right answer the higher likelihood, as lm-eval's `piqa` scores `acc`."""
    source = ProgramPatterns(parsed(loaded.info, spec), loaded.info.is_causal, loaded.device)
    stems = [f"Question: {question.goal}\nAnswer:" for question in questions]
    texts = [f"{stem} {a}" for stem, q in zip(stems, questions, strict=True) for a in q.answers]
    passages = [Sentence(str(at), text, "question", Split.TEST) for at, text in enumerate(texts)]
    features = annotate(
        passages, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length, loaded.pipeline
    )
    if features.truncated:
        raise HybridError(
            f"{features.truncated} answers do not fit the model's {loaded.info.max_length} tokens"
        )
    found = measure(loaded, [Variant(source, frozenset(source.heads))], features, tell)
    skip = np.repeat([len(without_closing(stem, loaded.tokenizer)) for stem in stems], 2)
    ends = np.array([len(without_closing(text, loaded.tokenizer)) for text in texts])
    within = np.concatenate([np.arange(1, n) for n in features.lengths if n >= 2])
    counts = (within >= skip[found.rows]) & (within < ends[found.rows])
    right = np.array([question.right for question in questions])

    def preferred(losses: np.ndarray) -> np.ndarray:
        sums = np.bincount(found.rows[counts], losses[counts], minlength=len(texts))
        chosen: np.ndarray = sums.reshape(-1, 2).argmin(1)
        return chosen

    original, changed = preferred(found.base), preferred(found.changed[0])
    return Accuracy(
        len(questions),
        share_estimate(original == right),
        share_estimate(changed == right),
        float((original == changed).mean()),
        int(found.kept.sum()),
    )
