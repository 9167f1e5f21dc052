"""The tutorial notebook runs from its first cell to its last, in a kernel of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT

nbformat = pytest.importorskip("nbformat", reason="the tutorial is run by nbclient; requirements-dev.txt")
nbclient = pytest.importorskip("nbclient", reason="the tutorial is run by nbclient; requirements-dev.txt")
pytest.importorskip("ipykernel", reason="the tutorial is run by ipykernel; requirements-dev.txt")


def test_the_tutorial_runs_on_a_workspace(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("PYTHONPATH", ROOT),
        ("HEADSCRIPT_WORKSPACE", built),
        ("HEADSCRIPT_DEVICE", "cpu"),
        ("IPYTHONDIR", tmp_path),
        ("JUPYTER_RUNTIME_DIR", tmp_path),
    ):
        monkeypatch.setenv(name, str(value))
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    nbclient.NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [one["data"]["text/html"] for one in outputs if "<iframe" in str(one.get("data"))]
    assert len(pictures) == 2
    told = "".join(one["text"] for one in outputs if one.get("name") == "stdout")
    assert "4 heads replaced: perplexity" in told
    assert not [one for one in outputs if one["output_type"] == "error"]
