"""What only a browser shows: deep links, canvases, keys."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import serve

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def address(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for tests that change nothing."""
    with serve(Path(shutil.copytree(built, tmp_path_factory.mktemp("served") / "workspace"))) as found:
        yield found


def test_a_deep_link_as_the_servers_first_visit_opens_that_head(
    workspace_copy: Path, open_page: OpenPage
) -> None:
    with serve(workspace_copy) as address:
        page = open_page(f"{address}/heads?layer=2&head=1")
        expect(page.get_by_role("heading", level=1)).to_have_text("L2H1")
        expect(page.get_by_role("link", name="Overview", exact=True)).to_be_visible()


def test_hovering_a_token_reads_out_what_it_looks_at(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/heads?layer=1&head=1")
    tokens = page.locator(".tokens span")
    tokens.nth(5).hover()
    expect(page.locator(".readout")).to_contain_text(re.compile(r"→.*head \d\.\d{3} program \d\.\d{3}"))
    expect(tokens.nth(5)).to_have_class(re.compile("query"))


def test_the_masked_future_is_left_empty(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/heads?layer=1&head=1")
    canvas = page.locator("canvas[aria-label^=head]").first
    expect(canvas).to_be_visible()
    alphas = canvas.evaluate(
        """canvas => [[0.9, 0.1], [0.1, 0.9]].map(([x, y]) =>
            canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data[3])"""
    )
    assert alphas == [0, 255]  # upper right, lower left


def test_arrow_keys_walk_the_map(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/heads?layer=1&head=1")
    page.locator("canvas[aria-label^=head]").first.focus()
    page.keyboard.press("ArrowUp")
    first = page.locator(".readout").inner_text()
    page.keyboard.press("ArrowUp")
    assert page.locator(".readout").inner_text() != first


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page_name", ["", "heads", "review", "hybrid", "library"])
def test_no_page_shows_an_error_or_scrolls_sideways(
    page_name: str, theme: str, address: str, open_page: OpenPage
) -> None:
    page = open_page(f"{address}/{page_name}", color_scheme=theme)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
