"""The application: its routes, who may ask, and under which name."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.middleware.trustedhost import TrustedHostMiddleware

from core import __version__
from core.errors import HeadscriptError
from core.notebook.api.answers import Problem
from core.notebook.api.page import described
from core.notebook.api.routes import of_model, router
from core.notebook.api.snapshots import Snapshots
from core.settings import Settings

_BEARER = HTTPBearer(auto_error=False, description="the value of HEADSCRIPT_TOKEN")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_ABOUT = (
    "What a workspace of Headscript holds, for scripts: read only, as it was a few seconds ago at most, also "
    "while the app runs. A number that is not known is null."
)


def api(snapshots: Snapshots, settings: Settings, hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """The API over a workspace.

    It answers under these names alone (`*` for any); where the settings have a token, only to who brings it.
    """
    guarded: dict[str, Any] = {}
    if settings.token:
        told = {"model": Problem, "description": "The token was not brought"}
        guarded = {"dependencies": [Depends(_require_token)], "responses": {401: told}}
    app = FastAPI(
        title="Headscript",
        version=__version__,
        description=_ABOUT,
        openapi_url=None,  # FastAPI's own pages ask other hosts for their scripts
        **guarded,
    )
    app.state.snapshots, app.state.settings = snapshots, settings
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.middleware("http")(_with_headers)
    app.add_exception_handler(HeadscriptError, _told)
    app.include_router(router)
    app.include_router(of_model)
    app.get("/openapi.json", include_in_schema=False)(app.openapi)
    app.get("/", include_in_schema=False, response_class=HTMLResponse)(lambda: described(app.openapi()))
    return app


def _require_token(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> None:
    """Lets nobody pass who does not bring the token."""
    brought = "" if given is None else given.credentials
    if not secrets.compare_digest(brought.encode(), request.app.state.settings.token.encode()):
        how = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(401, "give the token as `Authorization: Bearer TOKEN`", how)


async def _with_headers(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await go_on(request)
    response.headers.update(_HEADERS)
    return response


def _told(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)
