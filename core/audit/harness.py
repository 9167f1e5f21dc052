"""Tasks of lm-eval by name, for a model and its hybrid. lm-eval is an extra: `pip install lm-eval`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import torch

from core.audit.accuracy import Accuracy
from core.errors import HybridError
from core.features import annotate_ids
from core.hybrid import ProgramPatterns, parsed, replaced
from core.hybrid.generate import generate
from core.models.pretrained import LoadedModel
from core.scoring.intervals import normal_share
from core.types import HybridSpec

_MEASURES = ("acc,none", "exact_match,none", "exact_match,strict-match", "em,none")
_NEW_TOKENS = 128


def task_accuracies(
    loaded: LoadedModel, spec: HybridSpec, tasks: Sequence[str], limit: int | None = None
) -> dict[str, Accuracy]:
    """Accuracy of the model and of the hybrid on each task, on its first `limit` questions.

    Raises HybridError if lm-eval is not installed, a task is unknown or cannot be fetched, or it reports no
    accuracy.
    """
    try:
        import lm_eval
    except ImportError as error:
        raise HybridError("tasks by name need lm-eval: pip install lm-eval") from error
    plain = HybridSpec.of(spec.model, [])
    results, kept = [], 0
    for chosen in (plain, spec):
        asked = _language_model(loaded, chosen)
        try:
            found = lm_eval.simple_evaluate(model=asked, tasks=list(tasks), limit=limit, bootstrap_iters=0)
        except Exception as error:  # tasks are code and data of others, fetched from the network
            raise HybridError(f"lm-eval cannot run {', '.join(tasks)}: {error}") from error
        results.append(found["results"])
        kept = asked.kept
    original, changed = results
    return {task: _accuracy(task, original[task], changed[task], kept) for task in original}


def _accuracy(task: str, original: dict[str, Any], changed: dict[str, Any], kept: int) -> Accuracy:
    """`kept` is of all tasks together: lm-eval does not tell them apart."""
    measure = next((name for name in _MEASURES if name in original), None)
    if measure is None:
        raise HybridError(f"{task} reports no accuracy, but {', '.join(sorted(original))}")
    count = int(original.get("sample_len", 0)) or 1

    one, other = (normal_share(float(results[measure]), count) for results in (original, changed))
    return Accuracy(count, one, other, agreement=None, kept=kept)


def _language_model(loaded: LoadedModel, spec: HybridSpec) -> Any:
    """A hybrid as lm-eval asks it: likelihoods of given tokens, and text until a mark."""
    from lm_eval.api.model import TemplateLM

    source = ProgramPatterns(parsed(loaded.info, spec), loaded.info.is_causal, loaded.device)
    embeddings = loaded.embeddings()

    class HybridLM(TemplateLM):  # type: ignore[misc]
        tokenizer = loaded.tokenizer
        kept = 0  # (head, text) pairs so far that kept the head's own attention

        @property
        def eot_token_id(self) -> int:
            found: int = loaded.tokenizer.eos_token_id
            return found

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **more: Any) -> list[int]:
            special = add_special_tokens is not False
            found: list[int] = loaded.tokenizer(string, add_special_tokens=special)["input_ids"]
            return found

        def _loglikelihood_tokens(
            self, requests: Sequence[tuple[Any, list[int], list[int]]], **more: Any
        ) -> list[tuple[float, bool]]:
            with replaced(loaded, source) as patched:
                found = [self._likelihood(patched, before, after) for _, before, after in requests]
                self.kept += patched.failures
            return found

        def _likelihood(self, patched: Any, before: list[int], after: list[int]) -> tuple[float, bool]:
            ids = (before + after)[-loaded.info.max_length :]
            features = annotate_ids(ids, loaded.tokenizer, embeddings, loaded.pipeline)
            log_p = patched.logits(features, [0])[0, -len(after) - 1 : -1].float().log_softmax(-1)
            targets = torch.tensor(ids[-len(after) :], device=log_p.device)
            found = log_p.gather(1, targets[:, None]).sum().item()
            return found, bool((log_p.argmax(-1) == targets).all())

        def loglikelihood_rolling(self, requests: Sequence[Any], **more: Any) -> list[float]:
            rows = [([self.eot_token_id], self.tok_encode(request.args[0])) for request in requests]
            return [found for found, _ in self._loglikelihood_tokens([("", *row) for row in rows])]

        def generate_until(self, requests: Sequence[Any], **more: Any) -> list[str]:
            return [self._until(*request.args) for request in requests]

        def _until(self, prompt: str, options: dict[str, Any]) -> str:
            marks = options.get("until", [])
            marks = [marks] if isinstance(marks, str) else marks
            text, most = "", 0

            def tell(failures: int) -> None:
                nonlocal most
                most = max(most, failures)

            length = int(options.get("max_gen_toks", _NEW_TOKENS))
            with closing(generate(loaded, spec, prompt, length, tell=tell)) as pieces:
                for piece in pieces:
                    text += piece
                    if any(mark in text for mark in marks):
                        break
            self.kept += most
            ends = [text.index(mark) for mark in marks if mark in text]
            return text[: min(ends, default=len(text))]

    return HybridLM()
