"""A site's pages of hybrids: figures, curve, card."""

from __future__ import annotations

from core.sharing.figures import figure_bytes, made
from core.sharing.site.content import Content
from core.sharing.site.folder import SiteFolder
from core.sharing.site.pages import Pages
from core.store import Workspace


def write_hybrids(workspace: Workspace, content: Content, pages: Pages, folder: SiteFolder) -> None:
    """The list and a page a hybrid, where there are any."""
    curve = workspace.hybrids.curve(content.model.id)
    if not content.hybrids and curve is None:
        return
    from core.sharing.hybrid_folder import card_of  # imports transformers

    rows = [] if curve is None else list(curve.rows)
    if curve is not None and rows:
        folder.write(
            "assets/curve.svg", figure_bytes(made.curve(workspace, content.model), "svg", 6.75, 9)[0]
        )
    folder.write("hybrids.html", pages.page("hybrids", hybrids=content.hybrids, curve=curve, rows=rows))
    shown = {card.head for card in content.plan.cards}
    for hybrid in content.hybrids:
        built = workspace.hybrids.made(hybrid["id"])
        assert built is not None
        card = card_of(workspace, content.model, hybrid["id"])
        page = pages.page(
            "hybrid", root="../", hybrid=hybrid, made=built, card=card, pages=shown, has_curve=bool(rows)
        )
        folder.write(f"hybrids/{hybrid['id']}.html", page)
        folder.write(f"hybrids/{hybrid['id']}.md", card)
