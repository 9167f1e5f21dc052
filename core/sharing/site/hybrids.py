"""A site's pages of hybrids: figures, curve, card."""

from __future__ import annotations

from core.sharing.site.content import Content
from core.sharing.site.folder import SiteFolder
from core.sharing.site.pages import Pages
from core.store import Workspace


def write_hybrids(workspace: Workspace, content: Content, pages: Pages, folder: SiteFolder) -> None:
    """The list and a page a hybrid, where there are any."""
    curve = workspace.hybrids.curve(content.model.id)
    if not content.hybrids and curve is None:
        return
    from core.hybrid.card import curve_svg  # imports transformers
    from core.sharing.hybrid_folder import card_of

    rows = [] if curve is None else list(curve.rows)
    if curve is not None and rows:
        folder.write("assets/curve.svg", curve_svg([vars(row) for row in rows], curve.measure))
    folder.write("hybrids.html", pages.page("hybrids", hybrids=content.hybrids, curve=curve, rows=rows))
    for hybrid in content.hybrids:
        made = workspace.hybrids.made(hybrid["id"])
        assert made is not None
        card = card_of(workspace, content.model, hybrid["id"])
        page = pages.page("hybrid", root="../", hybrid=hybrid, made=made, card=card, has_curve=bool(rows))
        folder.write(f"hybrids/{hybrid['id']}.html", page)
        folder.write(f"hybrids/{hybrid['id']}.md", card)
