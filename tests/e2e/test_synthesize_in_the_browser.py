"""A run from the Synthesize page: chosen on the map, watched in two tabs, outliving its app."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from core.store import Workspace
from tests.e2e.conftest import start_server, stop_server
from tests.servers.ports import free_port

OpenPage = Callable[..., Page]
LAYERS, HEADS = 3, 4


def cell(page: Page, layer: int, head: int) -> Locator:
    return page.locator(f'.picks .cell[aria-label^="L{layer}H{head} "]')


def test_a_run_chosen_on_the_map_survives_the_apps_death_and_ends(
    open_page: OpenPage, workspace_copy: Path
) -> None:
    port = free_port()
    address = f"http://localhost:{port}/synthesize"
    server = start_server(workspace_copy, port)
    try:
        page, other = open_page(address), open_page(address)
        expect(page.get_by_text("12 of 12 heads")).to_be_visible()
        check_the_limits_stand_close(page)
        choose_on_the_map(page)
        page.get_by_role("button", name="Start on 11 heads").click()
        for tab in (page, other):  # the other tab did nothing
            expect(tab.get_by_test_id("stProgress").first).to_contain_text("Search for programs")
        expect(page.get_by_test_id("stProgress").first).to_contain_text("Finding programs")
        server.kill()
        server.wait()
        server = start_server(workspace_copy, port)
        again = open_page(address)
        expect(again.get_by_role("heading", name="Latest run")).to_be_visible()
        expect(done_metric(again)).to_have_text("11 of 11")
        expect(again.get_by_test_id("stCaptionContainer").filter(has_text="Done").first).to_be_visible()
    finally:
        stop_server(server)
    check_heads_once(workspace_copy)


def check_the_limits_stand_close(page: Page) -> None:
    """A toggle that begins a row of limits stands right below the fields above it."""
    field = page.get_by_role("spinbutton", name="Rules, at most").bounding_box()
    toggle = page.get_by_test_id("stCheckbox").filter(has_text="Tables").bounding_box()
    assert field is not None
    assert toggle is not None
    assert 0 < toggle["y"] - (field["y"] + field["height"]) < 40


def choose_on_the_map(page: Page) -> None:
    """Drop the first layer by its number, pick it again by dragging, drop one head by a press."""
    page.locator('.picks [title="layer 0"]').click()
    expect(page.get_by_text("8 of 12 heads")).to_be_visible()
    cell(page, 0, 0).hover()
    page.mouse.down()
    cell(page, 0, HEADS - 1).hover()
    page.mouse.up()
    expect(page.get_by_text("12 of 12 heads")).to_be_visible()
    cell(page, 2, 3).click()
    expect(page.get_by_text("11 of 12 heads")).to_be_visible()


def done_metric(page: Page) -> Locator:
    return page.get_by_test_id("stMetric").filter(has_text="Heads done").get_by_test_id("stMetricValue")


def check_heads_once(folder: Path) -> None:
    workspace = Workspace.open(folder)
    job = workspace.jobs.all()[0]
    found = [str(gain.head) for gain in workspace.gains.of_job(job.id)]
    workspace.close()
    assert job.state == "done"
    assert sorted(found) == sorted(job.settings["heads"])
    assert len(found) == LAYERS * HEADS - 1


def test_names_and_keys_choose_heads_and_a_wrong_name_is_told(
    workspace_copy: Path, open_page: OpenPage
) -> None:
    port = free_port()
    server = start_server(workspace_copy, port)
    try:
        page = open_page(f"http://localhost:{port}/synthesize")
        field = page.get_by_label("Heads by name")
        field.fill("L1H*")
        field.press("Enter")
        expect(page.get_by_text("4 of 12 heads")).to_be_visible()
        cell(page, 1, 0).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        expect(page.get_by_text("5 of 12 heads")).to_be_visible()
        field.fill("L9H0")
        field.press("Enter")
        expect(page.get_by_text(re.compile("L9H0 is not in"))).to_be_visible()
        expect(page.get_by_role("button", name="Choose heads to start")).to_be_disabled()
    finally:
        stop_server(server)
