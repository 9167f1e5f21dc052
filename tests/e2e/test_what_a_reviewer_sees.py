"""What a reviewer has before their eyes: the whole program, figures once they decided, keys that work."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import serve
from tests.e2e.controls import choose, wait_until_settled
from tests.e2e.test_pages_in_the_browser import SCHEME
from tests.e2e.test_review_in_the_browser import (
    head,
    last,
    press,
    review,
    ticket,
    title,
    wait_for_another_ticket,
)

OpenPage = Callable[..., Page]
SMALL = {"width": 1280, "height": 720}
# Draws every word anew, as a translating browser does.
TRANSLATE = """() => {
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const all = [];
    while (words.nextNode()) all.push(words.currentNode);
    for (const one of all) {
        const font = document.createElement("font");
        one.replaceWith(font);
        font.append(one);
    }
}"""
# Whether an element lies in the window with nothing of it cut off by any box around it, nor covered.
IS_SEEN = """element => {
    const box = element.getBoundingClientRect();
    const boxes = [{ top: 0, left: 0, bottom: innerHeight, right: innerWidth }];
    for (let one = element; one; one = one.parentElement ?? one.getRootNode().host)
        if (getComputedStyle(one).overflow !== "visible") boxes.push(one.getBoundingClientRect());
    const isWithin = boxes.every((one) => box.top >= one.top - 1 && box.bottom <= one.bottom + 1
        && box.left >= one.left - 1 && box.right <= one.right + 1);
    const middle = [box.x + box.width / 2, box.y + box.height / 2];
    let over = document.elementFromPoint(...middle);
    while (over?.shadowRoot) over = over.shadowRoot.elementFromPoint(...middle);
    const isClipped = getComputedStyle(element).overflowX !== "visible";
    const isCut = isClipped && element.scrollWidth > element.clientWidth + 1;
    return isWithin && !isCut && Boolean(over && (element.contains(over) || over.contains(element)));
}"""
# The first who asks what scrolls the program is told by a page without its styles.
STYLED_LATE = """const asked = window.getComputedStyle;
let early = 1;
window.getComputedStyle = (one, ...rest) =>
    one.classList?.contains("st-key-program-panel") && early-- > 0
        ? { overflowY: "visible" } : asked(one, ...rest);"""
PIXELS = "canvas => canvas.toDataURL()"
DISPATCH = """([key, code]) => document.body.dispatchEvent(
    new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true, composed: true }))"""


@pytest.fixture(scope="module")
def address(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(Path(shutil.copytree(built, tmp_path_factory.mktemp("seen") / "workspace"))) as found:
        yield found


def lines(page: Page) -> Locator:
    return page.locator(".program .line")


def bottom(found: Locator) -> float:
    return float(found.evaluate("element => element.getBoundingClientRect().bottom"))


def unseen(found: Locator) -> list[str]:
    """The texts of those that are not wholly on the screen."""
    return [one.inner_text() for one in found.all() if not one.evaluate(IS_SEEN)]


def test_the_whole_program_is_on_the_card_and_a_mark_counts_what_is_not(
    address: str, open_page: OpenPage
) -> None:
    page = review(open_page, address, "reader")
    page.set_viewport_size(SMALL)
    for _ in range(3):
        expect(lines(page).last).to_be_visible()
        assert unseen(lines(page)) == []
        assert unseen(page.locator(".card-figures span, button[data-name]")) == []
        assert "docstring" not in page.locator(".program code").inner_text()
        press(page, "ArrowRight")
    long = "def attend(q, k):\n    weight = 1.0\n" + "    weight += 0.01\n" * 55 + "    return weight\n"
    page.keyboard.press("e")
    draft = page.get_by_label("Program", exact=True)
    draft.fill(long)
    draft.blur()
    page.get_by_role("button", name="Save as a new program").click()
    mark = page.locator(".program .left")
    expect(mark).to_have_text(re.compile(r"^\d+ more lines below · j$"))
    counted = int(mark.inner_text().split()[0])
    assert mark.evaluate(IS_SEEN)
    assert len(unseen(lines(page))) in (counted, counted - 1)  # the mark lies on a line
    for _ in range(4):
        page.keyboard.press("j")
    expect(mark).to_be_hidden()
    assert lines(page).last.evaluate(IS_SEEN)
    page.keyboard.press("k")
    expect(mark).to_be_visible()
    page.add_init_script(STYLED_LATE)
    page.reload()
    expect(mark).to_have_text(re.compile(r"^\d+ more lines below · j$"))
    assert mark.evaluate(IS_SEEN)


def test_blind_mode_reveals_its_numbers_and_gives_the_keys_back(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "blinded")
    page.set_viewport_size(SMALL)
    page.get_by_text("Blind", exact=True).click()
    expect(page.get_by_text("numbers hidden until the verdict")).to_be_visible()
    hidden = head(page)
    press(page, "Space")  # skips, and does not switch blind mode off
    expect(last(page)).to_have_text(f"last: {hidden} ↷ skipped")
    decided = head(page)
    press(page, "a")
    revealed = page.get_by_text(re.compile(rf"{decided}: IoU train 0\.\d\d"))
    expect(revealed).to_be_visible()
    assert revealed.evaluate(IS_SEEN)
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_label("Category")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Category")).to_have_count(0)
    page.wait_for_function("document.activeElement === document.body")
    third = head(page)
    press(page, "Space")
    expect(last(page)).to_have_text(re.compile(f"^last: {third} ↷ skipped"))


def test_keys_work_by_their_place_and_over_a_closed_list(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "layouts")
    words = []
    for key, code, word in (
        ("ф", "KeyA", "✓ accepted"),  # Cyrillic
        ("ч", "KeyX", "✕ rejected"),
        ("é", "Digit2", "✕ rejected “wrong here”"),  # AZERTY, without Shift
        ("a", "KeyQ", "✓ accepted"),  # AZERTY: what the key says
    ):
        before, shown = head(page), ticket(page)
        page.evaluate(DISPATCH, [key, code])
        wait_for_another_ticket(page, shown)
        words.insert(0, f"{before} {word}")
        expect(last(page)).to_have_text(f"last: {' · '.join(words)}")
    page.get_by_label("Order").focus()
    fifth = head(page)
    press(page, "f")
    expect(last(page)).to_have_text(re.compile(f"^last: {fifth} ⚑ flagged"))


def test_no_key_decides_on_another_card_than_is_painted(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "translated")
    assert page.evaluate("document.documentElement.translate") is False
    first = head(page)
    page.evaluate(TRANSLATE)
    second = press(page, "a")  # what is painted follows, translated or not
    expect(last(page)).to_have_text(f"last: {first} ✓ accepted")
    page.evaluate("document.querySelector('h1').textContent = 'Review · L9H9'")
    page.keyboard.press("x")
    expect(page.get_by_text("This page shows another card than the keys decide")).to_be_visible()
    expect(last(page)).to_have_text(f"last: {first} ✓ accepted")
    page.reload()
    assert head(page) == second
    page.locator(".program code").evaluate("code => code.textContent = 'def attend(q, k): return 1'")
    page.keyboard.press("x")
    expect(page.get_by_text("This page shows another card than the keys decide")).to_be_visible()
    expect(last(page)).to_have_text(f"last: {first} ✓ accepted")


def test_an_empty_queue_says_why(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "filtered", None)
    choose(page, "Queue", "second opinion")
    expect(title(page)).to_have_text(re.compile("^Review · (no other reviewer's decision waits|L)"))
    choose(page, "Queue", "new")
    expect(title(page)).to_have_text(re.compile(r"^Review · L\dH\d"))
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("slider", name="Least IoU on validation").focus()
    page.keyboard.press("End")
    expect(title(page)).to_have_text("Review · nothing passes the filter")


def test_the_editor_takes_the_focus_shows_its_problems_and_leaves_by_escape(
    address: str, open_page: OpenPage
) -> None:
    page = review(open_page, address, "editor")
    page.set_viewport_size(SMALL)
    edited = head(page)
    program = page.locator(".st-key-evidence-panel canvas[aria-label^=program]").first
    before = program.evaluate(PIXELS)
    page.keyboard.press("e")
    draft = page.get_by_label("Program", exact=True)
    expect(draft).to_be_focused()
    assert draft.evaluate("field => field.selectionStart") == 0
    draft.fill("def attend(q, k):\n    return q.pos\n")
    draft.press("Control+Enter")
    problem = page.get_by_text(re.compile(r"line 2, column \d+"))
    expect(problem).to_be_visible()
    assert problem.evaluate(IS_SEEN)
    assert page.get_by_role("button", name="Save as a new program").evaluate(IS_SEEN)
    assert draft.evaluate(IS_SEEN)
    draft.fill("def attend(q, k):\n    return 0.5 ** (q.index - k.index)\n")
    draft.press("Control+Enter")
    expect(page.get_by_text(re.compile(r"against [0-9a-f]{6}"))).to_be_visible()
    wait_until_settled(page)
    assert program.evaluate(PIXELS) != before  # the maps are those of the change
    draft.press("Escape")
    expect(draft).to_have_count(0)
    expect(page.get_by_text("unsaved edit, e goes on with it")).to_be_visible()
    assert head(page) == edited
    page.keyboard.press("e")
    expect(draft).to_have_value(re.compile("0.5"))
    figures = page.get_by_text(re.compile(r"against [0-9a-f]{6}"))
    of_the_first = figures.inner_text()
    draft.fill("def attend(q, k):\n    return 0.25 ** (q.index - k.index)\n")
    expect(figures).not_to_have_text(of_the_first)  # handed over after a pause, without a key
    wait_until_settled(page)
    page.reload()
    expect(page.get_by_text("unsaved edit, e goes on with it")).to_be_visible()
    expect(lines(page).last).to_be_visible()
    page.locator("button[data-name=edit]").click()
    expect(draft).to_have_value(re.compile("0.25"))
    page.get_by_role("button", name="Cancel").click()
    expect(draft).to_have_count(0)


# The least contrast of a key's ink with the upper and the lower half of its ground.
LEAST_CONTRAST = """(keys) => {
    const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const page = getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor;
    const luminance = (...layers) => {
        for (const colour of layers) {
            context.fillStyle = colour;
            context.fillRect(0, 0, 1, 1);
        }
        const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((channel) => {
            const share = channel / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return Math.min(...keys.flatMap((key) => {
        const { color, backgroundImage } = getComputedStyle(key);
        return backgroundImage.match(/(rgba?|color)\\([^()]*\\)/g).map((ground) => {
            const [low, high] = [luminance(color), luminance(page, ground)].sort((a, b) => a - b);
            return (high + 0.05) / (low + 0.05);
        });
    }));
}"""


def test_the_card_shows_what_the_head_looks_at_and_opens_heads_there(
    address: str, open_page: OpenPage
) -> None:
    page = review(open_page, address, "witness")
    page.set_viewport_size(SMALL)
    queries = page.locator(".query")
    expect(queries.first).to_be_visible()
    assert unseen(queries) == []
    assert 1 <= queries.count() <= 5
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(f"() => ({SCHEME})() === '{theme}'")
        assert page.locator(".query .key").evaluate_all(LEAST_CONTRAST) >= 4.5
    page.locator(".st-key-evidence-panel canvas").first.hover(position={"x": 5, "y": 40})
    expect(page.locator(".st-key-evidence-panel .readout")).to_have_text(
        re.compile(r"→ .* · head \d\.\d{3} · program \d\.\d{3}")
    )
    told = page.locator(".st-key-evidence-panel .readout .fired")
    expect(told).to_have_count(1)
    ends = [bottom(found) for found in (told, page.locator(".st-key-evidence-panel"))]
    assert ends[0] <= ends[1] + 1  # it is seen, though the maps go on below
    marked = page.locator(".program .line.pointed")
    assert told.inner_text().split(" · ")[0] in [line.strip() for line in marked.all_inner_texts()]
    page.mouse.move(0, 0)
    expect(marked).to_have_count(0)
    page.set_viewport_size({"width": 2560, "height": 1440})  # maps grow, and name tokens
    expect(page.locator(".st-key-evidence-panel canvas[data-named=true]").first).to_be_visible()
    page.set_viewport_size(SMALL)
    card = head(page)
    page.keyboard.press("o")
    expect(title(page)).to_have_text(card)
    page.go_back()
    expect(title(page)).to_have_text(f"Review · {card}")
    queries.first.click()
    expect(title(page)).to_have_text(card)
    expect(page.locator(".why .pair")).to_be_visible()
    page.get_by_role("button", name="Verdict").click()
    page.get_by_label("Note").fill("only on names")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("button", name="accepted")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    expect(last(page)).to_have_text(f"last: {card} ✓ accepted")
    page.get_by_role("button", name="History").click()
    page.get_by_role("button", name=re.compile(f"{card} ✓ accepted · only on names")).click()
    expect(title(page)).to_have_text(f"Review · {card}")
