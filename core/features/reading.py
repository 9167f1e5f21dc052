"""What passages were read from: their texts and the tokenizer, for programs that ask for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

_LONGEST = 2**30  # tokenizers without a limit report an absurd one


class Reading(Protocol):
    """Where the texts of passages and a tokenizer can be had."""

    def texts(self, sentences: Sequence[str]) -> list[str | None]:
        """The text of each passage as it was read, by its id; None where it is not known."""

    def tokenizer(self) -> Mapping[str, Any] | None:
        """The tokenizer as `describe_tokenizer` gives it; None where it is not known."""


@dataclass(frozen=True)
class ReadNow:
    """A reading that was made in this process."""

    texts_of: Mapping[str, str]  # Sentence.id -> text
    read_by: Any  # a fast transformers tokenizer

    def texts(self, sentences: Sequence[str]) -> list[str | None]:
        """The text of each passage."""
        return [self.texts_of.get(sentence) for sentence in sentences]

    def tokenizer(self) -> Mapping[str, Any] | None:
        """The tokenizer."""
        return describe_tokenizer(self.read_by)


@dataclass(frozen=True)
class Carried:
    """A reading that holds what it gives, so that another machine has it as well."""

    texts_of: Mapping[str, str]  # Sentence.id -> text
    described: Mapping[str, Any]  # as `describe_tokenizer` gives it

    @classmethod
    def of(cls, reading: Reading | None, sentences: Sequence[str]) -> Carried | None:
        """What is known of these passages; None where there is no tokenizer that they were read by."""
        tokenizer = None if reading is None else reading.tokenizer()
        if reading is None or tokenizer is None:
            return None
        texts = zip(sentences, reading.texts(sentences), strict=True)
        return cls({sentence: text for sentence, text in texts if text is not None}, tokenizer)

    def texts(self, sentences: Sequence[str]) -> list[str | None]:
        """The text of each passage."""
        return [self.texts_of.get(sentence) for sentence in sentences]

    def tokenizer(self) -> Mapping[str, Any]:
        """The tokenizer."""
        return self.described


def both(old: Reading | None, new: Reading | None) -> Reading | None:
    """The reading of the passages of two; None where they were not read alike."""
    if isinstance(old, ReadNow) and isinstance(new, ReadNow) and old.read_by is new.read_by:
        return ReadNow({**old.texts_of, **new.texts_of}, old.read_by)
    return old if old == new else None


@lru_cache(maxsize=4)
def describe_tokenizer(tokenizer: Any) -> dict[str, Any]:
    """A fast transformers tokenizer as plain values, of which another process can make one that reads alike.

    `backend` is the JSON of the `tokenizers` library, `closes_up` says whether decoding takes out spaces
    before punctuation, `special` and `all_special` hold the special tokens by name and in order.
    """
    special = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if token is not None}
    return {
        "backend": tokenizer.backend_tokenizer.to_str(),
        "closes_up": bool(getattr(tokenizer, "clean_up_tokenization_spaces", False)),
        "special": {name: token for name, token in special.items() if name.endswith("_token")},
        "all_special": [str(token) for token in tokenizer.all_special_tokens],
        "name": str(tokenizer.name_or_path).rstrip("/").rpartition("/")[2],  # no place on this machine
        "longest": min(int(tokenizer.model_max_length), _LONGEST),
    }
