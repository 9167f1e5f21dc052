"""Sources: whatever an audit names is in the bibliography, and what the docs link to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from core.audit import AUDITS

ROOT = Path(__file__).parents[2]
DOCS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def test_every_source_of_an_audit_is_in_the_bibliography_with_its_year() -> None:
    lines = (ROOT / "docs" / "bibliography.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    for audit in AUDITS.values():
        for source in audit.sources:
            title, year = re.match(r"(.+) \((\d{4})\)", source).groups()  # type: ignore[union-attr]
            (row,) = [row for row in rows if f"*{title}*" in row]
            years = {year, str(int(year) + 1)}  # of the preprint, or of the proceedings after it
            assert years & set(re.findall(r"\d{4}", row)), f"{audit.name}: {source}"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_between_the_docs_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_citation_has_what_the_format_asks_for() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= set(cited)
    assert cited["license"] == "Apache-2.0"
    (paper,) = cited["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["Hayes", "Li", "Andreas"]
    assert paper["identifiers"][0]["value"] == "arXiv:2606.19317"
