"""A passage as a model's tokens, each with the characters it stands for.

There is one reading, whether a passage is known by its text or by its token ids. What a token stands for is
what the tokenizer wrote into its piece; where that is not the text (letters made small, an accent or a
ligature resolved, an unknown word), the text itself, if it is known, says it. A character that takes several
tokens belongs to the one that completes it, so that nothing is read ahead. Characters that no token stands
for are left out; tokens that stand for no characters, such as <s>, are special however they came to be there.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ModelError

_MARK = "▁"  # a space, in SentencePiece
_BROKEN = "\ufffd"


@dataclass(frozen=True)
class PassageTokens:
    """The tokens of a passage."""

    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]  # characters of the passage, end to end
    special: Sequence[str | None]  # the name of a special token
    closing: int = 0  # special tokens that the tokenizer puts after every text

    @property
    def end(self) -> int:
        """Where their characters end."""
        return self.spans[-1][1] if self.spans else 0

    def first(self, count: int) -> PassageTokens:
        """The first tokens."""
        return PassageTokens(self.ids[:count], self.spans[:count], self.special[:count])

    def cut(self, count: int) -> PassageTokens:
        """At most so many tokens, with those that close every text."""
        if len(self.ids) <= count:
            return self
        kept = max(0, count - self.closing)
        at = self.first(kept).end
        closing = range(len(self.ids) - self.closing, len(self.ids))
        return PassageTokens(
            [*self.ids[:kept], *(self.ids[place] for place in closing)],
            [*self.spans[:kept], *((at, at) for _ in closing)],
            [*self.special[:kept], *(self.special[place] for place in closing)],
            self.closing,
        )


def require_offsets(tokenizer: Any) -> None:
    """Raises ModelError if a tokenizer cannot report character offsets."""
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"the tokenizer {type(tokenizer).__name__} reports no character offsets; "
            "use the model's fast tokenizer"
        )


def encoded(text: str, tokenizer: Any, **options: Any) -> Mapping[str, Any]:
    """What a tokenizer makes of a text; raises ModelError where it fails, as a damaged one may by a panic."""
    try:
        found: Mapping[str, Any] = tokenizer(text, **options)
    except BaseException as error:  # a panic of the tokenizers library is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"the tokenizer cannot cut a text into tokens ({first}); save the one that belongs to the model"
        ) from error
    return found


def read_text(text: str, tokenizer: Any) -> tuple[str, PassageTokens]:
    """What of a passage the tokenizer reads, and its tokens."""
    read = encoded(text, tokenizer, return_offsets_mapping=True, return_special_tokens_mask=True)
    ids, added = read["input_ids"], read["special_tokens_mask"]
    special = _special(ids, tokenizer, added)
    surfaces = _written(ids, special, tokenizer)
    if "".join(surfaces) != text:
        surfaces = _found(text, read["offset_mapping"], special, tokenizer.convert_ids_to_tokens(ids))
    closing = 0
    while closing < len(ids) and added[len(ids) - 1 - closing]:
        closing += 1
    return _together(ids, surfaces, special, closing if closing < len(ids) else 0)


def read_ids(ids: Sequence[int], tokenizer: Any, text: str | None = None) -> tuple[str, PassageTokens]:
    """The text that token ids spell, and its tokens; `text` is what the first of them were read from."""
    special = _special(ids, tokenizer)
    surfaces = _written(ids, special, tokenizer)
    if text is not None:
        known, tokens = read_text(text, tokenizer)
        count = len(tokens.ids)
        if list(ids[:count]) != list(tokens.ids):  # gone on without what closes a text
            count -= tokens.closing
        if list(ids[:count]) == list(tokens.ids[:count]):
            surfaces[:count] = [known[start:end] for start, end in tokens.spans[:count]]
    return _together(ids, surfaces, special)


def without_closing(text: str, tokenizer: Any) -> list[int]:
    """Token ids of a text that is to be gone on with: without the special tokens that close it."""
    tokens = read_text(text, tokenizer)[1]
    return list(tokens.ids[: len(tokens.ids) - tokens.closing])


def surfaces_of(text: str, tokens: PassageTokens) -> list[str]:
    """Each token's characters with the white space before it; of special tokens their names."""
    return [
        text[start:end] if name is None else name
        for name, (start, end) in zip(tokens.special, tokens.spans, strict=True)
    ]


def _together(
    ids: Sequence[int], surfaces: Sequence[str], special: Sequence[str | None], closing: int = 0
) -> tuple[str, PassageTokens]:
    spans = []
    at = 0
    for surface in surfaces:
        spans.append((at, at + len(surface)))
        at += len(surface)
    return "".join(surfaces), PassageTokens(ids, spans, special, closing)


def _special(ids: Sequence[int], tokenizer: Any, added: Sequence[int] | None = None) -> list[str | None]:
    """The names of special tokens, whether the tokenizer added them or the text spells them."""
    known = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}  # which stands for characters
    names = zip(ids, tokenizer.convert_ids_to_tokens(ids), added or [0] * len(ids), strict=True)
    return [name if one in known or is_added else None for one, name, is_added in names]


# By the pieces


def _written(ids: Sequence[int], special: Sequence[str | None], tokenizer: Any) -> list[str]:
    """The characters that each token adds to those before, by its piece."""
    plain = [at for at, name in enumerate(special) if name is None]
    pieces = tokenizer.convert_ids_to_tokens([ids[at] for at in plain])
    backend = tokenizer.backend_tokenizer
    kind = "" if backend.decoder is None else backend.decoder.__getstate__().decode()
    if '"ByteLevel"' in kind:
        parts = _from_bytes(map(_bytes_of(tokenizer), pieces))
    elif _MARK in kind or '"Metaspace"' in kind or '"ByteFallback"' in kind:
        parts = _from_bytes(map(_fallback_bytes, pieces))
        strips = '"Strip"' in kind or ('"Metaspace"' in kind and '"never"' not in kind)
        if strips and parts and parts[0].startswith(" "):
            parts[0] = parts[0][1:]
    elif '"WordPiece"' in kind:
        prefix = json.loads(kind).get("prefix", "##")
        parts = [
            piece.removeprefix(prefix) if piece.startswith(prefix) or not at else f" {piece}"
            for at, piece in enumerate(pieces)
        ]
    else:
        parts = list(_decoded([ids[at] for at in plain], tokenizer))
    surfaces = [""] * len(ids)
    for at, part in zip(plain, parts, strict=True):
        surfaces[at] = part
    return surfaces


def _from_bytes(pieces: Iterator[bytes]) -> list[str]:
    """What is complete after each piece."""
    reader = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return [reader.decode(piece) for piece in pieces]


def _bytes_of(tokenizer: Any) -> Callable[[str], bytes]:
    added = {str(token) for token in tokenizer.added_tokens_decoder.values()}

    def spelt(piece: str) -> bytes:
        if piece in added or any(character not in _BYTES for character in piece):
            return piece.encode()
        return bytes(_BYTES[character] for character in piece)

    return spelt


def _fallback_bytes(piece: str) -> bytes:
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace(_MARK, " ").encode()


def _byte_alphabet() -> dict[str, int]:
    """The characters by which byte-level tokenizers spell bytes (GPT-2's `bytes_to_unicode`)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}


_BYTES = _byte_alphabet()


def _decoded(ids: Sequence[int], tokenizer: Any) -> Iterator[str]:
    """The same by decoding ever more tokens, for tokenizers whose pieces are spelt in a way of their own."""
    reached = 0
    for at in range(len(ids)):
        text = tokenizer.decode(ids[: at + 1], clean_up_tokenization_spaces=False)
        if text.endswith(_BROKEN) and at + 1 < len(ids):
            yield ""
            continue
        yield text[reached:]
        reached = max(reached, len(text))


# By the text


def _found(
    text: str, offsets: Sequence[tuple[int, int]], special: Sequence[str | None], pieces: Sequence[str]
) -> list[str]:
    """The characters of the text that each token covers, with the white space before it."""
    surfaces = []
    reached = 0
    for at, (start, end) in enumerate(offsets):
        if special[at] is not None:
            surfaces.append("")
            reached = max(reached, end)
            continue
        if pieces[at] == _MARK and text[start:end].strip(f" {_MARK}"):  # SentencePiece's, of no character
            end = start
        is_completed_later = any(
            later[0] < end and special[at + 1 + place] is None
            for place, later in enumerate(offsets[at + 1 : at + 2])
        )
        if is_completed_later or end <= reached:
            surfaces.append("")
            continue
        gap = "".join(character for character in text[reached:start] if character.isspace())
        surfaces.append(gap + text[max(start, reached) : end])
        reached = end
    return surfaces
