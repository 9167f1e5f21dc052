"""How far a model's heads are, and which heads a name or a share means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import HybridError, WorkspaceError
from core.types import Action, HeadId, ModelInfo, Verdict


@dataclass(frozen=True)
class Progress:
    """Where the work on a model's heads stands; each count includes the next."""

    heads: int
    proposed: int
    decided: int
    accepted: int


def progress(heads: int, proposed: int, decided: Mapping[HeadId, Verdict]) -> Progress:
    """Counts of heads that have a program, a decision, and an accepted program.

    `decided` holds the verdict that decides each head that is decided.
    """
    accepted = sum(verdict.action == Action.ACCEPT for verdict in decided.values())
    return Progress(heads, proposed, len(decided), accepted)


def heads_named(names: str, info: ModelInfo) -> list[HeadId]:
    """The heads that `L0H1,L3H*` names, in order; raises WorkspaceError for one that is not in the model."""
    heads: set[HeadId] = set()
    for name in map(str.strip, names.split(",")):
        is_whole_layer = name.endswith("*")
        try:
            head = HeadId.parse((name[:-1] + "0" if is_whole_layer else name).upper())
        except ValueError as error:
            raise WorkspaceError(f"{name!r} names no head; write L3H7, or L3H* for a layer") from error
        if absence := info.absence(head.layer):
            raise WorkspaceError(f"{name} is not in {info.title}: {absence}")
        if head.layer >= info.layers or head.head >= info.heads:
            raise WorkspaceError(
                f"{name} is not in {info.title}, which has layers 0 to {info.layers - 1} "
                f"of heads 0 to {info.heads - 1}"
            )
        every = range(info.heads) if is_whole_layer else [head.head]
        heads.update(HeadId(head.layer, number) for number in every)
    return sorted(heads)


def heads_in_share(share: float, heads: int) -> int:
    """How many of all heads a share is; raises HybridError outside 0 to 1."""
    if not 0 <= share <= 1:
        raise HybridError(f"a share of heads lies between 0 and 1, not {share:g}")
    return round(share * heads)
