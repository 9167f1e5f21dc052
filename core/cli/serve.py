"""The command `serve`: a read-only JSON API over the workspace, also while the app holds it."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Annotated

from cyclopts import Parameter

from core.cli.options import whole_number
from core.cli.session import Given
from core.errors import SettingsError
from core.settings import Settings
from core.types import Bounds

_LEAST_TOKEN = 16  # letters


def serve(
    *,
    port: Annotated[int, whole_number("where it answers", Bounds(least=1, most=65535))] = 8600,
    host: Annotated[
        str,
        Parameter(
            help="the address that it listens on; any but this machine's own needs a token", metavar="HOST"
        ),
    ] = "127.0.0.1",
    settings: Given,
) -> None:
    """Answer scripts as a read-only JSON API, also while the app runs.

    / describes it, /openapi.json as OpenAPI. Where $HEADSCRIPT_TOKEN is set, every request has to bring it as
    `Authorization: Bearer TOKEN`.

    Example: python -m core serve --port 8600
    """
    _require_token(host, settings)
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise SettingsError(f"serve needs {' and '.join(missing)}: pip install -r requirements-serve.txt")
    import uvicorn

    from core.notebook.api import LOOPBACK, Snapshots, api

    with _listening(host, port) as listening:
        snapshots = Snapshots(settings.workspace)
        shown = f"[{host}]" if ":" in host else host
        print(
            f"http://{shown}:{port} answers for {settings.workspace}, read only", file=sys.stderr, flush=True
        )
        try:
            app = api(snapshots, settings, LOOPBACK if is_loopback(host) else ("*",))
            config = uvicorn.Config(app, log_level="warning", server_header=False)
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # asked to end, it removes its copy too
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(sockets=[listening])
        finally:
            snapshots.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises SettingsError where none can."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error


def _require_token(host: str, settings: Settings) -> None:
    """Raises SettingsError where anybody could ask, or guess the token."""
    if settings.token is not None and len(settings.token) < _LEAST_TOKEN:
        raise SettingsError(f"HEADSCRIPT_TOKEN is shorter than {_LEAST_TOKEN} letters; take a random one")
    if settings.token is None and not is_loopback(host):
        raise SettingsError(
            f"whoever reaches {host} could read the workspace; put a random token into HEADSCRIPT_TOKEN, or "
            "leave out --host"
        )
