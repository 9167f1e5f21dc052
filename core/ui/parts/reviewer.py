"""Who reviews: the account that is logged in where accounts are configured, else the name in the sidebar."""

from __future__ import annotations

import getpass

import streamlit as st

from core.display import LONGEST_NAME, one_spelling

_WRITTEN = "reviewer-written"  # the name that the address was last given


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
        _follow_address()
        st.text_input("Reviewer", key="reviewer", max_chars=LONGEST_NAME, persist_state="session")
    elif (name := account()) is not None:
        st.caption("Reviewer")
        st.text(name)
        st.button("Log out", on_click=st.logout, icon=":material/logout:", key="log-out")
    else:
        st.caption("Decisions are kept under your account.")
        st.button("Log in", on_click=st.login, icon=":material/login:", key="log-in")


def reviewer() -> str:
    """Who decides; where no name is given, whoever runs the server, as in an empty field."""
    name = (account() or str(st.session_state.get("reviewer") or "")).strip() or _user()
    return one_spelling(name)[:LONGEST_NAME]


def in_address() -> dict[str, str]:
    """What an address says of the reviewer: nothing of an account, nor of who runs the server."""
    name = reviewer()
    return {} if has_accounts() or name == _user() else {"reviewer": name}


def keep_in_address() -> None:
    """Name the reviewer in the address, so that a reload finds the same reviewer and their queue again."""
    told = in_address()
    if not told:
        st.query_params.pop("reviewer", None)
    elif st.query_params.get("reviewer") != told["reviewer"]:
        st.query_params.update(told)
    st.session_state[_WRITTEN] = told.get("reviewer")


def _follow_address() -> None:
    """Take over a name in an address that was opened or gone back to; one without a name changes nobody."""
    given = st.query_params.get("reviewer")
    if given and given != st.session_state.get(_WRITTEN):
        st.session_state["reviewer"] = given
    st.session_state.setdefault("reviewer", _user())


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "me"
