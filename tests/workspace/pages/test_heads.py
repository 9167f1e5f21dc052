"""The Heads page in Streamlit's own test harness: what it shows, and what it says if something is missing."""

import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.language import conclusion, lines_of, trace
from core.scoring.everywhere import Everywhere, ranked
from core.store import Workspace, add_program, add_scores
from core.types import Estimate, Failure, HeadId, Score, Split
from core.ui.heads import passages
from core.ui.heads.evidence import largest_weights, row_weights
from core.ui.heads.passages import iou, worst_cell
from core.ui.parts import state
from core.ui.parts.state import SideBySide
from tests.conftest import TinyModel, call_core
from tests.language_cases import CAT, build, cat_tokens, program
from tests.workspace.pages.test_pages import OpenApp, close_app, go, open_app, text_of

__all__ = ["open_app"]
WORDS = [str(row["text"]) for row in CAT]


def at(app: AppTest, **place: str) -> AppTest:
    """The Heads page at this address."""
    for name, value in place.items():
        app.query_params[name] = value
    return go(app, "heads")


def address(app: AppTest) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


def box(app: AppTest, key: str):
    return next(found for found in app.selectbox if found.key == key)


def test_the_address_says_everything_and_a_new_head_begins_with_its_best(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    app = at(open_app(workspace_copy), layer="1", head="2")
    assert set(address(app)) == {"layer", "head", "sentence", "program"}
    best = box(app, "program").value
    box(app, "program").select_index(3).run()
    chosen = address(app)["program"]
    assert chosen != best
    box(app, "head").select(3).run()
    assert address(app)["head"] == "3"
    assert box(app, "program").index == 0


def test_an_address_with_nonsense_opens_what_there_is(open_app: OpenApp, workspace_copy: Path) -> None:
    app = at(
        open_app(workspace_copy),
        layer="9" * 5000,
        head="x",
        sentence="gone",
        program="gone",
        at="7." + "9" * 5000,
    )
    assert not app.exception
    assert app.title[0].value == "L0H0"
    assert address(app)["program"] != "gone"
    said = app.warning[0].value
    assert "L0H0 has no program gone; there is no passage gone" in said
    assert "is not a head; write it as L3H7" in said
    assert "Hx" not in said
    assert not box(app, "program").select_index(1).run().warning
    assert "L7H1 does not exist" in at(app, layer="7", head="1").warning[0].value
    written = at(app, head="L1H1")
    assert written.title[0].value == "L1H1"
    assert not written.warning


def test_a_head_without_programs_leaves_the_choice_of_another(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    workspace.database.run("DELETE FROM scores WHERE layer > 0")
    workspace.close()
    app = at(open_app(workspace_copy), layer="2")
    assert "L2H0 has no program yet" in text_of(app)
    assert address(app) == {"layer": "2", "head": "0"}
    box(app, "layer").select(0).run()
    assert app.title[0].value == "L0H0"


def test_a_program_whose_features_are_not_available_fails_in_words(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    added = add_to_first_head(workspace_copy, "def attend(q, k):\n    return similarity(q, k)\n")
    next(workspace_copy.glob("attention/*/embeddings.parquet")).unlink()
    app = at(open_app(workspace_copy), program=added)
    assert not app.exception
    assert "`similarity` needs the model's embeddings" in text_of(app).replace("\\", "")


def test_a_line_that_is_clicked_off_changes_maps_and_figures(open_app: OpenApp, workspace_copy: Path) -> None:
    lines = (
        "def attend(q, k):\n    weight = 1.0\n    if k.is_first:\n        weight += 90.0\n    return weight\n"
    )
    name = add_to_first_head(workspace_copy, lines)
    app = at(open_app(workspace_copy), layer="0", head="0", program=name)
    assert not app.exception
    assert not any("line is left out" in told.value for told in app.caption)
    app.session_state[f"line-off-{name}"] = 3
    app.run()
    assert not app.exception
    (said,) = [told.value for told in app.caption if "line is left out" in told.value]
    less, own = (float(one) for one in re.findall(r"0\.\d+", said)[:2])
    assert less > own + 0.1  # the tiny heads are nearly uniform
    assert address(app)["program"] == name
    assert not any("what IoU on validation loses" in told.value for told in app.caption)
    next(one for one in app.button if one.label == "What is each line worth?").click().run()
    assert not app.exception
    assert any("what IoU on validation loses without it" in told.value for told in app.caption)


def add_to_first_head(folder: Path, source: str) -> str:
    """A program scored on L0H0 of the workspace's model; its id."""
    workspace = Workspace.open(folder)
    model = workspace.models.all()[0]
    with workspace.database.transaction() as cursor:
        name = add_program(cursor, source, "person")
        scores = [Score(name, HeadId(0, 0), split, Estimate(0.5, 0.4, 0.6), 0.1, 8, 0) for split in Split]
        add_scores(cursor, model.id, scores)
    workspace.close()
    return name


def test_a_text_of_ones_own_in_the_address_is_read(open_app: OpenApp, workspace_copy: Path) -> None:
    app = at(open_app(workspace_copy), sentence="own", text="one two three")
    assert not app.exception
    assert not app.error
    assert address(app)["text"] == "one two three"
    assert box(app, "sentence").value == "own"


def test_a_model_that_is_gone_is_named_when_it_should_read_a_text(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    workspace.database.run("UPDATE models SET name = '/nowhere/model'")
    workspace.close()
    app = at(open_app(workspace_copy), sentence="own", text="one two three")
    assert not app.exception
    assert "Your text cannot be read: /nowhere/model does not exist" in app.error[0].value.replace("\\", "")


def test_maps_of_contributions_are_in_the_address_and_weights_again_where_the_model_is_gone(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    app = at(open_app(workspace_copy), layer="1", head="2", maps="contributions")
    assert not app.exception
    assert not app.warning
    assert address(app)["maps"] == "contributions"
    box(app, "head").select(3).run()
    assert (address(app)["head"], address(app)["maps"]) == ("3", "contributions")

    state.owner().workspace.database.run("UPDATE models SET name = '/nowhere/model'")
    close_app()
    app = at(open_app(workspace_copy), layer="1", head="1", maps="contributions")
    assert not app.exception
    assert "Weights are shown: /nowhere/model does not exist" in app.warning[0].value.replace("\\", "")
    assert "maps" not in address(app)


def test_missing_attention_is_a_message(open_app: OpenApp, workspace_copy: Path) -> None:
    next(workspace_copy.glob("attention/*/layer=01.parquet")).unlink()
    app = at(open_app(workspace_copy), layer="1")
    assert not app.exception
    assert "extract the model's attention first" in app.error[0].value.replace("\\", "")


def test_an_encoders_cell_ahead_of_its_query_can_be_pinned(
    open_app: OpenApp, tmp_path: Path, tiny_model: TinyModel
) -> None:
    corpus, folder = tmp_path / "corpus.txt", tmp_path / "workspace"
    corpus.write_text(
        "\n".join(f"the cat saw {word}" for word in ["one", "two", "three", "four", "five", "six", "seven"])
    )
    asked = ["extract", "--model", str(tiny_model("bert")), "--corpus", str(corpus)]
    call_core(*asked, workspace=folder).check_returncode()
    added = add_to_first_head(folder, 'def attend(q, k):\n    return k.pos == "NOUN"\n')
    app = at(open_app(folder), program=added)
    app = at(app, sentence=address(app)["sentence"], at="1.3")
    assert not app.exception
    assert address(app)["at"] == "1.3"  # an encoder looks ahead


def compared() -> SideBySide:
    head = np.tril(np.full((5, 5), 0.2, np.float32))
    head[4] = [0.7, 0.3, 0, 0, 0]
    produced = np.tril(np.full((5, 5), 0.2, np.float32))
    produced[4] = [0, 0.4, 0.6, 0, 0]
    return SideBySide(WORDS, head, produced, None)


def test_the_worst_cell_is_where_the_worst_row_errs_most() -> None:
    assert worst_cell(compared()) == (4, 0)


def test_iou_of_a_failed_program_is_0() -> None:
    found = compared()
    assert iou(found) == pytest.approx((2 + 0.3) / (2 + 1.7))  # four rows weigh 2 together
    assert iou(SideBySide(WORDS, found.head, found.program, Failure("domain", "line 1"))) == 0


def test_weights_as_a_table_sum_the_pinned_queries() -> None:
    table = row_weights(compared(), (4, 1))
    assert table.key.tolist() == ["0: The", "1: cat", "2: saw"]
    assert table["head"].tolist() == pytest.approx([0.9, 0.5, 0])
    assert table.difference.tolist() == pytest.approx([0.7, -0.1, -0.6])
    largest = largest_weights(compared(), 1)
    assert largest[["query", "key"]].values.tolist() == [["4: dog", "0: The"]]


def test_why_says_line_effect_condition_and_what_was_read() -> None:
    body = 'weight = 1\nif k.pos == "NOUN":\n    weight *= 6.5\nname = last(q, pos="DET")\nreturn weight'
    found = trace(program(body), cat_tokens(), query=4, key=1)
    assert lines_of(found, WORDS) == [
        {"line": 2, "effect": "= 1", "because": "", "readings": ""},
        {"line": 4, "effect": "× 6.5", "because": 'k.pos == "NOUN"', "readings": "k.pos: “NOUN”"},
        {
            "line": 5,
            "effect": "name = “the” at 3",
            "because": "",
            "readings": "last(q, pos='DET'): “the” at 3",
        },
    ]
    assert conclusion(found, 26.0) == "6.5 of the row's 26 is 0.2500"
    assert "first token" in conclusion(trace(program("0"), cat_tokens(), 4, 1), 0.0)
    assert "by zero" in conclusion(trace(program("1 / 0"), cat_tokens(), 4, 1), 0.0)


def test_heads_are_ranked_by_their_weight_from_one_token_to_another_with_the_lines(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    app = open_app(workspace_copy)
    app.session_state["evidence"] = "All heads here"
    app = at(app, sentence="own", text="one two three four", at="3.1")
    assert not app.exception
    (table,) = [found.value for found in app.dataframe if "program_says" in found.value]
    assert len(table) == len(state.models()[0].head_ids())
    weights = list(table.weight)
    assert weights == sorted(weights, reverse=True)
    assert re.match(r"\d+: . ", next(said for said in table.lines if said))
    assert any("Heads by their weight from" in told.value for told in app.caption)
    place = address(app)
    shown = passages.own(state.models()[0], "one two three four").attention(HeadId(0, 0))[3, 1]
    assert table.set_index("head").weight["L0H0"] == pytest.approx(float(shown), abs=1e-3)
    assert place["at"] == "3.1"
    assert "everywhere-figure-download" in {found.key for found in app.get("download_button")}


def test_without_a_pinned_cell_the_least_explained_heads_come_first() -> None:
    maps = {HeadId(0, 0): np.eye(2, dtype=np.float16), HeadId(0, 1): np.eye(2, dtype=np.float16)}
    found = Everywhere(build(CAT), maps, maps, {HeadId(0, 0): 0.9, HeadId(0, 1): 0.3})
    assert ranked(found, None)["head"].tolist() == ["L0H1", "L0H0"]
    assert ranked(found, (1, 1)).weight.tolist() == [1.0, 1.0]


def test_a_program_is_accepted_on_heads_and_the_queue_stays_where_it_is(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    app = at(open_app(workspace_copy), layer="0", head="1")
    place = address(app)
    next(found for found in app.text_input if found.label == "Note").set_value("only on names").run()
    next(found for found in app.button if found.key == "heads-accept").click().run()
    assert not app.exception
    (word,) = state.owner().workspace.verdicts.standing(state.models()[0].id)
    assert (str(word.head), word.program, word.note) == ("L0H1", place["program"], "only on names")
    assert address(app) == place
