"""Questions with two answers, as in PIQA: how often a model and its hybrid prefer the right one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.audit.piqa import Question
from core.errors import HybridError
from core.features import annotate
from core.hybrid import ProgramPatterns, parsed
from core.hybrid.perplexity import Tell, Variant, measure
from core.models.pretrained import LoadedModel
from core.types import HybridSpec, Sentence, Split

_RESAMPLES = 1000
_SEED = 0


@dataclass(frozen=True)
class Accuracy:
    """Shares of questions answered rightly, with 95 % bootstrap intervals over questions."""

    questions: int
    original: float
    original_interval: tuple[float, float]
    changed: float
    changed_interval: tuple[float, float]
    agreement: float | None  # questions on which both prefer the same answer; None where that is not told
    kept: int = 0  # (head, text) pairs where the program failed and the head kept its own attention


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
    features = annotate(passages, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length)
    if features.truncated:
        raise HybridError(
            f"{features.truncated} answers do not fit the model's {loaded.info.max_length} tokens"
        )
    found = measure(loaded, [Variant(source, frozenset(source.heads))], features, tell)
    skip = np.repeat([len(loaded.tokenizer(stem)["input_ids"]) for stem in stems], 2)
    within = np.concatenate([np.arange(1, n) for n in features.lengths if n >= 2])
    counts = within >= skip[found.rows]
    right = np.array([question.right for question in questions])

    def preferred(losses: np.ndarray) -> np.ndarray:
        sums = np.bincount(found.rows[counts], losses[counts], minlength=len(texts))
        chosen: np.ndarray = sums.reshape(-1, 2).argmin(1)
        return chosen

    original, changed = preferred(found.base), preferred(found.changed[0])
    return Accuracy(
        len(questions),
        float((original == right).mean()),
        _interval(original == right),
        float((changed == right).mean()),
        _interval(changed == right),
        float((original == changed).mean()),
        int(found.kept.sum()),
    )


def _interval(hits: np.ndarray) -> tuple[float, float]:
    drawn = np.random.default_rng(_SEED).binomial(len(hits), hits.mean(), _RESAMPLES) / len(hits)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
