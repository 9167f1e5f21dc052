"""The demo as a stranger gets it: the real model from the package index, end to end."""

import json
import math
from pathlib import Path

import pytest

from tests.conftest import run_core


@pytest.mark.slow
def test_the_demo_explains_270_heads_and_measures_a_hybrid(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    run_core("demo", workspace=workspace, check=True)
    best = json.loads(run_core("best", "--json", workspace=workspace, check=True).stdout)
    assert len(best["heads"]) == 270
    assert best["mean_iou"] >= 0.45
    hybrid = json.loads(
        run_core("hybrid", "--share", "0.25", "--json", workspace=workspace, check=True).stdout
    )
    assert len(hybrid["heads"]) == 68
    assert math.isfinite(hybrid["increase"])
    assert hybrid["base_ppl"] < 40
