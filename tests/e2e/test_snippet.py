"""The snippet in a real browser: what it draws, what it says, and that a hostile text stays text."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from core.sharing.snippet import Drawn, snippet

HOSTILE = "</script><script>parent.hit=hit=1</script><img src=x onerror=hit=1>"
TOKENS = ("The", HOSTILE, "\n", "&lt;b&gt;", '"')


def drawn(is_causal: bool = True) -> Drawn:
    head = np.tril(np.full((5, 5), 0.25)) if is_causal else np.full((5, 5), 0.2)
    program = np.zeros((5, 5))
    program[:, 0] = 1
    return Drawn(
        HOSTILE, TOKENS, head, program, HOSTILE, f'def attend(q, k):\n    """{HOSTILE}"""', is_causal
    )


def test_a_snippet_shows_weights_under_the_pointer_and_asks_nobody(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    place = tmp_path / "post.html"
    place.write_text(f'<meta charset="utf-8"><p>A post.</p>{snippet(drawn())}')
    page = open_page(place.as_uri())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    frame = page.frame_locator("iframe")
    maps, readout = frame.locator("canvas"), frame.locator(".readout")
    expect(maps).to_have_count(3)
    expect(frame.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(frame.locator("pre")).to_contain_text(HOSTILE)
    assert frame.locator(".tokens span").all_text_contents() == ["The", HOSTILE, "⏎\n", "&lt;b&gt;", '"']
    side = maps.first.bounding_box()["width"]  # type: ignore[index]
    maps.first.hover(position={"x": side * 0.1, "y": side * 0.5})
    expect(readout).to_have_text("⏎ → The head 0.250 program 1.000")
    maps.nth(2).hover(position={"x": side * 0.9, "y": side * 0.5})  # the masked future has no weight
    expect(readout).to_contain_text("Hover to look")
    maps.first.focus()
    page.keyboard.press("ArrowRight")
    expect(readout).to_have_text('" → " head 0.250 program 0.000')
    corner = "canvas => [...canvas.getContext('2d').getImageData(canvas.width - 3, 3, 1, 1).data]"
    assert maps.first.evaluate(corner)[3] == 0
    page.keyboard.press("Escape")
    pixel = "canvas => [...canvas.getContext('2d').getImageData(3, canvas.height - 3, 1, 1).data]"
    assert maps.nth(1).evaluate(pixel) == [255, 234, 70, 255]  # 1 in cividis
    dim = maps.first.evaluate(pixel)
    root = frame.get_by_label("square-root scale")
    root.click()  # the frame may keep nothing, and the switch works
    expect(root).not_to_be_checked()
    assert maps.first.evaluate(pixel) != dim
    assert page.evaluate("() => typeof hit") == "undefined"
    assert frame.locator("body").evaluate("() => typeof hit") == "undefined"
    assert asked == []
