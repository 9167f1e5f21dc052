"""The Circuit page, and what a program looks at on Heads and Review, in Streamlit's own test harness."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.sharing.circuit import drawn
from core.store import Workspace, add_program, add_proposals, add_scores
from core.types import Action, Estimate, HeadId, ModelInfo, Score, Split
from core.ui.circuit.graph import current_circuit
from tests.workspace.pages.test_heads import at
from tests.workspace.pages.test_pages import OpenApp, go, open_app, text_of

__all__ = ["open_app"]
READER = HeadId(2, 1)
LOOKING = '''def attend(q, k):
    """Follows two heads and turns away from one."""
    weight = 1.0
    weight *= (look("L0H1", q, k) + 0.002) ** 0.5
    weight *= (look("L1H3", q, k) + 0.002) ** -0.2
    if look("L2H0", q, k) > 0.5:
        weight *= 3
    return weight
'''


FORGET_LOOKS = (
    "DELETE FROM scores WHERE program_id IN (SELECT program_id FROM programs WHERE contains(source, 'look('))"
)


def plant(folder: Path, is_accepted: bool = True) -> ModelInfo:
    """Make LOOKING the best program of READER, and the only one that looks."""
    workspace = Workspace.open(folder)
    workspace.database.run(FORGET_LOOKS)
    model = workspace.models.all()[0]
    with workspace.database.transaction() as cursor:
        name = add_program(cursor, LOOKING, "search")
        scores = [Score(name, READER, split, Estimate(0.9, 0.8, 1), 0.1, 8, 0) for split in Split]
        add_scores(cursor, model.id, scores)
        add_proposals(cursor, model.id, [(READER, name)])
    if is_accepted:
        workspace.verdicts.record(model.id, READER, name, Action.ACCEPT, "ada")
    workspace.close()
    return model


def pills(app: AppTest, label: str):
    return next(found for found in app.button_group if found.label.startswith(label))


def test_the_page_says_what_is_drawn_and_the_filters_thin_it(open_app: OpenApp, workspace_copy: Path) -> None:
    plant(workspace_copy)
    app = go(open_app(workspace_copy), "circuit")
    assert not app.exception
    assert "1 program looks at 3 heads: 3 arrows" in text_of(app)
    next(slider for slider in app.slider if slider.label == "Least weight").set_value(0.3).run()
    assert "1 program looks at 1 head: 1 arrow" in text_of(app)
    pills(app, "Verdict").set_value(["rejected"]).run()
    assert "0 programs look at 0 heads" in text_of(app)


def test_without_a_program_that_looks_the_page_says_how_to_come_by_one(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    workspace.database.run(FORGET_LOOKS)
    workspace.close()
    app = go(open_app(workspace_copy), "circuit")
    assert not app.exception
    assert "No program looks at another head yet: those of 12 heads read the text alone" in text_of(app)
    assert [found.label for found in app.button_group] == ["Colour by"]  # heads, without an arrow to filter


def test_the_view_is_told_heads_arrows_and_ranks_column_by_column(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    model = plant(workspace_copy)
    open_app(workspace_copy)
    found = current_circuit(model)
    looks = [edge for edge in found.edges if edge.reader == READER]
    assert [(str(edge.read), edge.exponent) for edge in looks] == [
        ("L0H1", 0.5),
        ("L1H3", -0.2),
        ("L2H0", None),
    ]
    told = drawn(model, found, "Verdict")
    reader = READER.layer * model.heads + READER.head
    at_reader = told["nodes"]["place"].index(reader)
    assert told["nodes"]["mark"][at_reader] == "✓"
    assert told["nodes"]["text"][at_reader].endswith("accepted")
    assert {len(column) for column in told["edges"].values()} == {len(found.edges)}
    assert len(told["ranked"]) == len({edge.read for edge in found.edges})


@pytest.mark.parametrize("place", [{"layer": "99", "head": "0"}, {"layer": "x"}, {"head": "9" * 5000}])
def test_an_address_with_nonsense_lights_no_head(
    place: dict[str, str], open_app: OpenApp, workspace_copy: Path
) -> None:
    plant(workspace_copy)
    app = open_app(workspace_copy)
    for name, value in place.items():
        app.query_params[name] = value
    app = go(app, "circuit")
    assert not app.exception
    assert app.session_state["circuit-given"] is None


def test_a_program_that_looks_runs_on_heads_and_its_heads_open_in_place(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    plant(workspace_copy)
    app = at(open_app(workspace_copy), layer="2", head="1")
    assert not app.exception
    assert "fails" not in text_of(app)
    looks = pills(app, "Looks at")
    assert looks.options == ["L0H1 · 0.5", "L1H3 · −0.2", "L2H0"]
    looks.set_value(HeadId(1, 3)).run()
    assert not app.exception
    assert "**L1H3**, turned away from by 0.2" in text_of(app)


def test_a_text_of_ones_own_is_read_by_the_heads_that_a_program_looks_at(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    plant(workspace_copy)
    app = at(open_app(workspace_copy), layer="2", head="1", sentence="own", text="one two three")
    assert not app.exception
    assert not app.error
    assert "not at hand" not in text_of(app)


def test_on_a_head_that_comes_before_what_it_looks_at_a_program_is_unavailable(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    model = plant(workspace_copy)
    workspace = Workspace.open(workspace_copy)
    with workspace.database.transaction() as cursor:
        name = add_program(cursor, LOOKING, "search")
        early = [Score(name, HeadId(0, 0), split, Estimate(0.1), 0.1, 8, 0) for split in Split]
        add_scores(cursor, model.id, early)
    workspace.close()
    app = at(open_app(workspace_copy), layer="0", head="0", program=name)
    assert not app.exception
    assert "which does not come before L0H0" in text_of(app).replace("\\", "")


def test_on_a_review_card_the_heads_looked_at_open_on_the_sentences_of_the_evidence(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    plant(workspace_copy, is_accepted=False)
    app = go(open_app(workspace_copy), "review")
    assert app.title[0].value == f"Review · {READER}"
    pills(app, "Looks at").set_value(HeadId(0, 1)).run()
    assert not app.exception
    assert "**L0H1**, followed by 0.5" in text_of(app)
    assert "not at hand" not in text_of(app)


def test_a_link_to_a_head_that_the_model_lacks_says_so(open_app: OpenApp, workspace_copy: Path) -> None:
    plant(workspace_copy)
    app = at_circuit(open_app(workspace_copy), layer="99", head="0")
    assert "head that is not in this workspace" in app.warning[0].value
    assert not at_circuit(app, layer="2", head="1").warning


def at_circuit(app: AppTest, **place: str) -> AppTest:
    for name, value in place.items():
        app.query_params[name] = value
    return go(app, "circuit")
