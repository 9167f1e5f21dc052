from __future__ import annotations

from dataclasses import dataclass

import pytest

from core.corpus import CORPORA, CorpusSource, load_corpus
from core.doors import Door
from core.errors import PluginError


@dataclass(frozen=True)
class Entry:
    name: str


def test_entries_stand_in_the_order_in_which_they_came() -> None:
    door = Door("thing", Entry("b"), Entry("a"))
    door.add(Entry("own-one"))
    assert list(door) == ["b", "a", "own-one"]
    assert door["own-one"] == Entry("own-one")


def test_a_taken_name_is_refused_and_the_first_entry_stays() -> None:
    first = Entry("a")
    door = Door("thing", first)
    with pytest.raises(PluginError, match="a thing called 'a' already"):
        door.add(Entry("a"))
    assert door["a"] is first


@pytest.mark.parametrize("name", ["", "two words", "3rd", "a/b", "--help"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match="no name for a thing"):
        Door("thing").add(Entry(name))


def test_an_entry_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(PluginError, match="no thing called 'c'; there are a, b"):
        Door("thing", Entry("a"), Entry("b")).named("c")


def test_a_corpus_of_a_stranger_is_read_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CORPORA, "_entries", dict(CORPORA))
    CORPORA.add(CorpusSource("proverbs", "Proverbs", lambda: [("Haste makes waste.", "saying")]))
    corpus = load_corpus("proverbs")
    assert corpus.name == "proverbs"
    assert [(one.text, one.genre) for one in corpus.sentences] == [("Haste makes waste.", "saying")]
