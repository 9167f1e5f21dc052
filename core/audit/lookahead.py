"""Lookahead: what a hybrid costs where its programs see no further than the query.

A program may read what a parser says of a token, and a parser reads on to the end of the passage, which a
model that writes from left to right cannot. So passages are read once more, token by token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.audit.contract import Audit, Figure, Finding, HybridSubject, at_most
from core.types import Bounds, HeadId, Sentence, Told, option

if TYPE_CHECKING:
    from core.features import Features
    from core.hybrid.perplexity import Losses
    from core.language import ParsedProgram
    from core.models.pretrained import LoadedModel


@dataclass(frozen=True)
class LookaheadLimits:
    """How many passages are read token by token."""

    passages: int = option(20, "passages that are read or kept token by token", Bounds(above=0))


def losses_without_lookahead(
    loaded: LoadedModel,
    programs: Mapping[HeadId, ParsedProgram],
    features: Features,
    sentences: Sequence[Sentence],
    told: Told,
    limits: LookaheadLimits | None = None,
) -> Losses | None:
    """The first passages measured twice: as variant 0 with programs as they are, as 1 with them reading no
    further than the query. None where no program looks ahead.

    Raises HybridError if no passage has two tokens.
    """
    from core.features import annotate_prefixes
    from core.hybrid import PrefixPatterns, ProgramPatterns
    from core.hybrid.perplexity import Variant, measure
    from core.language import describe
    from core.models.device import Halving

    if not any(describe(program).lookahead for program in programs.values()):
        return None
    few = sentences[: (limits or LookaheadLimits()).passages]
    embeddings = loaded.embeddings()
    prefixes = {}
    for done, passage in enumerate(few):
        told.progress("reading passages token by token", done, len(few))
        prefixes[passage.id] = annotate_prefixes(
            passage, loaded.tokenizer, embeddings, loaded.info.max_length, features.pipeline
        )
    usual = ProgramPatterns(programs, True, loaded.device)
    strict = PrefixPatterns(programs, prefixes, loaded.device)
    variants = [Variant(source, frozenset(programs)) for source in (usual, strict)]
    chosen = features.select([features.row(passage.id) for passage in few])
    return measure(
        loaded,
        variants,
        chosen,
        lambda done, total: told.progress("measuring without lookahead", done, total),
        Halving(told.note),
    )


def run(subject: HybridSubject, limits: LookaheadLimits, told: Told) -> Finding:
    """What hiding the text to the right of each query adds to the hybrid's cost on test passages."""
    from core.hybrid.perplexity import evaluation, kl_beyond

    passages = subject.tested
    losses = losses_without_lookahead(
        subject.loaded, subject.programs, passages.features, passages.sentences, told, limits
    )
    if losses is None:
        return Finding("passes", "No program of this hybrid reads text to the right of the query.")
    added = kl_beyond(losses, 1, 0)
    return Finding(
        at_most(added),
        f"On {evaluation(losses).passages} passages, once with programs that read the whole passage and once "
        "with programs that see no further than the query.",
        (
            Figure("increase, programs read the whole passage", evaluation(losses, 0).increase, "change"),
            Figure("increase, no further than the query", evaluation(losses, 1).increase, "change"),
            Figure("KL per token that hiding adds", added, "nats"),
        ),
    )


LOOKAHEAD = Audit(
    "lookahead",
    "Lookahead",
    "Does the hybrid lean on text that a model writing from left to right could not have seen?",
    of="hybrid",
    needs_next_tokens=True,
    limits=LookaheadLimits,
    run=run,
)
