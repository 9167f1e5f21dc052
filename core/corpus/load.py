"""Passages from a file or a named corpus; a seeded hash of its text decides the split of each."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.doors import Door
from core.errors import CorpusError
from core.files import read_bytes
from core.types import Sentence, Split

BUNDLED = Path(__file__).parent / "bundled.jsonl"
SPLIT_SEED = 0
MAX_BYTES = 2**30  # of a corpus of text, and of the passages that any corpus comes to
_A_PASSAGE = 64  # bytes that a passage counts beside its text, be it empty
_ROWS = 4096  # of Parquet that are read at once
_SHARES = ((Split.TRAIN, 0.50), (Split.VALIDATION, 0.75), (Split.TEST, 1.0))  # cumulative
_UNKNOWN_GENRE = "text"

Passage = tuple[str, str]  # text, genre


@dataclass(frozen=True)
class CorpusSource:
    """A corpus that is known by its name rather than read from a file."""

    name: str
    title: str  # for people
    read: Callable[[], Iterable[Passage]]


@dataclass(frozen=True)
class Corpus:
    """Distinct passages in file order, and what was left out on the way."""

    name: str
    sentences: tuple[Sentence, ...]
    empty: int = 0  # blank passages, skipped
    repeated: int = 0  # passages equal to an earlier one, skipped

    def of(self, *splits: Split) -> list[Sentence]:
        """The passages of these splits."""
        return [sentence for sentence in self.sentences if sentence.split in splits]

    @property
    def notice(self) -> str:
        """What was left out, as a sentence; empty if nothing was."""
        parts = [f"{self.empty} blank" * bool(self.empty), f"{self.repeated} repeated" * bool(self.repeated)]
        left_out = " and ".join(part for part in parts if part)
        return f"{self.name}: left out {left_out} passages" if left_out else ""


def split_of(text: str, seed: int = SPLIT_SEED) -> Split:
    """The split of a passage: 50/25/25, decided by its text alone so that it never moves."""
    digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    return next(split for split, share in _SHARES if position < share)


def load_corpus(source: str | Path = "bundled", limit: int | None = None) -> Corpus:
    """The corpus at `source`: one of CORPORA, a file, a folder of files, or a Hugging Face dataset's name.

    A text file holds one passage a line; JSON lines, CSV, TSV and Parquet have a `text` column and perhaps a
    `genre`; a folder's files are read in the order of their names. At most `limit` passages are taken.
    Raises CorpusError, naming the file and line.
    """
    name = str(source)
    if name in CORPORA:
        return from_passages(name, CORPORA[name].read(), limit)
    if is_dataset(source):
        return from_passages(name, _read_hub_dataset(name), limit)
    path = Path(source)
    try:
        if path.is_dir():
            return from_passages(path.name, _read_folder(path), limit)
        if path.exists() and not path.is_file():
            raise CorpusError(f"{path} is no ordinary file; name a .txt, .jsonl, .csv or .parquet file")
        if path.is_file():
            return from_passages(path.name, _read_file(path), limit)
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error
    raise CorpusError(f"{path} does not exist")


def is_dataset(source: str | Path) -> bool:
    """Whether this names a Hugging Face dataset, which is read over the network."""
    path = Path(source)
    return str(source) not in CORPORA and not (path.suffix or path.is_absolute() or there(path))


def there(path: Path) -> bool:
    """Whether the path names anything; False also where the system cannot tell, as of a name too long."""
    try:
        return path.exists()
    except OSError:
        return False


def from_passages(name: str, passages: Iterable[Passage], limit: int | None = None) -> Corpus:
    """A corpus of (text, genre) pairs, blank and repeated ones counted and left out."""
    sentences: dict[str, Sentence] = {}
    empty = repeated = size = 0
    for text, genre in passages:
        if limit is not None and len(sentences) == limit:
            break
        size += len(text) + _A_PASSAGE
        if size > MAX_BYTES:
            raise CorpusError(
                f"{name} holds more than {MAX_BYTES:,} bytes of passages, with repeated and blank ones; "
                "take a part of it, or its first passages with --limit"
            )
        text, genre = whole_characters(text.strip()), whole_characters(genre)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        if not text:
            empty += 1
        elif key in sentences:
            repeated += 1
        else:
            sentences[key] = Sentence(key, text, genre or _UNKNOWN_GENRE, split_of(text))
    if not sentences:
        raise CorpusError(f"{name} holds no passage: {empty} blank lines and no text")
    return Corpus(name, tuple(sentences.values()), empty, repeated)


def whole_characters(text: str) -> str:
    """`text` without the halves of surrogate pairs that JSON can spell, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


_CORPUS_FILES = (".txt", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


def _read_folder(folder: Path) -> Iterator[Passage]:
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _CORPUS_FILES and not path.name.startswith(".") and path.is_file()
    ]
    if link := next((one for one in files if not one.resolve().is_relative_to(folder.resolve())), None):
        raise CorpusError(f"{link} is a link that leads out of the folder; put the file itself there")
    if not files:
        raise CorpusError(f"{folder} is a folder without a .txt, .jsonl, .csv or .parquet file")
    return chain.from_iterable(map(_read_file, files))


def _read_file(path: Path) -> Iterator[Passage]:
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        begins = file.read(4)
    if suffix == ".parquet" or begins == b"PAR1":
        return _read_parquet(path)
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _read_json_lines(path)
    if suffix in (".csv", ".tsv"):
        return _read_table(path, "\t" if suffix == ".tsv" else ",")
    if suffix in _NO_PASSAGES:
        raise CorpusError(
            f"{path} holds no passages as it is ({suffix}); save them as .txt, one a line, or as JSON lines, "
            "CSV or Parquet with a `text` column"
        )
    return ((line, _UNKNOWN_GENRE) for line in read_lines(path))


_NO_PASSAGES = (
    ".md", ".rst", ".html", ".htm", ".xml", ".yaml", ".yml", ".tex", ".rtf", ".ipynb", ".doc", ".docx",
    ".odt", ".pdf", ".xlsx", ".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".tar",
)  # fmt: skip


def _read_table(path: Path, mark: str) -> Iterator[Passage]:
    """The rows of a CSV or TSV file that has a header."""
    rows = csv.reader(io.StringIO("\n".join(read_lines(path))), delimiter=mark)
    try:
        names = [name.strip() for name in next(rows, [])]
        require_text_column(path, names)
        for row in rows:
            values = dict(zip(names, row, strict=False))
            yield values.get("text", ""), values.get("genre") or _UNKNOWN_GENRE
    except csv.Error as error:
        raise CorpusError(f"{path}: line {rows.line_num} is no row of a table: {error}") from error


def require_text_column(path: Path, names: Sequence[str]) -> None:
    """Raises CorpusError unless exactly one column is called `text`, and at most one `genre`."""
    if "text" not in names:
        raise CorpusError(f"{path} has no `text` column; its columns are {', '.join(names)}")
    for name in ("text", "genre"):
        if list(names).count(name) > 1:
            raise CorpusError(
                f"{path} has {list(names).count(name)} columns called `{name}`; rename all but one"
            )


def read_lines(path: Path) -> list[str]:
    """A text file's lines without their ends; raises CorpusError if it is binary or not UTF-8."""
    try:
        raw = read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error
    marked = next((name for mark, name in _MARKED if raw.startswith(mark)), None)
    if marked is not None:
        try:
            raw = raw.decode(marked).encode()
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path} begins as {marked} but is not; save the file as UTF-8") from error
    if b"\0" in raw:
        raise CorpusError(f"{path} is a binary file; a corpus is text, JSON lines or Parquet")
    try:
        # Not str.splitlines, which also breaks at form feeds and at U+2028, legal inside JSON strings.
        return [line.rstrip("\n") for line in io.StringIO(raw.decode("utf-8-sig"), newline=None)]
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CorpusError(
            f"{path}: line {line} is not UTF-8 (byte 0x{raw[error.start]:02x}); save the file as UTF-8"
        ) from error


_MARKED = (  # the longer marks first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _read_json_lines(path: Path) -> Iterator[Passage]:
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            yield "", ""
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{path}: line {number} is not JSON: {error}") from error
        yield _passage(row, f"{path}: line {number}")


def _passage(row: Any, where: str) -> Passage:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise CorpusError(
            f'{where} has no "text": each line is an object such as {{"text": "Once upon a time"}}'
        )
    return row["text"], str(row.get("genre") or _UNKNOWN_GENRE)


def _read_parquet(path: Path) -> Iterator[Passage]:
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        require_text_column(path, names)
        if not _is_text(file.schema_arrow.field("text").type):
            raise CorpusError(
                f"the column `text` of {path} holds {file.schema_arrow.field('text').type}, not text"
            )
        columns = [name for name in ("text", "genre") if name in names]
        file = pq.ParquetFile(path, read_dictionary=columns)  # what is repeated takes its room once
        for batch in file.iter_batches(_ROWS, columns=columns):
            batch.validate(full=True)  # lengths and places that a damaged file only claims
            texts, *genres = (_values(batch[name]) for name in columns)
            for text, *genre in zip(texts, *genres, strict=True):
                yield str(text or ""), str((genre and genre[0]) or _UNKNOWN_GENRE)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise CorpusError(f"{path} is damaged or not a Parquet file: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _values(column: pa.Array) -> Iterator[Any]:
    """A column's values; one that is repeated in a dictionary is held once."""
    if not isinstance(column, pa.DictionaryArray):
        return iter(column.to_pylist())
    distinct = column.dictionary.to_pylist()
    return (None if at is None else distinct[at] for at in column.indices.to_pylist())


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _read_hub_dataset(name: str) -> Iterator[Passage]:
    try:
        import datasets
    except ImportError as error:
        raise CorpusError(
            f"{name} is not a file; to read it as a Hugging Face dataset, pip install datasets"
        ) from error
    try:
        rows = datasets.load_dataset(name, split="train", streaming=True)
        for row in rows:
            yield _passage(row, f"dataset {name}")
    except CorpusError:
        raise
    except Exception as error:  # the library raises many unrelated kinds
        raise CorpusError(f"cannot read the dataset {name}: {error}") from error


def require_splits(sentences: Sequence[Sentence]) -> None:
    """Raise CorpusError unless every split has a passage: programs must be chosen and tested apart."""
    missing = [split for split in Split if not any(s.split == split for s in sentences)]
    if missing:
        raise CorpusError(
            f"no passage fell into the {' and '.join(missing)} split of {len(sentences)} passages; "
            "add passages (a dozen or more) so that programs can be chosen and tested on different text"
        )


CORPORA: Door[CorpusSource] = Door(
    "corpus", CorpusSource("bundled", "The bundled corpus", lambda: _read_json_lines(BUNDLED))
)
