from __future__ import annotations

import importlib.util
import json
import os
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.corpus import from_passages, load_corpus, require_splits, split_of
from core.errors import CorpusError
from core.types import Sentence, Split

THREE = "One fish swam.\nTwo birds flew.\nThree cats slept.\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(source: Path | str, limit: int | None = None) -> list[str]:
    return [sentence.text for sentence in load_corpus(source, limit).sentences]


# The bundled corpus


def test_bundled_corpus_has_240_distinct_passages():
    corpus = load_corpus()
    assert len(corpus.sentences) == 240 == len({sentence.text for sentence in corpus.sentences})
    assert (corpus.empty, corpus.repeated) == (0, 0)


def test_bundled_corpus_has_four_genres_of_at_least_40():
    counts = Counter(sentence.genre for sentence in load_corpus().sentences)
    assert set(counts) == {"story", "dialogue", "code", "arithmetic"}
    assert min(counts.values()) >= 40


def test_bundled_passages_are_short_enough_to_draw_and_long_enough_to_attend():
    words = [len(sentence.text.split()) for sentence in load_corpus().sentences]
    assert min(words) >= 8
    assert max(words) <= 60


@pytest.mark.parametrize("split", Split)
def test_every_genre_of_the_bundled_corpus_is_in_every_split(split: Split):
    assert len({sentence.genre for sentence in load_corpus().of(split)}) == 4


# Splits


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("Once upon a time", Split.VALIDATION),
        ("The cat sat on the mat.", Split.TEST),
        ("x = 1", Split.TRAIN),
    ],
)
def test_the_split_of_a_text_never_moves(text: str, split: Split):
    assert split_of(text) == split


def test_splits_are_about_50_25_25():
    counts = Counter(split_of(f"passage {number}") for number in range(4000))
    assert [counts[split] / 4000 for split in Split] == pytest.approx([0.5, 0.25, 0.25], abs=0.03)


def test_another_seed_divides_differently():
    passages = [f"passage {number}" for number in range(100)]
    assert [split_of(text) for text in passages] != [split_of(text, seed=1) for text in passages]


def test_id_and_split_depend_on_the_text_alone():
    alone = from_passages("a", [("One fish swam.", "story")]).sentences[0]
    among = from_passages("b", [("Two birds flew.", ""), ("  One fish swam. ", "code")]).sentences[1]
    assert (alone.id, alone.split) == (among.id, among.split)


def test_require_splits_names_the_splits_without_a_passage():
    sentences = [Sentence("1", "x", "text", Split.TRAIN)]
    with pytest.raises(CorpusError, match="validation and test split of 1 passages"):
        require_splits(sentences)


def test_require_splits_accepts_the_bundled_corpus():
    require_splits(load_corpus().sentences)


# Formats


def test_text_file_holds_one_passage_a_line(tmp_path):
    assert texts(write(tmp_path, "a.txt", THREE)) == THREE.splitlines()


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_line_ending_will_do(tmp_path, ending):
    assert texts(write(tmp_path, "a.txt", THREE.replace("\n", ending))) == THREE.splitlines()


def test_byte_order_mark_is_not_part_of_the_first_passage(tmp_path):
    assert texts(write(tmp_path, "a.txt", b"\xef\xbb\xbfOne.\nTwo.")) == ["One.", "Two."]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
def test_json_lines_keep_their_genre(tmp_path, name):
    path = write(tmp_path, name, '{"text": "One.", "genre": "story"}\n{"text": "Two."}\n')
    assert [(s.text, s.genre) for s in load_corpus(path).sentences] == [("One.", "story"), ("Two.", "text")]


@pytest.mark.parametrize("mark", ["\u2028", "\u0085", "\f", "\n"])
def test_json_string_may_hold_any_line_separator(tmp_path, mark):
    line = json.dumps({"text": f"One{mark}two"}, ensure_ascii=False)
    assert texts(write(tmp_path, "a.jsonl", f"{line}\n")) == [f"One{mark}two"]


def test_half_a_surrogate_pair_in_json_becomes_a_question_mark(tmp_path):
    assert texts(write(tmp_path, "a.jsonl", r'{"text": "one \ud83d two"}')) == ["one ? two"]


def test_parquet_keeps_its_genre(tmp_path):
    pd.DataFrame({"text": ["One.", "Two."], "genre": ["story", None]}).to_parquet(tmp_path / "a.parquet")
    found = load_corpus(tmp_path / "a.parquet").sentences
    assert [(s.text, s.genre) for s in found] == [("One.", "story"), ("Two.", "text")]


def test_blank_and_repeated_passages_are_left_out_and_counted(tmp_path):
    corpus = load_corpus(write(tmp_path, "a.txt", "One.\n\n  \nTwo.\nOne.\n"))
    assert [sentence.text for sentence in corpus.sentences] == ["One.", "Two."]
    assert corpus.notice == "a.txt: left out 2 blank and 1 repeated passages"


def test_nothing_left_out_gives_no_notice(tmp_path):
    assert load_corpus(write(tmp_path, "a.txt", THREE)).notice == ""


def test_limit_takes_the_first_passages(tmp_path):
    assert texts(write(tmp_path, "a.txt", THREE), limit=2) == ["One fish swam.", "Two birds flew."]


# What is refused, and what the message names


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\x00\x01\x02", "is a binary file"),
        ("a.txt", b"One.\nTwo.\ncaf\xe9\n", r"a\.txt: line 3 is not UTF-8 \(byte 0xe9\)"),
        ("a.txt", b"", "holds no passage"),
        ("a.txt", b"\n \n", "holds no passage: 2 blank lines"),
        ("a.jsonl", b'{"text": "One."}\n\n{"text": \n', r"a\.jsonl: line 3 is not JSON"),
        ("a.jsonl", b'{"text": "One."}\n{"body": "Two."}\n', r'a\.jsonl: line 2 has no "text"'),
        ("a.jsonl", b'{"text": 5}\n', 'line 1 has no "text"'),
        ("a.jsonl", b'["One."]\n', 'line 1 has no "text"'),
        ("a.JSONL", b"[" * 100_000 + b"\n", "line 1 is not JSON"),
        ("a.parquet", b"PAR1 but not really", "a.parquet is damaged or not a Parquet file"),
    ],
)
def test_bad_file_is_refused_by_name_and_line(tmp_path, name, content, message):
    with pytest.raises(CorpusError, match=message):
        load_corpus(write(tmp_path, name, content))


def test_parquet_without_text_column_is_told_its_columns(tmp_path):
    pd.DataFrame({"body": ["One."], "id": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match="no `text` column; its columns are body, id"):
        load_corpus(tmp_path / "a.parquet")


def test_parquet_of_something_else_than_text_is_refused(tmp_path):
    pd.DataFrame({"text": [b"One.", b"Two."]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match="holds binary, not text"):
        load_corpus(tmp_path / "a.parquet")


def test_half_a_surrogate_pair_is_left_out_of_text_and_genre(tmp_path):
    path = write(tmp_path, "a.jsonl", '{"text": "One \\ud800.", "genre": "\\ud800"}\n')
    assert [(s.text, s.genre) for s in load_corpus(path).sentences] == [("One ?.", "?")]


def test_damaged_parquet_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": [f"passage {n}" for n in range(500)]}).to_parquet(path)
    raw = bytearray(path.read_bytes())
    raw[4:400] = b"\xff" * 396
    path.write_bytes(raw)
    with pytest.raises(CorpusError, match=r"a\.parquet is damaged or not a Parquet file"):
        load_corpus(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"gone\.txt does not exist"):
        load_corpus(tmp_path / "gone.txt")


def test_what_is_no_ordinary_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CorpusError, match="pipe is no ordinary file"):
        load_corpus(tmp_path / "pipe")
    with pytest.raises(CorpusError, match="name too long"):
        load_corpus("/" + 300 * "x")


def test_a_folder_is_read_file_by_file(tmp_path):
    write(tmp_path, "b.txt", "Three.\n")
    write(tmp_path, "a.jsonl", '{"text": "One."}\n{"text": "Two."}\n')
    write(tmp_path, "notes.md", "Not read.\n")
    write(tmp_path, ".hidden.txt", "Nor this.\n")
    assert texts(tmp_path) == ["One.", "Two.", "Three."]


def test_a_link_that_leads_out_of_a_folder_is_refused(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "a.txt").symlink_to(write(tmp_path, "outside.txt", "One.\n"))
    with pytest.raises(CorpusError, match=r"a\.txt is a link that leads out"):
        load_corpus(tmp_path / "inside")


def test_a_folder_without_a_file_of_passages_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="is a folder without a"):
        load_corpus(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("datasets") is not None, reason="datasets is installed")
def test_dataset_name_without_the_library_says_what_to_install():
    with pytest.raises(CorpusError, match="pip install datasets"):
        load_corpus("someone/dataset")


# What is in a file decides how it is read


def test_tables_are_read_by_their_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('genre,text,n\nfable,"The fox, and\nthe crow",1\n,Second,2\n')
    (tmp_path / "a.TSV").write_text("text\tgenre\nThe fox, alone\tfable\n")
    found = load_corpus(tmp_path / "a.csv").sentences
    assert [(one.text, one.genre) for one in found] == [
        ("The fox, and\nthe crow", "fable"),
        ("Second", "text"),
    ]
    assert [one.text for one in load_corpus(tmp_path / "a.TSV").sentences] == ["The fox, alone"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "passage,genre\nThe fox,fable\n", "has no `text` column; its columns are passage, genre"),
        ("a.csv", "text,text\nThe fox,fable\n", "has 2 columns called `text`; rename all but one"),
        ("a.md", "# Title\n\nThe fox.\n", r"holds no passages as it is \(\.md\); save them as \.txt"),
        ("a.html", "<p>The fox.</p>", r"holds no passages as it is \(\.html\)"),
    ],
)
def test_what_holds_no_passages_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(CorpusError, match=message):
        load_corpus(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_marked_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_text("Käse\n好\n", encoding=encoding)
    assert [one.text for one in load_corpus(tmp_path / "a.txt").sentences] == ["Käse", "好"]


def test_parquet_with_two_text_columns_is_refused(tmp_path: Path) -> None:
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match="has 2 columns called `text`"):
        load_corpus(tmp_path / "a.parquet")


def test_parquet_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["The fox"]}), tmp_path / "a.data")
    assert [one.text for one in load_corpus(tmp_path / "a.data").sentences] == ["The fox"]
