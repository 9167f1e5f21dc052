"""What goes into a site: which programs, which passages, and about how many bytes that will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from core.display import counted
from core.errors import WorkspaceError
from core.maps import cell_sum
from core.store import Workspace
from core.types import Action, Card, HeadId, ModelInfo, Sentence, SiteOptions, Split, is_plain

_LONGEST = 96  # tokens of a passage whose map can be read on a page
# Bytes of the files, as measured on the demo's site; that of short programs comes out smaller.
_FIXED = 150_000
_A_HEAD = 8_000  # its page, and its lines in lists
_A_FINDING = 1_530  # of an audit, on the head's page
_A_CELL = 2.63  # of a head's map, its program's, and what its lines did, compressed, in base64


@dataclass(frozen=True)
class SitePlan:
    """What goes into a site."""

    model: ModelInfo
    options: SiteOptions
    cards: tuple[Card, ...]  # one a head, in the order of heads
    looked_at: tuple[HeadId, ...]  # heads without a card that programs look at; their maps go along
    passages: tuple[Sentence, ...]
    bytes: int  # about
    left_out: int = 0  # programs of plain Python, which a page without a sandbox can neither run nor explain

    @property
    def in_words(self) -> str:
        """How much that is: `270 heads, 12 passages, about 14 MB`."""
        size = f"{self.bytes / 1e6:.0f} MB" if self.bytes >= 1e6 else f"{self.bytes / 1e3:.0f} KB"
        out = f", {counted(self.left_out, 'program')} in plain Python left out" if self.left_out else ""
        return f"{len(self.cards)} heads, {len(self.passages)} passages, about {size}{out}"


def plan_site(workspace: Workspace, model: ModelInfo, options: SiteOptions) -> SitePlan:
    """What a site of the model would hold; raises WorkspaceError if there is no program to show."""
    every = workspace.cards.cards(model.id, _shown(workspace, model, options))
    cards = tuple(card for card in every if not is_plain(card.program.source))
    if not cards:
        which = "an accepted program" if options.programs == "accepted" else "a program"
        raise WorkspaceError(f"no head of {model.title} has {which} yet")
    shown = {card.head for card in cards}
    looks = {head for card in cards for head in workspace.library.looks(card.program)}
    passages, lengths = _passages(workspace, model, options.passages)
    heads = len(shown | looks)
    audited = workspace.findings.of_programs(model.id)
    findings = sum(len(audited.get(card.id, ())) for card in cards)
    a_head = _A_HEAD + _A_CELL * cell_sum(lengths, model.is_causal)
    size = _FIXED + findings * _A_FINDING + heads * a_head
    return SitePlan(
        model, options, cards, tuple(sorted(looks - shown)), passages, int(size), len(every) - len(cards)
    )


def _shown(workspace: Workspace, model: ModelInfo, options: SiteOptions) -> list[tuple[HeadId, str]]:
    """The program of each head that is shown: the one that stands accepted, else the best."""
    decided = workspace.verdicts.decided(model.id)
    accepted = {head: v.program for head, v in decided.items() if v.action == Action.ACCEPT}
    best = {} if options.programs == "accepted" else dict(workspace.library.best_programs(model.id))
    return sorted((best | accepted).items())


def _passages(
    workspace: Workspace, model: ModelInfo, count: int
) -> tuple[tuple[Sentence, ...], Sequence[int]]:
    """Test passages, genre by genre in the order of their hashes, and their tokens.

    Those that are short enough to be read as a map, else the shortest one.
    """
    sentences = sorted(workspace.models.sentences(model.id, Split.TEST), key=lambda one: one.id)
    if not sentences:
        raise WorkspaceError(f"{model.title} has no test passage; add passages and extract again")
    features = workspace.tokens(model.id).read([one.id for one in sentences])
    lengths = dict(zip(sentences, map(int, features.lengths), strict=True))
    short = [one for one in sentences if 1 < lengths[one] <= _LONGEST]
    short = short or [min(sentences, key=lambda one: lengths[one])]
    genres: dict[str, list[Sentence]] = {}
    for sentence in short:
        genres.setdefault(sentence.genre, []).append(sentence)
    in_turn = chain.from_iterable(zip_longest(*(genres[genre] for genre in sorted(genres))))
    chosen = [one for one in in_turn if one is not None][:count]
    chosen.sort(key=lambda one: (one.genre, one.id))
    return tuple(chosen), [lengths[one] for one in chosen]
