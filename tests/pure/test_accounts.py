"""Accounts by the environment: all of it or nothing, and what Streamlit reads is what was set."""

import tomllib

import pytest

from core.cli.browser import secrets_toml
from core.errors import SettingsError
from core.settings import Accounts

GIVEN = {
    "HEADSCRIPT_OIDC_REDIRECT_URI": "https://headscript.example.org/oauth2callback",
    "HEADSCRIPT_OIDC_COOKIE_SECRET": 'quotes " and \\ and\nlines, ünïcode 🔑 "]\n[other]',
    "HEADSCRIPT_OIDC_CLIENT_ID": "headscript",
    "HEADSCRIPT_OIDC_CLIENT_SECRET": "s3cret",
    "HEADSCRIPT_OIDC_METADATA_URL": "https://id.example.org/.well-known/openid-configuration",
}


def test_streamlit_reads_what_was_set() -> None:
    accounts = Accounts.read(GIVEN)
    assert accounts is not None
    assert tomllib.loads(secrets_toml(accounts)) == {
        "auth": {
            "redirect_uri": GIVEN["HEADSCRIPT_OIDC_REDIRECT_URI"],
            "cookie_secret": GIVEN["HEADSCRIPT_OIDC_COOKIE_SECRET"],
            "client_id": "headscript",
            "client_secret": "s3cret",
            "server_metadata_url": GIVEN["HEADSCRIPT_OIDC_METADATA_URL"],
        }
    }
    assert "s3cret" not in repr(accounts)


def test_a_part_of_the_accounts_names_what_is_missing() -> None:
    assert Accounts.read({}) is None
    assert Accounts.read(dict.fromkeys(GIVEN, "")) is None
    lacking = {name: value for name, value in GIVEN.items() if "CLIENT_SECRET" not in name}
    with pytest.raises(SettingsError, match="need HEADSCRIPT_OIDC_CLIENT_SECRET as well"):
        Accounts.read(lacking)
