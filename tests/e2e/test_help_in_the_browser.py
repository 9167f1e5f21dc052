"""Words where they stand: terms underlined with their sentence, help beside the page, a frame of focus."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from core.store import Workspace
from tests.e2e.conftest import serve
from tests.e2e.controls import wait_until_settled
from tests.e2e.test_pages_in_the_browser import FAINT
from tests.e2e.test_review_in_the_browser import review
from tests.e2e.test_what_a_reviewer_sees import IS_SEEN, SMALL

OpenPage = Callable[..., Page]
# The texts that are underlined as terms.
MARKED = "() => [...(CSS.highlights.get('headscript-term') ?? [])].map((range) => range.toString())"
# The middle of the first of them that reads so.
PLACE = """(text) => {
    const range = [...CSS.highlights.get('headscript-term')].find((one) => one.toString() === text);
    const box = range.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
}"""
# Contrast of the frame around what has the focus, with the page behind it; 0 without a frame.
FRAME = """() => {
    let one = document.activeElement;
    while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
    const around = [one, one.parentElement, one.parentElement?.parentElement, one.closest("label")];
    const framed = around.filter(Boolean).map((each) => getComputedStyle(each))
        .find(({ outlineStyle, outlineWidth }) => outlineStyle === "solid" && parseFloat(outlineWidth) >= 2);
    if (!framed) return [one.outerHTML.slice(0, 80), 0];
    const light = (written) => (written.match(/[\\d.]+/g).slice(0, 3).map(Number)
        .map((channel) => (channel <= 10.31 ? channel / 3294.6 : ((channel / 255 + 0.055) / 1.055) ** 2.4))
        .reduce((sum, channel, i) => sum + channel * [0.2126, 0.7152, 0.0722][i], 0));
    const page = light(getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor);
    const [low, high] = [light(framed.outlineColor), page].sort((a, b) => a - b);
    return [one.outerHTML.slice(0, 80), (high + 0.05) / (low + 0.05)];
}"""
STOPS = 20  # of the tab key
# The terms that each element says which has the mark of one, in the document and in components.
SAID = """() => {
    const within = (root) => [...root.querySelectorAll("*")]
        .flatMap((one) => [one, ...(one.shadowRoot ? within(one.shadowRoot) : [])]);
    const name = (one) => (id) => one.getRootNode().getElementById(id).textContent.split(":")[0];
    return within(document).filter((one) => one.matches("[data-says-terms]"))
        .map((one) => one.getAttribute("aria-describedby").split(" ").map(name(one)));
}"""


def test_terms_say_what_they_mean_and_help_opens_beside_the_editor(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "words")
    page.set_viewport_size(SMALL)
    wait_until_settled(page)
    page.wait_for_function(f"() => ({MARKED})().includes('IoU') && ({MARKED})().includes('lift')")
    tip = page.get_by_role("tooltip")
    expect(tip).to_be_hidden()
    page.mouse.move(*page.evaluate(PLACE, "IoU"))
    expect(tip).to_have_text(re.compile("^IoU How alike two maps are: the sum of the smaller weights"))
    assert tip.evaluate(IS_SEEN)
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()

    page.mouse.move(0, 0)  # what the keyboard shows is not what is under the pointer
    said = page.evaluate(SAID)
    assert len(said) <= 6  # among them the stops of the tab key that terms bring to the card
    assert len({term for terms in said for term in terms}) == sum(map(len, said))  # each is said once
    figures = page.locator(".card-figures")
    expect(figures).to_have_accessible_description(re.compile("IoU: How alike two maps.* Lift: IoU minus"))
    for _ in range(60):
        page.keyboard.press("Tab")
        if figures.evaluate("(one) => one === document.activeElement"):
            break
    expect(figures).to_be_focused()
    expect(tip).to_have_text(re.compile("^IoU How alike two maps are.*Lift IoU minus"))
    assert tip.evaluate(IS_SEEN)
    assert page.evaluate(FRAME)[1] >= 3
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    expect(figures).to_be_focused()

    panel = page.get_by_role("region", name="Help", exact=True)
    page.keyboard.press("?")
    expect(panel.get_by_text("Accept the program for this head")).to_be_visible()
    found = panel.get_by_label("Find in help")
    found.fill("off-sink")
    expect(panel.get_by_text("IoU without resting places")).to_be_visible()
    expect(panel.get_by_text("Accept the program for this head")).to_be_hidden()
    found.press("a")  # is typed, and accepts nothing
    expect(page.get_by_text("No decision yet")).to_be_visible()
    found.press("Escape")
    expect(panel).to_be_hidden()

    page.keyboard.press("e")
    draft = page.get_by_label("Program", exact=True)
    expect(draft).to_be_focused()
    draft.press("F1")
    attribute = panel.get_by_text("only punctuation and symbols")
    expect(attribute).to_be_attached()
    expect(panel.get_by_role("heading", name="Language")).to_be_visible()
    assert panel.evaluate(IS_SEEN)
    assert (
        draft.evaluate("(field) => field.getBoundingClientRect().left") < 300
    )  # not covered where it begins
    draft.press("End")
    draft.press_sequentially("?")
    expect(draft).to_have_value(re.compile(r"\?"))
    expect(panel).to_be_visible()
    page.get_by_role("button", name="Close help").click()
    expect(panel).to_be_hidden()


def test_what_has_the_focus_is_framed_and_changes_are_coloured_legibly(
    built: Path, address: str, open_page: OpenPage
) -> None:
    workspace = Workspace.open(built)
    first, second = [program.id for program in workspace.library.programs()][:2]
    workspace.close()
    for theme in ("light", "dark"):
        page = open_page(f"{address}/library?program={first}&and={second}", color_scheme=theme)
        expect(page.locator(".token.deleted").first).to_be_visible()
        wait_until_settled(page)
        assert page.evaluate(FAINT) == []
        page.goto(f"{address}/hybrid")
        expect(page.get_by_role("button", name="Build and measure")).to_be_visible()
        wait_until_settled(page)
        frames = []
        for _ in range(STOPS):
            page.keyboard.press("Tab")
            frames.append(page.evaluate(FRAME))
        assert [
            name for name, contrast in frames if contrast < 3 and not name.startswith(("<body", "<main"))
        ] == []


def test_the_tour_comes_once_on_the_demo_and_again_when_asked_for(
    workspace_copy: Path, open_page: OpenPage
) -> None:
    workspace = Workspace.open(workspace_copy)
    (model,) = workspace.models.all()
    workspace.close()
    with serve(workspace_copy, HEADSCRIPT_DEMO_MODEL=model.name) as address:
        page = open_page(f"{address}/library")  # a link leads where it says
        card = page.get_by_role("region", name="Tour")
        expect(page.get_by_role("button", name="Help", exact=True)).to_be_visible()
        wait_until_settled(page)
        expect(card).to_be_hidden()
        expect(page).to_have_url(re.compile("/library$"))
        page.get_by_role("link", name="Overview", exact=True).click()
        for number, place in enumerate(("/", "/heads", "/audit", "/review", "/hybrid"), start=1):
            expect(card).to_contain_text(f"Tour · {number} of 5")
            page.wait_for_url(re.compile(rf":\d+{place}(\?|$)"))
            if place != "/audit":  # of which there is nothing to frame yet
                expect(page.locator(".ring:not([hidden])")).to_be_visible()
            assert card.evaluate(IS_SEEN)
            wait_until_settled(page)
            card.get_by_role("button", name=re.compile("Next|Done")).click()
        expect(card).to_be_hidden()
        page.get_by_role("link", name="Overview", exact=True).click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        wait_until_settled(page)
        expect(card).to_be_hidden()
        page.get_by_role("button", name="Help", exact=True).click()
        page.get_by_role("button", name="Tour", exact=True).click()
        expect(card).to_contain_text("Tour · 1 of 5")
        card.get_by_role("button", name="End the tour").click()
        expect(card).to_be_hidden()
