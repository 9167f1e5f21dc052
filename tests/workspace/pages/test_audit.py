"""The Audit page: the ladder, the table, one head's sheet, and what can be taken away."""

import struct
from pathlib import Path

import numpy as np
import pytest

from core.audit import Figure, Finding, Shaded, Standing
from core.sharing.audit_table import all_figures, as_csv, heads_by_audits
from core.sharing.sheet import sheet
from core.store import Workspace, add_program, add_scores
from core.types import Estimate, HeadId, ModelInfo, Score, Split
from core.ui.audit.view import rung_picture
from tests.conftest import call_core
from tests.workspace.pages.test_pages import OpenApp, go, open_app, text_of
from tests.workspace.review.test_doubt import keep_findings

__all__ = ["open_app"]
MODEL = ModelInfo("m-1", "m", "llama", 2, 2, True, 10, 64)
CARD = (HeadId(1, 0), "abc")
FOUND = {
    CARD: {
        "written": Finding(
            "fails", "It <b>writes</b> elsewhere.", (Figure("output error", Estimate(0.8, 0.7, 0.9)),),
            shaded=(Shaded(("<i>", " a"), (0.0, 1.0)),),
        ),
        "coverage": Finding("passes"),
    }
}  # fmt: skip
STANDINGS = {CARD: Standing("position only", "IoU 0.96, but output error 0.80", ("written",), 0.96)}


def test_before_an_audit_the_page_says_what_one_is(open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), "audit")
    assert not app.exception
    assert "explain its head, or only resemble it" in text_of(app)
    assert "Audit all heads" in [button.label for button in app.button]


def test_where_jobs_run_is_a_choice_once_a_cluster_is_named(
    open_app: OpenApp, workspace_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSCRIPT_RAY_ADDRESS", "127.0.0.1:6379")
    app = open_app(workspace_copy)
    for page in ("audit", "synthesize", "hybrid"):
        app = go(app, page)
        assert not app.exception
        (where,) = [one for one in app.get("button_group") if one.label == "Where jobs run"]
        assert list(where.options) == ["This machine", "Ray cluster 127.0.0.1:6379"]


def test_the_ladder_and_the_sheet_of_the_head_in_the_address(open_app: OpenApp, workspace_copy: Path) -> None:
    cards = keep_findings(workspace_copy)
    app = open_app(workspace_copy)
    app.query_params["layer"], app.query_params["head"] = "0", "0"
    app = go(app, "audit")
    assert not app.exception
    counts = {metric.label: metric.value for metric in app.metric}
    assert counts["● explains"] == "1"
    assert counts["◔ position only"] == str(len(cards) - 1)
    assert "IoU 0.70, twin 0.50" in text_of(app).replace("\\", "")
    assert any("**Given the heads**: 1 of these programs" in told.value for told in app.caption)
    assert not app.warning
    keys = {found.key for found in app.button_group}
    assert {"audits-figure-form", "audits-figure-llama L0H0-form"} <= keys
    app.query_params["layer"] = "99"
    assert "head with an audit that is not in this workspace" in go(app, "audit").warning[0].value


def test_programs_that_look_are_audited_resolved_beside_what_is_given(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    reader, read = HeadId(2, 1), HeadId(0, 1)
    copy = f'def attend(q, k):\n    return look("{read}", q, k)\n'
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    with workspace.database.transaction() as cursor:
        name = add_program(cursor, copy, "search")
        add_scores(
            cursor, model.id, [Score(name, reader, split, Estimate(0.99), 0.1, 8, 0) for split in Split]
        )
    behind = workspace.library.parsed_best(model.id)[read]
    expected = workspace.examiner(model, Split.TEST).compare(reader, behind).ious.mean()
    workspace.close()
    for more in ([], ["--resolved"]):
        done = call_core("audit", "twin", "--heads", str(reader), *more, workspace=workspace_copy)
        assert done.returncode == 0, done.stderr
    workspace = Workspace.open(workspace_copy)
    chains = workspace.library.best_chains(model.id)
    given, resolved = (
        workspace.findings.of_programs(model.id, which)[reader, name]["twin"].finding
        for which in (None, chains)
    )
    assert resolved.figure("IoU").value == pytest.approx(expected, abs=2e-3)
    assert abs(given.figure("IoU").value - expected) > 0.01
    assert (given.given, resolved.given) == (f"the attention of {read}", "")
    workspace.close()
    for arguments, words in (
        (["six", "--resolved"], "reads heads as they are; leave out --resolved"),
        (["twin", "--heads", str(read), "--resolved"], "none of these programs looks at a head"),
        (["load-bearing", "--heads", str(reader), "--resolved", "--measured", "1"], "leave out --resolved"),
    ):
        refused = call_core("audit", *arguments, workspace=workspace_copy)
        assert refused.returncode in (2, 4)
        assert words in refused.stderr
    app = go(open_app(workspace_copy), "audit")
    control = next(found for found in app.button_group if found.key == "audit-read")
    app = control.set_value("their programs (resolved)").run()
    assert not app.exception
    assert "twin" in app.dataframe[0].value.columns
    assert any("**Resolved**" in caption.value for caption in app.caption)


def test_the_table_has_a_row_a_head_and_a_column_an_audit() -> None:
    (row,) = heads_by_audits(FOUND, STANDINGS).to_dict("records")
    assert (row["name"], row["rung"], row["written"], row["coverage"]) == (
        "L1H0",
        "position only",
        0.8,
        "passes",
    )
    assert all_figures(FOUND).loc["L1H0", "output error"] == 0.8
    lines = as_csv(FOUND, STANDINGS).splitlines()
    assert lines[1] == "L1H0,abc,position only,written,fails,output error,0.8,0.7,0.9"


def test_a_sheet_is_whole_and_escaped() -> None:
    page = sheet(
        MODEL, CARD[0], "def attend(q, k):\n    return k.index < 3\n", FOUND[CARD], STANDINGS[CARD], ("now")
    )
    assert "k.index &lt; 3" in page
    assert "It &lt;b&gt;writes&lt;/b&gt; elsewhere." in page
    assert "<b>position only</b> · IoU 0.96" in page
    assert "Attention is Not Only a Weight" in page  # a work it follows
    assert "<i>" not in page


def test_the_picture_has_a_square_for_each_head() -> None:
    picture = rung_picture(MODEL, {HeadId(1, 0): "explains"})
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (28, 28)
    assert np.frombuffer(picture, np.uint8).size < 400
