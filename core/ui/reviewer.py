"""Who reviews: the account that is logged in where accounts are configured, else the name in the sidebar."""

from __future__ import annotations

import getpass

import streamlit as st


def has_accounts() -> bool:
    """Whether `.streamlit/secrets.toml` has an [auth] section for OpenID Connect."""
    return bool(st.secrets.load_if_toml_exists() and st.secrets.get("auth"))


def account() -> str | None:
    """The name of the account that is logged in."""
    if not has_accounts() or not st.user.is_logged_in:
        return None
    return str(st.user.get("email") or st.user.get("name") or st.user.get("sub"))


def draw_reviewer() -> None:
    """The reviewer in the sidebar: a name to type, or the account with its way out."""
    if not has_accounts():
        # In the address, so that a reload finds the same reviewer and their queue again.
        st.text_input("Reviewer", value=_user(), key="reviewer", bind="query-params")
    elif (name := account()) is not None:
        st.caption("Reviewer")
        st.text(name)
        st.button("Log out", on_click=st.logout, icon=":material/logout:", key="log-out")
    else:
        st.caption("Decisions are kept under your account.")
        st.button("Log in", on_click=st.login, icon=":material/login:", key="log-in")


def reviewer() -> str:
    """Who decides."""
    return (account() or str(st.session_state.get("reviewer") or "")).strip() or "me"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "me"
