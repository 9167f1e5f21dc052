"""Pages in Streamlit's own test harness: empty, busy, half-built, built, reviewed, locked."""

import contextlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core import wire
from core.cli.terminal import Terminal
from core.errors import WorkspaceError
from core.jobs import Jobs
from core.jobs.crew.cluster import Tally, by_node
from core.jobs.folder import EventWriter, JobFolder
from core.language import parse
from core.proposers import ClaudeLimits, SearchLimits
from core.review import QueueOrder
from core.scoring import BASELINES
from core.settings import Settings
from core.sharing.figures.of_runs import climb, settings
from core.store import JobRecord, Workspace, add_model, add_sentences, attention_folder
from core.store.gains import HeadGain
from core.store.hybrids import add_costs, add_curve, add_evaluation, add_hybrid
from core.types import (
    Action,
    Curve,
    CurvePoint,
    Estimate,
    Evaluation,
    EvaluationDetails,
    HeadId,
    HybridProgram,
    MadeHybrid,
    ModelInfo,
    Score,
    Split,
    StrictCost,
    TokenDamage,
)
from core.ui.parts import state
from core.ui.parts.damage_text import shaded
from core.ui.review.lines import OFF
from tests import tiny

ROOT = Path(__file__).parents[3]
PAGES = ("overview", "heads", "circuit", "synthesize", "review", "hybrid", "library")
PATIENCE = 200  # seconds that a page may take: on a busy machine the first imports torch for a while
OpenApp = Callable[[Path], AppTest]


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenApp]:
    """Opens the app on a workspace; lets go of it afterwards."""
    monkeypatch.setenv("HEADSCRIPT_RUNNER", "forked")  # a worker that goes on is soon done

    def run(folder: Path) -> AppTest:
        monkeypatch.setenv("HEADSCRIPT_WORKSPACE", str(folder))
        return AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE).run()

    yield run
    close_app()


def close_app() -> None:
    """What ending the server does."""
    with contextlib.suppress(WorkspaceError):  # it could not be opened: the test was about that
        state.owner().close()
    st.cache_resource.clear()
    st.cache_data.clear()


def go(app: AppTest, page: str) -> AppTest:
    return app.switch_page(f"pages/{page}.py").run()


def text_of(app: AppTest) -> str:
    parts = [
        *app.title,
        *app.header,
        *app.subheader,
        *app.markdown,
        *app.caption,
        *app.info,
        *app.success,
        *app.warning,
        *app.error,
    ]
    return "\n".join(str(part.value) for part in parts)


def button(app: AppTest, key: str):
    return next(found for found in app.button if found.key == key)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_what_to_do_on_an_empty_workspace(
    page: str, open_app: OpenApp, tmp_path: Path
) -> None:
    app = go(open_app(tmp_path), page)
    assert not app.exception
    assert "demo" in text_of(app)


def test_an_empty_workspace_offers_the_demo_with_one_button(open_app: OpenApp, tmp_path: Path) -> None:
    app = open_app(tmp_path)
    assert button(app, "build-demo").label == "Build the demo workspace"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_draws_a_built_workspace(page: str, open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), page)
    assert not app.exception
    assert app.title


def test_the_overview_counts_heads_and_verdicts(open_app: OpenApp, workspace_copy: Path) -> None:
    accept_first(workspace_copy, 2)
    app = open_app(workspace_copy)
    metrics = {metric.label: metric.value for metric in app.metric}
    heads = str(tiny.LAYERS * tiny.HEADS)
    assert (metrics["Heads"], metrics["With a program"], metrics["Accepted"]) == (heads, heads, "2")


def test_programs_can_be_found_where_the_attention_of_all_layers_is_there(
    open_app: OpenApp, built: Path, small_corpus: Path, tmp_path: Path
) -> None:
    workspace = Workspace.open(tmp_path)
    jobs = Jobs(workspace, Settings(tmp_path, device="cpu", runner="inline"))
    jobs.wait(jobs.start_build(str(built.parent / "llama"), str(small_corpus), search=False))
    (model,) = workspace.models.all()
    workspace.close()
    told = "is extracted; programs for it can be found now"
    assert told in text_of(open_app(tmp_path))
    *_, last = sorted(attention_folder(tmp_path, model.id).glob("layer=*"))
    last.unlink()  # as where a build was cancelled after its first layer
    app = open_app(tmp_path)
    assert told not in text_of(app)
    assert button(app, "build-demo")


def accept_first(folder: Path, count: int) -> list[HeadId]:
    workspace = Workspace.open(folder)
    model = workspace.models.all()[0]
    best = workspace.library.best(model.id, Split.TEST)[:count]
    for found in best:
        workspace.verdicts.record(model.id, found.score.head, found.program.id, Action.ACCEPT, "ada")
    workspace.close()
    return [found.score.head for found in best]


def test_the_heads_page_opens_the_head_in_the_address(open_app: OpenApp, workspace_copy: Path) -> None:
    app = open_app(workspace_copy)
    app.query_params["layer"] = "2"
    app.query_params["head"] = "3"
    app = go(app, "heads")
    assert app.title[0].value.startswith("L2H3")
    assert "IoU test" in text_of(app)


def test_when_everything_is_reviewed_the_page_leads_to_the_hybrid(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    accept_first(workspace_copy, tiny.LAYERS * tiny.HEADS)
    app = go(open_app(workspace_copy), "review")
    assert "everything is decided" in app.title[0].value
    assert not app.exception
    app = go(app, "overview")
    assert button(app, "next-step").label == "Build a hybrid"


def test_a_new_session_takes_up_the_reviewers_last_settings(open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), "review")
    select(app, "Order", QueueOrder.CATEGORY)
    first = app.title[0].value
    close_app()
    app = go(open_app(workspace_copy), "review")
    assert app.title[0].value == first
    assert next(box for box in app.selectbox if box.label == "Order").value == QueueOrder.CATEGORY


def select(app: AppTest, label: str, value: str) -> None:
    next(box for box in app.selectbox if box.label == label).select(value).run()


def test_a_program_whose_features_are_not_there_says_so_on_its_card(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    keep_one_head(workspace_copy, "def attend(q, k):\n    return similarity(q, k)\n")
    (folder,) = (workspace_copy / "attention").iterdir()
    (folder / "embeddings.parquet").unlink()
    app = go(open_app(workspace_copy), "review")
    assert app.title[0].value == "Review · L0H0"
    assert "The program fails on" in text_of(app)
    close_app()
    (folder / "tokens.parquet").unlink()
    app = go(open_app(workspace_copy), "review")
    assert not app.exception
    assert "The evidence cannot be drawn" in text_of(app)


def test_a_line_left_out_on_a_card_changes_its_figures_and_maps(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    source = (
        "def attend(q, k):\n    weight = 1.0\n    if k.is_first:\n        weight += 90.0\n    return weight\n"
    )
    keep_one_head(workspace_copy, source)
    app = go(open_app(workspace_copy), "review")
    assert "Without the line" not in text_of(app)
    app.session_state[OFF] = ((HeadId(0, 0), parse(source).id), 3)
    app.run()
    assert not app.exception
    assert "Without the line that is struck through" in text_of(app)
    (figures,) = [told.value for told in app.markdown if "against" in told.value]
    assert float(re.findall(r"\*\*(0\.\d+)\*\*", figures)[0]) > 0.5  # the tiny heads are nearly uniform


def keep_one_head(folder: Path, source: str) -> None:
    """Leave one head with a program, this one, which no baseline beats."""
    workspace = Workspace.open(folder)
    model = workspace.models.all()[0].id
    workspace.database.run("DELETE FROM scores WHERE layer > 0 OR head > 0")
    scores = [Score("", HeadId(0, 0), split, Estimate(1.0, 1.0, 1.0), 0.0, 1, 0) for split in Split]
    name = parse(source).id
    workspace.library.save_edit(model, source, "", [replace(score, program=name) for score in scores])
    workspace.close()


def test_one_head_is_enough_for_every_page(open_app: OpenApp, workspace_copy: Path) -> None:
    keep_one_head(workspace_copy, "def attend(q, k):\n    return k.index + 0.5\n")
    app = open_app(workspace_copy)
    for page in PAGES:
        assert not go(app, page).exception
    app = go(app, "review")
    assert "0 of 1 decided · 1 in this queue" in text_of(app)


def test_the_library_finds_programs_by_every_word(open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), "library")
    app.text_input(key="search").set_value("first TOKEN everything").run()
    assert app.dataframe[0].value["program"].tolist() == ["Everything rests on the first token."]
    app.text_input(key="search").set_value("no such word anywhere").run()
    assert "No program is left by words and filters" in text_of(app)


def test_the_library_says_how_large_a_site_will_be_and_hands_it_over(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    app = go(open_app(workspace_copy), "library")
    assert "12 heads" in text_of(app)
    app.button(key="site-prepare").click().run()
    assert not app.exception
    _, packed = app.session_state["site-packed"]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert {"site/index.html", "site/heads/L2H1.html", "site/data/L2H1.js"} <= set(archive.namelist())
    app.button_group(key="site-programs").set_value("accepted").run()
    assert "no head of llama has an accepted program yet" in text_of(app)


def test_the_library_finds_programs_by_head_and_by_behaviour(open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), "library")
    for words in ("L1H2", "first token sink"):
        app.text_input(key="search").set_value(words).run()
        assert len(app.dataframe[0].value) > 0
    app.text_input(key="search").set_value("L77H7").run()
    assert not app.dataframe


def test_a_program_in_the_address_is_open_and_two_are_compared(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    first, second = (parse(BASELINES[name]).id for name in ("first token", "uniform"))
    app = open_app(workspace_copy)
    app.query_params["program"] = first
    app = go(app, "library")
    assert app.code[0].value == BASELINES["first token"].strip()
    app.query_params["and"] = second
    app.run()
    assert "+    return 1.0" in app.code[0].value
    assert "IoU on L" in text_of(app)


def test_the_hybrid_page_asks_for_accepted_programs(open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), "hybrid")
    app.radio(key="which").set_value("Accepted programs").run()
    assert "No program is accepted yet" in text_of(app)
    app.radio(key="which").set_value("Best programs of text alone").run()
    assert not app.exception
    assert app.button(key="measure")


def test_a_share_larger_than_what_the_filter_leaves_is_cut(open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), "hybrid")
    app.slider(key="share").set_value(90).run()
    app.slider(key="layers").set_value((0, 0)).run()
    assert not app.exception
    assert app.slider(key="share").value <= 34  # one layer of three
    assert "4 of 12 heads pass the filter" in text_of(app)


def add_hybrids(folder: Path) -> None:
    """A measured hybrid, a curve whose uniform control costs nothing at half, and an imported hybrid."""
    workspace = Workspace.open(folder)
    model = workspace.models.all()[0]
    best = workspace.library.best(model.id, Split.VALIDATION)
    programs = tuple(HybridProgram(b.score.head, b.program.source) for b in best[:3])
    made = MadeHybrid(programs, "three heads", 0.25, order="cost", calibration=((0, 0.4), (10, 0.3)))
    passage = TokenDamage(("<b>Once", " upon"), (2.0,), (4.5,), (0.7,))
    measured = Evaluation(10.0, 12.0, Estimate(0.2, 0.1, 0.3), Estimate(0.15), 90, 4, 2)
    strict = StrictCost(usual=replace(measured, increase=Estimate(0.1)), strict=measured)
    rows = tuple(
        CurvePoint(name, name == "uniform", 6, share, kl, kl, kl, kl, kept=0)
        for name, share, kl in (
            ("cost", 0.25, 0.1),
            ("cost", 0.5, 0.3),
            ("uniform", 0.25, 0.9),
            ("uniform", 0.5, 0.2),
        )
    )
    with workspace.database.transaction() as cursor:
        added = add_hybrid(cursor, model.id, made)
        details = EvaluationDetails({"story": measured}, strict, (passage,))
        add_evaluation(cursor, added, "test", measured, details)
        add_curve(cursor, Curve(model.id, "best", "test", 4, 90, rows))
        add_hybrid(cursor, model.id, replace(made, programs=programs[:1], title="from a stranger"))
    workspace.close()


def test_the_hybrid_page_shows_cost_genres_lookahead_damage_and_what_controls_say(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    add_hybrids(workspace_copy)
    app = go(open_app(workspace_copy), "hybrid")
    choice = next(box for box in app.selectbox if box.label == "Hybrid")
    assert sorted(choice.options) == ["from a stranger · not measured", "three heads · +20.0%"]
    app = choice.select("three heads · +20.0%").run()
    assert not app.exception
    assert ("Perplexity increase", "+20.0%") in [(m.label, m.value) for m in app.metric]
    shown = text_of(app)
    assert "In 2 (head, passage) pairs the program failed" in shown
    assert "**+20.0%** where they see no further than the query" in shown
    assert "**uniform** in the place of the same heads costs no more KL than the programs at 50%" in shown


def test_an_imported_hybrid_says_that_it_is_not_measured_here(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    add_hybrids(workspace_copy)
    app = go(open_app(workspace_copy), "hybrid")
    choice = next(box for box in app.selectbox if box.label == "Hybrid")
    app = choice.select("from a stranger · not measured").run()
    assert "not measured here yet" in text_of(app)


def test_a_token_of_the_damage_view_tells_its_losses() -> None:
    passage = TokenDamage(("<b>", '" onclick="x'), (1.0,), (3.0,), (0.2,))
    first, second = shaded(passage)
    assert (first.text, second.text) == passage.tokens
    assert second.told == "loss 1.00 to 3.00, KL 0.20"
    assert second.background  # orange
    assert not first.background


def test_what_heads_are_expected_to_cost_is_said_before_anything_runs(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    best = workspace.library.best(model.id, Split.VALIDATION)
    costs = {(b.score.head, b.program.id): 0.01 for b in best}
    with workspace.database.transaction() as cursor:
        add_costs(cursor, model.id, costs, passages=9, agreement=None)
    workspace.close()
    app = go(open_app(workspace_copy), "hybrid")
    assert "Expected: KL 0.030 nats per token" in text_of(app)  # a quarter of twelve heads


def test_a_locked_workspace_is_a_message_not_a_traceback(open_app: OpenApp, workspace_copy: Path) -> None:
    database = str(workspace_copy / "workspace.duckdb")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb; c = duckdb.connect({database!r}); print(1, flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        app = open_app(workspace_copy)
        assert not app.exception
        assert f"process {holder.pid}" in app.error[0].value
    finally:
        holder.communicate(b"\n")


def test_a_half_built_workspace_shows_the_heads_there_are(open_app: OpenApp, workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    workspace.database.run("DELETE FROM scores WHERE layer > 0")
    workspace.close()
    app = open_app(workspace_copy)
    assert {metric.label: metric.value for metric in app.metric}["With a program"] == str(tiny.HEADS)
    app.query_params["layer"] = "2"
    app = go(app, "heads")
    assert "has no program yet" in text_of(app)


def test_a_stopped_build_says_so_and_can_go_on(open_app: OpenApp, tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    workspace.jobs.add("20260101-000000-build-abc", "build")
    workspace.jobs.set_state("20260101-000000-build-abc", "stopped")
    workspace.close()
    job = tmp_path / "jobs" / "20260101-000000-build-abc"
    job.mkdir(parents=True)
    (job / "spec.json").write_text(json.dumps({"kind": "build"}))
    app = open_app(tmp_path)
    assert "stopped while starting" in text_of(app)
    assert button(app, "build-demo")


def test_a_job_on_a_cluster_shows_how_far_each_node_is_on_page_and_terminal(
    open_app: OpenApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = JobFolder(tmp_path / "jobs" / "20260101-000000-build-abc")
    job.path.mkdir(parents=True)
    (job.path / "spec.json").write_text(json.dumps({"kind": "build"}))
    workspace = Workspace.open(tmp_path)
    workspace.jobs.add(job.id, "build")
    workspace.jobs.set_state(job.id, "running")
    record = workspace.jobs.get(job.id)
    workspace.close()
    told = ["one: 30 done, 2 at hand, 1 lost", "two: 1,000 done, 1 at hand"]
    claim = job.claim()
    assert claim is not None
    with claim, EventWriter(job) as events:  # this process is the worker, and is alive
        events.progress("extracting attention", 1030, 2400)
        job.show_nodes({"two": Tally(1, 1000), "one": Tally(2, 30, 1)})
        app = open_app(tmp_path)
        assert not app.exception
        shown = text_of(app).replace("\\", "")  # colons are escaped, as one may begin an emoji
        assert "\n".join(told) in shown
        assert by_node(job.nodes()) == told

    screen = Screen()
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr("sys.stderr", screen)
    with Terminal().following(lambda: by_node(job.nodes())) as show:
        show(record)
    assert " · ".join(told) in screen.getvalue()


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_the_synthesize_page_chooses_heads_by_name(open_app: OpenApp, workspace_copy: Path) -> None:
    app = go(open_app(workspace_copy), "synthesize")
    next(field for field in app.text_input if field.key == "heads-named").input("L0H1, L2H*").run()
    assert button(app, "start").label == f"Start on {1 + tiny.HEADS} heads"
    next(field for field in app.number_input if field.key == "heads-most").set_value(2).run()
    assert button(app, "start").label == "Start on 2 heads"
    assert not app.exception


def test_heads_with_an_accepted_program_can_be_left_out(open_app: OpenApp, workspace_copy: Path) -> None:
    accept_first(workspace_copy, 5)
    app = go(open_app(workspace_copy), "synthesize")
    next(switch for switch in app.toggle if switch.key == "heads-open").set_value(True).run()
    assert button(app, "start").label == f"Start on {tiny.LAYERS * tiny.HEADS - 5} heads"


def test_without_a_key_the_page_says_how_to_get_going_and_offers_the_search(
    open_app: OpenApp, workspace_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    app = go(open_app(workspace_copy), "synthesize")
    app.segmented_control(key="proposer").set_value("Claude").run()
    assert "ANTHROPIC_API_KEY" in text_of(app)
    assert "The search finds a program for every head" in text_of(app)
    assert not [found for found in app.button if found.key == "start"]


def test_a_server_of_ones_own_is_offered_with_limits_on_calls_and_tokens(
    open_app: OpenApp, workspace_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("HEADSCRIPT_OPENAI_MODEL", "by-rule")
    app = go(open_app(workspace_copy), "synthesize")
    app.segmented_control(key="proposer").set_value("OpenAI").run()
    assert not app.exception
    assert {field.label: field.value for field in app.text_input if field.key.startswith("openai-")} == {
        "Model": "by-rule",
        "Server": "http://127.0.0.1:9/v1",
    }
    numbers = {field.label: field.value for field in app.number_input}
    assert (numbers["Calls, at most"], numbers["Tokens, at most"]) == (500, 5_000_000)
    assert "No price of this model is known" in text_of(app)
    assert button(app, "start").label == f"Start on {tiny.LAYERS * tiny.HEADS} heads"


def test_what_a_run_was_asked_is_told_from_its_limits() -> None:
    limits = [("synthesize", SearchLimits(9)), ("claude", ClaudeLimits(batches=True)), ("build", None)]
    told = [
        settings(
            JobRecord("", kind, "done", "", 0, 0, "", settings={"limits": wire.plain(asked)} if asked else {})
        )
        for kind, asked in limits
    ]
    assert told == [
        "≤ 9 rules · each ≥ 0.002 · other heads: layer · fitted to: iou",
        "claude-sonnet-5-5 · 3 candidates · 3 rounds · budget $5.00 · batches",
        "",
    ]


def test_672_heads_can_be_chosen(open_app: OpenApp, tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    model = ModelInfo("large-1234", "large", "llama", 28, 24, True, 3 * 10**9, 2048)
    with workspace.database.transaction() as cursor:
        add_model(cursor, model)
        add_sentences(cursor, model.id, "corpus", tiny.short_passages(8))
    workspace.close()
    app = go(open_app(tmp_path), "synthesize")
    assert not app.exception
    assert button(app, "start").label == "Start on 672 heads"


def test_a_failed_run_shows_its_reason_its_cost_and_a_button_to_try_again(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    workspace.jobs.add("20990101-000000-synthesize-abc", "synthesize", model.id, {"heads": ["L0H1"]})
    paid = [(1, {"event": "cost", "usd": 1.25, "at": 1.0})]
    workspace.jobs.ingest("20990101-000000-synthesize-abc", paid, lambda cursor, number, event: None)
    workspace.jobs.set_state("20990101-000000-synthesize-abc", "failed", "the *price* rose")
    workspace.close()
    (workspace_copy / "jobs" / "20990101-000000-synthesize-abc").mkdir()
    app = go(open_app(workspace_copy), "synthesize")
    assert app.error[0].value == "the \\*price\\* rose"
    assert {metric.label: metric.value for metric in app.metric}["Cost so far"] == "$1.25"
    assert button(app, "resume-run-20990101-000000-synthesize-abc").label == "Try again"


def test_the_climb_is_the_mean_over_the_runs_heads_and_never_falls() -> None:
    first, second = HeadId(0, 0), HeadId(0, 1)
    steps = [
        HeadGain(first, 60, 0.2, 0.4),
        HeadGain(second, 120, 0.4, 0.5),
        HeadGain(first, 180, 0.4, 0.6),  # a second round: still counted from 0.2
    ]
    rows = climb(steps).to_numpy().tolist()
    assert rows == [pytest.approx(row) for row in [[1, 1, 0.3, 0.4], [2, 2, 0.3, 0.45], [3, 2, 0.3, 0.55]]]


def test_the_library_tells_and_filters_what_was_decided_by_whom(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0].id
    cards = list(
        {program: (head, program) for head, program in workspace.library.best_programs(model)}.values()
    )
    first, second = cards[:2]
    workspace.verdicts.record(model, *first, Action.ACCEPT, "ada")
    workspace.verdicts.record(model, *second, Action.ACCEPT, "ada")
    workspace.verdicts.record(model, *second, Action.REJECT, "bob", "too weak")
    workspace.close()
    app = go(open_app(workspace_copy), "library")

    def listed() -> dict[str, str]:
        table = app.dataframe[0].value
        return dict(zip(table.reviewers, table.verdict, strict=True))

    assert {"ada": "✓ accepted", "ada, bob": "≠ disputed", "": ""}.items() <= listed().items()
    next(box for box in app.multiselect if box.label == "Verdict").set_value(["disputed"]).run()
    assert listed() == {"ada, bob": "≠ disputed"}
    next(box for box in app.multiselect if box.label == "Verdict").set_value([]).run()
    next(box for box in app.multiselect if box.label == "Decided by").set_value(["bob"]).run()
    assert listed() == {"ada, bob": "≠ disputed"}
    next(box for box in app.multiselect if box.label == "Decided by").set_value([]).run()
    today = datetime.now(UTC).date()
    assert set(app.dataframe[0].value.decided) == {"", str(today)}
    app.date_input[0].set_value(today).run()
    assert set(listed()) == {"ada", "ada, bob"}
    app.date_input[0].set_value(today + timedelta(days=2)).run()
    assert app.info[0].value == "No program is left by words and filters."
    app.date_input[0].set_value(None).run()
    least = sorted(app.dataframe[0].value.lift.dropna())[-2]
    next(box for box in app.number_input if box.label == "Lift at least").set_value(least).run()
    assert min(app.dataframe[0].value.lift) >= least
    assert len(app.dataframe[0].value) == 2
    assert not app.exception


def test_a_finished_run_lists_its_heads_and_hands_them_to_review(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    app = go(open_app(workspace_copy), "synthesize")
    model = state.models()[0]
    listed = next(one.value for one in app.dataframe if "best program now" in one.value)
    assert set(listed["head"]) == {str(head) for head in model.head_ids()}
    assert (listed.after >= listed.before).all()
    assert "–" not in set(listed["best program now"])
    review = next(one for one in app.button if one.label.startswith("Review these"))
    assert review.label == f"Review these {len(model.head_ids())} heads"
    review.click().run()
    app = go(app, "review")
    desk = app.session_state["desk"]
    assert (desk.view.pile, desk.view.kept.heads) == ("all heads", frozenset(model.head_ids()))
    assert not app.exception
