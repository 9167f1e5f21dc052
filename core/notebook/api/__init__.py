"""A read-only JSON API over a workspace, beside the app that holds it. Needs requirements-serve.txt.

api(Snapshots(folder), settings)     an ASGI application; `serve` runs it
"""

from core.notebook.api.server import LOOPBACK, api
from core.notebook.api.snapshots import Snapshots

__all__ = ["LOOPBACK", "Snapshots", "api"]
