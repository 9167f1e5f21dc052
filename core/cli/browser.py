"""The command `app`: Headscript in the browser, from a checkout or an installed package."""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import Parameter

from core.cli.options import whole_number
from core.cli.session import Given
from core.errors import HeadscriptError
from core.settings import Accounts, Settings
from core.types import Bounds


def app(
    *,
    port: Annotated[int, whole_number("where it answers", Bounds(least=1, most=65535))] = 8501,
    no_browser: Annotated[bool, Parameter(help="open none")] = False,
    settings: Given,
) -> None:
    """Open the app in the browser.

    Streamlit's own options are read from the environment, such as STREAMLIT_SERVER_ADDRESS; accounts from
    HEADSCRIPT_OIDC_CLIENT_ID and its like (docs/serving.md).

    Example: python -m core app --workspace study --port 8600
    """
    accounts = Accounts.read(os.environ)
    os.environ.update(environment_of(settings))
    for name in Accounts.NAMES.values():
        os.environ.pop(name, None)  # no worker sees them
    with TemporaryDirectory(prefix="headscript-") as folder:
        written = [] if accounts is None else [f"--secrets.files={_secrets(Path(folder), accounts)}"]
        options = [f"--server.port={port}", f"--server.headless={str(no_browser).lower()}", *written]
        sys.argv = ["streamlit", "run", str(script()), *options]
        runpy.run_module("streamlit", run_name="__main__")


def script() -> Path:
    """What Streamlit runs: the checkout's app.py, or the installed package's.

    Raises HeadscriptError if there is neither.
    """
    root = Path(__file__).resolve().parents[2]
    for place in (root / "headscript_app" / "app.py", root / "app.py"):
        if place.is_file():
            return place
    raise HeadscriptError(f"there is no app beside {root / 'core'}; install Headscript again")


def environment_of(settings: Settings) -> Mapping[str, str]:
    """The settings of a command line, as the app reads them."""
    return {
        "HEADSCRIPT_WORKSPACE": str(settings.workspace),
        "HEADSCRIPT_DEVICE": settings.device,
        "HEADSCRIPT_DTYPE": settings.dtype,
        "HEADSCRIPT_DEVICE_MAP": settings.device_map or "",
    }


def secrets_toml(accounts: Accounts) -> str:
    """The section `[auth]` of Streamlit's secrets; what TOML and JSON call a string is the same."""
    lines = (f"{name} = {json.dumps(getattr(accounts, name), ensure_ascii=False)}" for name in accounts.NAMES)
    return "\n".join(["[auth]", *lines, ""])


def _secrets(folder: Path, accounts: Accounts) -> Path:
    """The secrets as a file that nobody else reads."""
    path = folder / "secrets.toml"
    path.touch(mode=0o600)
    path.write_text(secrets_toml(accounts))
    return path
