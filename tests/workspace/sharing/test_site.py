"""A site as files: what it holds and leaves out, where it is written, and that its links lead somewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.errors import WorkspaceError
from core.sharing.figures.made import SUBJECTS, of_workspace
from core.sharing.site import plan_site, write_site
from core.store import Workspace
from core.types import Action, HeadId, ModelInfo, SiteOptions
from tests.conftest import TinyModel, call_core
from tests.hostile import HEAD, PLAIN_HEAD, hostile_workspace
from tests.workspace.review.test_doubt import keep_findings


class Page(HTMLParser):
    """What of a page is markup."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.handlers: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.links += [str(given[name]) for name in ("href", "src") if given.get(name)]
        self.ids |= {str(given["id"])} if "id" in given else set()
        self.handlers += [name for name in given if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory, tiny_model: TinyModel) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("hostile") / "workspace"
    hostile_workspace(folder, tiny_model("llama"))
    workspace = Workspace.open(folder)
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def site(held: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "out"
    write_site(held, plan_site(held, info(held), SiteOptions(licence="CC BY <4.0>")), folder)
    return folder


def info(workspace: Workspace) -> ModelInfo:
    return workspace.models.all()[0]


def pages(site: Path) -> dict[str, Page]:
    return {str(path.relative_to(site)): Page(path) for path in site.rglob("*.html")}


def everything(site: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in site.rglob("*") if path.is_file())


def test_text_of_a_corpus_a_program_and_a_reviewer_stays_text(site: Path) -> None:
    found = pages(site)
    for name, page in found.items():
        scripts = [link for link in page.links if link.endswith(".js")]
        assert page.tags.count("script") == len(scripts), name  # none has a text of its own
        assert page.tags.count("img") == 1 + ("curve.svg" in "".join(page.links)), name
        assert not page.handlers, name
    assert "<script>document.title" in found[f"heads/{HEAD}.html"].text
    assert "{{ 7 * 6 }}" in found[f"heads/{HEAD}.html"].text
    assert 'Ada <img src=x onerror="' in found["decisions.html"].text
    assert "CC BY <4.0>" in found["about.html"].text
    assert "<img" not in (site / "assets/curve.svg").read_text()


def test_every_link_leads_to_a_file_of_the_site_and_to_a_place_on_it(site: Path) -> None:
    found = pages(site)
    for name, page in found.items():
        for link in page.links:
            path, _, anchor = link.partition("#")
            target = (site / name).parent / path if path else site / name
            assert target.resolve().is_relative_to(site.resolve()), f"{name}: {link} leads away"
            assert target.is_file(), f"{name}: {link}"
            if anchor and not anchor.startswith("/") and anchor != "main":
                assert anchor in found[str(target.resolve().relative_to(site.resolve()))].ids, (
                    f"{name}: {link}"
                )


def test_plain_python_is_left_out_and_said_to_be_while_what_was_decided_of_it_stands(
    held: Workspace, site: Path
) -> None:
    plan = plan_site(held, info(held), SiteOptions())
    assert PLAIN_HEAD not in {card.head for card in plan.cards}
    assert "1 program in plain Python left out" in plan.in_words
    assert not (site / f"heads/{PLAIN_HEAD}.html").exists()
    assert f"{PLAIN_HEAD}: no program is shown" in (site / "index.html").read_text()
    assert "Plain <img src=" in Page(site / "decisions.html").text


def test_no_place_of_the_machine_is_told(site: Path) -> None:
    assert "somebody" not in everything(site)
    assert str(site.parent) not in everything(site)


def test_a_head_has_a_page_and_one_that_is_only_looked_at_too(held: Workspace, tmp_path: Path) -> None:
    plan = plan_site(held, info(held), SiteOptions(programs="accepted", passages=2))
    assert [card.head for card in plan.cards] == [HEAD]
    assert plan.looked_at == (HeadId(0, 1),)
    write_site(held, plan, tmp_path / "site")
    assert sorted(path.name for path in (tmp_path / "site/heads").iterdir()) == ["L0H1.html", "L2H1.html"]
    assert "look at what it attends to" in Page(tmp_path / "site/heads/L0H1.html").text
    told = json.loads(
        (tmp_path / "site/data/passages.js").read_text()[len("headscript.passages(") :].rsplit(", {", 1)[0]
    )
    assert len(told) == 2
    assert told[0]["attributes"].keys() == {"lower"}


def test_names_and_notes_can_be_left_out(held: Workspace, tmp_path: Path) -> None:
    write_site(held, plan_site(held, info(held), SiteOptions(names=False)), tmp_path / "site")
    assert "reviewer 1" in Page(tmp_path / "site/decisions.html").text
    assert "Ada" not in everything(tmp_path / "site")
    assert "a note" not in everything(tmp_path / "site")


def test_the_size_that_is_told_before_is_about_that_of_the_files(held: Workspace, site: Path) -> None:
    plan = plan_site(held, info(held), SiteOptions())
    written = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    assert 0.7 < plan.bytes / written < 3  # baselines, which these heads have, pack better than programs
    assert plan.in_words.startswith(f"11 heads, {len(plan.passages)} passages, about ")


def test_what_audits_found_counts_among_the_bytes(workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    before = plan_site(workspace, info(workspace), SiteOptions()).bytes
    workspace.close()
    cards = keep_findings(workspace_copy)
    workspace = Workspace.open(workspace_copy)
    after = plan_site(workspace, info(workspace), SiteOptions()).bytes
    workspace.close()
    assert after - before == pytest.approx(3 * 1530 * len(cards), abs=2)


def test_a_site_takes_the_place_of_an_older_one_and_of_nothing_else(held: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(held, plan_site(held, info(held), SiteOptions(passages=1)), folder)
    assert (folder / "heads/L1H2.html").is_file()
    (folder / "CNAME").write_text("heads.example.org")
    outside = tmp_path / "mine.txt"
    outside.write_text("mine")
    told = json.loads((folder / "headscript-site.json").read_text())
    told["files"] += ["../mine.txt", str(outside), 7]
    (folder / "headscript-site.json").write_text(json.dumps(told))
    write_site(held, plan_site(held, info(held), SiteOptions("accepted", passages=1)), folder)
    assert not (folder / "heads/L1H2.html").exists()
    assert (folder / "CNAME").is_file()
    assert outside.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "site"]

    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").touch()
    with pytest.raises(WorkspaceError, match="holds something else"):
        write_site(held, plan_site(held, info(held), SiteOptions()), other)
    with pytest.raises(WorkspaceError, match="is a file"):
        write_site(held, plan_site(held, info(held), SiteOptions()), outside)


def test_the_command_line_writes_a_site_and_says_first_how_large_it_will_be(
    workspace_copy: Path, tmp_path: Path
) -> None:
    done = call_core(
        "export", "site", str(tmp_path / "s"), "--passages", "3", "--json", workspace=workspace_copy
    )
    assert done.returncode == 0, done.stderr
    assert "The site: 12 heads, 3 passages, about" in done.stderr
    told = json.loads(done.stdout)
    files = [path for path in (tmp_path / "s").rglob("*") if path.is_file()]
    assert told["files"] == len(files) - 1  # besides the list of them
    none = call_core(
        "export", "site", str(tmp_path / "n"), "--programs", "accepted", workspace=workspace_copy
    )
    assert none.returncode == 2
    assert "no head of llama has an accepted program yet" in none.stderr

    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0].id
    workspace.verdicts.record(model, *workspace.library.best_programs(model)[0], Action.ACCEPT, "Lovelace")
    workspace.close()
    for asked, is_named in (("--names", True), ("--no-names", False)):
        folder = tmp_path / asked
        options = ("--programs", "accepted", asked, "--licence", "CC BY 4.0", "--passages", "1")
        done = call_core("export", "site", str(folder), *options, workspace=workspace_copy)
        assert done.returncode == 0, done.stderr
        texts = [path.read_text() for path in folder.rglob("*") if path.suffix in (".html", ".js", ".json")]
        assert any("Lovelace" in text for text in texts) is is_named
        assert "CC BY 4.0" in (folder / "about.html").read_text()
    wrong = call_core("export", "report", str(tmp_path / "r"), "--passages", "3", workspace=workspace_copy)
    assert "options of a site were given" in wrong.stderr


def test_an_undone_decision_is_not_on_the_site(held: Workspace, tmp_path: Path) -> None:
    model = info(held)
    name = held.cards.cards(model.id, held.library.best_programs(model.id))[0].program.id
    held.verdicts.record(model.id, HeadId(0, 0), name, Action.REJECT, "Bo")
    held.verdicts.undo(model.id, "Bo")
    write_site(held, plan_site(held, model, SiteOptions(passages=1)), tmp_path / "site")
    assert "Bo" not in Page(tmp_path / "site/decisions.html").text.split()


def test_figures_of_a_workspace_are_written_or_what_they_lack_is_said(
    held: Workspace, workspace_copy: Path, tmp_path: Path
) -> None:
    model = info(held)
    for subject in SUBJECTS:
        if subject in ("audits", "points"):
            with pytest.raises(WorkspaceError, match="no program of llama was audited yet; run `audit`"):
                of_workspace(held, model, subject)
        else:
            assert list(of_workspace(held, model, subject).numbers()[1]), subject
    values = {row[0]: row[3] for row in of_workspace(held, model, "map", "verdict").numbers()[1]}
    assert values[str(HEAD)] == "accepted"
    with pytest.raises(WorkspaceError, match="twin, validation of llama is not known yet; run `audit`"):
        of_workspace(held, model, "map", "twin")

    out = tmp_path / "map.csv"
    assert call_core("figure", "map", "--out", str(out), workspace=workspace_copy).returncode == 0
    assert len(out.read_text().splitlines()) == 13
    page = tmp_path / "head.html"
    assert call_core("figure", "L1H1", "--out", str(page), workspace=workspace_copy).returncode == 0
    assert "def attend" in page.read_text()
    wrong = call_core("figure", "map", "--out", str(page), workspace=workspace_copy)
    assert "'head.html': a figure is written as .pdf, .svg, .png, .csv" in wrong.stderr
    none = call_core("figure", "curve", "--out", str(out), workspace=workspace_copy)
    assert "llama has no curve yet; run `curve`" in none.stderr
