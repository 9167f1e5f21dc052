"""A site opened from disk and through `python -m http.server`: nothing is asked of anyone else."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from core.sharing.site import plan_site, write_site
from core.store import Workspace
from core.types import SiteOptions
from tests.conftest import TinyModel
from tests.e2e.test_pages_in_the_browser import FAINT
from tests.hostile import HEAD, hostile_workspace
from tests.servers.ports import free_port

OpenPage = Callable[..., Page]
PAGES = (
    "index.html", "heads.html", f"heads/{HEAD}.html#/1/3.2", "heads/L0H1.html", "circuit.html#/L2H1",
    "hybrids.html", "decisions.html", "glossary.html", "about.html",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tiny_model: TinyModel) -> Path:
    place = tmp_path_factory.mktemp("site")
    hostile_workspace(place / "workspace", tiny_model("llama"))
    workspace = Workspace.open(place / "workspace")
    write_site(workspace, plan_site(workspace, workspace.models.all()[0], SiteOptions()), place / "out")
    workspace.close()
    return place / "out"


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    port = free_port()
    command = [
        sys.executable,
        "-u",
        "-m",
        "http.server",
        str(port),
        "--bind",
        "127.0.0.1",
        "--directory",
        str(site),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        assert "Serving" in server.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def watched(page: Page, address: str) -> list[str]:
    """What the page asks for from elsewhere, fails to load, or is forbidden, as it happens."""
    wrong: list[str] = []
    page.on(
        "request",
        lambda one: None if one.url.startswith((address, "blob:", "data:")) else wrong.append(one.url),
    )
    left = "net::ERR_ABORTED"  # what a page that gives way to another had not loaded yet
    page.on("requestfailed", lambda one: None if one.failure == left else wrong.append(f"{one.url} failed"))
    page.on("console", lambda one: wrong.append(one.text) if one.type == "error" else None)
    return wrong


def test_a_deep_link_leads_to_the_weight_that_it_names(site: Path, open_page: OpenPage) -> None:
    page = open_page("about:blank", 1280, 720)
    wrong = watched(page, site.as_uri())
    page.goto(f"{site.as_uri()}/index.html#/{HEAD}/1/3.2")
    expect(page).to_have_url(f"{site.as_uri()}/heads/{HEAD}.html#/1/3.2")
    expect(page.locator("#why .pair")).to_contain_text("tokens 3 and 2")
    expect(page.locator("#why .conclusion")).to_contain_text("of the row's")
    fired = page.locator("#program .line.fired")
    expect(fired).to_contain_text(["weight = 1.0", 'look("L0H1", q, k)'])
    assert page.title().startswith(str(HEAD))

    page.locator("#attention canvas").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#why .pair")).to_contain_text("tokens 4 and 2")
    assert page.url.endswith("#/1/4.2")
    expect(page.locator("#link")).to_have_attribute("href", f"../index.html#/{HEAD}/1/4.2")
    page.get_by_label("Passage, worst first").select_option(index=1)
    expect(page.locator("#why .hint")).to_be_visible()
    assert wrong == []


def test_the_numbers_under_a_weight_are_those_of_the_map(site: Path, open_page: OpenPage) -> None:
    page = open_page(f"{site.as_uri()}/heads/{HEAD}.html#/1/3.2", 1280, 720)
    conclusion = page.locator("#why .conclusion").inner_text()
    weight, total, share = (
        float(word) for word in conclusion.replace("of the row's", "").replace(" is ", " ").split()
    )
    assert weight / total == pytest.approx(share, rel=0.01)
    shown = page.locator("#why .weights").inner_text()
    assert float(shown.split("program")[1]) == pytest.approx(share, abs=0.004)


def test_map_list_and_circuit_are_walked_searched_and_left(site: Path, open_page: OpenPage) -> None:
    page = open_page("about:blank", 1280, 720)
    wrong = watched(page, site.as_uri())
    page.goto(f"{site.as_uri()}/index.html")
    page.locator(".map a[data-head=L0H0]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#readout")).to_contain_text("L1H0 IoU")
    before = page.locator(".map a[data-head=L2H1]").evaluate("one => one.style.background")
    page.get_by_role("button", name="Category").click()
    expect(page.locator("#legend")).to_contain_text("sequential")
    assert page.locator(".map a[data-head=L2H1]").evaluate("one => one.style.background") != before

    page.goto(f"{site.as_uri()}/heads.html")
    page.get_by_label("Search in code").fill("LOOK(")
    expect(page.locator("#found")).to_have_text("1 head")
    expect(page.locator("#list tbody tr:visible")).to_contain_text(str(HEAD))
    expect(page.locator(".hit:visible")).to_have_text('weight *= (look("L0H1", q, k) + 0.002) ** 0.5')
    page.reload()
    expect(page.locator("#found")).to_have_text("1 head")

    page.goto(f"{site.as_uri()}/circuit.html#/{HEAD}")
    expect(page.locator("#circuit .edges .edge.lit")).to_have_count(1)
    page.locator(f".node[aria-label^='{HEAD}:']").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"heads/{HEAD}\.html#/\d+$"))
    assert wrong == []


def test_no_page_breaks_a_rule_of_accessibility_runs_a_script_or_scrolls_sideways(
    site: Path, open_page: OpenPage
) -> None:
    page = open_page("about:blank", 1280, 720, color_scheme="light")
    wrong = watched(page, site.as_uri())
    found = {}
    for name in (*PAGES, *(f"hybrids/{path.name}" for path in (site / "hybrids").glob("*.html"))):
        page.goto(f"{site.as_uri()}/{name}")
        if "/1/" in name:
            expect(page.locator("#why .pair")).to_be_visible()
        broken = Axe().run(page, options={"preload": False}).response["violations"]
        faint = page.evaluate(FAINT)
        page.emulate_media(color_scheme="dark")
        faint += page.evaluate(FAINT)
        page.emulate_media(color_scheme="light")
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert page.title() != "got out"
        if "/1/" in name:
            broken += on_a_narrow_screen(page)
        if broken or faint or wide:
            found[name] = [*((one["id"], one["nodes"][0]["html"][:200]) for one in broken), *faint, wide]
    assert found == {}
    assert wrong == []


def on_a_narrow_screen(page: Page) -> list[dict[str, Any]]:
    """What breaks a rule where a passage's text does not fit, and scrolls."""
    page.set_viewport_size({"width": 220, "height": 720})
    text = page.locator("#attention .tokens")
    expect(text).to_have_js_property("tabIndex", 0)
    assert text.evaluate("one => one.scrollHeight > one.clientHeight")
    broken: list[dict[str, Any]] = Axe().run(page, options={"preload": False}).response["violations"]
    page.set_viewport_size({"width": 1280, "height": 720})
    expect(text).to_have_js_property("tabIndex", -1)
    return broken


def test_a_site_works_from_a_server_and_changes_its_colours_when_asked(
    site: Path, served: str, open_page: OpenPage
) -> None:
    page = open_page("about:blank", 1280, 720, color_scheme="light")
    wrong = watched(page, served)
    page.goto(f"{served}/index.html#/{HEAD}")
    expect(page.locator("#attention canvas").first).to_be_visible()
    pixels = "() => document.querySelector('#attention').shadowRoot.querySelectorAll('canvas')[2].toDataURL()"
    before = page.evaluate(pixels)
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate(pixels) != before
    page.goto(f"{served}/glossary.html#foresight")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert wrong == []
