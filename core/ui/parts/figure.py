"""A button that hands over what a page shows as a figure for paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from core.sharing.figures import FORMATS, Drawable, figure_bytes

_WIDTHS = {"column": 3.25, "page": 6.75}  # inches
_SIDE_BY_SIDE = 4  # names of figures


def draw_figure_button(
    figures: Mapping[str, Callable[[], Drawable]],
    file_name: str,
    key: str,
    pages: Mapping[str, Callable[[], str]] | None = None,
) -> None:
    """Options and a download; figures by what they show, made when they are asked for.

    `pages` are further forms, by their file name's ending, each of which gives its own text.
    """
    others = pages or {}
    with st.popover("Figure", icon=":material/image:", help="For a paper: PDF, SVG, PNG, or the numbers"):
        names = list(figures)
        name = names[0]
        if len(names) > _SIDE_BY_SIDE:
            name = st.selectbox("Of", names, key=f"{key}-of")
        elif len(names) > 1:
            name = st.segmented_control("Of", names, default=name, required=True, key=f"{key}-of")
        form = st.segmented_control(
            "Form", [*FORMATS, *others], default="pdf", required=True, key=f"{key}-form"
        )
        width = st.segmented_control(
            "Width", list(_WIDTHS), default="page", required=True, key=f"{key}-width",
            help=" · ".join(f"{word}: {inches} inches" for word, inches in _WIDTHS.items()),
        )  # fmt: skip
        font = st.slider("Letters, points", 5, 14, 8, key=f"{key}-font")

        def content() -> bytes:
            if form in others:
                return others[form]().encode()
            return figure_bytes(figures[name](), form, _WIDTHS[width], font)[0]

        st.download_button(
            "Download", content, f"{file_name}.{form}", icon=":material/download:", on_click="ignore",
            key=f"{key}-download",
        )  # fmt: skip
