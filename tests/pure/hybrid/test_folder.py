"""A hybrid as a folder: written, read back with the same logits, refused where it is not to be trusted."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.errors import HybridError
from core.hybrid import Making, hybrid, load_hybrid, read_spec, ship
from core.hybrid.card import curve_svg, model_card
from core.models.pretrained import LoadedModel
from core.types import HeadId, HybridSpec
from tests import tiny
from tests.conftest import TinyLoaded, TinyModel

NEAR = 'def attend(q, k):\n    """Looks near."""\n    return 0.5 ** (q.index - k.index)\n'
FIRST = "def attend(q, k):\n    return k.is_first\n"
FIGURES = {"title": "two heads", "increase": 0.0421, "kl": 0.031, "tokens": 1200}
CURVE = {
    "title": "best programs",
    "passages_from": "test",
    "passages": 9,
    "tokens": 300,
    "rows": [
        {"order": order, "control": order == "uniform", "share": share, "increase": share * scale}
        for order, scale in (("cost", 1.0), ("uniform", 9.0))
        for share in (0.25, 0.5, 1.0)
    ],
}
MADE = Making("cost", 0.05, ((0, 0.2), (10, 0.1)), {HeadId(0, 1): "abc"})


def spec_of(loaded: LoadedModel) -> HybridSpec:
    return HybridSpec.of(loaded.info.id, [(HeadId(0, 1), NEAR), (HeadId(2, 3), FIRST)])


@pytest.fixture
def shipped(tiny_loaded: TinyLoaded, tmp_path: Path) -> Path:
    loaded = tiny_loaded("llama")
    ship(tmp_path / "hybrid", loaded.info, spec_of(loaded), FIGURES, CURVE, loaded.weights(), MADE)
    return tmp_path / "hybrid"


def test_reloading_gives_identical_logits(
    shipped: Path, tiny_loaded: TinyLoaded, tiny_model: TinyModel
) -> None:
    loaded = tiny_loaded("llama")
    found = load_hybrid(shipped, str(tiny_model("llama")), device="cpu")
    texts = ["Once upon a time", "x = 3 + 4"]
    with hybrid(loaded, spec_of(loaded)):
        pass
    expected = type(found)(loaded, spec_of(loaded), {}).logits(texts)
    for one, other in zip(found.logits(texts), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert found.figures == FIGURES


def test_the_folder_holds_sources_versions_card_and_loader(shipped: Path) -> None:
    assert (shipped / "programs" / "L0H1.py").read_text() == NEAR
    written = json.loads((shipped / "hybrid.json").read_text())
    assert written["heads"] == ["L0H1", "L2H3"]
    assert {"headscript", "torch", "transformers"} <= set(written["versions"])
    card = (shipped / "README.md").read_text()
    assert "(Hayes, Li, Andreas 2026, arXiv 2606.19317)" in card
    assert "## What this does not show\n\nCosts are of the passages" in card
    assert "| increase | +4.2% |" in card
    assert "| [L0H1](programs/L0H1.py) | Looks near. | abc |" in card
    assert "best programs, before any calibration: 9 passages, 300 tokens, test." in card
    assert "| cost | programs | 25% | +25.0% |" in card
    assert "| uniform | control | 25% | +225.0% |" in card
    assert "<polyline" in (shipped / "curve.svg").read_text()
    compile((shipped / "load.py").read_text(), "load.py", "exec")


def test_shipping_again_leaves_no_program_or_curve_of_before(shipped: Path, tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    ship(shipped, loaded.info, HybridSpec.of(loaded.info.id, [(HeadId(1, 1), FIRST)]), FIGURES)
    assert [path.name for path in (shipped / "programs").iterdir()] == ["L1H1.py"]
    assert not (shipped / "curve.svg").exists()


def test_a_folder_that_holds_something_else_is_left_alone(tiny_loaded: TinyLoaded, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    loaded = tiny_loaded("llama")
    with pytest.raises(HybridError, match="holds no hybrid"):
        ship(tmp_path, loaded.info, spec_of(loaded), FIGURES)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_was_shipped_before_outlasts_a_disk_that_takes_no_more(
    shipped: Path, tiny_loaded: TinyLoaded
) -> None:
    before = {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()}
    loaded, limit = tiny_loaded("llama"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(HybridError, match=r"cannot write the hybrid to .*File too large"):
            ship(shipped, loaded.info, HybridSpec.of(loaded.info.id, [(HeadId(1, 1), NEAR)]), FIGURES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()} == before
    assert [path.name for path in shipped.parent.iterdir()] == [shipped.name]


def test_a_place_that_cannot_be_written_is_told(tiny_loaded: TinyLoaded, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    loaded = tiny_loaded("llama")
    with pytest.raises(HybridError, match=r"cannot write the hybrid to .*Not a directory"):
        ship(tmp_path / "file" / "hybrid", loaded.info, spec_of(loaded), FIGURES)


def test_a_strangers_program_runs_nothing_but_the_language(shipped: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    evil = f"import pathlib\npathlib.Path({str(touched)!r}).write_text('x')\n"
    (shipped / "load.py").write_text(evil)
    (shipped / "programs" / "L9H9.py").write_text(evil)  # not named in hybrid.json
    assert len(read_spec(shipped).spec.programs) == 2
    (shipped / "programs" / "L0H1.py").write_text(evil + NEAR)
    with pytest.raises(HybridError, match=r"L0H1\.py: line 1"):
        read_spec(shipped)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"heads": ["../../etc"]}, "is not a head"),
        ({"heads": ["L0H3"]}, "cannot read"),
        ({"model": "gpt2"}, "damaged"),
        ({"made": {"calibration": [["first", "low"]]}}, "damaged"),
        ({"made": ["cost"]}, "damaged"),
        ({"made": {"budget": float("inf")}}, "damaged"),
        ({"made": {"calibration": [[float("inf"), 1.0]]}}, "damaged"),
        ({"made": {"parents": {"L0H1": "\ud800"}}}, "damaged"),
        ({"made": {"calibration": [[1, float("nan")]]}}, "calibration.0.1: Input should be a finite number"),
        ({"heads": None}, r"hybrid\.json is damaged: heads: Input should be a valid array"),
        ({"heads": []}, "replaces no head"),
        ({"made": {"parents": {"head": "abc"}}}, "is not a head"),
    ],
)
def test_a_damaged_folder_is_named(shipped: Path, change: dict[str, object], message: str) -> None:
    path = shipped / "hybrid.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(HybridError, match=message):
        read_spec(shipped)


def test_the_same_weights_are_the_same_model_whatever_they_are_called(
    shipped: Path, tiny_loaded: TinyLoaded, tiny_model: TinyModel, tmp_path: Path
) -> None:
    copy = shutil.copytree(tiny_model("llama"), tmp_path / "another-name")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"some_later_setting": True}))
    found = load_hybrid(shipped, str(copy), device="cpu")
    assert found.loaded.info.id != tiny_loaded("llama").info.id
    assert found.spec.programs == spec_of(tiny_loaded("llama")).programs
    expected = type(found)(tiny_loaded("llama"), spec_of(tiny_loaded("llama")), {}).logits(["Once upon"])
    torch.testing.assert_close(found.logits(["Once upon"])[0], expected[0], rtol=0, atol=0)


def test_other_weights_under_the_same_name_are_refused(shipped: Path, tmp_path: Path) -> None:
    tiny.save(tmp_path / "llama", "llama", seed=1)
    with pytest.raises(HybridError, match="is for the model llama"):
        load_hybrid(shipped, str(tmp_path / "llama"), device="cpu")


def test_the_folder_tells_nothing_of_where_the_model_lay(shipped: Path, tiny_model: TinyModel) -> None:
    for path in shipped.rglob("*"):
        if path.is_file():
            assert str(tiny_model("llama").parent) not in path.read_text(encoding="utf-8"), path
    with pytest.raises(HybridError, match=r"a folder or file called llama; say where it lies here"):
        load_hybrid(shipped)


def test_the_loader_in_the_folder_takes_the_models_place(shipped: Path, tiny_model: TinyModel) -> None:
    command = [sys.executable, str(shipped / "load.py"), str(tiny_model("llama"))]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    told = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert told.returncode == 0, told.stderr
    assert f"{tiny.VOCABULARY}]" in told.stdout


def test_how_it_was_made_comes_back_and_an_unknown_order_is_none(shipped: Path) -> None:
    assert read_spec(shipped).made == MADE
    path = shipped / "hybrid.json"
    written = json.loads(path.read_text())
    assert written["made"]["parents"] == {"L0H1": "abc"}
    path.write_text(json.dumps(written | {"made": {"order": "by a later version", "budget": 0.05}}))
    assert read_spec(shipped).made == Making(budget=0.05)


def test_a_folder_of_an_earlier_version_is_read(shipped: Path, tiny_model: TinyModel) -> None:
    path = shipped / "hybrid.json"
    written = json.loads(path.read_text())
    for name in ("local", "weights"):
        del written["model"][name]
    del written["made"]
    path.write_text(json.dumps(written))
    assert len(load_hybrid(shipped, str(tiny_model("llama")), device="cpu").spec.programs) == 2


def test_another_model_is_refused(shipped: Path, tiny_model: TinyModel) -> None:
    with pytest.raises(HybridError, match="is for the model llama"):
        load_hybrid(shipped, model=str(tiny_model("gpt2")), device="cpu")


def test_an_empty_folder_holds_no_hybrid(tmp_path: Path) -> None:
    with pytest.raises(HybridError, match="holds no hybrid"):
        load_hybrid(tmp_path)


def test_words_of_a_program_stay_in_their_cell(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    source = 'def attend(q, k):\n    """Looks | at <b>[all](x)</b>."""\n    return 1.0\n'
    card = model_card(loaded.info, HybridSpec.of(loaded.info.id, [(HeadId(0, 0), source)]), {})
    assert r"Looks \| at &lt;b&gt;\[all\](x)&lt;/b&gt;." in card


def test_the_picture_escapes_names() -> None:
    assert "<script>" not in curve_svg([{"order": "<script>", "share": 0.5, "increase": 0.1}])
