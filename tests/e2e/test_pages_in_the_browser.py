"""What only a browser shows: deep links, canvases, keys."""

import re
import shutil
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, TimeoutError, expect

from tests.conftest import call_core
from tests.e2e.conftest import serve
from tests.e2e.controls import wait_until_settled

OpenPage = Callable[..., Page]
FAINT = (Path(__file__).parent / "faint_text.js").read_text()


def test_a_deep_link_as_the_servers_first_visit_opens_that_head(
    workspace_copy: Path, open_page: OpenPage
) -> None:
    with serve(workspace_copy) as address:
        page = open_page(f"{address}/heads?layer=2&head=1")
        expect(page.get_by_role("heading", level=1)).to_have_text("L2H1")
        expect(page.get_by_role("link", name="Overview", exact=True)).to_be_visible()


def test_the_overview_has_an_address_by_name_also_as_the_servers_first_visit(
    workspace_copy: Path, open_page: OpenPage
) -> None:
    with serve(workspace_copy) as address:
        for _ in range(2):
            page = open_page(f"{address}/overview?reviewer=ada")
            expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Overview ·"))
            expect(page).to_have_url(f"{address}/?reviewer=ada")
            expect(page.get_by_text("Page not found")).to_have_count(0)
            expect(page.get_by_role("link", name="Overview", exact=True)).to_have_count(1)


SIZES = ((640, 360), (1280, 720), (2560, 1440))  # the first is the second, magnified to 200 %
FITS = """() => {
    const page = document.querySelector("[data-testid=stMain]"); // scrolls itself, the document never
    return page.scrollWidth <= page.clientWidth + 1;
}"""


# Which of the two colour schemes the app has taken on.
SCHEME = "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme"
# Whom everything that was loaded came from, the icon and what the page names among it.
HOSTS = """() => [
    ...performance.getEntriesByType("resource").map((one) => one.name),
    ...[...document.querySelectorAll("link[href], img[src], a[href]")].map((one) => one.href || one.src),
].map((address) => new URL(address).host)"""
# Asks another host for a picture, and tells whether the page's own policy was what refused it.
REFUSES = """() => new Promise((tell) => {
    document.addEventListener("securitypolicyviolation", (event) => tell(event.effectiveDirective));
    new Image().src = "https://example.org/picture.png";
})"""


PAGES = ("", "heads", "circuit", "synthesize", "audit", "review", "hybrid", "library")


def faint(page: Page) -> list[str]:
    """Words that can hardly be read; styles may arrive a moment after the words."""
    try:
        page.wait_for_function(f"() => ({FAINT})().length === 0")
    except TimeoutError:
        return page.evaluate(FAINT)
    return []


def broken(page: Page, *rules: str) -> list[tuple[str, list[str]]]:
    """Which of these rules of access, or of all, the page breaks, and where."""
    everything = {"rules": {"target-size": {"enabled": True}}}
    asked = {"runOnly": {"type": "rule", "values": rules}} if rules else everything
    found = Axe().run(page, options={"preload": False, **asked}).response["violations"]
    places = [(rule["id"], [one["html"] for one in rule["nodes"]]) for rule in found]
    return [place for place in places if not is_excepted(*place)]


def is_excepted(rule: str, places: list[str]) -> bool:
    """Whether these are small cells and numbers of a map of heads: fields beside it do what they do."""
    return rule == "target-size" and all(re.search('class="(cell|label)', place) for place in places)


@pytest.mark.parametrize("page_name", PAGES)
def test_no_page_shows_an_error_scrolls_sideways_writes_faintly_or_breaks_a_rule_of_access(
    page_name: str, address: str, open_page: OpenPage
) -> None:
    width, height = SIZES[0]
    page = open_page(f"{address}/{page_name}", width, height, color_scheme="dark")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    wait_until_settled(page)
    assert page.evaluate(SCHEME) == "dark"
    expect(page.get_by_test_id("stException")).to_have_count(0)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(FITS)
    assert faint(page) == []
    assert broken(page) == []
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"() => ({SCHEME})() === 'light'")
    assert faint(page) == []
    assert broken(page, "color-contrast") == []
    assert {host for host in page.evaluate(HOSTS) if host} == {address.removeprefix("http://")}
    policy = page.locator("meta[http-equiv=Content-Security-Policy]")
    expect(policy).to_be_attached()  # a component brings it, which on a first visit comes after the words
    assert page.evaluate(REFUSES) == "img-src"


# Boxes of the names above the histogram, and of its bars.
BOXES = """() => {
    const box = (one) => one.getBoundingClientRect().toJSON();
    const boxes = (found) => [...document.querySelectorAll(found)].map(box);
    const chart = "[data-testid=stVegaLiteChart]:has(.mark-rule)";
    return [boxes(`${chart} .role-mark.mark-text text`), boxes(`${chart} .mark-rect path`)];
}"""


def test_published_means_are_named_above_the_bars_and_an_upload_is_a_named_group(
    address: str, open_page: OpenPage
) -> None:
    page = open_page(address, 1280, 720)
    expect(page.get_by_role("heading", name="How well programs fit")).to_be_visible()
    expect(page.locator(".mark-rule path, .mark-rule line").first).to_be_attached()
    names, bars = page.evaluate(BOXES)
    assert len(names) == 5  # four models and the mean here
    assert bars
    assert max(name["bottom"] for name in names) <= min(bar["top"] for bar in bars)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            is_beside = one["right"] <= other["left"] or other["right"] <= one["left"]
            assert is_beside or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]
    page.get_by_text("Another model or corpus", exact=True).click()
    field = page.get_by_test_id("stFileUploaderDropzone")
    expect(field).to_have_role("group")
    told = field.get_by_text("PARQUET")
    assert told.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    assert broken(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("page_name", PAGES)
def test_no_page_breaks_a_rule_of_access_at_any_size_with_data_or_without(
    page_name: str, calibrated: str, unfilled: str, open_page: OpenPage
) -> None:
    for address in (calibrated, unfilled):
        for theme in ("light", "dark"):
            page = open_page(f"{address}/{page_name}", *SIZES[0], color_scheme=theme)
            for width, height in (*SIZES, (1920, 1080)):
                page.set_viewport_size({"width": width, "height": height})
                expect(page.get_by_role("heading", level=1)).to_be_visible()
                wait_until_settled(page)
                assert broken(page) == [], (address == unfilled, theme, width)


@pytest.fixture(scope="module")
def calibrated(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on a workspace with a hybrid and the course of its calibration."""
    copy = Path(shutil.copytree(built, tmp_path_factory.mktemp("calibrated") / "workspace"))
    call_core("hybrid", "--share", "0.25", "--order", "iou", "--calibrate", workspace=copy).check_returncode()
    with serve(copy) as address:
        yield address


@pytest.fixture(scope="module")
def unfilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on an empty workspace."""
    with serve(tmp_path_factory.mktemp("unfilled") / "workspace") as address:
        yield address


def test_what_goes_to_the_browser_is_compressed(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Extensions": "permessage-deflate",
        "Origin": address,
    }
    connection = HTTPConnection(host, int(port), timeout=60)
    connection.request("GET", "/_stcore/stream", headers=upgrade)
    answer = connection.getresponse()
    connection.close()
    assert answer.status == 101
    assert "permessage-deflate" in answer.headers["Sec-WebSocket-Extensions"]


def test_one_key_steps_through_the_stage_and_another_back(address: str, open_page: OpenPage) -> None:
    page = open_page(f"{address}/?stage=1&head=L2H1", 1280, 720)
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("L2H1: what does it look at?")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    last = page.get_by_role("button", name="5 A hybrid that writes")
    expect(last).to_be_visible()  # which comes with the keys
    wait_until_settled(page)
    page.keyboard.press("Space")
    expect(title).to_have_text("L2H1: its program")
    page.keyboard.press("PageDown")
    expect(title).to_contain_text("Why does")
    assert "scene=3" in page.url
    page.keyboard.press("PageUp")
    expect(title).to_have_text("L2H1: its program")
    page.keyboard.press("5")
    expect(title).to_contain_text("the model still writes")
    expect(last).to_have_attribute("aria-current", "step")
    assert page.evaluate(FAINT) == []
    assert page.evaluate(FITS)
    page.reload()
    expect(title).to_contain_text("the model still writes")
