"""The texts and the tokenizer of a workspace's passages, kept before plain Python is run on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from core.errors import ModelError
from core.features import Carried, Features, ReadNow, read_text
from core.jobs.folder import Job
from core.language import ParsedProgram, PlainProgram
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.types import ModelInfo, Sentence


def keep_reading(job: Job[Any], info: ModelInfo, passages: list[Sentence]) -> None:
    """Have the workspace keep them, where it was built by a version that did not.

    Raises ModelError if the model's tokenizer is not the one that read them.
    """
    store = TokenStore(attention_folder(job.place.workspace, info.id))
    if all(text is not None for text in store.reading.texts([passage.id for passage in passages])):
        return
    from core.models.pretrained import load_tokenizer

    job.events.progress("loading the tokenizer", 0, 0)
    tokenizer = load_tokenizer(info.name, job.place.models)
    features, texts = store.read([passage.id for passage in passages]), dict[str, str]()
    for row, passage in enumerate(passages):
        text, tokens = read_text(passage.text, tokenizer)
        ids = features.token_ids[features.span(row)].tolist()
        tokens = tokens.cut(len(ids))
        if list(tokens.ids) != ids:
            raise ModelError(
                f"the tokenizer of {info.name} reads {passage.text[:40]!r} otherwise than when its attention "
                "was extracted; put that model back, or extract again"
            )
        texts[passage.id] = text[: tokens.end]
    store.reading.add(ReadNow(texts, tokenizer), list(texts))


def carried(features: Features, programs: Iterable[ParsedProgram]) -> Features:
    """Features that hold all that these programs ask for, so that no node needs the workspace for it."""
    if not any(isinstance(program, PlainProgram) for program in programs):
        return features
    return replace(features, reading=Carried.of(features.reading, features.sentences))
