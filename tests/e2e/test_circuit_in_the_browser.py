"""What a person does on the Circuit page: light a head, walk by keys, open one, take the drawing along."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import serve
from tests.e2e.controls import wait_until_settled
from tests.workspace.pages.test_circuit import plant

OpenPage = Callable[..., Page]


def node(page: Page, name: str) -> Locator:
    return page.locator(f".node[aria-label^='{name}:']")


def lit(page: Page) -> Locator:
    return page.locator(".edges .edge.lit")


def test_heads_light_up_under_pointer_and_keys_and_open_on_heads(
    workspace_copy: Path, open_page: OpenPage
) -> None:
    plant(workspace_copy)
    with serve(workspace_copy) as address:
        page = open_page(f"{address}/circuit?layer=2&head=1")
        expect(lit(page)).to_have_count(3)  # the head of the address
        expect(page.locator(".card .ends").first).to_contain_text("L0H1 0.5")
        for kind in ("follows", "away", "otherwise"):
            expect(page.locator(f".edge.lit.{kind}")).to_have_count(1)
        node(page, "L0H1").hover()
        expect(page.locator(".card .title")).to_contain_text("L0H1")
        node(page, "L1H3").click()
        expect(page).to_have_url(re.compile(r"layer=1&head=3"))
        page.mouse.move(0, 0)
        page.keyboard.press("ArrowUp")
        expect(node(page, "L1H2")).to_be_focused()
        expect(page.locator(".card .title")).to_contain_text("L1H2")
        page.keyboard.press("Escape")
        expect(page).not_to_have_url(re.compile("layer="))

        for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
            with page.expect_download() as download:
                page.get_by_role("button", name=f"Download the circuit as {kind}").click()
            assert download.value.path().read_bytes().startswith(start)

        item = page.get_by_role("navigation", name="Heads that are read").get_by_role("listitem")
        expect(item.filter(has_text="L1H3 read by").get_by_role("link").last).to_be_visible()
        page.get_by_role("button", name="accepted", exact=True).click()  # the planted program's verdict
        wait_until_settled(page)
        heads = page.get_by_role("navigation", name="Heads and their programs").get_by_role("listitem")
        expect(heads).to_have_count(12)  # no arrow is left, and the heads are listed all the same
        node(page, "L2H1").focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/heads\?layer=2&head=1"))
        expect(page.get_by_role("heading", level=1)).to_have_text("L2H1")
