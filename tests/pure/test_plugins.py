from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

from core import plugins
from core.doors import Door
from core.errors import PluginError
from core.plugins import Tables, add_to, load_plugins
from core.settings import Settings


@dataclass(frozen=True)
class Entry:
    name: str


def tables() -> Tables:
    return Tables(
        *(Door(what, Entry("ours")) for what in ("proposer", "audit", "attribute", "runner", "corpus"))
    )


def good(given: Tables) -> None:
    given.audits.add(Entry("theirs"))


def bad(given: Tables) -> None:
    given.corpora.add(Entry("half"))
    given.corpora.add(Entry("ours"))


def point(name: str) -> EntryPoint:
    return EntryPoint(name, f"{__name__}:{name}", plugins.GROUP)


def test_an_entry_point_is_handed_the_tables() -> None:
    given = tables()
    add_to(given, [point("good")])
    assert list(given.audits) == ["ours", "theirs"]


def test_if_one_package_fails_nothing_of_any_stays() -> None:
    given = tables()
    with pytest.raises(
        PluginError, match=rf"{__name__}:bad cannot add .* there is a corpus called 'ours' already"
    ):
        add_to(given, [point("good"), point("bad")])
    assert all(list(door) == ["ours"] for door in given)


def test_a_package_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(PluginError, match=r"nowhere:add cannot add .*ModuleNotFoundError"):
        add_to(tables(), [EntryPoint("x", "nowhere:add", plugins.GROUP)])


def test_the_setting_is_all_or_none() -> None:
    with pytest.raises(PluginError, match="`all` or `none`, not 'some'"):
        load_plugins(Settings.read({"HEADSCRIPT_PLUGINS": "some"}))
    load_plugins(Settings.read({"HEADSCRIPT_PLUGINS": "none"}))
