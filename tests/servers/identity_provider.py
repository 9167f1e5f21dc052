"""An OpenID Connect provider on loopback: discovery, a page to choose an account on, tokens, log-out."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

ACCOUNTS = ("ada@example.org", "bo@example.org")
CLIENT, SECRET = "headscript", "a-secret-of-the-client"


class IdentityProvider:
    """Knows two accounts and one client; a code works once, for whoever began with it."""

    def __init__(self) -> None:
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self._codes: dict[str, tuple[str, dict[str, str]]] = {}
        self._server = ThreadingHTTPServer(("localhost", 0), type("Handler", (_Handler,), {"owner": self}))
        self.address = f"http://localhost:{self._server.server_port}"

    def __enter__(self) -> IdentityProvider:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def secrets_toml(self, app: str) -> str:
        """What the README tells to write into `.streamlit/secrets.toml` of an app at this address."""
        return (
            f'[auth]\nredirect_uri = "{app}/oauth2callback"\ncookie_secret = "{secrets.token_hex(16)}"\n'
            f'client_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
            f'server_metadata_url = "{self.address}/.well-known/openid-configuration"\n'
        )

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "end_session_endpoint": f"{self.address}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def keys(self) -> dict[str, Any]:
        return dict(KeySet([self._key]).as_dict(private=False))

    def page(self, asked: dict[str, str]) -> str:
        """A link for each account, back to the app."""
        assert asked["client_id"] == CLIENT
        links = []
        for account in ACCOUNTS:
            code = secrets.token_hex(8)
            self._codes[code] = (account, asked)
            back = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            links.append(f'<p><a href="{escape(back)}">{account}</a></p>')
        return f"<h1>Choose an account</h1>{''.join(links)}"

    def tokens(self, form: dict[str, str]) -> dict[str, Any]:
        account, asked = self._codes.pop(form["code"])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        assert challenge.rstrip(b"=").decode() == asked["code_challenge"]
        assert form["redirect_uri"] == asked["redirect_uri"]
        now = int(time.time())
        claims = {
            "iss": self.address,
            "aud": CLIENT,
            "sub": hashlib.sha256(account.encode()).hexdigest()[:12],
            "email": account,
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 600,
        }
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self._key)
        return {"access_token": "unused", "token_type": "Bearer", "expires_in": 600, "id_token": signed}


class _Handler(BaseHTTPRequestHandler):
    owner: IdentityProvider

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(place.query).items()}
        if place.path == "/.well-known/openid-configuration":
            self._send(json.dumps(self.owner.discovery()))
        elif place.path == "/keys":
            self._send(json.dumps(self.owner.keys()))
        elif place.path == "/authorize":
            self._send(self.owner.page(asked), "text/html")
        elif place.path == "/end":
            self.send_response(302)
            self.send_header("location", asked["post_logout_redirect_uri"])
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if self.headers["authorization"] != f"Basic {known}":
            self.send_error(401)
        else:
            self._send(json.dumps(self.owner.tokens({name: values[0] for name, values in form.items()})))

    def _send(self, text: str, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(text.encode())
