"""Colours of words: legible on both themes, and dark in the middle of a dark page."""

import re

import pytest

from core.display import diverging


def luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def of_theme(colours: str, is_dark: bool) -> str:
    return re.findall(r"#\w{6}", colours)[is_dark]


@pytest.mark.parametrize("is_dark", [False, True])
def test_every_word_on_the_diverging_scale_can_be_read(is_dark: bool) -> None:
    for steps in range(-4, 5):
        background, ink = (of_theme(colours, is_dark) for colours in diverging(steps))
        assert contrast(background, ink) >= 4.5, steps


def test_the_middle_is_that_of_the_page() -> None:
    light, dark = (
        [luminance(of_theme(diverging(steps)[0], is_dark)) for steps in (0, 1, 4)] for is_dark in (0, 1)
    )
    assert light == sorted(light, reverse=True)
    assert dark == sorted(dark)
    assert dark[0] < 0.03
