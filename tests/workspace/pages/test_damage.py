"""The Damage tab of a hybrid that was measured: heads switched off, and what each repairs of a token."""

import csv
import io
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.sharing.figures.of_damage import added
from core.types import EvaluationDetails, HeadId, ModelInfo
from core.ui.hybrid.switches import Switches, switches_of
from core.ui.parts import state
from tests.conftest import call_core
from tests.workspace.pages.test_pages import OpenApp, add_hybrids, button, go, open_app, text_of

__all__ = ["open_app"]


@pytest.fixture
def measured(workspace_copy: Path) -> Path:
    """A workspace with a hybrid of three heads, measured on its test split."""
    call_core("hybrid", "--share", "0.25", "--order", "iou", workspace=workspace_copy).check_returncode()
    return workspace_copy


def latest() -> tuple[ModelInfo, str, EvaluationDetails]:
    """The model, the id of its latest hybrid and what was measured of it, in the open app."""
    model, hybrids = state.models()[0], state.owner().workspace.hybrids
    row = hybrids.frame(model.id).iloc[0]
    return model, row.hybrid_id, hybrids.details(row.hybrid_id, row.passages_from)


def perplexities(app: AppTest) -> dict[str, float]:
    """Of the model, the hybrid and the heads that are on, last; stored losses are kept to a thousandth."""
    return {metric.label: float(metric.value) for metric in app.metric[-3:]}


def test_heads_switched_off_give_the_models_own_perplexity(open_app: OpenApp, measured: Path) -> None:
    app = go(open_app(measured), "hybrid")
    built = perplexities(app)
    assert built["With 3 heads on"] == built["Hybrid"] != built["Model"]
    app = button(app, "set-All off").click().run()
    assert not app.exception
    off = perplexities(app)
    assert off["With 0 heads on"] == pytest.approx(off["Model"], rel=1e-3)
    assert abs(off["Hybrid"] - off["Model"]) > 2e-3 * off["Model"]
    app = button(app, "set-As built").click().run()
    assert perplexities(app) == built


def test_heads_are_switched_by_name_without_the_map(open_app: OpenApp, measured: Path) -> None:
    app = go(open_app(measured), "hybrid")
    built = perplexities(app)
    on = sorted(switches_at_hand().own)
    app = switch(app, ", ".join(map(str, on)).lower())
    off = perplexities(app)
    assert off["With 0 heads on"] == pytest.approx(off["Model"], rel=1e-3)
    app = switch(app, str(on[0]))
    assert "With 1 head on" in perplexities(app)
    app = switch(app, ", ".join(map(str, on)))  # not all of them are on
    assert perplexities(app) == built
    app = switch(app, "L99H0", left="L99H0")
    assert "has layers 0 to 2" in text_of(app)
    assert perplexities(app) == built


def switches_at_hand() -> Switches:
    """Of the open app's latest hybrid."""
    model, hybrid, details = latest()
    switches = switches_of(model, hybrid, details.damage[:1])
    assert switches is not None
    return switches


def switch(app: AppTest, named: str, left: str = "") -> AppTest:
    """The app after these heads were typed, of which so much is left in the field."""
    app = next(field for field in app.text_input if field.label == "Switch heads by name").input(named).run()
    assert not app.exception
    field = next(field for field in app.text_input if field.label == "Switch heads by name")
    assert field.value == left
    return app


def test_passages_of_a_hybrid_measured_elsewhere_are_shown_without_switches(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    add_hybrids(workspace_copy)
    app = go(open_app(workspace_copy), "hybrid")
    app = next(box for box in app.selectbox if box.label == "Hybrid").select("three heads · +20.0%").run()
    assert not app.exception
    assert "measure the hybrid on its test split" in text_of(app)
    assert "set-All off" not in {found.key for found in app.button}


def test_what_was_given_back_is_measured_once_for_a_passage(open_app: OpenApp, measured: Path) -> None:
    open_app(measured)
    model, hybrid, details = latest()
    switches = switches_of(model, hybrid, details.damage[:2])
    assert switches is not None
    told: list[tuple[int, int]] = []
    now, given_back = switches.given_back(1, switches.own, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert given_back.keys() == switches.own
    assert now.changed.tolist() == pytest.approx(details.damage[1].changed, abs=2e-3)


def test_what_heads_do_to_a_token_is_drawn_by_command_as_the_page_ranks_them(
    open_app: OpenApp, measured: Path, tmp_path: Path
) -> None:
    out = tmp_path / "f.csv"
    drawn = call_core("figure", "hybrid", "--of", "damage", "--out", str(out), workspace=measured)
    assert drawn.returncode == 0, drawn.stderr
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    asked = ("figure", "hybrid", "--of", "damage", "--at", "0", "--out", str(out))
    refused = call_core(*asked, workspace=measured)
    assert (refused.returncode, "--at 0: token 0 is not predicted among" in refused.stderr) == (2, True)

    app = open_app(measured)
    model, hybrid, details = latest()
    worst = max(details.damage, key=added)
    switches = switches_of(model, hybrid, [worst])
    assert switches is not None
    now, given_back = switches.given_back(0, switches.own, lambda done, total: None)
    apart = now.changed - now.base
    at = int(apart.argmax())
    for row in rows:
        back = given_back[HeadId.parse(row["head"])]
        repaired = abs(float(apart[at])) - abs(float(back.changed[at] - back.base[at]))
        assert float(row["nats"]) == pytest.approx(repaired, abs=1e-4)
        assert float(row["of it, %"]) == pytest.approx(100 * repaired / abs(float(apart[at])), abs=0.1)
    assert {row["head"] for row in rows} == {str(head) for head in switches.own}

    shown = sorted(details.damage, key=added, reverse=True)[:4]
    page = switches_of(model, hybrid, shown)
    assert page is not None
    app = go(app, "hybrid")
    app.session_state[f"text-{hybrid}-{'-'.join(page.names)}"] = {"picked": [0, at + 1, 1]}  # a click
    app.run()
    assert not app.exception
    (table,) = [found.value for found in app.dataframe if "nats" in found.value]
    assert list(table["head"]) == [row["head"] for row in rows]
    assert "damage-figure-download" in {found.key for found in app.get("download_button")}
