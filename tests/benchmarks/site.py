"""How long a site takes to write, how large it is, how quick its pages are from disk, and whom they ask.

    python -m tests.benchmarks.site WORKSPACE OUT [--heads 12]

Wanted of the demo: written in 60 s, 25 MB, a page usable within 1 s, and nothing asked of anyone else. The
first page counts as usable when an arrow key on its map is answered, a head's when the numbers of a weight
that its address names stand there. Of heads so many are opened, evenly spread, and every page that is opened
is held against the rules of accessibility in both themes. The workspace is only read.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from core.sharing.site import plan_site, write_site
from core.store import Workspace
from core.types import SiteOptions
from tests.e2e.conftest import _FLAGS, CHROMIUM

SECONDS_WANTED, BYTES_WANTED, USABLE_WANTED = 60, 25_000_000, 1.0
TRIES = 7  # of the first page, each in a browser's context of its own: nothing is kept from the one before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--heads", type=int, default=12)
    given = parser.parse_args()
    write(given.workspace, given.out)
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)

        def fresh() -> Page:
            page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
            page.on("request", lambda one: asked.append(one.url))
            return page

        report("first page", [first_page(fresh(), given.out) for _ in range(TRIES)])
        heads = sorted((given.out / "heads").glob("*.html"))
        heads = heads[:: max(1, len(heads) // given.heads)]
        report("a head's page", [head_page(fresh(), path) for path in heads])
        pages = [*sorted(given.out.glob("*.html")), *heads, *sorted(given.out.glob("hybrids/*.html"))]
        broken = [fault for path in pages for fault in faults(fresh(), path)]
        browser.close()
    print(f"{len(pages)} pages in both themes: {len(broken)} faults of accessibility", *broken, sep="\n    ")
    own = (given.out.resolve().as_uri(), "blob:", "data:", "about:")
    away = [url for url in asked if not url.startswith(own)]
    print(f"{len(asked)} requests, {len(away)} to anything outside", *away, sep="\n    ")


def write(workspace: Path, out: Path) -> None:
    """Write the site, and say what that took and how large it is."""
    opened = Workspace.open(workspace)
    start, worked = time.perf_counter(), time.process_time()
    plan = plan_site(opened, opened.models.all()[0], SiteOptions())
    write_site(opened, plan, out)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    opened.close()
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"written in {seconds:.1f} s, {worked:.1f} s of a core (wanted {SECONDS_WANTED})")
    print(f"{size / 1e6:.1f} MB, said before: {plan.in_words} (wanted {BYTES_WANTED / 1e6:.0f} MB)")


def first_page(page: Page, out: Path) -> float:
    """Seconds from its address to an answer of its map."""
    start = time.perf_counter()
    page.goto((out.resolve() / "index.html").as_uri())
    page.locator(".map a").first.focus()
    page.keyboard.press("ArrowRight")
    page.locator("#readout", has_text="IoU").wait_for()
    return _until_now(start, page)


def head_page(page: Page, path: Path) -> float:
    """Seconds from an address that names a weight to the numbers under it."""
    start = time.perf_counter()
    page.goto(f"{path.resolve().as_uri()}#/1/3.2")
    page.locator("#why .pair").wait_for()
    return _until_now(start, page)


def _until_now(start: float, page: Page) -> float:
    seconds = time.perf_counter() - start
    page.context.close()
    return seconds


def faults(page: Page, path: Path) -> list[str]:
    """What of a page breaks a rule of accessibility, in either theme."""
    found = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.goto(path.resolve().as_uri())
        broken = Axe().run(page, options={"preload": False}).response["violations"]
        found += [f"{path.name}, {theme}: {one['id']} {one['nodes'][0]['html'][:120]}" for one in broken]
    page.context.close()
    return found


def report(what: str, times: list[float]) -> None:
    """Median and worst."""
    print(
        f"{what}  median {statistics.median(times):.2f} s  worst {max(times):.2f} s (wanted {USABLE_WANTED})"
    )


if __name__ == "__main__":
    main()
