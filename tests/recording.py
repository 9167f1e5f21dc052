"""Record the stage of the real app as an animated WebP: `python -m tests.recording WORKSPACE OUT.webp`.

Starts the app on the workspace, which nobody else may hold, opens `?stage=1` in Chromium and steps through
the five scenes, pointing at what each is about. Needs no network once the model is there.
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
FRAME = (960, 540)  # pixels of the recording
SECONDS = 40
QUALITY = 62
_WALK = ((0.2, 0.12), (0.45, 0.3), (0.7, 0.55), (0.95, 0.8))  # of a map: down, across
_IS_ANOTHER = "(before) => document.querySelector('h1')?.innerText !== before"
Frame = tuple[Image.Image, float]  # a picture, and the seconds it stands in relation to the others


def main() -> None:
    """Write the recording and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--head", default="", help="such as L7H3; the app's own choice unless given")
    given = parser.parse_args()
    with app_on(given.workspace) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=WINDOW, color_scheme="light", reduced_motion="reduce")
        page.set_default_timeout(600_000)  # the model is loaded, and writes
        page.goto(f"{address}/?stage=1&head={given.head}")
        frames = list(_scenes(page))
        browser.close()
    _write(given.out, frames)
    print(f"{given.out}: {len(frames)} pictures, {SECONDS} s, {given.out.stat().st_size / 1e6:.2f} MB")


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
            page.wait_for_function(
                "(before) => document.querySelector('h1')?.innerText !== before", arg=before
            )


def _point(page: Page, canvas: Locator, down: float, across: float) -> None:
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])


def _picture(page: Page) -> Image.Image:
    page.wait_for_timeout(900)  # what was asked for is drawn
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return picture.resize(FRAME, Image.Resampling.LANCZOS)


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
