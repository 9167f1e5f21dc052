"""What a person does on the Heads page: touch the attention, ask why, go from head to head."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.controls import choose, open_options, selectbox, wait_until_settled
from tests.e2e.test_what_a_reviewer_sees import IS_SEEN, PIXELS

OpenPage = Callable[..., Page]
L1H1 = "heads?layer=1&head=1"


def head_map(page: Page) -> Locator:
    return page.locator("canvas[aria-label^=head]").first


def readout(page: Page) -> Locator:
    return page.locator(".readout")


def expect_address(page: Page, **wanted: str) -> None:
    for name, pattern in wanted.items():
        expect(page).to_have_url(re.compile(rf"[?&]{name}=({pattern})(&|$)"))


def test_a_query_lights_up_in_the_text_and_the_maps_and_can_be_pinned(
    address: str, open_page: OpenPage
) -> None:
    page = open_page(f"{address}/{L1H1}")
    tokens = page.locator(".tokens span")
    tokens.nth(5).hover()
    expect(readout(page)).to_contain_text(re.compile(r"→.*head \d\.\d{3} program \d\.\d{3}"))
    expect(tokens.nth(5)).to_have_class(re.compile("query"))
    tokens.nth(5).click()
    expect_address(page, at=r"5\.\d+")
    expect(page.locator(".why")).to_contain_text("line")
    tokens.nth(3).click()
    expect(readout(page)).to_contain_text("summed")
    expect_address(page, at=r"5-3\.\d+")
    page.reload()
    expect(readout(page)).to_contain_text("summed")
    page.get_by_role("button", name="let go of pins").click()
    expect(page.locator(".why")).to_contain_text("Click a cell")
    expect(page.locator(".legend .end")).to_have_text(["1 (√)", "1 (√)", "+1 head (√)"])
    before = head_map(page).evaluate(PIXELS)
    page.get_by_label("without resting places").check()
    assert head_map(page).evaluate(PIXELS) != before
    page.get_by_label("own maximum").check()
    page.get_by_label("square-root scale").uncheck()
    expect(page.locator(".legend .end").first).to_have_text(re.compile(r"^(0\.\d+|1|1\.0)$"))
    page.reload()  # the switches persist
    expect(page.get_by_label("own maximum")).to_be_checked()
    expect(page.get_by_label("square-root scale")).not_to_be_checked()


@pytest.mark.slow
def test_maps_turn_from_weights_to_signed_contributions_and_stay_so_in_the_address(
    address: str, open_page: OpenPage
) -> None:
    page = open_page(f"{address}/{L1H1}")
    ends, switch = page.locator(".legend span:first-child"), page.get_by_label("contributions, signed")
    expect(ends).to_have_text(["0", "0", "program −1"])
    wait_until_settled(page)
    switch.click()
    expect(ends.first).to_have_text(re.compile("−1$"))
    expect(switch).to_be_checked()
    expect_address(page, maps="contributions")
    page.reload()
    expect(ends.first).to_have_text(re.compile("−1$"))
    wait_until_settled(page)
    switch.click()
    expect(ends.first).to_have_text("0")
    expect(page).not_to_have_url(re.compile("maps="))


def test_the_program_is_read_beside_the_maps_with_the_lines_that_fired(
    address: str, open_page: OpenPage
) -> None:
    page = open_page(f"{address}/{L1H1}", 1280, 720)
    lines = page.locator(".program .line")
    expect(lines.last).to_be_visible()
    expect(head_map(page)).to_be_visible()
    maps = head_map(page).bounding_box()
    assert maps is not None
    seen = [line.evaluate(IS_SEEN) for line in lines.all()]
    assert all(seen)
    box = lines.first.bounding_box()
    assert box is not None
    assert box["x"] > maps["x"] + 3 * maps["width"]  # beside all three
    expect(page.locator(".program .fired")).to_have_count(0)
    page.locator(".tokens span").nth(5).click()
    fired = page.locator(".program .fired")
    expect(fired.first).to_be_visible()
    told = {int(one.inner_text().split()[1]) for one in page.locator(".why .line").all()}
    marked = [at for at, line in enumerate(lines.all(), 1) if "fired" in (line.get_attribute("class") or "")]
    assert set(marked) == told
    assert fired.first.get_attribute("data-effect")


def test_the_maps_answer_to_keys_and_leave_the_future_empty(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/{L1H1}")
    canvas = head_map(page)
    canvas.focus()
    page.keyboard.press("ArrowUp")
    first = readout(page).inner_text()
    page.keyboard.press("ArrowUp")
    assert readout(page).inner_text() != first
    page.keyboard.press("Enter")
    expect(page.locator(".why .weights")).to_contain_text(re.compile(r"head \d\.\d{4}"))
    page.keyboard.press("Escape")
    expect(page.locator(".why")).to_contain_text("Click a cell")
    alphas = canvas.evaluate(
        """canvas => [[0.9, 0.1], [0.1, 0.9]].map(([x, y]) =>
            canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data[3])"""
    )
    assert alphas == [0, 255]  # upper right, lower left


def test_the_address_holds_what_is_on_the_screen(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/heads")
    expect_address(page, layer="0", head="0", sentence="[0-9a-f]+", program="[0-9a-f]+")
    page.get_by_role("tab", name="Similar").click()
    button = page.get_by_role("button", name=re.compile(r"^L\dH\d · \d\.\d\d$")).first
    name = button.inner_text().split(" · ")[0]
    button.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect_address(page, layer=name[1], head=name[3])
    page.keyboard.press("w")
    expect(page.locator(".why .pair")).to_be_visible()
    expect_address(page, at=r"\d+\.\d+")
    pair = page.locator(".why .pair").inner_text()
    shown = page.url
    page.keyboard.press("n")
    expect(page.locator(".why")).to_contain_text("Click a cell")
    page.goto(shown)
    expect(page.locator(".why .pair")).to_have_text(re.compile(re.escape(pair.split(" → ")[0])))
    assert page.url == shown


def test_a_text_of_ones_own_is_read_live_and_shared_only_if_asked(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/{L1H1}")
    expect(head_map(page)).to_be_visible()
    page.get_by_role("button", name="Own text").click()
    page.get_by_label("Text for the model to read").fill("the cat <b>sat</b> on the mat")
    page.get_by_role("button", name="Show attention").click()
    expect(page.locator(".tokens")).to_have_text(re.compile(r"the cat <b>sat</b> on the mat"))
    expect_address(page, sentence="own")
    assert "mat" not in page.url
    page.get_by_role("button", name="Own text").click()
    page.get_by_text("Keep the text in the address").click()
    expect_address(page, text=".*mat")


def test_every_head_is_a_thumbnail_that_opens_it(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/{L1H1}")
    expect(head_map(page)).to_be_visible()
    expect(page.get_by_role("button", name="All heads")).to_be_visible()  # whose key it is
    wait_until_settled(page)
    page.keyboard.press("m")
    grid = page.locator(".sprites .grid")
    expect(grid.locator("canvas")).to_have_count(3)  # a sprite per layer
    expect(grid).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Tab")  # the dialog's own round of the Tab key passes the grid by
    expect(grid).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".sprites .name")).to_have_text("L2H2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("L2H2")
    expect(grid).to_have_count(0)


def test_another_program_of_the_head_is_chosen(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/{L1H1}")
    code = page.locator(".program code")
    expect(code).to_contain_text("def attend")
    before, shown = page.url, code.inner_text()
    choose(page, re.compile("Program · best first"), 1)
    expect(code).not_to_have_text(shown)
    expect(page).not_to_have_url(before)


def test_sentences_are_filtered_by_split_genre_and_words(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/{L1H1}")
    expect(page.get_by_text(re.compile(r"Sentence · test, worst first · 1 of \d+"))).to_be_visible()
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("button", name="train").click()
    expect(page.get_by_text(re.compile(r"Sentence · train, test, worst first"))).to_be_visible()
    choose(page, "Genre", "code")
    expect(page.get_by_text(re.compile(r"Sentence · train, test \(filtered\), worst first"))).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    label = re.compile("Sentence ·")
    chosen = selectbox(page, label).input_value()
    others = [one for one in open_options(page, label).all_inner_texts() if one != chosen]
    assert others
    assert all(" · code · " in one for one in others)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Text contains").fill("no passage has these words")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No sentence passes the filters")).to_be_visible()
