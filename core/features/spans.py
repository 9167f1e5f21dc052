"""A passage as a model's tokens, each with the characters it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from core.errors import ModelError


@dataclass(frozen=True)
class PassageTokens:
    """The tokens of a passage."""

    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]  # characters of the passage
    special: Sequence[str | None]  # the name of a special token

    def first(self, count: int | None) -> PassageTokens:
        """The first tokens; all if `count` is None."""
        return PassageTokens(self.ids[:count], self.spans[:count], self.special[:count])


def require_offsets(tokenizer: Any) -> None:
    """Raises ModelError if a tokenizer cannot report character offsets."""
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"the tokenizer {type(tokenizer).__name__} reports no character offsets; "
            "use the model's fast tokenizer"
        )


def read_text(text: str, tokenizer: Any) -> PassageTokens:
    """A passage as the tokenizer reads it."""
    encoded = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
    ids = encoded["input_ids"]
    pieces = tokenizer.convert_ids_to_tokens(ids)
    masked = zip(pieces, encoded["special_tokens_mask"], strict=True)
    return PassageTokens(
        ids,
        _without_added_space(text, pieces, encoded["offset_mapping"]),
        [piece if is_special else None for piece, is_special in masked],
    )


def read_ids(ids: Sequence[int], tokenizer: Any) -> tuple[str, PassageTokens]:
    """The text that token ids spell, and the tokens in it."""
    special = set(tokenizer.all_special_ids)
    plain = [[one for one in ids[: at + 1] if one not in special] for at in range(len(ids))]
    texts = [tokenizer.decode(part, clean_up_tokenization_spaces=False) for part in plain]
    ends = [0, *(len(text) for text in texts)]
    names = zip(ids, tokenizer.convert_ids_to_tokens(ids), strict=True)
    spans = [(min(before, end), end) for before, end in pairwise(ends)]
    return texts[-1] if texts else "", PassageTokens(
        ids, spans, [name if one in special else None for one, name in names]
    )


def _without_added_space(
    text: str, pieces: Sequence[str], spans: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Spans; the space that SentencePiece adds before a passage covers none of its characters."""
    return [
        (start, start) if piece == "▁" and text[start:end].strip(" ▁") else (start, end)
        for piece, (start, end) in zip(pieces, spans, strict=True)
    ]


def surfaces_of(text: str, tokens: PassageTokens) -> list[str]:
    """Each token's characters with the white space before it, which some tokenizers leave out of the span."""
    surfaces = []
    reached = 0
    for name, (start, end) in zip(tokens.special, tokens.spans, strict=True):
        surfaces.append(
            name if name is not None else text[min(reached, start) if reached < end else start : end]
        )
        reached = max(reached, end)
    return surfaces
