"""Encoders the whole way: attention, programs, hybrids, curve, audits, a folder to take away, a page."""

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

from tests import tiny
from tests.conftest import TinyModel, call_core
from tests.workspace.pages.test_pages import OpenApp, go, open_app, text_of

__all__ = ["open_app"]


@pytest.fixture(scope="module", params=["masked tokens", "final states"])
def walked(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model: TinyModel,
    small_corpus: Path,
) -> tuple[Path, dict[str, Any], str]:
    """A workspace in which an encoder went the whole way, the hybrid's figures, and what was measured."""
    folder = tmp_path_factory.mktemp("encoder")
    model = tiny_model("bert")
    if request.param == "final states":
        model = folder / "bare"
        tiny.build("bert").base_model.save_pretrained(model)
        tiny.tokenizer("wordpiece").save_pretrained(model)
        assert transformers.AutoConfig.from_pretrained(model).architectures == ["BertModel"]
    answers = {}
    for name, *more in (
        ("extract", "--model", str(model), "--corpus", str(small_corpus)),
        ("synthesize", "--heads", "L0H*,L2H1"),
        ("hybrid", "--share", "0.25", "--calibrate"),
        ("curve", "--orders", "iou", "--passages", "4"),
        ("audit", "controls", "--hybrid", ""),
    ):
        if name == "audit":
            more[-1] = answers["hybrid"]["hybrid"]
        done = call_core(name, *more, "--json", workspace=folder / "workspace")
        assert done.returncode == 0, done.stderr
        answers[name] = json.loads(done.stdout)
    return folder / "workspace", answers, request.param


def test_the_commands_say_what_was_measured(walked: tuple[Path, dict[str, Any], str]) -> None:
    workspace, answers, measure = walked
    found = answers["hybrid"]
    assert found["measure"] == measure
    assert found["kl_low"] <= found["kl"] <= found["kl_high"]
    assert (found["ppl"] is None) == (found["increase"] is None) == (measure == "final states")
    assert found["kl"] > 0
    assert answers["curve"]["measure"] == measure
    assert (answers["curve"]["rows"][0]["increase"] is None) == (measure == "final states")
    for arguments, words in (
        (["hybrid", "--share", "0.25", "--strict"], "leave out --strict"),
        (["audit", "damage", "--hybrid", found["hybrid"]], "is an encoder; leave it out"),
        (["downstream", "--tasks", "piqa"], "answers no questions"),
    ):
        refused = call_core(*arguments, workspace=workspace)
        assert refused.returncode == 2
        assert words in refused.stderr


def test_a_budget_of_perplexity_needs_perplexity(walked: tuple[Path, dict[str, Any], str]) -> None:
    workspace, _, measure = walked
    done = call_core("hybrid", "--budget", "5", "--programs", "best", workspace=workspace)
    if measure == "final states":
        assert done.returncode == 4
        assert "give the share of heads to replace" in done.stderr
    else:
        assert done.returncode == 0, done.stderr


def test_its_folder_says_what_its_figures_are(
    walked: tuple[Path, dict[str, Any], str], tmp_path: Path
) -> None:
    workspace, answers, measure = walked
    hybrid = answers["hybrid"]["hybrid"]
    call_core(
        "export", "hybrid", str(tmp_path / "out"), "--hybrid", hybrid, workspace=workspace
    ).check_returncode()
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"| measure | {measure} |" in card
    assert ("increase" in card) == (measure == "masked tokens")


def test_the_page_names_what_was_measured(
    walked: tuple[Path, dict[str, Any], str], open_app: OpenApp
) -> None:
    workspace, _, measure = walked
    app = go(open_app(workspace), "hybrid")
    assert not app.exception
    names = [metric.label for metric in app.metric]
    wanted = {
        "masked tokens": ["Masked perplexity increase", "KL per masked token", "Masked tokens"],
        "final states": ["Distance of final states", "Tokens"],
    }
    assert set(wanted[measure]) <= set(names)
    assert ("perplexity" in " ".join(names).lower()) == (measure == "masked tokens")
    assert [tab.label for tab in app.tabs] == ["Details", "Audits", "Export"]
    assert not [toggle for toggle in app.toggle if "lookahead" in toggle.label]
    assert "nan" not in text_of(app).lower().split()
