"""Loading the model before anybody asks for it, while nothing else is to be done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event

import psutil
import streamlit as st

from core.errors import HeadscriptError
from core.types import ModelInfo
from core.ui.parts import background, state

QUIET = 4.0  # seconds without a page being drawn
_BYTES = 4 * 3  # a parameter's, and as much again twice over while it is loaded


class Warming:
    """A thread that calls `warm` once, with what was last named, when it is quiet and `may` says so."""

    def __init__(
        self, warm: Callable[[ModelInfo], object], may: Callable[[ModelInfo], bool], quiet: float = QUIET
    ) -> None:
        self._warm, self._may, self._quiet = warm, may, quiet
        self._model: ModelInfo | None = None
        self._drawn = time.monotonic()
        self._over = Event()
        self.thread = background.begin(self._run, "warming")

    def note(self, model: ModelInfo | None) -> None:
        """A page is drawn, of this model."""
        self._model, self._drawn = model, time.monotonic()

    def stop(self) -> None:
        """Warm nothing any more."""
        self._over.set()

    def _run(self) -> None:
        while background.pause(self._quiet / 4) and not self._over.is_set():
            model = self._model
            if model is None or time.monotonic() - self._drawn < self._quiet:
                continue
            try:
                if not self._may(model):
                    continue
                self._warm(model)
            except (HeadscriptError, OSError) as error:  # said when somebody asks for the model
                logging.getLogger(__name__).info("the model was not loaded ahead of time: %s", error)
            return


def may_warm(model: ModelInfo) -> bool:
    """Whether no job runs and the memory is there several times over."""
    return state.running_job() is None and psutil.virtual_memory().available > _BYTES * model.parameters


@st.cache_resource(show_spinner=False)
def warming(_warm: Callable[[ModelInfo], object]) -> Warming | None:
    """One a server, of what it was first called with; None where it is switched off."""
    return Warming(_warm, may_warm) if state.owner().settings.warms else None
