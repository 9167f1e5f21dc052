"""What a person does on the Damage tab: ask a token which heads harm it, give one back, switch others."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import call_core
from tests.e2e.conftest import serve
from tests.e2e.controls import wait_until_settled

OpenPage = Callable[..., Page]


@pytest.mark.slow
def test_a_token_names_the_heads_that_harm_it_and_the_map_switches_them(
    workspace_copy: Path, open_page: OpenPage
) -> None:
    call_core("hybrid", "--share", "0.25", "--order", "iou", workspace=workspace_copy).check_returncode()
    with serve(workspace_copy) as address:
        page = open_page(f"{address}/hybrid", 1280, 720)
        page.get_by_role("tab", name="Damage").click()
        panel = page.get_by_role("tabpanel").filter(has=page.locator(".passages"))
        chosen = panel.locator(".cell.chosen")
        expect(chosen).to_have_count(3)
        wait_until_settled(page)

        tokens = panel.locator(".token[role=button]")
        tokens.nth(3).click()
        expect(panel.get_by_text("nats with 3 heads on.")).to_be_visible()
        expect(panel.get_by_test_id("stDataFrame")).to_be_visible()
        wait_until_settled(page)
        expect(tokens.nth(3)).to_have_attribute("aria-pressed", "true")
        tokens.nth(3).press("ArrowRight")
        expect(tokens.nth(4)).to_be_focused()
        tokens.nth(4).press("Enter")
        expect(tokens.nth(4)).to_have_attribute("aria-pressed", "true")
        expect(tokens.nth(4)).to_be_focused()
        wait_until_settled(page)

        before = panel.locator(".passages").inner_html()
        chosen.first.click()
        expect(panel.get_by_text("With 2 heads on")).to_be_visible()
        expect(chosen).to_have_count(2)
        wait_until_settled(page)
        assert panel.locator(".passages").inner_html() != before
        expect(panel.get_by_text("Other heads are on by now")).to_be_visible()  # no switch ranks anew
        tokens.nth(4).click()
        expect(panel.get_by_text("nats with 2 heads on.")).to_be_visible()
        wait_until_settled(page)
        panel.get_by_role("button", name="As built").click()
        expect(panel.get_by_text("With 3 heads on")).to_be_visible()
        expect(chosen).to_have_count(3)
