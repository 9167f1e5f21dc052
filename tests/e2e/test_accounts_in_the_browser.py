"""Reviewers with accounts: an OpenID Connect provider, a real browser, each decision under its account."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from core.store import Workspace
from tests.e2e.conftest import serve
from tests.servers.identity_provider import ACCOUNTS, IdentityProvider
from tests.servers.ports import free_port

OpenPage = Callable[..., Page]


def test_each_decision_is_kept_under_the_account_that_is_logged_in(
    workspace_copy: Path, open_page: OpenPage, tmp_path: Path
) -> None:
    port = free_port()
    with IdentityProvider() as provider:
        secrets = tmp_path / "secrets.toml"
        secrets.write_text(provider.secrets_toml(f"http://localhost:{port}"))
        with serve(workspace_copy, port, secrets) as address:
            page = open_page(f"{address}/review?reviewer=mallory")
            expect(page.get_by_text("decisions are kept under your account").first).to_be_visible()
            expect(page.locator("button[data-name=accept]")).to_have_count(0)
            heads = {account: accept_as(page, account) for account in ACCOUNTS}
    assert decided(workspace_copy) == heads


def accept_as(page: Page, account: str) -> str:
    """Log in, accept the first card with its key, log out; the head's name."""
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name=account).click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_text(account)).to_be_visible()
    page.get_by_role("link", name="Review", exact=True).click()
    expect(page.locator("button[data-name=accept]")).to_be_enabled()
    head = page.get_by_role("heading", level=1).inner_text().removeprefix("Review · ")
    page.keyboard.press("a")
    expect(page.get_by_text(f"last: {head} ✓ accepted")).to_be_visible()
    assert "example.org" not in page.url
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    return head


def decided(folder: Path) -> dict[str, str]:
    """Each reviewer's one decision."""
    workspace = Workspace.open(folder)
    found = workspace.verdicts.opinions(workspace.models.all()[0].id)
    workspace.close()
    assert len(found) == len(ACCOUNTS)
    return {verdict.reviewer: str(verdict.head) for verdict in found}
