"""What the parts of a grammar are worth in every cell of some sentences, and with them any rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from core.proposers.search.grammar import FIRST, Compound, Grammar, Part
from core.proposers.search.layout import Layout
from core.proposers.search.looks import HeadLaws
from core.proposers.search.rule import Rule, TableOf
from core.types import HeadId

_NEARLY_ALL = 0.97


class Values:
    """The parts of `grammar` on the sentences of `layout`; parts that fail there are left out."""

    def __init__(
        self, layout: Layout, grammar: Grammar, laws: HeadLaws | None = None, split: int = 0
    ) -> None:
        """`laws` are those of other heads, if rules may look at them, on these sentences and others."""
        self.layout = layout
        self.head_laws, self._split = laws, split
        self.words = _text_ids(layout, "lower")  # int64 [padded token]
        self._texts = {"lower": self.words}
        texts = layout.features.texts
        self._word_of = {text: at for at, text in enumerate(texts)}
        self._tokens = {part: layout.token_values(part.of("k")) for part in (FIRST, *grammar.tokens)}
        self._relations = self._pairs(grammar.relations, torch.bool)
        self._laws = self._pairs((*grammar.laws, *grammar.sink_laws), torch.float32)
        self.grammar = replace(
            grammar,
            relations=tuple(part for part in grammar.relations if part in self._relations),
            laws=tuple(part for part in grammar.laws if part in self._laws),
        )

    def _pairs(self, parts: Sequence[Part], dtype: torch.dtype) -> dict[Part, Tensor]:
        """Row cells [cell] of each part that can be evaluated on all sentences."""
        found = {part: self.layout.values(part.of()) for part in parts}
        rows, is_real = self.layout.square, self.layout.is_real
        return {
            part: (values[rows] * is_real).to(dtype) for part, values in found.items() if values is not None
        }

    def token(self, part: Part) -> Tensor:
        """A condition on one token, float32 [padded token]."""
        if isinstance(part, Compound):
            return self._tokens[part.both[0]] * self._tokens[part.both[1]]
        return self._tokens[part]

    def look(self, head: HeadId) -> Tensor:
        """The logarithm of what another head gives, float32 [row cell]."""
        assert self.head_laws is not None, "rules that look come from a search that may"
        return self.head_laws.layer(head.layer, self._split)[head.head].float()

    def relation(self, part: Part) -> Tensor:
        """A condition on both tokens, bool [row cell]."""
        return self._relations[part]

    def columns(self, rule: Rule) -> Tensor:
        """What each of a rule's constants is raised to, float32 [constant, row cell]."""
        held = self.of(rule)[None]
        return held * self._entries(rule.table) if rule.table else held

    def _entries(self, table: TableOf) -> Tensor:
        """Where each value of a table stands, float32 [value, row cell]."""
        layout = self.layout
        if isinstance(table.values[0], int):
            distance = layout.query - layout.key  # padded tokens of one passage lie side by side
            return torch.stack([(distance == value).float() for value in table.values])
        token, _, name = table.subject.partition(".")
        where = layout.query if token == "q" else layout.key
        ids = self.texts(name)
        return torch.stack([(ids == self._number(str(value)))[where].float() for value in table.values])

    def texts(self, name: str) -> Tensor:
        """The number of each padded token's text of an attribute, int64; -1 in padding."""
        if name not in self._texts:
            self._texts[name] = _text_ids(self.layout, name)
        return self._texts[name]

    def _number(self, text: str) -> int:
        return self._word_of.get(text, -2)

    def of(self, rule: Rule) -> Tensor:
        """What a rule's constant is raised to, float32 [row cell]; 0 where its conditions do not hold.

        Of a table, where one of its constants counts at all.
        """
        values = self._laws[rule.law] if rule.law else self.layout.is_real.float()
        if rule.look:
            values = self.look(rule.look)
        if rule.query:
            values = values * self.token(rule.query)[self.layout.query]
        if rule.key:
            values = values * self.token(rule.key)[self.layout.key]
        if rule.relation:
            values = values * self._relations[rule.relation]
        if rule.query_words:
            values = values * self._among(rule.query_words)[self.layout.query]
        if rule.key_words:
            values = values * self._among(rule.key_words)[self.layout.key]
        return values

    def _among(self, words: Sequence[str]) -> Tensor:
        ids = [self._word_of[word] for word in words if word in self._word_of]
        return torch.isin(self.words, torch.tensor(ids, device=self.words.device)).float()


def distinct(grammar: Grammar, values: Values) -> Grammar:
    """The grammar without parts that hold nearly everywhere, nowhere, or just where an earlier one does."""
    seen: set[bytes] = set()

    def is_new(column: Tensor) -> bool:
        key = column.to(torch.float16).cpu().numpy().tobytes()
        is_new = 0 < float(column.float().mean()) < _NEARLY_ALL and key not in seen
        seen.add(key)
        return is_new

    real = values.layout.is_real
    exists = torch.cat([batch.exists.flatten() for batch in values.layout.evaluator.batches])
    return replace(
        grammar,
        tokens=tuple(part for part in grammar.tokens if is_new(values.token(part)[exists])),
        relations=tuple(part for part in grammar.relations if is_new(values.relation(part)[real])),
    )


def _text_ids(layout: Layout, name: str) -> Tensor:
    """The number of each padded token's text of an attribute; -1 in padding."""
    words = torch.full((layout.tokens,), -1, dtype=torch.int64)
    column = layout.features.columns[name]
    for batch, square in zip(layout.evaluator.batches, layout.squares, strict=True):
        view = words[square.tokens].view(square.size, square.length)
        for at, row in enumerate(batch.rows):
            found = torch.from_numpy(column[layout.features.span(row)].astype("int64"))
            view[at, : len(found)] = found
    return words.to(layout.device)
