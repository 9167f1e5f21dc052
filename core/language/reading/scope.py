"""Local names: the kind each keeps, and whether it is surely assigned where it is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.features import Kind


@dataclass
class Scope:
    """What is known of the locals at one point of reading a program.

    `assigned` is None where no path arrives (every path has returned): there nothing is unassigned.
    `tainted` names were assigned something that has a problem; reading them is no further problem.
    """

    kinds: dict[str, tuple[Kind, int]] = field(default_factory=dict)  # name -> kind, line of first assignment
    assigned: frozenset[str] | None = frozenset()
    tainted: set[str] = field(default_factory=set)

    def is_assigned(self, name: str) -> bool:
        """Whether every path to this point has assigned `name`."""
        return self.assigned is None or name in self.assigned

    def assign(self, name: str, kind: Kind, line: int) -> Kind:
        """Note an assignment; gives the kind the local keeps."""
        self.kinds.setdefault(name, (kind, line))
        if self.assigned is not None:
            self.assigned |= {name}
        return self.kinds[name][0]

    def taint(self, name: str) -> None:
        """Note an assignment whose value has a problem."""
        self.tainted.add(name)

    def join(self, ends: Iterable[frozenset[str] | None]) -> None:
        """Where branches meet: what all branches that get here have assigned; None if none does."""
        arriving = [end for end in ends if end is not None]
        self.assigned = frozenset.intersection(*arriving) if arriving else None
