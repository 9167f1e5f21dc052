"""What a person's hand does with Streamlit's own controls."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, TimeoutError, expect


def wait_until_settled(page: Page) -> None:
    """Until the script that draws the page has ended."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def selectbox(page: Page, label: str | re.Pattern[str]) -> Locator:
    """The selectbox whose label is this or has this."""
    return page.get_by_role("combobox", name=label)


def open_options(page: Page, label: str | re.Pattern[str]) -> Locator:
    """The options of a selectbox, opened; again where a rerun of the page closed it meanwhile."""
    options = page.get_by_role("option")
    for _ in range(10):
        wait_until_settled(page)
        if not options.count():
            selectbox(page, label).click()
        try:
            options.first.wait_for(timeout=5_000)
        except TimeoutError:
            continue
        return options
    raise AssertionError(f"the selectbox {label!r} shows no options")


def choose(page: Page, label: str | re.Pattern[str], option: str | int) -> None:
    """Chooses the option of this text or at this place in a selectbox."""
    options = open_options(page, label)
    if isinstance(option, int):
        options.nth(option).click()
    else:
        page.get_by_role("option", name=option, exact=True).click()
