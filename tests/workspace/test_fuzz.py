"""Thousands of damaged inputs: each is read, or refused in words, and leaves nothing half-written behind."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.corpus import load_corpus
from core.errors import CorpusError, DecisionsError, HybridError, ModelError, SandboxError
from core.features import annotate
from core.models.pretrained import load
from core.sandbox import read_plain, read_programs
from core.sharing.decisions import export_lines, import_lines
from core.sharing.hybrid_folder import import_hybrid
from core.store import Workspace, add_model, add_program
from core.types import Action, HeadId, ModelInfo
from core.ui.parts import state
from tests import tiny
from tests.conftest import ROOT, TinyModel
from tests.workspace.pages.test_pages import PAGES, close_app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
TRIALS = 2_000
INFO = ModelInfo("m", "m", "llama", 2, 2, True, 1, 1)
SOURCE = "def attend(q, k):\n    return 1.0\n"
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 3, 10**30, 1e308, math.nan, "", "x", "x" * 3000, "../../../etc/passwd", "\0", "\ud800",
    "l0h0", "L9H9", [], {}, [[[[[]]]]], {"a": {"b": []}}, [None], "‮", "1e5", -0.5,
)  # fmt: skip
ADDRESS = (
    "layer",
    "head",
    "sentence",
    "program",
    "at",
    "text",
    "and",
    "hybrid",
    "passages",
    "reviewer",
    "model",
    "x",
)
PIECES = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"{",
    b"]",
    b'"',
    b"\n",
    b"\r",
    b",",
    b"NaN",
    b"1e999",
    b"\\u",
)


class Damage:
    """Makes damaged copies of valid inputs, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def bytes(self, raw: bytes) -> bytes:
        """A few places changed, cut out, doubled or put in."""
        for _ in range(int(self._rng.integers(1, 4))):
            at = int(self._rng.integers(0, len(raw) + 1))
            end = min(len(raw), at + int(self._rng.integers(0, 40)))
            piece = PIECES[int(self._rng.integers(0, len(PIECES)))]
            raw = [
                raw[:at] + piece + raw[at:],
                raw[:at] + piece + raw[end:],
                raw[:end] + raw[at:],
                raw[:at],
                raw[:at] + bytes(self._rng.integers(0, 256, 3, np.uint8)) + raw[at + 3 :],
            ][int(self._rng.integers(0, 5))]
        return raw

    def value(self, value: Any) -> Any:
        """One or two values, somewhere within, of another kind, gone, or under another name."""
        value = copy.deepcopy(value)
        for _ in range(int(self._rng.integers(1, 3))):
            holders = list(_holders(value))
            holder = holders[int(self._rng.integers(0, len(holders)))]
            keys: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                continue
            key = keys[int(self._rng.integers(0, len(keys)))]
            odd = ODD[int(self._rng.integers(0, len(ODD)))]
            what = int(self._rng.integers(0, 5))
            if what == 0:
                del holder[key]
            elif what == 1 and isinstance(holder, dict):
                holder[str(odd)] = holder.pop(key)
            else:
                holder[key] = odd
        return value

    def json(self, value: Any) -> bytes:
        """JSON of a damaged value, or damaged JSON."""
        if self._rng.random() < 0.3:
            return self.bytes(json.dumps(value).encode())
        return json.dumps(self.value(value)).encode()


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "workspace")
    with opened.database.transaction() as cursor:
        add_model(cursor, INFO)
        program = add_program(cursor, SOURCE, "person")
    opened.verdicts.record("m", HeadId(0, 1), program, Action.ACCEPT, "ada", note="good")
    opened.verdicts.record("m", HeadId(1, 1), program, Action.REJECT, "ada", "trivial")
    opened.verdicts.undo("m", "ada")
    yield opened
    opened.close()


def test_corpora(tmp_path: Path) -> None:
    damage = Damage(0)
    rows = [{"text": f"The {noun} sat on it.", "genre": "story"} for noun in ("cat", "dog", "naïve 猫")]
    table = "text,genre\n" + "\n".join(f'"{row["text"]}",{row["genre"]}' for row in rows)
    files = {
        "c.jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "c.csv": table.encode(),
        "c.tsv": table.replace(",", "\t").encode("utf-16"),
        "c.txt": "\n".join(row["text"] for row in rows).encode(),
    }
    for trial in range(TRIALS):
        name = list(files)[trial % len(files)]
        path = tmp_path / name
        path.write_bytes(damage.bytes(files[name]))
        with suppress(CorpusError):
            assert all(sentence.text for sentence in load_corpus(path).sentences)


def test_decisions(workspace: Workspace, tmp_path: Path) -> None:
    damage = Damage(1)
    lines = [json.loads(line) for line in export_lines(workspace)]
    elsewhere = Workspace.open(tmp_path / "0")
    for trial in range(TRIALS):
        if trial % 100 == 99:  # what was taken in may be in the way of what follows
            elsewhere.close()
            elsewhere = Workspace.open(tmp_path / str(trial))
        before = list(export_lines(elsewhere))
        at = trial % len(lines)
        damaged = [json.dumps(line).encode() for line in lines]
        damaged[at] = damage.json(lines[at])
        try:
            import_lines(elsewhere, b"\n".join(damaged).decode("utf-8", "replace").split("\n"))
        except DecisionsError:
            assert list(export_lines(elsewhere)) == before
        else:
            again = list(export_lines(elsewhere))
            assert import_lines(elsewhere, again).verdicts == 0
    elsewhere.close()


def test_hybrid_folders(workspace: Workspace, tmp_path: Path) -> None:
    damage = Damage(2)
    folder = tmp_path / "hybrid"
    (folder / "programs").mkdir(parents=True)
    written = {
        "format": 1,
        "model": {"id": "m", "name": "m", "local": False, "weights": "", "architecture": "llama"},
        "heads": ["L0H0", "L1H1"],
        "figures": {"title": "two", "increase": 0.1},
        "made": {"order": "cost", "budget": 0.1, "calibration": [[0, 0.5]], "parents": {"L0H0": "0" * 16}},
    }
    for trial in range(TRIALS):
        for head in ("L0H0", "L1H1"):
            (folder / "programs" / f"{head}.py").write_text(SOURCE)
        is_program = trial % 4 == 0
        (folder / "hybrid.json").write_bytes(
            json.dumps(written).encode() if is_program else damage.json(written)
        )
        if is_program:
            (folder / "programs" / "L0H0.py").write_bytes(damage.bytes(SOURCE.encode()))
        before = workspace.database.rows("SELECT count(*) FROM hybrids")
        try:
            import_hybrid(workspace, folder)
        except (HybridError, ModelError):
            assert workspace.database.rows("SELECT count(*) FROM hybrids") == before


def test_configurations(tiny_model: TinyModel, tmp_path: Path) -> None:
    damage = Damage(3)
    folder = Path(shutil.copytree(tiny_model("llama"), tmp_path / "model"))
    names = [path.name for path in folder.glob("*.json") if path.stat().st_size < 50_000]
    whole = {name: (folder / name).read_bytes() for name in names}
    for trial in range(TRIALS):
        name = "config.json" if trial % 3 else names[trial % len(names)]
        (folder / name).write_bytes(damage.json(json.loads(whole[name])))
        with suppress(ModelError):
            assert load(str(folder), device="cpu").info.heads > 0
        (folder / name).write_bytes(whole[name])


def test_tokenizers(tmp_path: Path) -> None:
    """A tokenizer that loads cuts every text into tokens of the model, or says what is wrong with it."""
    damage = Damage(4)
    folder = tmp_path / "model"
    tiny.build("llama").save_pretrained(folder)
    tiny.tokenizer("sentencepiece", vocabulary=330).save_pretrained(folder)
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text())
    passages = load_corpus().sentences[:2]
    for trial in range(TRIALS):
        damaged = dict(whole)
        name = list(whole)[trial % len(whole)]
        if isinstance(whole[name], dict | list) and trial % 2:
            damaged[name] = damage.value(whole[name])
        else:
            damaged = damage.value(whole)
        path.write_text(json.dumps(damaged))
        with suppress(ModelError, CorpusError):
            loaded = load(str(folder), device="cpu")
            features = annotate(passages, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length)
            assert (features.token_ids < tiny.VOCABULARY).all()


def test_addresses(workspace_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands behind the question mark: every page is drawn, and nothing is written."""
    monkeypatch.setenv("HEADSCRIPT_WORKSPACE", str(workspace_copy))
    rng = np.random.default_rng(5)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    database = state.owner().workspace.database
    tables = [str(name) for (name,) in database.rows("SELECT table_name FROM duckdb_tables()")]
    counts = {name: database.rows(f"SELECT count(*) FROM {name}") for name in tables}
    known = [str(name) for (name,) in database.rows("SELECT program_id FROM programs LIMIT 3")]
    spelt = [str(value) for value in ODD if value != "\ud800"]  # no address holds half a pair
    odd = (*spelt, *known, "2", "own", "5-12.3", "1.1", "9.9", "0-0-0.0", "⁵", "٣", "own text here")
    try:
        for trial in range(TRIALS):
            app.query_params.clear()
            for name in rng.permutation(ADDRESS)[: int(rng.integers(1, 6))]:
                app.query_params[str(name)] = odd[int(rng.integers(len(odd)))]
            asked = dict(app.query_params)
            page = PAGES[trial % len(PAGES)]
            app.switch_page(f"pages/{page}.py").run()
            assert not app.exception, (page, asked, app.exception)
        assert {name: database.rows(f"SELECT count(*) FROM {name}") for name in tables} == counts
    finally:
        close_app()


def test_damaged_files_of_plain_python(tmp_path: Path) -> None:
    damage, raw = Damage(7), (ROOT / "docs/plain_programs.py").read_bytes()
    path, read = tmp_path / "programs.py", 0
    for _ in range(TRIALS):
        path.write_bytes(damage.bytes(raw))
        with suppress(SandboxError):
            for program in read_programs(path):
                assert program.refused or read_plain(program.source) == program
                read += 1
    assert read > TRIALS
