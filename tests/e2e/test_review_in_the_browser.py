"""What a reviewer does: keys, undo, editing, other reviewers, many at once, and the app's odd moments."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import serve
from tests.e2e.controls import choose, selectbox, wait_until_settled

OpenPage = Callable[..., Page]
HEADS = 12
COLOURS = {
    "IoU": "IoU, test",
    "Lift": "lift",
    "Category": "category",
    "Verdict": "verdict",
}  # and their legends


@pytest.fixture(scope="module")
def address(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for all tests; each has reviewers of its own and looks at all heads."""
    with serve(Path(shutil.copytree(built, tmp_path_factory.mktemp("review") / "workspace"))) as found:
        yield found


# A key pressed twice before anything else happens, however busy the machine is.
TWICE = """key => {
  for (let i = 0; i < 2; i++)
    for (const type of ["keydown", "keyup"])
      document.body.dispatchEvent(new KeyboardEvent(type, { key, bubbles: true, cancelable: true }));
}"""


# Whether every line of an element's text is in the window, and nothing lies over it.
WHOLE = """element => {
  const range = document.createRange();
  range.selectNodeContents(element);
  return [...range.getClientRects()].every(({ left, right, top, bottom }) =>
    [[left + 1, top + 3], [right - 1, bottom - 3]].every(
      ([x, y]) => element.contains(document.elementFromPoint(x, y))));
}"""


def review(open_page: OpenPage, address: str, reviewer: str, pile: str | None = "all heads") -> Page:
    page = open_page(f"{address}/review?reviewer={reviewer}")
    expect(page.locator("canvas").first).to_be_visible()
    if pile is not None:
        choose_card(page, "Queue", pile)
    return page


def choose_card(page: Page, label: str, option: str) -> None:
    if selectbox(page, label).input_value() == option:
        return  # a desk of this reviewer is there already
    before = ticket(page)
    choose(page, label, option)
    page.wait_for_function("document.activeElement === document.body")  # the keys are the card's again
    wait_for_another_ticket(page, before)


def title(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def ticket(page: Page) -> str:
    """What names the card that a key now decides; it changes with everything a reviewer does."""
    return page.locator(".box[data-ticket]").get_attribute("data-ticket") or ""


def wait_for_another_ticket(page: Page, before: str) -> None:
    expect(page.locator(".box[data-ticket]")).not_to_have_attribute("data-ticket", before)


def walk_to(page: Page, wanted: str) -> None:
    for _ in range(HEADS):
        if head(page) == wanted:
            return
        press(page, "ArrowRight")
    raise AssertionError(f"{wanted} is not in the queue")


def head(page: Page) -> str:
    """The head on the card, once it stands there ready to be decided."""
    expect(page.locator(".box[data-ticket]:not(.sent)")).to_have_count(1)
    expect(title(page)).to_have_text(re.compile(r"Review · L\dH\d"))
    return title(page).inner_text().removeprefix("Review · ")


def press(page: Page, key: str) -> str:
    """Press a key on the card; the next card's head."""
    before, shown = head(page), ticket(page)
    page.keyboard.press(key)
    wait_for_another_ticket(page, shown)
    after = head(page)
    assert after != before
    return after


def last(page: Page) -> Locator:
    return page.get_by_text(re.compile("^(last:|No decision)"))


def test_every_key_does_what_it_says_and_the_row_never_moves(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "ada")
    row = page.locator("button[data-name=accept]")
    place = row.bounding_box()
    first = head(page)
    second = press(page, "a")
    third = press(page, "x")
    fourth = press(page, "Space")
    fifth = press(page, "f")
    press(page, "3")
    words = f"{fifth} ✕ rejected “overfitted” · {fourth} ⚑ flagged · {third} ↷ skipped · {second} ✕ rejected"
    expect(last(page)).to_have_text(f"last: {words}")
    expect(page.locator("button[data-name='reason 3'] b")).to_have_text("1")
    assert press(page, "ArrowLeft") == fifth
    press(page, "ArrowRight")
    for expected in (fifth, fourth, third):
        assert press(page, "Backspace") == expected
    page.reload()  # undo and the card survive
    expect(page.locator("canvas").first).to_be_visible()
    assert head(page) == third
    assert [press(page, "Backspace") for _ in range(2)] == [second, first]
    expect(last(page)).to_have_text(re.compile("No decision yet"))
    page.keyboard.press("h")
    expect(page.get_by_text("A held key decides once.")).to_be_visible()
    assert row.bounding_box() == place


def test_b_flips_candidates_in_place(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "flip")
    before, code = head(page), page.locator(".program code")
    shown = code.inner_text()
    expect(page.get_by_text(re.compile("candidate 1 of"))).to_be_visible()
    page.keyboard.press("b")
    expect(page.get_by_text(re.compile("candidate 2 of"))).to_be_visible()
    expect(code).not_to_have_text(shown)
    assert head(page) == before


def test_the_address_names_the_card_and_a_link_opens_it(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "linking")
    card = re.compile(rf"head={head(page)}&program=[0-9a-f]+")
    expect(page).to_have_url(card)
    shown = page.url
    visited = page.evaluate("history.length")
    following = press(page, "Space")
    expect(page).to_have_url(re.compile(rf"head={following}&"))
    assert page.evaluate("history.length") == visited  # Back leads out of Review
    page.goto(shown)
    expect(page).to_have_url(card)
    assert re.search(f"head={head(page)}&", shown)
    press(page, "Space")  # the link has been followed, and the next card stays
    page.reload()
    expect(title(page)).not_to_have_text("Review")
    assert f"head={head(page)}&" in page.url


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("head=L99H0", "L99H0 does not exist"),
        ("head=L1H0&program=nowhere", "L1H0 has no program nowhere"),
        ("head=first", "'first' is not a head"),
    ],
)
def test_a_link_to_no_card_says_so_in_words_that_are_read_whole(
    address: str, open_page: OpenPage, link: str, said: str
) -> None:
    page = open_page(f"{address}/review?reviewer=nowhere&{link}", 1280, 720)
    news = page.locator(".card-news")
    expect(news).to_contain_text(said)
    expect(news).to_contain_text("This is another card.")
    assert page.evaluate(WHOLE, news.element_handle())
    assert f"head={head(page)}&" in page.url


def test_a_held_doubled_or_typed_key_decides_at_most_once(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "held")
    first = head(page)
    for _ in range(6):  # the keyboard's repeat
        page.keyboard.down("a")
    page.keyboard.up("a")
    expect(last(page)).to_have_text(f"last: {first} ✓ accepted")
    second = head(page)
    page.evaluate(TWICE, "x")
    expect(last(page)).to_have_text(f"last: {second} ✕ rejected · {first} ✓ accepted")
    third = head(page)
    for key in ("r", "c", "Control+a"):  # Streamlit's own, and the browser's
        page.keyboard.press(key)
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_label("Category").click()
    page.keyboard.type("axf1")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keys").click()  # Space belongs to the card, not to the focused button
    page.keyboard.press("Space")
    expect(last(page)).to_have_text(f"last: {third} ↷ skipped · {second} ✕ rejected · {first} ✓ accepted")
    fourth, shown = head(page), ticket(page)
    page.locator("button[data-name=accept]").focus()
    page.keyboard.down("Enter")
    wait_for_another_ticket(page, shown)
    fifth = head(page)
    for _ in range(6):  # the repeat of a key that is still held on the next card
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.keyboard.press("f")
    words = f"{fifth} ⚑ flagged · {fourth} ✓ accepted · {third} ↷ skipped · {second} ✕ rejected"
    expect(last(page)).to_have_text(f"last: {words}")


def test_space_operates_another_button_that_has_the_focus(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "focus")
    page.get_by_role("button", name="Agreement").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("x")  # under a dialog no key decides
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(last(page)).to_have_text(re.compile("No decision yet"))


def test_a_second_tab_does_not_decide_what_the_first_has_decided(address: str, open_page: OpenPage) -> None:
    first = review(open_page, address, "tabs")
    second = review(open_page, address, "tabs", None)  # takes up the reviewer's queue
    decided = head(first)
    assert head(second) == decided
    press(first, "a")
    second.keyboard.press("x")
    expect(second.get_by_text(f"You decided {decided} in another tab")).to_be_visible()
    expect(last(second)).to_have_text(f"last: {decided} ✓ accepted")


def test_blind_mode_hides_numbers_until_the_verdict(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "blind")
    numbers = page.get_by_text("IoU over")
    expect(numbers).to_be_visible()
    page.get_by_text("Blind", exact=True).click()
    expect(page.get_by_text("numbers hidden until the verdict")).to_be_visible()
    expect(numbers).to_have_count(0)
    figures = page.get_by_text(re.compile(r"\d\.\d\d")).and_(page.locator(":not(code *)"))  # but constants
    expect(figures.filter(visible=True)).to_have_count(0)  # the closed help has some
    decided = head(page)
    press(page, "a")
    expect(page.get_by_text(re.compile(rf"{decided}: IoU train 0\.\d\d"))).to_be_visible()


def test_an_edit_is_checked_scored_and_saved_as_a_child(address: str, open_page: OpenPage) -> None:
    page = review(open_page, address, "edith")
    edited = head(page)
    page.keyboard.press("e")
    draft = page.get_by_label("Program", exact=True)
    expect(draft).to_be_visible()
    source = draft.input_value()
    draft.fill("def attend(q, k):\n    weight = 1.0\n    return weight + q.pos\n")
    draft.blur()
    expect(page.get_by_text(re.compile(r"line 3, column \d+"))).to_be_visible()
    expect(page.get_by_role("button", name="Save as a new program")).to_be_disabled()
    draft.fill(source.replace("return weight", "return weight + 0.123"))
    draft.press("a")  # typed, not decided
    draft.press("Backspace")
    draft.blur()
    expect(page.get_by_text(re.compile(r"validation .*\([+-]0\.\d{3}\) against"))).to_be_visible()
    page.get_by_role("button", name="Save as a new program").click()
    expect(page.get_by_text(re.compile(r"person, \d+ nodes · edited from"))).to_be_visible()
    expect(page.locator(".program code")).to_contain_text("weight + 0.123")
    assert head(page) == edited
    expect(last(page)).to_have_text(re.compile("No decision yet"))


def test_two_reviewers_second_opinion_and_agreement(address: str, open_page: OpenPage) -> None:
    ada = review(open_page, address, "one")
    first = head(ada)
    second = press(ada, "a")
    press(ada, "a")
    bob = review(open_page, address, "two", "second opinion")
    choose_card(bob, "Order", "by category")
    walk_to(bob, first)
    press(bob, "a")
    walk_to(bob, second)
    bob.keyboard.press("1")
    expect(last(bob)).to_have_text(f"last: {second} ✕ rejected “trivial” · {first} ✓ accepted")
    bob.get_by_role("button", name="Agreement").click()
    expect(bob.get_by_text("one and two: Cohen’s κ 0.00")).to_be_visible()
    window = bob.get_by_role("dialog")
    left = "element => element.getBoundingClientRect().left"
    assert window.get_by_text("Agreement between").evaluate(left) > window.evaluate(left) + 10
    bob.get_by_role("button", name=re.compile(rf"{second}: one accepts · two rejects \(trivial\)")).click()
    expect(title(bob)).to_have_text(f"Review · {second}")


def test_a_reviewer_keeps_the_name_from_page_to_page_back_and_after_a_reload(
    address: str, open_page: OpenPage
) -> None:
    page = review(open_page, address, "grace")
    name = page.get_by_label("Reviewer")
    first = head(page)
    page.get_by_role("link", name="Heads", exact=True).click()
    expect(page).to_have_url(re.compile(r"/heads\?.*program="))
    page.keyboard.press("w")
    expect(page).to_have_url(re.compile(r"[?&]at="))
    page.reload()
    expect(page.locator("canvas[aria-label^=head]").first).to_be_visible()
    expect(name).to_have_value("grace")
    page.get_by_role("link", name="Overview", exact=True).click()
    page.locator(".st-key-next-step button").click()
    expect(title(page)).to_have_text(re.compile("^(Review|Hybrid)"))
    expect(page).to_have_url(re.compile(r"/(review|hybrid)\?.*reviewer=grace"))
    page.go_back()
    expect(title(page)).to_have_text(re.compile("^Overview"))
    expect(name).to_have_value("grace")
    page.get_by_role("link", name="Review", exact=True).click()
    expect(page).to_have_url(re.compile(r"/review\?reviewer=grace"))
    page.reload()
    expect(name).to_have_value("grace")
    assert head(page) == first
    name.fill("hopper")
    name.press("Enter")
    expect(page).to_have_url(re.compile("reviewer=hopper"))
    page.go_back()
    expect(name).to_have_value("grace")


@pytest.mark.parametrize(("decision", "word"), [("✕ Reject", "rejected"), ("✓ Accept", "accepted")])
def test_all_filtered_are_decided_and_undone_at_once(
    decision: str, word: str, address: str, open_page: OpenPage
) -> None:
    page = review(open_page, address, f"bulk-{word}")
    shown = ticket(page)
    page.get_by_role("button", name="Filter", exact=True).click()
    layers = page.get_by_role("slider", name="Layers")
    layers.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("4 in this queue")).to_be_visible()  # the last layer's four heads of twelve
    wait_for_another_ticket(page, shown)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Filter · 1")).to_be_visible()
    assert head(page).startswith("L2")
    page.get_by_role("button", name="All filtered").click()
    decide = page.get_by_role("button", name=f"{decision} 4")
    expect(decide).to_be_disabled()
    page.get_by_text("Yes, all 4").click()
    decide.click()
    expect(page.get_by_text(re.compile("^4 programs: .* One undo takes all of them back."))).to_be_visible()
    expect(last(page)).to_have_text(re.compile(rf"^last: (L2H\d . {word}( · )?){{4}}$"))
    page.keyboard.press("Escape")
    head(page)
    page.keyboard.press("Backspace")
    expect(page.get_by_text("4 decisions that were made at once are taken back.")).to_be_visible()
    expect(last(page)).to_have_text(re.compile("No decision yet"))


def test_a_reviewer_goes_on_after_the_server_was_restarted(workspace_copy: Path, open_page: OpenPage) -> None:
    with serve(workspace_copy) as address:
        page = review(open_page, address, "resumed", None)
        first = head(page)
        second = press(page, "a")
        shown = ticket(page)
    with serve(workspace_copy, port=int(address.rsplit(":", 1)[1])):
        expect(page.get_by_test_id("stConnectionStatus")).to_have_count(0)
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        wait_for_another_ticket(page, shown)  # the new server has drawn the page
        assert head(page) == second
        press(page, "x")
        expect(last(page)).to_have_text(f"last: {second} ✕ rejected · {first} ✓ accepted")


def pick(table: Locator, row: int, shown: Locator) -> None:
    """Click a row's box until what it picks is shown: a table that was drawn just now misses a click."""
    for _ in range(4):
        table.click(position={"x": 16, "y": 54 + 36 * row})
        try:
            expect(shown).to_be_visible(timeout=10_000)
            return
        except AssertionError:
            continue
    expect(shown).to_be_visible()


def test_the_library_compares_exports_and_takes_in(address: str, open_page: OpenPage, tmp_path: Path) -> None:
    page = review(open_page, address, "lib")
    press(page, "a")
    page.get_by_role("link", name="Library", exact=True).click()
    table = page.get_by_test_id("stDataFrame").first
    expect(table.locator("canvas").first).to_be_visible()
    one = page.get_by_text(re.compile(r"Fits \d+ of 12 heads"))
    pick(table, 0, one)
    expect(page).to_have_url(re.compile("program="))
    pick(table, 1, page.get_by_text(re.compile(r"IoU on L\dH\d, validation")))
    expect(page.locator("canvas[aria-label^='first − second']").first).to_be_visible()
    opened, listed = page.url, page.locator("[class*=st-key-library-table]:not([data-stale=true])")
    before = listed.get_attribute("class") or ""
    choose(page, "Order", "newest first")
    expect(listed).not_to_have_class(before)
    expect(page.get_by_text("Export and import")).to_be_visible()
    assert page.url == opened  # what was picked, not what is in these rows now
    pick(table, 5, one)
    expect(page).not_to_have_url(re.compile("and="))
    wait_until_settled(page)
    page.get_by_text("Export and import").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Decisions as JSON lines").click()
    decisions = tmp_path / "decisions.jsonl"
    download.value.save_as(decisions)
    with page.expect_download() as download:
        page.get_by_role("button", name="Report of the accepted programs").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    page.locator("input[type=file]").set_input_files(decisions)
    page.get_by_role("button", name="Take them in").click()
    expect(page.get_by_text("0 verdicts and 0 programs taken in")).to_be_visible()
    page.context.set_offline(True)
    alone = open_page(report.as_uri())
    expect(alone.get_by_role("heading", name="Accepted programs of")).to_be_visible()
    assert alone.evaluate("[...document.images].filter(one => one.naturalWidth > 0).length") >= 4
    assert alone.evaluate("[...document.images].every(one => one.naturalWidth > 0)")


def test_the_overview_says_what_to_do_next_and_leads_there(address: str, open_page: OpenPage) -> None:
    page = open_page(address)
    head_map = page.get_by_test_id("stVegaLiteChart").first
    cells = head_map.locator(".mark-rect path")
    choice = page.get_by_test_id("stButtonGroup")  # the help holds the same words
    fills = set()
    for colour, legend in COLOURS.items():
        choice.get_by_text(colour, exact=True).click()
        expect(head_map.get_by_text(legend, exact=True)).to_be_visible()
        fills.add(tuple(cells.evaluate_all("all => all.map(one => one.getAttribute('fill'))")))
    assert len(fills) == len(COLOURS)
    assert min(map(len, fills)) >= HEADS
    cells.first.focus()  # the map by keyboard
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    told = page.get_by_text(re.compile(r"^L1H1 · IoU \d\.\d\d"))
    expect(told).to_be_visible()
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("L1H1")
    page.go_back()
    sentence = page.get_by_text(re.compile("^(Next: |Every head)"))
    expect(sentence).to_be_visible()
    wanted = "Hybrid" if "accepted head" in sentence.inner_text() else "Review"
    page.locator(".st-key-next-step button").click()
    expect(title(page)).to_have_text(re.compile(f"^{wanted}"))
