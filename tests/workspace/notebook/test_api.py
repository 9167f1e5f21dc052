"""The JSON API: what it answers is what the workspace holds, to whom, and that it only reads."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the API needs FastAPI; pip install -r requirements-serve.txt")

from fastapi.testclient import TestClient

from core.maps import iou_of
from core.notebook.api import Snapshots, api
from core.settings import Settings
from core.store import Workspace
from core.store.attention import from_bytes
from core.types import Action, Split
from tests import tiny
from tests.audited import add_first_audits

TOKEN = "a token of many letters"
HEADS = tiny.LAYERS * tiny.HEADS


@contextmanager
def asking(folder: Path, token: str | None = None, fresh: float = 60.0) -> Iterator[TestClient]:
    snapshots = Snapshots(folder, fresh)
    try:
        with TestClient(api(snapshots, Settings(folder, token=token)), base_url="http://localhost") as client:
            yield client
    finally:
        snapshots.close()


@pytest.fixture(scope="module")
def folder(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one decision, on an audited program."""
    copy = Path(shutil.copytree(built, tmp_path_factory.mktemp("api") / "workspace"))
    decide(copy)
    return copy


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    before = contents(folder)
    with asking(folder) as found:
        yield found
    assert contents(folder) == before


def decide(folder: Path) -> None:
    workspace = Workspace.open(folder)
    model = workspace.models.all()[0].id
    head, program = workspace.library.best_programs(model)[0]
    workspace.verdicts.record(model, head, program, Action.ACCEPT, "ada", note="<b>fine</b>")
    add_first_audits(workspace, model, (head, program), foresight=0.4)
    workspace.close()


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_lists_hold_what_the_workspace_holds(client: TestClient) -> None:
    (model,) = client.get("/models").json()
    assert (model["layers"], model["heads"]) == (tiny.LAYERS, tiny.HEADS)
    at = f"/models/{model['title']}"
    heads = client.get(f"{at}/heads").json()
    assert len(heads) == HEADS
    one = heads[5]
    name = f"L{one['layer']}H{one['head']}"
    scores = client.get(f"{at}/scores", params={"head": name, "split": "test", "count": 10_000}).json()
    (same,) = [score for score in scores if score["program_id"] == one["program_id"]]
    assert same["iou"] == one["iou"]
    of_head = client.get(f"{at}/heads/{name}").json()
    assert of_head["best"] == one["program_id"]
    assert {row["program_id"] for row in of_head["programs"]} == {row["program_id"] for row in scores}
    assert client.get(f"{at}/programs/{one['program_id']}").json()["source"].startswith("def attend")
    (verdict,) = client.get(f"{at}/verdicts").json()
    assert (verdict["reviewer"], verdict["note"]) == ("ada", "<b>fine</b>")
    (standing,) = client.get(f"{at}/audits").json()
    assert (standing["program_id"], standing["rung"]) == (verdict["program_id"], "explains")
    assert standing["promise"] is None  # that audit was not run
    assert client.get(f"{at}/audits", params={"resolved": True}).json() == []
    audited = client.get(f"{at}/heads/L{standing['layer']}H{standing['head']}").json()["audits"]
    assert {figure["audit"] for figure in audited} == {"twin", "written", "foresight"}
    assert client.get("/state").json()["models"] == 1


def test_pages_of_a_list_are_the_list(client: TestClient) -> None:
    at = f"/models/{client.get('/models').json()[0]['model_id']}"
    for what in ("scores", "programs"):
        whole = client.get(f"{at}/{what}", params={"count": 10_000}).json()
        assert len(whole) > 7
        parts = [
            client.get(f"{at}/{what}", params={"first": first, "count": 7}).json()
            for first in range(0, len(whole), 7)
        ]
        assert [row for part in parts for row in part] == whole


def test_attention_comes_as_packed_bytes_of_the_head_or_its_program(client: TestClient) -> None:
    at = f"/models/{client.get('/models').json()[0]['model_id']}"
    passage = client.get(f"{at}/sentences", params={"split": "test"}).json()[0]["sentence_id"]
    tokens = client.get(f"{at}/sentences/{passage}/tokens").json()["tokens"]
    maps = []
    for of in ("head", "program"):
        answer = client.get(f"{at}/heads/L1H2/attention/{passage}", params={"of": of})
        assert answer.headers["content-type"] == "application/octet-stream"
        assert (answer.headers["x-tokens"], answer.headers["x-shape"]) == (str(len(tokens)), "lower triangle")
        maps.append(from_bytes(answer.content, len(tokens), is_causal=True))
        np.testing.assert_allclose(maps[-1].sum(1), 1, atol=1e-2)
    with_program = Workspace.open(client.app.state.settings.workspace)  # type: ignore[attr-defined]
    model = with_program.models.all()[0]
    sentence = next(s for s in with_program.models.sentences(model.id, Split.TEST) if s.id == passage)
    head = model.head_ids()[tiny.HEADS + 2]
    program = with_program.library.parsed_best(model.id)[head]
    known = with_program.examiner_of(model, [sentence]).compare(head, program)
    with_program.close()
    assert iou_of(*maps) == pytest.approx(float(known.ious[0]), abs=2e-3)


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/models/nobody/heads", 404, "no model 'nobody'"),
        ("/models/{m}/heads/L99H0", 404, "L99H0 is not in"),
        ("/models/{m}/heads/third", 422, "L[0-9]"),
        ("/models/{m}/heads/L0H0/attention/none", 404, "no passage 'none'"),
        ("/models/{m}/programs/none", 404, "no program 'none'"),
        ("/models/{m}/scores?split=other", 422, "'train', 'validation' or 'test'"),
        ("/models/{m}/scores?count=100000", 422, "10000"),
        ("/nowhere", 404, "Not Found"),
    ],
)
def test_what_is_not_there_is_said(client: TestClient, path: str, status: int, told: str) -> None:
    answer = client.get(path.format(m=client.get("/models").json()[0]["model_id"]))
    assert answer.status_code == status
    assert told in str(answer.json()["detail"])


def test_only_who_brings_the_token_is_answered(folder: Path) -> None:
    with asking(folder, TOKEN) as client:
        for path in ("/", "/openapi.json", "/state", "/models", "/models/x/heads"):
            for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):
                answer = client.get(path, headers=headers)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert client.get("/state", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_only_its_own_name_is_answered_and_nothing_is_changed(client: TestClient) -> None:
    assert client.get("/state", headers={"Host": "headscript.example.org"}).status_code == 400
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/models").status_code == 405
    assert (
        "access-control-allow-origin" not in client.get("/state", headers={"Origin": "http://a.org"}).headers
    )


def test_the_page_describes_every_path_without_a_script(client: TestClient) -> None:
    page = client.get("/").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in page
    assert "train | validation | test" in page
    assert "Little-endian float16" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_answers_follow_the_workspace_and_old_states_are_removed(workspace_copy: Path) -> None:
    with asking(workspace_copy, fresh=0.0) as client:
        at = f"/models/{client.get('/models').json()[0]['model_id']}"
        assert client.get(f"{at}/verdicts").json() == []
        snapshots = client.app.state.snapshots  # type: ignore[attr-defined]
        with snapshots.lent() as old:
            place = old.workspace.database.path.parent
            decide(workspace_copy)
            assert len(client.get(f"{at}/verdicts").json()) == 1
            assert old.workspace.verdicts.revision() == 0
            assert place.is_dir()
        assert not place.exists()
        (workspace_copy / "workspace.duckdb").rename(workspace_copy / "away")
        assert len(client.get(f"{at}/verdicts").json()) == 1
