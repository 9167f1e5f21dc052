"""What is measured of a pattern against a head's attention: pure functions of tensors, one value a passage.

A is the head's attention and X a pattern in its place, both [..., query, key]; rows and keys beyond the end
of a passage are 0. Each function sums over queries and keys, and so gives [...].
"""

from __future__ import annotations

import torch
from torch import Tensor

RESTING = 0.3  # mean weight over heads and queries from which a key is a resting place
_QUERIES = 4  # that see a key at least, before their mean says that it is one


def iou(a: Tensor, x: Tensor) -> Tensor:
    """Sum of minima over sum of maxima of non-negative maps; 1 where both are empty."""
    least, most = torch.minimum(a, x).sum((-1, -2)), torch.maximum(a, x).sum((-1, -2))
    return torch.where(most > 0, least / most.clamp(min=1e-30), 1.0)


def resting_places(attention: Tensor, lengths: Tensor, is_causal: bool) -> Tensor:
    """Keys at which a layer rests, bool [passage, key]: the first, and those that most of its heads look at.

    `attention` is of all heads of the layer, [passage, head, query, key]. Of the weight on a key only that of
    other tokens counts.
    """
    n = attention.shape[-1]
    places = torch.arange(n, device=attention.device)
    real = places < lengths[:, None]  # [passage, token]
    sees = places[:, None] > places if is_causal else places[:, None] != places  # [query, key]
    sees = sees & real[:, :, None] & real[:, None, :]
    queries = sees.sum(1)  # [passage, key]
    mean = (attention.mean(1) * sees).sum(1) / queries.clamp(min=1)
    rests = (mean > RESTING) & (queries >= _QUERIES)
    rests[:, 0] = True
    return rests


def off_sink(a: Tensor, x: Tensor, rests: Tensor) -> Tensor:
    """IoU without the keys in `rests` [passage, key], rows made to sum to 1, queries from the second on.

    A row that had nothing elsewhere stays empty. NaN where a passage has no row to compare.
    """
    kept_a, kept_x = _elsewhere(a, rests), _elsewhere(x, rests)
    there = torch.maximum(kept_a, kept_x).sum((-1, -2)) > 0
    return torch.where(there, iou(kept_a, kept_x), torch.nan)


def _elsewhere(weights: Tensor, rests: Tensor) -> Tensor:
    kept = weights * ~rests[:, None, None, :]
    total = kept.sum(-1, keepdim=True)
    kept = torch.where(total > 1e-6, kept / total.clamp(min=1e-6), 0.0)
    kept[..., 0, :] = 0
    return kept


def norm_weighted(a: Tensor, x: Tensor, z: Tensor) -> Tensor:
    """IoU of A |z| and X |z|: each weight counts as much as what it carries."""
    norms = z.norm(dim=-1)[..., None, :]
    return iou(a * norms, x * norms)


def written_apart(a: Tensor, x: Tensor, z: Tensor) -> Tensor:
    """Sum over queries of |((A - X) Z)_i|^2, with z [..., key, dimension]."""
    return ((a - x) @ z).square().sum((-1, -2))


def written(a: Tensor, z: Tensor) -> Tensor:
    """Sum over queries of |(A Z)_i|^2."""
    return (a @ z).square().sum((-1, -2))


def estimated_cost(a: Tensor, x: Tensor, slopes: Tensor) -> Tensor:
    """KL in nats, summed over a passage, of X in the place of A: half the mean square of its score.

    `slopes` [draw, ..., query, key] are of the log likelihood of tokens that the model drew.
    """
    return ((x - a) * slopes).sum((-1, -2)).square().mean(0) / 2


def change(before: Tensor, after: Tensor, since: Tensor) -> Tensor:
    """What an edit changed on the rows from it on; `since` is bool [..., query]."""
    return (after - before) * since[..., None]


def contributions(a: Tensor, z: Tensor, x: Tensor | None = None) -> Tensor:
    """Each key's signed share of what a query's head writes: A_ij <z_j, o_i> / |o_i|^2; rows sum to 1.

    With X, that of a pattern in the place of A, as shares of what A writes: rows sum to the share of it
    that X writes. Rows where A writes nothing are 0.
    """
    o = a @ z
    return (
        (a if x is None else x)
        * (o @ z.transpose(-1, -2))
        / o.square().sum(-1, keepdim=True).clamp(min=1e-30)
    )


def shuffled(a: Tensor, sees: Tensor, draws: Tensor) -> Tensor:
    """Each row's weights given to other keys among those in `sees`, bool, in the order of `draws`.

    Both broadcast to `a`; what a row does not see is 0.
    """
    is_hidden = ~sees
    whence = draws.masked_fill(is_hidden, 2.0).argsort(-1)  # what a row sees comes first, in any order
    whither = is_hidden.to(torch.uint8).argsort(stable=True, dim=-1)
    weights = a.gather(-1, whence.expand(a.shape))
    return torch.zeros_like(a).scatter(-1, whither.expand(a.shape), weights)
