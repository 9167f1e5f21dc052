from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import WorkspaceError
from core.store.passages import keep_passages, read_passages
from core.types import Sentence, Split

PASSAGES = [
    Sentence("b", "Once upon a time\nthere was a fox.", "story", Split.TRAIN),
    Sentence("a", "", "", Split.TEST),
    Sentence("c", "日本語 🙂", "other", Split.VALIDATION),
]


def test_a_set_of_passages_comes_back_in_order(tmp_path: Path) -> None:
    assert read_passages(tmp_path, keep_passages(tmp_path, PASSAGES)) == PASSAGES


def test_equal_sets_are_one_file_and_others_are_not(tmp_path: Path) -> None:
    names = {
        keep_passages(tmp_path, some) for some in (PASSAGES, list(PASSAGES), PASSAGES[::-1], PASSAGES[:2], [])
    }
    assert len(names) == 4
    assert len(list((tmp_path / "passages").iterdir())) == 4


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_set_that_cannot_be_read_is_named(damage: str, tmp_path: Path) -> None:
    name = keep_passages(tmp_path, PASSAGES)
    path = tmp_path / "passages" / f"{name}.parquet"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(WorkspaceError, match=rf"{name}\.parquet .* missing or damaged"):
        read_passages(tmp_path, name)
