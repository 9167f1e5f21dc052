"""A client of an SDK whose replies have a size and calls an end, whatever the service does.

A service, or what stands before it, may send for ever, a byte a second, or a few bytes that unpack to
gigabytes; it may ask to be left alone for a month. The SDKs bound the silence between two bytes and no more.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

MAX_REPLY = 2**24  # bytes, unpacked; a reply of MAX_OUTPUT tokens has some ten thousand
MAX_RESULTS = 2**28  # of all replies of a batch
LONGEST_PAUSE = 60.0  # seconds that a service may ask to be left alone for
_NO_LIMIT = 600.0  # seconds of a call that names none
_ASKED = "pause_asked_for"


def bounded(client: type[Any]) -> Callable[..., Any]:
    """A class of httpx clients with limits: of a reply's bytes, and its read timeout for a call in all.

    What passes a limit is an error of that httpx, as a connection that broke.
    """
    return type("Bounded", (_Bounded, client), {})


def asked_pause(response: Any) -> str:
    """What to tell of a service that asked for a longer pause than it gets; empty if it did not."""
    asked = getattr(response, "extensions", {}).get(_ASKED)
    return f" (it asks for a pause of {asked:g} s; it gets {LONGEST_PAUSE:g} s)" if asked else ""


class _Bounded:
    """What is asked of a client before its own class is."""

    def send(self, request: Any, **options: Any) -> Any:
        """The whole response, read within the limits. A redirect, which would take the key along, is one."""
        limit = (request.extensions.get("timeout") or {}).get("read") or _NO_LIMIT
        options |= {"stream": True, "follow_redirects": False}
        until = time.monotonic() + limit
        call = _Call(lambda: _whole(super(_Bounded, self).send(request, **options), request, until))  # type: ignore[misc]
        call.start()
        call.join(limit)
        if call.is_alive():  # it ends by itself once the service is silent or has sent too much
            raise _httpx(request).ReadTimeout(f"no whole reply within {limit:g} s", request=request)
        return call.outcome()


class _Call(threading.Thread):
    """A call that nobody has to wait for."""

    def __init__(self, run: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._run = run
        self._response: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Keep what the call gives, or how it fails."""
        try:
            self._response = self._run()
        except BaseException as error:
            self._error = error

    def outcome(self) -> Any:
        """The response, or the error."""
        if self._error is not None:
            raise self._error
        return self._response


def _whole(response: Any, request: Any, until: float) -> Any:
    """A response with its content, unpacked; its pause is one that can be waited for."""
    most = MAX_RESULTS if request.url.path.endswith("/results") else MAX_REPLY
    content = bytearray()
    try:
        for part in response.iter_bytes():
            content += part
            if len(content) > most:
                raise _httpx(request).ReadError(f"the reply has more than {most:,} bytes", request=request)
            if time.monotonic() > until:
                raise _httpx(request).ReadTimeout("the reply took too long", request=request)
    finally:
        response.close()
    headers = response.headers.copy()
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    extensions = {**response.extensions, _ASKED: _shorten_pause(headers)}
    whole = type(response)(
        response.status_code, headers=headers, content=bytes(content), request=request, extensions=extensions
    )
    whole.elapsed = response.elapsed
    return whole


def _shorten_pause(headers: Any) -> float | None:
    """Seconds that were asked for, if that is more than LONGEST_PAUSE, which then takes their place."""
    asked = [_seconds(headers.get("retry-after")), _seconds(headers.get("retry-after-ms")) / 1000]
    if not max(asked) > LONGEST_PAUSE:
        return None
    headers.pop("retry-after-ms", None)
    headers["retry-after"] = str(LONGEST_PAUSE)
    return max(asked)


def _seconds(said: str | None) -> float:
    """A number of seconds, 0 if it is none; a date counts as too long, since clocks differ."""
    if said is None:
        return 0.0
    try:
        number = float(said)
    except ValueError:
        return math.inf
    return 0.0 if math.isnan(number) else number


def _httpx(request: Any) -> Any:
    """The package that a request is of: SDKs differ."""
    return sys.modules[type(request).__module__.partition(".")[0]]
