"""What programs find under the names they use: the workspace's tokenizer, spaCy's document, empty libraries.

Run in the guest by its path, so it imports nothing of Headscript. The tokenizer is the model's own (the
`tokenizers` library, from the same file), behind the methods of transformers that such programs call; spaCy's
document is what the pipeline outside said of the passage. What is not there raises an error in words.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

# Of a word, in the order in which they arrive (core.sandbox.documents).
WORD = [
    "text",
    "whitespace_",
    "idx",
    "lemma_",
    "pos_",
    "tag_",
    "dep_",
    "head",
    "ent_type_",
    "ent_iob_",
    "is_sent_start",
    "is_stop",
    "is_punct",
    "is_alpha",
    "is_digit",
    "is_space",
    "is_title",
    "is_upper",
    "is_lower",
    "is_quote",
    "is_bracket",
    "is_currency",
    "like_num",
    "like_url",
    "shape_",
    "morph",
]
_CLOSED_UP = (" .", " ?", " !", " ,", " n't", " 'm", " 's", " 've", " 're")


class NotThere(Exception):
    """A program asks for something that the sandbox does not have."""


class World:
    """What a guest knows: the tokenizer, and of each passage its text, tokens and spaCy's document."""

    def __init__(self, tokenizer: dict[str, Any]) -> None:
        self._tokenizer = Tokenizer(tokenizer)
        self._spacy = _library("spacy", load=self._load, blank=self._load)
        tokens = _library("spacy.tokens", Doc=Doc, Span=Span, Token=Word)
        vars(self._spacy)["tokens"] = tokens
        language = _library("spacy.language", Language=_Pipeline)
        vars(self._spacy)["language"] = language
        for name in ("transformers", "torch"):
            _library(name, __getattr__=_names_only(name))
        self._document: dict[str, Any] | None = None
        np.random.default_rng = _seeded

    def of(self, passage: dict[str, Any]) -> tuple[str, Tokenizer]:
        """A passage's text and the tokenizer that reads it as the model did."""
        self._document = passage["document"]
        self._tokenizer.passage = (passage["text"], passage["ids"])
        return passage["text"], self._tokenizer

    def _load(self, name: str = "", **others: object) -> _Pipeline:
        return _Pipeline(self)

    def document(self, text: str) -> Doc:
        """spaCy's reading of the passage; raises NotThere for any other text."""
        if self._document is None:
            raise NotThere("no spaCy pipeline read this workspace's passages")
        if text != self._document["text"]:
            raise NotThere("the sandbox's spaCy has read the passage as it is, and no other text")
        return Doc(self._document)


_default_rng = np.random.default_rng


def _seeded(seed: Any = None) -> np.random.Generator:
    """numpy's generator; without a seed the same every time."""
    return _default_rng(0 if seed is None else seed)


def _library(name: str, **members: Any) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = []
    vars(module).update(members)
    sys.modules[name] = module
    return module


def _names_only(library: str) -> Any:
    """A library of which only names are there, for annotations; whatever else is done with one fails."""

    def named(name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_: object, **__: object) -> None:
            raise NotThere(f"{library} is not in the sandbox, so {name} cannot be used")

        return type(name, (), {"__new__": refuse, "from_pretrained": staticmethod(refuse)})

    return named


class Encoding(dict[str, Any]):
    """What the tokenizer gives for a text, as transformers' BatchEncoding."""

    def __init__(self, values: dict[str, Any], encodings: Sequence[_Tokens]) -> None:
        super().__init__(values)
        self.encodings = list(encodings)

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(name)

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens' pieces."""
        return self.encodings[batch_index].tokens

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """The place of each token's word."""
        return self.encodings[batch_index].word_ids

    def char_to_token(self, batch_or_char: int, char: int | None = None) -> int | None:
        """The token that covers a character."""
        batch, place = (0, batch_or_char) if char is None else (batch_or_char, char)
        for at, (start, end) in enumerate(self.encodings[batch].offsets):
            if start <= place < end:
                return at
        return None

    def token_to_chars(self, batch_or_token: int, token: int | None = None) -> tuple[int, int]:
        """The characters that a token covers."""
        batch, at = (0, batch_or_token) if token is None else (batch_or_token, token)
        return self.encodings[batch].offsets[at]

    def to(self, *_: object, **__: object) -> Encoding:
        """There is one device."""
        return self


class _Tokens:
    """A text as tokens."""

    def __init__(
        self, ids: list[int], tokens: list[str], offsets: Any, words: Any, special: list[int]
    ) -> None:
        self.ids, self.tokens, self._offsets, self._words = ids, tokens, offsets, words
        self.special_tokens_mask = special

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """Each token's characters."""
        if self._offsets is None:
            raise NotThere("this passage is known by its tokens, not by its text: it has no offsets")
        return self._offsets  # type: ignore[no-any-return]

    @property
    def word_ids(self) -> list[int | None]:
        """Each token's word."""
        if self._words is None:
            raise NotThere("this passage is known by its tokens, not by its text: it has no words")
        return self._words  # type: ignore[no-any-return]


class Tokenizer:
    """The workspace's tokenizer, with the methods of transformers' that read text and tokens."""

    is_fast = True
    padding_side = "right"

    def __init__(self, described: dict[str, Any]) -> None:
        from tokenizers import Tokenizer as Backend

        self._backend = Backend.from_str(described["backend"])
        self._backend.no_padding()
        self._backend.no_truncation()
        self._closes_up = bool(described["closes_up"])
        self.passage: tuple[str, list[int]] = ("", [])
        self.special_tokens_map: dict[str, str] = dict(described["special"])
        self.all_special_tokens = list(dict.fromkeys(described["all_special"]))
        self.all_special_ids = [self._backend.token_to_id(token) for token in self.all_special_tokens]
        self.name_or_path = described["name"]
        self.model_max_length = described["longest"]

    def __getattr__(self, name: str) -> Any:
        special = self.__dict__.get("special_tokens_map", {})
        if name.endswith("_token") and name in special:
            return special[name]
        if name.endswith("_token_id") and name[:-3] in special:
            return self._backend.token_to_id(special[name[:-3]])
        if name in ("bos", "eos", "cls", "sep", "pad", "unk", "mask"):
            raise AttributeError(name)
        if name.endswith(("_token", "_token_id")):
            return None
        raise AttributeError(f"the sandbox's tokenizer has no {name}")

    def __len__(self) -> int:
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    @property
    def vocab_size(self) -> int:
        """Pieces, without those added."""
        return int(self._backend.get_vocab_size(with_added_tokens=False))

    def get_vocab(self) -> dict[str, int]:
        """Every piece with its number."""
        return dict(self._backend.get_vocab(with_added_tokens=True))

    @property
    def vocab(self) -> dict[str, int]:
        """The same."""
        return self.get_vocab()

    def __call__(
        self,
        text: Any,
        text_pair: object = None,
        add_special_tokens: bool = True,
        return_tensors: str | None = None,
        return_offsets_mapping: bool = False,
        return_special_tokens_mask: bool = False,
        **others: object,
    ) -> Encoding:
        """Token ids and what is asked for beside them; tensors are numpy arrays."""
        if text_pair is not None or others.get("is_split_into_words"):
            raise NotThere("the sandbox's tokenizer reads one text at a time, not pairs or words")
        texts = [text] if isinstance(text, str) else list(text)
        read = [self._read(one, add_special_tokens) for one in texts]
        values: dict[str, Any] = {
            "input_ids": [one.ids for one in read],
            "attention_mask": [[1] * len(one.ids) for one in read],
        }
        if return_offsets_mapping:
            values["offset_mapping"] = [one.offsets for one in read]
        if return_special_tokens_mask:
            values["special_tokens_mask"] = [one.special_tokens_mask for one in read]
        if return_tensors:
            values = {name: np.array(rows) for name, rows in values.items()}
        elif isinstance(text, str):
            values = {name: rows[0] for name, rows in values.items()}
        return Encoding(values, read)

    encode_plus = batch_encode_plus = __call__

    def _read(self, text: str, with_special: bool) -> _Tokens:
        found = self._backend.encode(text, add_special_tokens=with_special)
        ids, tokens = found.ids, found.tokens
        offsets: Any = found.offsets
        words: Any = found.word_ids
        mask = list(found.special_tokens_mask)
        known, wanted = self.passage
        if text != known or not with_special or ids == wanted:
            return _Tokens(ids, tokens, offsets, words, mask)
        special = set(self.all_special_ids)
        mask = [int(one in special) for one in wanted]
        kept = len(wanted) - next((at for at, one in enumerate(reversed(mask)) if not one), 0)
        if ids[:kept] == wanted[:kept]:  # cut, with what closes every text
            rest = len(wanted) - kept
            end = offsets[kept - 1][1] if kept else 0
            offsets, words = [*offsets[:kept], *[(end, end)] * rest], [*words[:kept], *[None] * rest]
        else:  # tokens that were written one by one
            offsets = words = None
        return _Tokens(list(wanted), self.convert_ids_to_tokens(wanted), offsets, words, mask)

    def encode(self, text: str, add_special_tokens: bool = True, **others: Any) -> Any:
        """Token ids alone."""
        ids = self._read(text, add_special_tokens).ids
        return np.array([ids]) if others.get("return_tensors") else ids

    def tokenize(self, text: str, **others: object) -> list[str]:
        """The pieces of a text, without the special tokens that every text gets."""
        if text == self.passage[0]:
            read = self._read(text, True)
            return [
                piece
                for piece, is_special in zip(read.tokens, read.special_tokens_mask, strict=True)
                if not is_special
            ]
        return self._read(text, bool(others.get("add_special_tokens", False))).tokens

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The pieces of token ids; of a single one its piece."""
        if np.ndim(ids) == 0:
            return self._backend.id_to_token(int(ids))
        kept = [int(one) for one in ids if not (skip_special_tokens and int(one) in self.all_special_ids)]
        return [self._backend.id_to_token(one) for one in kept]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The numbers of pieces; of a single one its number."""
        if isinstance(tokens, str):
            return self._backend.token_to_id(tokens)
        return [self._backend.token_to_id(token) for token in tokens]

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text that pieces spell."""
        return self.decode(self.convert_tokens_to_ids(list(tokens)))

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, **others: Any) -> str:
        """The text that token ids spell."""
        ids = [int(one) for one in np.ravel(np.asarray(token_ids))]
        text = str(self._backend.decode(ids, skip_special_tokens=skip_special_tokens))
        closes_up = others.get("clean_up_tokenization_spaces")
        if self._closes_up if closes_up is None else closes_up:
            for pair in _CLOSED_UP:
                text = text.replace(pair, pair[1:])
        return text

    def batch_decode(self, sequences: Any, **others: Any) -> list[str]:
        """`decode` of each."""
        return [self.decode(one, **others) for one in sequences]


class _Pipeline:
    """What `spacy.load` gives: a reader of the passage."""

    lang = "en"

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, text: str) -> Doc:
        return self._world.document(text)

    def pipe(self, texts: Sequence[str]) -> Iterator[Doc]:
        """The documents of texts."""
        return (self(text) for text in texts)


class Span:
    """Words in a row."""

    def __init__(self, doc: Doc, start: int, end: int, label_: str = "") -> None:
        self.doc, self.start, self.end, self.label_ = doc, start, end, label_

    def __len__(self) -> int:
        return self.end - self.start

    def __iter__(self) -> Iterator[Word]:
        return iter(self.doc.words[self.start : self.end])

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            start, end, _ = at.indices(len(self))
            return Span(self.doc, self.start + start, self.start + max(start, end))
        return self.doc.words[self.start : self.end][at]

    @property
    def start_char(self) -> int:
        """Where its characters begin."""
        return self.doc.words[self.start].idx if len(self) else 0

    @property
    def end_char(self) -> int:
        """Where its characters end."""
        if not len(self):
            return 0
        last = self.doc.words[self.end - 1]
        return int(last.idx) + len(last.text)

    @property
    def text(self) -> str:
        """Its characters."""
        return self.doc.text[self.start_char : self.end_char]

    @property
    def text_with_ws(self) -> str:
        """The same with the white space after."""
        return "".join(word.text_with_ws for word in self)

    @property
    def root(self) -> Word:
        """The word that depends on none of the others."""
        words = list(self)
        outside = (word for word in words if word.head is word or not self.start <= word.head.i < self.end)
        return next(outside, words[0])

    @property
    def ents(self) -> list[Span]:
        """The entities in it."""
        return [one for one in self.doc.ents if self.start <= one.start and one.end <= self.end]

    def __str__(self) -> str:
        return self.text


class Doc(Span):
    """spaCy's document of the passage."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._text: str = described["text"]
        self.words = [Word(self, at, values) for at, values in enumerate(described["words"])]
        self.doc, self.start, self.end, self.label_ = self, 0, len(self.words), ""
        self._ents, self._chunks = described["ents"], described["chunks"]

    @property
    def text(self) -> str:
        """The passage."""
        return self._text

    @property
    def ents(self) -> list[Span]:
        """The entities."""
        return [Span(self, start, end, label) for start, end, label in self._ents]

    @property
    def noun_chunks(self) -> Iterator[Span]:
        """The noun phrases."""
        return (Span(self, start, end, "NP") for start, end in self._chunks)

    @property
    def sents(self) -> Iterator[Span]:
        """The sentences."""
        starts = [word.i for word in self.words if word.is_sent_start or word.i == 0]
        ends = [*starts[1:], len(self.words)]
        return (Span(self, start, end) for start, end in zip(starts, ends, strict=True))

    def char_span(self, start: int, end: int, **others: object) -> Span | None:
        """The words of these characters, if they begin and end with words."""
        first = [word.i for word in self.words if word.idx == start]
        last = [word.i for word in self.words if word.idx + len(word.text) == end]
        return Span(self, first[0], last[0] + 1) if first and last else None


class Word:
    """A token of spaCy's."""

    def __init__(self, doc: Doc, at: int, values: Sequence[Any]) -> None:
        self.doc, self.i = doc, at
        known = dict(zip(WORD, values, strict=True))
        self._head: int = known.pop("head")
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the sandbox's spaCy token has no {name}")

    def __len__(self) -> int:
        return len(self.text)

    def __str__(self) -> str:
        return str(self.text)

    @property
    def head(self) -> Word:
        """The word it depends on."""
        return self.doc.words[self._head]

    @property
    def text_with_ws(self) -> str:
        """Its characters and the white space after."""
        return str(self.text + self.whitespace_)

    @property
    def orth_(self) -> str:
        """Its characters."""
        return str(self.text)

    @property
    def lower_(self) -> str:
        """Its characters, made small."""
        return str(self.text.lower())

    norm_ = lower_

    @property
    def children(self) -> list[Word]:
        """The words that depend on it."""
        return [word for word in self.doc.words if word.head is self and word is not self]

    @property
    def lefts(self) -> list[Word]:
        """Those before it."""
        return [word for word in self.children if word.i < self.i]

    @property
    def rights(self) -> list[Word]:
        """Those after it."""
        return [word for word in self.children if word.i > self.i]

    @property
    def ancestors(self) -> Iterator[Word]:
        """The word it depends on, the one that depends on, and so on."""
        word = self
        while word.head is not word:
            word = word.head
            yield word

    @property
    def subtree(self) -> list[Word]:
        """It and all that depend on it, in order."""
        return [word for word in self.doc.words if word is self or self in list(word.ancestors)]

    def is_ancestor(self, other: Word) -> bool:
        """Whether another depends on it."""
        return self in list(other.ancestors)

    @property
    def sent(self) -> Span:
        """Its sentence."""
        return next(one for one in self.doc.sents if one.start <= self.i < one.end)

    def nbor(self, distance: int = 1) -> Word:
        """A neighbour."""
        return self.doc.words[self.i + distance]
