"""Which rules a head lacks most: all candidates of the grammar ranked by one gradient.

For a rule with values f, g = sum(ascent * f) is how fast the loss falls as its constant rises, and h, the
variance of f under a row's weights averaged over rows, is how soon that ends: the gain is g * g / h. Sums
over all pairs of conditions are two matrix products, so tens of thousands of rules cost what a few do.

Where a rule's tokens have next to no weight yet, the gradient is next to nothing, however much they
lack. There, if nearly all rows ask for the same, the gain is what they lack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from core.proposers.search.conditional_looks import ConditionalLooks
from core.proposers.search.gains import RIDGE, Gain, gain
from core.proposers.search.grammar import FIRST, Compound, compound
from core.proposers.search.looks import spread_under
from core.proposers.search.part_values import Values
from core.proposers.search.refit import Fields, spread_of
from core.proposers.search.rule import Rule
from core.proposers.search.tables import TableScreen
from core.types import HeadId

_LEAST_ROWS = 20  # of train on which a rule must have something to say
_LEAST_TOKENS = 8  # of train that two conditions on one token must both hold of
_LEAST_WORDS = 10  # occurrences of a word that can enter a set
_LARGEST_SET = 8
_SET_PENALTY = 0.8  # a set is chosen after looking, so its gain is taken for less
_AGREEMENT = 6  # power of it that counts
_KEPT = 6  # best of each kind


class Screen:
    """The candidates of a grammar on the training sentences, ready for any gradient."""

    def __init__(self, values: Values, same_layer: bool = True) -> None:
        self.values = values
        self.same_layer = same_layer  # whether heads may look at those of their own layer
        layout, grammar = values.layout, values.grammar
        self.layout = layout
        self.tokens = torch.stack([values.token(part) for part in grammar.tokens], 1)  # [token, part]
        self.laws = [Rule(law=part) for part in grammar.laws]
        self.laws += [Rule(key=FIRST, law=part) for part in grammar.sink_laws]
        self.law_values = torch.stack([values.of(rule) for rule in self.laws])  # [law, cell]
        self.share = layout.to_squares(layout.share[None])[0]
        self.token_share = torch.zeros(layout.tokens, device=layout.device)
        self.token_share[layout.query] = layout.share
        # Of two conditions on one token the first is on the token itself, not on a neighbour.
        self.own = [at for at, part in enumerate(grammar.tokens) if not part.is_of_neighbour]
        self.own_tokens = self.tokens[:, self.own]
        self._tables = TableScreen(values)
        self._conditional_looks = ConditionalLooks(values, self.tokens, same_layer)
        self._relate()
        self._count()

    def _relate(self) -> None:
        """Relations by query, [query, relation, key], and by key, in each square."""
        parts = self.values.grammar.relations
        flat = torch.stack([self.values.relation(part) for part in parts]).float()
        squares = self.layout.to_squares(flat)
        self.by_query, self.by_key = [], []
        for square in self.layout.squares:
            n = square.length
            view = squares[:, square.cells].view(len(parts), square.size, n, n)
            self.by_query.append(view.permute(1, 2, 0, 3).reshape(-1, len(parts), n))
            self.by_key.append(view.permute(1, 3, 0, 2).reshape(-1, len(parts), n))

    def _count(self) -> None:
        """Rows on which each pair of conditions has something to say."""
        ones = self.layout.to_squares(self.layout.is_real[None].float())
        sees = self._seen_tokens(ones)[0] > 0  # [token, part]
        related = self._sums(self.by_query, ones, False)[:, :, 0] > 0
        reached = self._sums(self.by_key, ones, True)[:, :, 0] > 0
        tokens = self.tokens
        self.enough_pairs = tokens.T @ sees.float() >= _LEAST_ROWS  # [query part, key part]
        self.enough_queries = related.float().T @ tokens >= _LEAST_ROWS  # [relation, query part]
        self.enough_keys = reached.float().T @ tokens >= _LEAST_ROWS  # [relation, key part]
        both = self.own_tokens.T @ tokens
        alone = tokens.sum(0)
        differs = (both < alone) & (both < alone[self.own, None])
        self.enough_both = (both >= _LEAST_TOKENS) & differs
        words = self.values.words
        self.word_counts = torch.bincount(words[words >= 0], minlength=len(self.layout.features.texts))

    def rank(self, found: Fields, faint: bool = False, owners: Sequence[HeadId] = ()) -> list[list[Gain]]:
        """For each head candidates with their gain, largest first; with `faint`, also for faint tokens.

        For that the slopes of H heads are followed by H more, of what the heads lack. `owners` says which
        heads of one layer these are, where rules may look at other heads.
        """
        slopes = found.ascent
        if faint:
            slopes = torch.cat([slopes, (found.targets - found.weights) * self.layout.share])
        gradient = self.layout.to_squares(slopes)
        weights = self.layout.to_squares(found.weights)
        ranked: list[list[Gain]] = [[] for _ in found.weights]
        slope, mass = self._seen_tokens(gradient), self._seen_tokens(weights)  # [head, token, part]
        seen = slope, (mass - mass.square()).clamp(min=0) * self.token_share[:, None]
        for gains, rule_at in self._kinds(gradient, weights, slopes, found.weights, seen):
            best, places = gains.flatten(1).topk(min(_KEPT, gains[0].numel()), dim=1)
            for head, (row, where) in enumerate(zip(best.tolist(), places.tolist(), strict=True)):
                ranked[head] += [(one, rule_at(at)) for one, at in zip(row, where, strict=True) if one > 0]
        for gains_of_heads in (self._of_tokens(gradient, weights, seen), self._looks(found, owners)):
            for head, more in enumerate(gains_of_heads):
                ranked[head] += more
        return [sorted(gains, key=lambda pair: -pair[0]) for gains in ranked]

    def tables(self, found: Fields) -> list[list[Gain]]:
        """For each head the tables, at most one of a kind, with what all their constants gain together."""
        return list(self._tables.rank(found))

    def conditional_looks(self, found: Fields, owners: Sequence[HeadId]) -> list[list[Gain]]:
        """For each head, which `owners` names, heads to look at under a condition, with their gain."""
        return list(self._conditional_looks.rank(found, owners))

    def again(self, found: Fields, shortlists: list[list[Rule]]) -> list[list[Gain]]:
        """The same for a few rules of each head."""
        ranked = []
        for head, rules in enumerate(shortlists):
            if not rules:
                ranked.append(list[Gain]())
                continue
            powers = torch.stack([self.values.of(rule) for rule in rules])
            spread = spread_of(self.layout, found.weights[head], powers)
            gains = _gain(powers @ found.ascent[head], spread).tolist()
            ranked.append(sorted(zip(gains, rules, strict=True), key=lambda pair: -pair[0]))
        return ranked

    def _looks(self, found: Fields, owners: Sequence[HeadId]) -> Iterator[list[Gain]]:
        """For each head, which `owners` names, the heads that it would gain most by looking at."""
        laws = self.values.head_laws
        if laws is None or not owners:
            return
        ranked: list[list[Gain]] = [[] for _ in owners]
        for layer in range(owners[0].layer + self.same_layer):
            logs = laws.layer(layer, 0).float()
            if not len(logs):
                continue
            gains = gain(found.ascent @ logs.T, spread_under(self.layout, found.weights, logs))
            for owner, row, best in zip(owners, gains.tolist(), ranked, strict=True):
                heads = (HeadId(layer, head) for head in range(len(row)))
                best += [(one, Rule(look=head)) for one, head in zip(row, heads, strict=True) if head < owner]
        yield from (sorted(best, key=lambda pair: -pair[0])[:_KEPT] for best in ranked)

    def _of_tokens(
        self, gradient: Tensor, weights: Tensor, seen: tuple[Tensor, Tensor]
    ) -> Iterator[list[Gain]]:
        """For each head sets of words and pairs of conditions: of keys, and of queries for token 0."""
        keys = self._over_queries(gradient), self._over_queries(weights * self.share)
        tokens = self.values.grammar.tokens
        first = tokens.index(FIRST) if FIRST in tokens else None
        for head in range(len(weights)):
            slope, spread = (part[head] for part in keys)
            found = [(one, Rule(key_words=words)) for one, words in self._sets(slope, spread)]
            found += [(one, Rule(key=part)) for one, part in self._best_pairs(slope, spread)]
            if first is not None:
                slope, spread = (part[head, :, first] for part in seen)
                sets, pairs = self._sets(slope, spread), self._best_pairs(slope, spread)
                found += [(one, Rule(key=FIRST, query_words=words)) for one, words in sets]
                found += [(one, Rule(key=FIRST, query=part)) for one, part in pairs]
            yield found

    def _best_pairs(self, slope: Tensor, spread: Tensor) -> Iterator[tuple[float, Compound]]:
        """Pairs of conditions that gain most beyond either alone, of slopes and spreads [token]."""
        both = ((self.own_tokens * part[:, None]).T @ self.tokens for part in (slope, spread))
        gains = gain(*both) * self.enough_both * _SET_PENALTY
        best, places = gains.flatten().topk(min(_KEPT, gains.numel()))
        tokens = self.values.grammar.tokens
        for one, at in zip(best.tolist(), places.tolist(), strict=True):
            own, other = divmod(at, len(tokens))
            if one > 0:
                yield one, compound(tokens[self.own[own]], tokens[other])

    def _kinds(
        self, gradient: Tensor, weights: Tensor, slopes: Tensor, held: Tensor, seen: tuple[Tensor, Tensor]
    ) -> Iterator[tuple[Tensor, Callable[[int], Rule]]]:
        """Gains [head, ...] of one kind of rule, and the rule at a place in them."""
        tokens, relations = self.values.grammar.tokens, self.values.grammar.relations
        wide = len(tokens)
        slope, spread = seen
        yield _gain(slope.sum(1), spread.sum(1)), lambda at: Rule(key=tokens[at])
        pairs = _gain(self.tokens.T @ slope, self.tokens.T @ spread) * self.enough_pairs
        yield pairs, lambda at: Rule(query=tokens[at // wide], key=tokens[at % wide])

        slope, mass = (self._sums(self.by_query, part, False) for part in (gradient, weights))
        spread = (mass - mass.square()).clamp(min=0) * self.token_share[:, None, None]
        yield _gain(slope.sum(0).T, spread.sum(0).T), lambda at: Rule(relation=relations[at])
        slope, spread = (part.permute(2, 1, 0) @ self.tokens for part in (slope, spread))
        with_query = _gain(slope, spread) * self.enough_queries
        yield with_query, lambda at: Rule(query=tokens[at % wide], relation=relations[at // wide])

        slope = self._sums(self.by_key, gradient, True)
        mass = self._sums(self.by_key, weights * self.share, True)
        slope, mass = (part.permute(2, 1, 0) @ self.tokens for part in (slope, mass))
        with_key = _gain(slope, mass) * self.enough_keys
        yield with_key, lambda at: Rule(key=tokens[at % wide], relation=relations[at // wide])

        yield (
            _gain(slopes @ self.law_values.T, spread_under(self.layout, held, self.law_values)),
            lambda at: self.laws[at],
        )

    def _seen_tokens(self, squares: Tensor) -> Tensor:
        """Squares [head, cell] summed over the keys that meet each condition: [head, query token, part]."""
        found = []
        for square in self.layout.squares:
            n = square.length
            maps = squares[:, square.cells].view(-1, square.size, n, n)
            tokens = self.tokens[square.tokens].view(square.size, n, -1)
            found.append((maps @ tokens).flatten(1, 2))
        return torch.cat(found, 1)

    def _sums(self, relations: list[Tensor], squares: Tensor, over_queries: bool) -> Tensor:
        """Squares [head, cell] summed over the related tokens of each token: [token, relation, head]."""
        found = []
        for square, related in zip(self.layout.squares, relations, strict=True):
            n = square.length
            maps = squares[:, square.cells].view(-1, square.size, n, n)
            order = (1, 3, 2, 0) if over_queries else (1, 2, 3, 0)
            found.append(torch.bmm(related, maps.permute(order).reshape(-1, n, len(squares))))
        return torch.cat(found)

    def _over_queries(self, squares: Tensor) -> Tensor:
        """Squares [head, cell] summed over queries: [head, key token]."""
        found = []
        for square in self.layout.squares:
            maps = squares[:, square.cells].view(-1, square.size, square.length, square.length)
            found.append(maps.sum(2).flatten(1))
        return torch.cat(found, 1)

    def _sets(self, slope: Tensor, spread: Tensor) -> Iterator[tuple[float, tuple[str, ...]]]:
        """The best set of words to favour and the best to avoid, of slopes and spreads [token]."""
        words = self.values.words.clamp(min=0)
        size = len(self.word_counts)
        slopes = slope.new_zeros(size).index_add_(0, words, slope)
        spreads = slope.new_zeros(size).index_add_(0, words, spread)
        for sign in (1, -1):
            ids = torch.nonzero((self.word_counts >= _LEAST_WORDS) & (sign * slopes > 0))[:, 0]
            if len(ids) < 2:
                continue
            # Of sets of each size, those that gain most are the words of the largest ratios.
            ratio = sign * slopes[ids] / (spreads[ids] + spreads[ids].mean() + RIDGE)
            ids = ids[ratio.argsort(descending=True, stable=True)][:_LARGEST_SET]
            gains = _gain(slopes[ids].cumsum(0), spreads[ids].cumsum(0)) * _SET_PENALTY
            size_of_best = int(gains[1:].argmax()) + 2
            texts = (self.layout.features.texts[at] for at in ids[:size_of_best].tolist())
            yield float(gains[size_of_best - 1]), tuple(sorted(texts))


def _gain(slope: Tensor, spread: Tensor) -> Tensor:
    """Gains [head, ...] of slopes [head or 2 heads, ...] and spreads [head, ...]."""
    slope, lacking = slope[: len(spread)], slope[len(spread) :]
    found = gain(slope, spread)
    if len(lacking):
        agreement = (slope.abs() / (2 * spread + RIDGE)).clamp(max=1)  # 1: all rows ask for the same
        found = torch.maximum(found, 2 * lacking.abs() * agreement**_AGREEMENT)
    return found
