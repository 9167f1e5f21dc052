"""Doors: tables that our own entries and those of installed packages fill in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeVar

from core.errors import PluginError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class Named(Protocol):
    """An entry of a table."""

    @property
    def name(self) -> str:
        """What it is called by, on the command line and in files."""


Entry = TypeVar("Entry", bound=Named)


class Door(Mapping[str, Entry]):
    """Entries by name, in the order in which they came in."""

    def __init__(self, what: str, *entries: Entry) -> None:
        """`what` names one entry in messages: "proposer"."""
        self.what = what
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> Entry:
        """Take an entry in; raises PluginError if its name is no name, or taken."""
        if not _NAME.fullmatch(entry.name):
            raise PluginError(
                f"{entry.name!r} is no name for a {self.what}; use letters, digits, - and _, a letter first"
            )
        if entry.name in self._entries:
            raise PluginError(f"there is a {self.what} called {entry.name!r} already; choose another name")
        self._entries[entry.name] = entry
        return entry

    def named(self, name: str) -> Entry:
        """The entry of this name; raises PluginError listing those there are."""
        if name not in self._entries:
            raise PluginError(f"there is no {self.what} called {name!r}; there are {', '.join(self)}")
        return self._entries[name]

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What came in during the block is taken out again if the block ends with an exception."""
        before = dict(self._entries)
        try:
            yield
        except BaseException:
            self._entries = before
            raise

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
