"""Text from a model and from its hybrid, token by token with the same seed.

A hybrid reads its own text as it grows: at every step the features of the text so far, from which the
newest row of every program follows. Programs that look ahead see no further than that text.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from inspect import signature

import numpy as np
import torch
from torch import Tensor

from core.errors import HybridError
from core.features import Features, annotate_ids, without_closing
from core.hybrid import HeadMaps, Hybrid, ProgramPatterns, parsed, replaced
from core.language import describe
from core.models.pretrained import LoadedModel
from core.scoring import program_of
from core.types import HeadId, HybridSpec


def generate(
    loaded: LoadedModel,
    spec: HybridSpec,
    prompt: str,
    tokens: int = 40,
    temperature: float = 0.0,
    seed: int = 0,
    tell: Callable[[int], None] = lambda failures: None,
) -> Generator[str]:
    """The continuation of `prompt`, a piece at a time; an empty spec is the unmodified model.

    Temperature 0 takes the likeliest token. Ends early at an end-of-sequence token or the end of the
    context. `tell` hears at every token how many heads kept their own attention, because their program fails
    on the text so far. Raises HybridError for an encoder, an empty prompt or a spec of another model.
    """
    if not loaded.info.is_causal:
        raise HybridError(f"{loaded.info.name} is an encoder: it does not generate text")
    ids = without_closing(prompt, loaded.tokenizer)
    if not ids:
        raise HybridError("the prompt has no token; write a few words to go on from")
    if max(ids) >= len(loaded.model.get_input_embeddings().weight):
        raise HybridError(
            "the prompt has a token that the model has no embedding of; write it in other words"
        )
    if len(ids) >= loaded.info.max_length:
        raise HybridError(
            f"the prompt has {len(ids)} tokens, as many as the model's context of {loaded.info.max_length} "
            "holds or more; give a shorter one"
        )
    programs = parsed(loaded.info, spec)
    source = ProgramPatterns(programs, loaded.info.is_causal, loaded.device)
    own = HeadMaps([], torch.zeros(1, 0, 0, 0))  # of the unmodified model
    generator = torch.Generator().manual_seed(seed)
    ends = {loaded.tokenizer.eos_token_id, *_many(loaded.model.generation_config.eos_token_id)}
    embeddings = loaded.embeddings() if programs else None
    start, cache = 0, None
    seen: dict[HeadId, Tensor] = {}  # of heads that programs look at, row by row
    shown = loaded.tokenizer.decode(ids, skip_special_tokens=True)
    with replaced(loaded, source) as patched:
        for _ in range(min(tokens, loaded.info.max_length - len(ids))):
            annotated = _read(loaded, ids, embeddings, prompt) if programs else None
            patterns = own if annotated is None else source.patterns(annotated)
            logits, cache, failures = _step(patched, patterns, ids, start, cache, seen)
            tell(failures)
            start = len(ids)
            ids.append(_chosen(logits, temperature, generator))
            if ids[-1] in ends:
                return
            text = loaded.tokenizer.decode(ids, skip_special_tokens=True)
            if not text.endswith("\ufffd"):  # a character is not whole yet
                yield text[len(shown) :]
                shown = text


def _read(loaded: LoadedModel, ids: list[int], embeddings: np.ndarray | None, prompt: str) -> Features:
    return annotate_ids(ids, loaded.tokenizer, embeddings, loaded.pipeline, prompt)


def looks_ahead(spec: HybridSpec) -> list[HeadId]:
    """Heads whose program reads text to the right of a token, which a growing text does not have."""
    return [head for head, source in spec.programs if describe(program_of(source)).lookahead]


def _step(
    patched: Hybrid,
    patterns: HeadMaps,
    ids: list[int],
    start: int,
    cache: object,
    seen: dict[HeadId, Tensor],
) -> tuple[Tensor, object, int]:
    """Logits [vocabulary] of the next token, and how many heads kept their own attention.

    Tokens before `start` are in the cache, and what heads gave them that programs look at in `seen`.
    """
    name = _cache_name(patched.loaded)
    newest = replace(patterns, weights=patterns.weights[:, :, start:])
    with torch.no_grad(), patched.attending(newest, seen) as passing:
        output = patched.loaded.model(
            input_ids=torch.tensor([ids[start:]], device=patched.loaded.device),
            use_cache=True,
            **{name: cache},
        )
    kept = int((~patterns.ran | passing.failed()).sum())
    return output.logits[0, -1].float().cpu(), output[name], kept


def _cache_name(loaded: LoadedModel) -> str:
    """What the model calls its cache: `cache` from transformers 5.24 on, `past_key_values` before."""
    return "cache" if "cache" in signature(loaded.model.forward).parameters else "past_key_values"


def _chosen(logits: Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature <= 0:
        return int(logits.argmax())
    return int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator))


def _many(found: int | list[int] | None) -> list[int]:
    if found is None:
        return []
    return [found] if isinstance(found, int) else found
