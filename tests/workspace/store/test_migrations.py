"""Workspaces of version 0.1, whose schema was number 7, open as if they were of today."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from core.store import Workspace
from core.store.schema import MIGRATIONS
from core.types import Estimate, HeadId, HybridProgram, MadeHybrid

OLD_PROGRAMS = [
    {"layer": 2, "head": 11, "source": 'def attend(q, k):\n    return 1.0  # "é"\n', "parent": "abc"},
    {"layer": 3, "head": 0, "source": "def attend(q, k):\n    return 2.0\n"},
]
FIGURES = {"base_ppl": 10.0, "ppl": 12.0, "increase": 0.2, "low": 0.1, "high": 0.3, "kl": 0.15,
           "tokens": 90, "passages": 4, "kept": 2, "kl_low": 0.1, "kl_high": 0.2}  # fmt: skip


@pytest.fixture
def version_0_1(tmp_path: Path) -> Path:
    """A workspace as version 0.1 left it: two hybrids, an evaluation, a curve."""
    with duckdb.connect(str(tmp_path / "workspace.duckdb")) as old:
        old.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, applied_at TIMESTAMP)")
        for script in sorted(MIGRATIONS.glob("*.sql"))[:7]:
            old.execute(script.read_text())
            old.execute("INSERT INTO migrations VALUES (?, now()::TIMESTAMP)", [int(script.name[:4])])
        for name, programs in (("two", OLD_PROGRAMS), ("none", [])):
            made = json.dumps({"order": "cost", "budget": None, "calibration": [[0, 0.4]]})
            old.execute(
                "INSERT INTO hybrids (hybrid_id, model_id, title, heads, share, programs, made) "
                "VALUES (?, 'm', ?, ?, 0.5, ?, ?)",
                [name, name, len(programs), json.dumps(programs), made],
            )
        damage = [{"tokens": ["a", "b"], "base": [1.0], "changed": [2.0], "kl": [0.1]}]
        strict = {"usual": FIGURES, "strict": FIGURES}
        details = {"genres": {"story": FIGURES}, "strict": strict, "damage": damage}
        old.execute(
            "INSERT INTO evaluations (hybrid_id, passages_from, base_ppl, ppl, increase, low, high, kl, "
            "tokens, passages, kept, details) "
            "VALUES ('two', 'test', 10, 12, 0.2, 0.1, 0.3, 0.15, 90, 4, 2, ?)",
            [json.dumps(details)],
        )
        row = {"order": "cost", "control": False, "heads": 2, "share": 0.5, "increase": 0.1, "low": 0.0,
               "high": 0.2, "kl": 0.1, "kept": 0}  # fmt: skip
        curve = {"model": "m", "title": "best", "passages_from": "test", "passages": 4, "tokens": 90}
        old.execute(
            "INSERT INTO curves (model_id, content) VALUES ('m', ?)", [json.dumps({**curve, "rows": [row]})]
        )
    return tmp_path


def test_hybrids_evaluations_and_curves_are_read(version_0_1: Path) -> None:
    workspace = Workspace.open(version_0_1)
    first, second = OLD_PROGRAMS
    assert workspace.hybrids.made("two") == MadeHybrid(
        (
            HybridProgram(HeadId(2, 11), str(first["source"]), "abc"),
            HybridProgram(HeadId(3, 0), str(second["source"])),
        ),
        "two",
        0.5,
        "cost",
        None,
        ((0, 0.4),),
    )
    assert workspace.hybrids.made("none").programs == ()
    assert dict(workspace.hybrids.spec("two").programs)[HeadId(2, 11)] == first["source"]
    details = workspace.hybrids.details("two", "test")
    assert details.genres["story"].increase == Estimate(0.2, 0.1, 0.3)
    assert details.strict.usual.kl == Estimate(0.15, 0.1, 0.2)
    assert details.damage[0].tokens == ("a", "b")
    curve = workspace.hybrids.curve("m")
    assert (curve.rows[0].order, curve.rows[0].beyond, curve.programs) == ("cost", None, None)
    workspace.close()
