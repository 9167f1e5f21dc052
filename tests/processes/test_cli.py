"""The command line: answers, exit codes, and no traceback whatever the input; its jobs are processes."""

import csv
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from core.hybrid import load_hybrid
from core.language import parse
from core.proposers import ClaudeLimits, SearchLimits
from core.scoring import BASELINES
from core.sharing.archive import zipped
from core.store import Workspace
from core.types import Action, MadeHybrid, Split
from tests import tiny
from tests.conftest import ROOT, TinyModel, call_core, run_core

HEADS = tiny.LAYERS * tiny.HEADS


def answer(result: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert result.returncode == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_best_gives_every_head_with_interval_and_lift(built: Path) -> None:
    found = answer(run_core("best", "--json", workspace=built))
    assert set(found) == {"model", "split", "mean_iou", "median_iou", "mean_resolved", "heads"}
    assert found["split"] == "test"
    heads = found["heads"]
    assert isinstance(heads, list)
    assert len(heads) == HEADS
    assert set(heads[0]) == {"layer", "head", "program", "iou", "resolved", "low", "high", "lift"}
    assert found["mean_resolved"] == pytest.approx(statistics.fmean(head["resolved"] for head in heads))
    assert all(head["resolved"] == head["iou"] or "look(" in head["program"] for head in heads)


def test_a_program_that_looks_is_scored_where_it_may(workspace_copy: Path, tmp_path: Path) -> None:
    file = tmp_path / "attend.py"
    file.write_text('def attend(q, k):\n    return look("L0H1", q, k) + look("L1H0", q, k)\n')
    found = answer(call_core("score", "--program", str(file), "--json", workspace=workspace_copy))
    every = [(layer, head) for layer in range(tiny.LAYERS) for head in range(tiny.HEADS)]
    after = [at for at in every if at > (1, 0)]
    assert sorted((head["layer"], head["head"]) for head in found["heads"]) == after


def hybrid_of_all(programs: str, folder: Path) -> MadeHybrid:
    """What `hybrid` makes of all heads with these programs."""
    found = answer(call_core("hybrid", "--share", "1", "--programs", programs, "--json", workspace=folder))
    workspace = Workspace.open(folder)
    made = workspace.hybrids.made(str(found["hybrid"]))
    workspace.close()
    assert made is not None
    return made


def test_heads_are_resolved_with_a_second_pass_and_shown(workspace_copy: Path) -> None:
    told = answer(call_core("resolve", "--refit", "--json", workspace=workspace_copy))
    found = answer(call_core("best", "--resolved", "--json", workspace=workspace_copy))
    given = answer(call_core("best", "--json", workspace=workspace_copy))
    assert told["mean_of_resolved_programs"] == pytest.approx(found["mean_resolved"])
    assert told["mean_resolved"] == pytest.approx(given["mean_resolved"])
    assert told["mean_iou"] == pytest.approx(given["mean_iou"])
    best, resolved = ([head["program"] for head in one["heads"]] for one in (given, found))  # type: ignore[attr-defined]
    others = [one for own, one in zip(best, resolved, strict=True) if one != own]
    looking = sum("look(" in program for program in others)
    assert (told["heads"], told["by_their_best_program"]) == (HEADS, HEADS - len(others))
    assert (told["by_another_that_looks"], told["by_another_of_text_alone"]) == (
        looking,
        len(others) - looking,
    )
    made = hybrid_of_all("resolved", workspace_copy)
    assert [program.source for program in sorted(made.programs, key=lambda one: one.head)] == resolved


def test_best_on_fresh_passages_agrees_with_the_split_they_are(built: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(built)
    held_out = workspace.models.sentences(workspace.models.all()[0].id, Split.TEST)
    workspace.close()
    fresh = tmp_path / "fresh.jsonl"
    fresh.write_text("\n".join(json.dumps({"text": sentence.text}) for sentence in held_out))
    stored = answer(call_core("best", "--json", workspace=built))
    rescored = answer(call_core("best", "--eval", str(fresh), "--json", workspace=built))
    assert rescored["mean_iou"] == pytest.approx(stored["mean_iou"], abs=1e-3)
    assert rescored["mean_resolved"] == pytest.approx(stored["mean_resolved"], abs=1e-3)


def test_hybrid_measures_a_share_of_the_heads(workspace_copy: Path) -> None:
    found = answer(call_core("hybrid", "--share", "0.25", "--json", workspace=workspace_copy))
    assert {
        "model",
        "share",
        "order",
        "calibrated",
        "base_ppl",
        "ppl",
        "increase",
        "kl",
        "tokens",
        "heads",
    } <= set(found)
    assert len(found["heads"]) == round(0.25 * HEADS)  # type: ignore[arg-type]
    assert found["ppl"] == pytest.approx(found["base_ppl"] * (1 + found["increase"]))  # type: ignore[operator]


def test_hybrid_of_accepted_programs_replaces_just_those(workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    best = workspace.library.best(model.id, Split.TEST)[5]
    workspace.verdicts.record(model.id, best.score.head, best.program.id, Action.ACCEPT, "ada")
    text = workspace.replacements.sources(model.id, "text")
    workspace.close()
    share = str(1 / HEADS)
    found = answer(
        call_core("hybrid", "--share", share, "--programs", "accepted", "--json", workspace=workspace_copy)
    )
    assert found["heads"] == [str(best.score.head)]
    made = hybrid_of_all("text", workspace_copy)
    assert {program.head: program.source for program in made.programs} == text
    assert "100% of heads, text programs" in made.title


def test_hybrids_are_chosen_by_budget_calibrated_shipped_and_tried_downstream(
    workspace_copy: Path, built: Path, tmp_path: Path
) -> None:
    found = answer(
        call_core("hybrid", "--budget", "9", "--calibrate", "--strict", "--json", workspace=workspace_copy)
    )
    assert found["calibrated"]
    assert len(found["heads"]) == HEADS  # type: ignore[arg-type]
    assert "strict" not in found  # no program of a random model looks ahead
    questions = tmp_path / "piqa.jsonl"
    rows = [{"goal": f"do {n}", "sol1": f"a {n}", "sol2": f"b {n}", "label": n % 2} for n in range(4)]
    questions.write_text("\n".join(map(json.dumps, rows)))
    (reached,) = answer(call_core("downstream", str(questions), "--json", workspace=workspace_copy))["rows"]  # type: ignore[misc]
    assert reached["questions"] == 4
    shipped = tmp_path / "shipped"
    answer(call_core("export", "hybrid", str(shipped), "--json", workspace=workspace_copy))
    read = load_hybrid(shipped, str(built.parent / "llama"), device="cpu")
    assert read.figures["increase"] == pytest.approx(found["increase"])
    packed = tmp_path / "shipped.zip"  # as a browser downloads it
    packed.write_bytes(zipped(shipped))
    again = answer(call_core("import", str(packed), "--json", workspace=workspace_copy))
    assert again["hybrid"] == found["hybrid"]
    measured = answer(
        call_core("hybrid", "--hybrid", str(found["hybrid"])[:8], "--json", workspace=workspace_copy)
    )
    assert {name: measured[name] for name in ("hybrid", "heads", "order", "calibrated")} == {
        name: found[name] for name in ("hybrid", "heads", "order", "calibrated")
    }
    assert measured["kl"] == pytest.approx(found["kl"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "0.05", "--programs", "accepted"], "no head has a program to replace it by"),
        (["--hybrid", "nowhere"], "no hybrid nowhere"),
        (["--hybrid", "nowhere", "--calibrate"], "leave out --calibrate"),
        (["--share", "0.5", "--steps", "9"], "--steps are those of --calibrate"),
        (["--hybrid", "nowhere", "--share", "0.5"], "not allowed with"),
    ],
)
def test_hybrids_that_cannot_be_measured_exit_with_2(arguments: list[str], message: str, built: Path) -> None:
    result = call_core("hybrid", *arguments, workspace=built)
    assert (result.returncode, message in result.stderr) == (2, True), result.stderr


def test_passages_that_programs_were_fitted_on_are_left_out(workspace_copy: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    fitted = workspace.models.sentences(workspace.models.all()[0].id, Split.TRAIN, Split.VALIDATION)
    workspace.close()
    path = tmp_path / "mine.jsonl"
    texts = [*(sentence.text for sentence in fitted[:3]), "Once upon a time there was a red fox."]
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    asked = ["hybrid", "--share", "0.1", "--order", "iou", "--eval", str(path), "--json"]
    result = call_core(*asked, workspace=workspace_copy)
    assert answer(result)["passages"] == 1
    assert "left out 3 passages" in result.stderr
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts[:3]))
    result = call_core(*asked, workspace=workspace_copy)
    assert (result.returncode, "every passage of" in result.stderr) == (2, True)


def test_a_curve_has_every_order_and_every_control(workspace_copy: Path) -> None:
    found = answer(
        call_core("curve", "--orders", "cost,greedy", "--passages", "3", "--json", workspace=workspace_copy)
    )
    rows = found["rows"]
    assert isinstance(rows, list)
    orders = ["cost", "greedy", "first token", "uniform", "wrong heads", "text-blind twin", "random rows"]
    assert list(dict.fromkeys(row["order"] for row in rows)) == [*orders, "shuffled"]
    every = {row["order"]: row["increase"] for row in rows if row["heads"] == HEADS}
    assert every["cost"] == pytest.approx(every["greedy"], abs=1e-4)  # all heads, in whatever order


def test_score_lists_the_heads_that_a_program_from_a_file_fits_well(
    workspace_copy: Path, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(BASELINES["uniform"])
    arguments = ["score", "--program", str(program), "--json"]
    heads = answer(call_core(*arguments, workspace=workspace_copy))["heads"]
    assert len(heads) == HEADS  # type: ignore[arg-type]
    bound = sorted(row["iou"] for row in heads)[HEADS // 2]  # type: ignore[attr-defined]
    fitted = answer(call_core(*arguments, "--at-least", str(bound), workspace=workspace_copy))["heads"]
    assert fitted == [row for row in heads if row["iou"] >= bound]  # type: ignore[attr-defined]


def test_score_gives_a_workspace_the_baselines_it_lacks(
    workspace_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that a later version of Headscript has."""
    second = "def attend(q, k):\n    return k.index == 1\n"
    monkeypatch.setitem(BASELINES, "second token", second)
    call_core("score", workspace=workspace_copy).check_returncode()
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    scores = workspace.library.head_scores(model.id, model.head_ids()[0]).set_index("program_id")
    assert scores.origin[parse(second).id] == "baseline"
    workspace.close()


def test_synthesize_takes_heads_and_limits(workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    before = {program.id for program in workspace.library.programs()}
    model = workspace.models.all()[0]
    workspace.close()
    found = answer(
        call_core("synthesize", "--heads", "l0h1, L2H*", "--rules", "2", "--json", workspace=workspace_copy)
    )
    assert found["heads"] == HEADS
    assert 0 <= float(found["borrowed"]) <= 1  # type: ignore[arg-type]
    workspace = Workspace.open(workspace_copy)
    added = [p for p in workspace.library.programs() if p.id not in before]
    workspace.close()
    assert len(added) <= 1 + model.heads
    assert all(program.source.count("weight *=") <= 2 for program in added)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--heads", "L9H0"], "L9H0 is not in"),
        (["--heads", "L0H1,head"], "'head' names no head; write L3H7"),
        (["--rules", "0"], "0 is not above 0"),
    ],
)
def test_heads_and_rules_that_cannot_be_exit_with_2(arguments: list[str], message: str, built: Path) -> None:
    result = call_core("synthesize", *arguments, workspace=built)
    assert result.returncode == 2
    assert message in result.stderr


def test_answers_are_readable_without_json(built: Path) -> None:
    result = call_core("best", workspace=built)
    assert "mean_iou" in result.stdout
    assert "L2H3" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["best"], "holds no model yet"),
        (["hybrid", "--share", "0.25"], "holds no model yet"),
        (["hybrid", "--share", "much"], '--share: unable to convert "much" into float'),
        (["curve", "--orders", "alphabet"], "holds no model yet"),
        (["extract", "--model", "demo", "--limit", "-5"], "-5 is not above 0"),
        (["hybrid", "--budget", "nan"], "nan is not a number from 0"),
        (["hybrid", "--share", "0.5", "--seed", "-1"], "-1 is below 0"),
        (["synthesize", "--least-gain", "-1"], "-1 is not a number from 0"),
        (["zzz"], 'Unknown command "zzz". Available commands: app, demo'),
    ],
)
def test_bad_usage_exits_with_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = call_core(*arguments, workspace=tmp_path / "empty")
    assert (result.returncode, message in result.stderr) == (2, True), result.stderr


def test_a_refused_command_prints_its_reason_and_no_traceback(tmp_path: Path) -> None:
    result = run_core("best", workspace=tmp_path / "empty")
    assert result.returncode == 2
    assert result.stderr.startswith("headscript: the workspace holds no model yet")
    assert "Traceback" not in result.stderr


def test_a_share_outside_0_to_1_exits_with_2(built: Path) -> None:
    result = call_core("hybrid", "--share", "1.5", workspace=built)
    assert (result.returncode, "between 0 and 1" in result.stderr) == (2, True)


def test_a_program_that_is_none_exits_with_2_and_names_file_and_line(built: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("def attend(q, k):\n    return k.tag_\n")
    result = run_core("score", "--program", str(program), workspace=built)
    assert result.returncode == 2
    assert f"{program}: line 2" in result.stderr
    assert "k.tag" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.txt", None, "does not exist"),
        ("blank.txt", b"\n\n\n", "holds no passage"),
        ("binary.txt", b"a\0b", "binary file"),
        ("latin.txt", "caf\xe9\n".encode("latin-1"), "line 1 is not UTF-8"),
    ],
)
def test_a_bad_corpus_is_refused_before_any_work(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    workspace = tmp_path / "workspace"
    result = call_core("extract", "--model", "demo", "--corpus", str(path), workspace=workspace)
    assert (result.returncode, message in result.stderr) == (2, True), result.stderr
    assert list((workspace / "jobs").glob("*")) == []


def test_programs_are_not_searched_on_one_passage(tmp_path: Path, tiny_model: TinyModel) -> None:
    path = tmp_path / "one.txt"
    path.write_text("A single passage of text.\n")
    asked = ["extract", "--model", str(tiny_model("gpt2")), "--corpus", str(path), "--json"]
    assert answer(call_core(*asked, workspace=tmp_path / "w"))["sentences"] == 1
    result = call_core("synthesize", workspace=tmp_path / "w")
    assert (result.returncode, "split of 1 passages" in result.stderr) == (2, True), result.stderr


def test_an_export_follows_a_link_and_replaces_no_pipe_or_folder(built: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    answer(call_core("export", "library", str(tmp_path / "link"), "--json", workspace=built))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text().startswith('{"kind": "headscript decisions"')
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
        answer(call_core("export", "library", str(tmp_path / "pipe"), "--json", workspace=built))
        assert reader.communicate(timeout=120)[0].decode() == (tmp_path / "file").read_text()
    result = call_core("export", "library", str(tmp_path), workspace=built)
    assert (result.returncode, "is a folder; name the file" in result.stderr) == (2, True), result.stderr


def test_nobody_is_asked_for_an_address_before_the_app_starts(tmp_path: Path) -> None:
    asks = "from streamlit.runtime.credentials import check_credentials; check_credentials()"
    environment = os.environ | {"HOME": str(tmp_path), "DISPLAY": ":0"}  # a desktop, for the first time
    told = subprocess.run(
        [sys.executable, "-c", asks], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (told.returncode, told.stdout) == (0, ""), told.stderr


def test_a_head_and_its_program_are_drawn(built: Path, tmp_path: Path) -> None:
    file = tmp_path / "f.pdf"
    told = answer(call_core("figure", "L0H1", "--out", str(file), "--first", "9", "--json", workspace=built))
    assert (told["file"], told["head"], told["tokens"]) == (str(file), "L0H1", 9)
    assert str(told["caption"]).startswith("test passage, the first 9 of ")
    assert file.read_bytes().startswith(b"%PDF")
    shares = tmp_path / "shares.csv"
    answer(
        call_core("figure", "L1H1", "--of", "contributions", "--out", str(shares), "--json", workspace=built)
    )
    sums: dict[str, float] = {}
    for row in csv.DictReader(shares.read_text().splitlines()):
        sums[row["query"]] = sums.get(row["query"], 0) + float(row["head contribution"])
    assert list(sums.values()) == pytest.approx([1] * len(sums), abs=1e-3)
    shares.unlink()
    for wrong, why in {
        ("L9H9",): "L9H9 does not exist",
        ("7",): "'7' is not a head; write it as L3H7",
        ("L0H1", "--sentence", "no such words"): "no passage of",
        ("L0H1", "--out", str(tmp_path / "f.doc")): "a figure is written as .pdf, .svg, .png, .csv",
        ("L0H1", "--program", str(tmp_path / "none.py")): "cannot read the program",
    }.items():
        out = () if "--out" in wrong else ("--out", str(tmp_path / "g.pdf"))
        result = call_core("figure", *wrong, *out, workspace=built)
        assert result.returncode == 2
        assert why in result.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["f.pdf"]


def test_long_passages_are_cut_counted_and_told(tmp_path: Path, tiny_model: TinyModel) -> None:
    path = tmp_path / "long.txt"
    path.write_text("a short one\n" + "word " * 400 + "\n")
    result = call_core(
        "extract",
        "--model",
        str(tiny_model("gpt2")),
        "--corpus",
        str(path),
        "--json",
        workspace=tmp_path / "w",
    )
    assert answer(result)["sentences"] == 2
    assert "1 passages were cut to the first 256 tokens" in result.stderr


def test_a_workspace_in_use_exits_with_3_and_names_the_process(built: Path) -> None:
    hold = (
        f"import duckdb; c = duckdb.connect({str(built / 'workspace.duckdb')!r}); print(flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "\n"  # it holds the workspace
        result = run_core("best", workspace=built)
        assert result.returncode == 3
        assert str(holder.pid) in result.stderr
    finally:
        holder.communicate("\n")


def test_an_unknown_hub_model_fails_with_advice(tmp_path: Path) -> None:
    result = run_core(
        "extract", "--model", "nobody/nothing-here", workspace=tmp_path / "w", HEADSCRIPT_RUNNER="forked"
    )
    assert result.returncode == 4
    assert "nobody/nothing-here" in result.stderr
    assert "Traceback" not in result.stderr


COMMANDS = {
    "app": ["--port", "--no-browser"],
    "demo": [],
    "extract": ["--model", "--corpus", "--limit"],
    "synthesize": [
        *("--model", "--heads", "--proposer", "--rules", "--least-gain", "--refit"),
        *("--candidates", "--rounds", "--budget", "--batches", "--base-url", "--calls", "--tokens"),
    ],
    "score": ["--model", "--program", "--at-least"],
    "resolve": ["--model", "--refit"],
    "best": ["--model", "--split", "--eval", "--resolved"],
    "hybrid": [
        *("--model", "--share", "--budget", "--hybrid", "--programs", "--eval"),
        *("--order", "--calibrate", "--steps", "--strict", "--seed"),
    ],
    "curve": ["--model", "--programs", "--orders", "--passages", "--eval"],
    "downstream": ["FILE", "--model", "--hybrid", "--tasks", "--limit"],
    "audit": [
        *("NAME", "--model", "--heads", "--hybrid", "--failing", "--passages", "--nats", "--damaged"),
        *("--seed", "--questions", "--tasks", "--limit"),
    ],
    "export": ["WHAT", "PATH", "--model", "--hybrid"],
    "import": ["PATH"],
    "snapshot": ["FOLDER"],
    "serve": ["--port", "--host"],
    "worker": ["JOB_DIR"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_names_its_options_and_gives_an_example(command: str, tmp_path: Path) -> None:
    result = call_core(command, "--help", workspace=tmp_path)
    assert result.returncode == 0
    assert f"Example: python -m core {command}" in result.stdout
    for option in (*COMMANDS[command], "--workspace", "--device", "--json"):
        assert re.search(rf"^  {option}\b.*: \w", result.stdout, re.MULTILINE), option
    assert "\x1b" not in result.stdout


def test_help_names_every_command_and_shows_defaults_of_the_limits(tmp_path: Path) -> None:
    listed = call_core("--help", workspace=tmp_path).stdout
    assert [name for name in COMMANDS if f"\n  {name}: " in listed] == list(COMMANDS)
    limits = call_core("synthesize", "--help", workspace=tmp_path).stdout
    assert f"(above 0) [default: {SearchLimits.rules}]" in limits
    assert f"[default: {ClaudeLimits.budget:g}]" in limits


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["synthesise"], 'Did you mean "synthesize"?'),
        (["best", "--splt", "test"], "Did you mean --split?"),
        (["synthesize", "--cadidates", "2"], "Did you mean --candidates?"),
        (["best", "--workspce", "elsewhere"], "Did you mean --workspace?"),
    ],
)
def test_what_is_misspelt_is_guessed(arguments: list[str], meant: str, tmp_path: Path) -> None:
    result = call_core(*arguments, workspace=tmp_path)
    assert (result.returncode, meant in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize(
    ("arguments", "option", "allowed"),
    [
        (["best", "--split", "nope"], "--split", '"train", "validation", "test"'),
        (["synthesize", "--proposer", "bard"], "--proposer", '"search", "claude"'),
        (["synthesize", "--proposer", "claude", "--rules", "3"], "--rules", "it has --batches, --budget"),
        (["synthesize", "--rules", "2.5"], "--rules", "2.5 is not a whole number"),
        (["synthesize", "--candidates", "11"], "--candidates", "not between 1 and 10"),
        (["synthesize", "--budget", "0"], "--budget", "0 is not above 0"),
        (["hybrid"], "--share", "Give one of --share, --hybrid or --budget"),
        (["extract"], "--model", "requires an argument"),
    ],
)
def test_a_bad_value_is_refused_with_its_option_and_what_is_allowed(
    arguments: list[str], option: str, allowed: str, tmp_path: Path
) -> None:
    result = call_core(*arguments, workspace=tmp_path)
    assert result.returncode == 2
    assert option in result.stderr
    assert allowed in result.stderr


def test_shared_options_go_before_the_command_or_after_it(built: Path) -> None:
    before = call_core("--json", "best", workspace=built)
    assert answer(before) == answer(call_core("best", "--json", workspace=built))
    placed = ["--device", "cpu", "--workspace", str(built), "best", "--json"]
    first = subprocess.run([sys.executable, "-m", "core", *placed], capture_output=True, text=True)
    assert answer(first) == answer(before)


def test_without_a_terminal_there_are_no_escape_codes(workspace_copy: Path, fork_server: Path) -> None:
    for arguments in (["synthesize", "--heads", "L0H0", "--rules", "1"], ["best"], ["best", "--splt"]):
        result = run_core(*arguments, workspace=workspace_copy, HEADSCRIPT_RUNNER="forked")
        assert "\x1b" not in result.stdout + result.stderr
        assert "\r" not in result.stdout + result.stderr


def test_without_a_command_help_goes_to_stderr_with_2() -> None:
    result = subprocess.run([sys.executable, "-m", "core"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Commands:" in result.stderr


def test_version_is_printed() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "core", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "0.1.0"


INTERRUPTED_AT = """
import runpy, sys

module, sys.argv = sys.argv[1], ["core", "best", "--workspace", sys.argv[2]]

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
runpy.run_module("core", run_name="__main__", alter_sys=False)
"""


@pytest.mark.parametrize("module", ["core.cli.exits", "core.plugins", "core.cli.app", "core.store", "duckdb"])
def test_an_interrupt_is_told_however_early_it_comes(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED_AT, module, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    told = "\nheadscript: interrupted; run the same command again to go on\n"
    assert (result.returncode, result.stderr) == (130, told)
