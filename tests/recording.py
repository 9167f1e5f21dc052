"""The README's pictures of the real app: the stage as an animated WebP, a page as a PNG.

    python -m tests.recording WORKSPACE OUT.webp
    python -m tests.recording WORKSPACE OUT.png --page "heads?layer=7&head=3&at=12.5"

Starts the app on the workspace, which nobody else may hold. Of the stage it opens `?stage=1` in Chromium and
steps through the five scenes, pointing at what each is about. Needs no network once the model is there.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

from tests.e2e.conftest import CHROMIUM
from tests.servers.ports import free_port

WINDOW = {"width": 1280, "height": 720}
PAGE = {"width": 1360, "height": 1000}  # of a picture, pixels
COLOURS = 256  # of a picture: its text stays sharp, and it is half as large
FRAME = (960, 540)  # pixels of the recording
SECONDS = 40
QUALITY = 62
_WALK = ((0.2, 0.12), (0.45, 0.3), (0.7, 0.55), (0.95, 0.8))  # of a map: down, across
_IS_ANOTHER = "(before) => document.querySelector('h1')?.innerText !== before"
Frame = tuple[Image.Image, float]  # a picture, and the seconds it stands in relation to the others


def main() -> None:
    """Write the recording, or the picture, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--head", default="", help="of the stage, such as L7H3; the app's own choice unless given"
    )
    parser.add_argument("--page", default="heads", help="of a picture: the page and its address")
    given = parser.parse_args()
    is_picture = given.out.suffix == ".png"
    with app_on(given.workspace) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(
            viewport=PAGE if is_picture else WINDOW, color_scheme="light", reduced_motion="reduce"
        )
        page.set_default_timeout(600_000)  # the model is loaded, and writes
        if is_picture:
            page.goto(f"{address}/{given.page}")
            page.locator("canvas").first.wait_for()
            _still(page, given.out)
        else:
            page.goto(f"{address}/?stage=1&head={given.head}")
            frames = list(_scenes(page))
            _write(given.out, frames)
        browser.close()
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.2f} MB")


def _scenes(page: Page) -> Iterator[Frame]:
    title = page.locator("h1")
    title.wait_for()
    for scene in range(1, 6):
        yield _picture(page), 3
        canvases = page.locator("canvas")
        if scene in (1, 2):
            for down, across in _WALK:
                _point(page, canvases.first, down, across)
                yield _picture(page), 1
            page.mouse.move(1, 1)
        yield _picture(page), 2 if scene < 4 else 4
        if scene < 5:
            before = title.inner_text()
            page.keyboard.press("Space")
            page.wait_for_function(_IS_ANOTHER, arg=before)


def _point(page: Page, canvas: Locator, down: float, across: float) -> None:
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])


def _picture(page: Page) -> Image.Image:
    page.wait_for_timeout(900)  # what was asked for is drawn
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return picture.resize(FRAME, Image.Resampling.LANCZOS)


def _still(page: Page, out: Path) -> None:
    """The page once nothing of it changes any more."""
    before = b""
    while (shown := page.screenshot()) != before:
        before = shown
        page.wait_for_timeout(3000)  # a run of the page takes less
    picture = Image.open(io.BytesIO(shown)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)


def _write(out: Path, frames: list[Frame]) -> None:
    total = sum(share for _, share in frames)
    pictures = [picture for picture, _ in frames]
    durations = [round(1000 * SECONDS * share / total) for _, share in frames]
    pictures[0].save(
        out, save_all=True, append_images=pictures[1:], duration=durations, loop=0, quality=QUALITY, method=6
    )


@contextmanager
def app_on(workspace: Path) -> Iterator[str]:
    """The app in a process of its own, as a user starts it; yields its address."""
    port = free_port()
    options = ["--server.headless=true", f"--server.port={port}"]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options]
    environment = os.environ | {"HEADSCRIPT_WORKSPACE": str(workspace)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            address = f"http://localhost:{port}"
            while True:
                assert server.poll() is None, "the app did not start"
                with suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
                    break
                sleep(0.2)
            yield address
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
