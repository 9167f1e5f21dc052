"""The queries that stand as text on a card: the strongest weights off the resting places, with their keys."""

import numpy as np

from core.ui.parts.thumbnails import Shade
from core.ui.review.strongest import Looked, strongest_queries

TOKENS = ["The", " cat", " saw", " the", " cat", " sit"]


def passage(rows: dict[int, dict[int, float]], rests: tuple[int, ...] = (0,)) -> Looked:
    """A head that looks where `rows` says and else at the first token; a program that looks at itself."""
    head = np.zeros((6, 6), np.float32)
    for query in range(6):
        for key, weight in rows.get(query, {}).items():
            head[query, key] = weight
        head[query, 0] += 1 - head[query].sum()
    return Looked(TOKENS, head, np.eye(6, dtype=np.float32), rests)


def test_the_strongest_off_the_resting_places_comes_first_with_both_shades() -> None:
    (first, second) = strongest_queries([passage({4: {1: 0.3}, 5: {2: 0.6}})])
    assert first.place == (0, 5, 2)
    assert second.place == (0, 4, 1)
    shades = {shade.text: shade for shade in first.shades}
    assert shades[" saw"] == Shade(" saw", np.float32(0.6), 0.0)
    assert first.shades[-1] == Shade(" sit", 0.0, 1.0)  # the query last, and what the program looks at


def test_the_same_two_tokens_stand_there_once_and_a_head_that_rests_shows_where() -> None:
    twice = strongest_queries([passage({4: {1: 0.9}}), passage({4: {1: 0.8}}), passage({2: {1: 0.4}})])
    assert [query.place for query in twice] == [(0, 4, 1), (2, 2, 1)]
    resting = strongest_queries([passage({})])
    assert {query.place[2] for query in resting} == {0}


def test_a_gap_stands_for_what_does_not_fit_in_the_line() -> None:
    long = [f" token{at:03}" for at in range(40)]
    head = np.eye(40, dtype=np.float32)
    head[39] = 0
    head[39, 20] = 1
    (first, *_) = strongest_queries([Looked(long, head, head, (0,))], count=1)
    (found,) = [q for q in strongest_queries([Looked(long, head, head, (0,))], count=40) if q.place[1] == 39]
    texts = [shade.text for shade in found.shades]
    assert texts[0] == ""
    assert texts[-1] == " token039"
    assert " token020" in texts
    assert sum(map(len, texts)) < 80
    assert first.shades
