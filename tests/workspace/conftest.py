"""What tests of pages share."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def installed_components() -> None:
    """Looked for once, not by every page that is opened."""
    from tests.scanned import scan_once

    scan_once()
