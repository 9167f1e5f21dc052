"""A stranger's first session: build, look, decide, measure, come back."""

import re
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

from playwright.sync_api import Page, expect

from tests.conftest import TinyModel
from tests.e2e.conftest import serve

OpenPage = Callable[..., Page]
MINUTES = 60_000


def metric(page: Page, label: str):
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def test_from_an_empty_workspace_to_a_hybrids_perplexity(
    open_page: OpenPage, tmp_path: Path, tiny_model: TinyModel
) -> None:
    workspace = tmp_path / "workspace"
    with serve(workspace, HEADSCRIPT_DEMO_MODEL=str(tiny_model("llama"))) as address:
        page = open_page(address)
        build_the_demo(page)
        page.get_by_role("button", name="End the tour").click()
        open_a_head_from_the_map(page)
        title = accept_one_program(page)
        build_a_hybrid(page)
        page.reload()
        expect(metric(page, "Perplexity increase")).to_have_text(re.compile(r"[+−-]?\d"))
        expect(metric(page, "Heads replaced")).to_have_text("1")
        page.get_by_role("link", name="Review", exact=True).click()
        expect(page.get_by_text(f"{title} ✓ accepted")).to_be_visible()
    with serve(workspace) as address:  # another day
        page = open_page(f"{address}/review")
        expect(page.get_by_text(f"{title} ✓ accepted")).to_be_visible()


def build_the_demo(page: Page) -> None:
    page.get_by_role("button", name="Build the demo workspace").click()
    expect(page.get_by_role("heading", name="Building the workspace")).to_be_visible()
    expect(metric(page, "With a program")).to_have_text("12", timeout=5 * MINUTES)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def open_a_head_from_the_map(page: Page) -> None:
    cells = page.locator("[data-testid=stVegaLiteChart]").first.locator("canvas, svg").first
    box = cells.bounding_box()
    assert box is not None
    cells.click(position={"x": box["width"] * 0.35, "y": box["height"] * 0.3})
    page.wait_for_url("**/heads?**")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^L\dH\d$"))
    expect(page.locator("canvas[aria-label^=head]").first).to_be_visible()
    expect(page.locator(".program code")).to_contain_text("def attend")


def accept_one_program(page: Page) -> str:
    """Accept the first card with its key; the head's name."""
    page.get_by_role("link", name="Review", exact=True).click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(r"Review · L\dH\d"))
    head = heading.inner_text().removeprefix("Review · ")
    expect(page.locator("button[data-name=accept]")).to_be_enabled()
    page.keyboard.press("a")
    expect(page.get_by_text(f"last: {head} ✓ accepted")).to_be_visible()
    expect(heading).not_to_have_text(f"Review · {head}")
    return head


def build_a_hybrid(page: Page) -> None:
    page.get_by_role("link", name="Hybrid", exact=True).click()
    expect(page.get_by_text("1 head", exact=True)).to_be_visible()
    page.get_by_role("button", name="Build and measure").click()
    expect(metric(page, "Perplexity increase")).to_be_visible(timeout=2 * MINUTES)
    page.get_by_role("tab", name="Damage").click()
    expect(page.get_by_text("nats per token").locator("visible=true").first).to_be_visible()
    page.get_by_role("tab", name="Text").click()
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text("Once upon a time", exact=False).nth(1)).to_be_visible(timeout=MINUTES)
    page.get_by_role("tab", name="Export").click()
    page.get_by_role("button", name="Prepare the folder").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    with ZipFile(download.value.path()) as archive:
        assert {"hybrid/hybrid.json", "hybrid/README.md", "hybrid/load.py"} <= set(archive.namelist())
