"""What installed packages add.

A package names a function under the entry-point group `headscript`; it is handed the tables that our own
entries stand in, and adds its own through the same doors. All of it comes in, or none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from core.doors import Door
from core.errors import PluginError
from core.settings import Settings

GROUP = "headscript"


@dataclass(frozen=True)
class Tables:
    """The doors that are open to strangers."""

    proposers: Door[Any]
    audits: Door[Any]
    attributes: Door[Any]
    runners: Door[Any]
    corpora: Door[Any]

    def __iter__(self) -> Iterator[Door[Any]]:
        return iter((self.proposers, self.audits, self.attributes, self.runners, self.corpora))


def prepare_process() -> None:
    """What a process does that begins elsewhere, such as on a node of a cluster: `load_plugins`, by its
    environment.
    """
    load_plugins(Settings.read(os.environ))


def load_plugins(settings: Settings) -> None:
    """Let every installed package add its entries, once a process; called before anything lists a table.

    Raises PluginError naming the package that cannot, and how to go on without it.
    """
    if settings.plugins not in ("all", "none"):
        raise PluginError(f"HEADSCRIPT_PLUGINS is `all` or `none`, not {settings.plugins!r}")
    if settings.plugins == "all":
        _load_once()


@cache
def _load_once() -> None:
    found = sorted(entry_points(group=GROUP), key=lambda point: (point.value, point.name))
    if found:  # else the rooms behind the tables need not be imported
        tables = _tables()
        add_to(tables, found)
        _give_kinds(tables.proposers)


def add_to(tables: Tables, points: list[EntryPoint]) -> None:
    """Hand the tables to every entry point; nothing stays if one fails."""
    with ExitStack() as stack:
        for door in tables:
            stack.enter_context(door.all_or_nothing())
        for point in points:
            try:
                point.load()(tables)
            except Exception as error:  # a stranger's code can raise anything
                package = point.dist.name if point.dist is not None else point.value
                raise PluginError(
                    f"the installed package {package} cannot add to Headscript ({type(error).__name__}: "
                    f"{error}); update or uninstall it, or set HEADSCRIPT_PLUGINS=none to go on without"
                ) from error


def _give_kinds(proposers: Door[Any]) -> None:
    """Every proposer has a kind of job; those that were here already had theirs when `kinds` was imported."""
    from core.jobs.kinds import KINDS, kind_of_conversion, kind_of_proposer

    for proposer in proposers.values():
        if proposer.job_kind not in KINDS:
            KINDS.add(kind_of_proposer(proposer))
            KINDS.add(kind_of_conversion(proposer))


def _tables() -> Tables:
    from core.audit import AUDITS
    from core.corpus import CORPORA
    from core.features import ATTRIBUTES
    from core.jobs.runners import RUNNERS
    from core.proposers import PROPOSERS

    return Tables(PROPOSERS, AUDITS, ATTRIBUTES, RUNNERS, CORPORA)
