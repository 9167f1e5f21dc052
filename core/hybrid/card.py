"""What a shipped hybrid says of itself: a model card in Markdown and a picture of its curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from core.display import COSTS, CostWords, capitalised
from core.language import PlainProgram, describe
from core.scoring import program_of
from core.types import HeadId, HybridSpec, ModelInfo

_WIDTH, _HEIGHT, _MARGIN = 560, 300, 48
_COLOURS = ("#35608d", "#e08214", "#5aae9c", "#8073ac", "#c7b25c", "#9aa3b2", "#b35806", "#1b7837")
_HIGHEST = 3.0  # of the increases drawn: +300 %; what is above runs off the top


_NOT_SHOWN = (
    "",
    "## What this does not show",
    "",
    "Costs are of the passages that were measured; other texts and longer ones may cost more. A program says "
    "where a head looked, not what it wrote or why. That it costs little in a hybrid is no proof that it "
    "explains its head: many heads do little, and later layers make up for what is lost. Headscript's "
    "`docs/not-shown.md` says more.",
)


def model_card(
    info: ModelInfo,
    spec: HybridSpec,
    figures: Mapping[str, Any],
    curve: Mapping[str, Any] | None = None,
    parents: Mapping[HeadId, str] | None = None,
    audited: Mapping[HeadId, str] | None = None,
) -> str:
    """Markdown with the figures, the curve and every head's program in a sentence.

    `parents` names the program that a head's constants were fitted from, `audited` says what audits call it
    or that program; both by head.
    """
    fitted, said = parents or {}, audited or {}
    total = info.head_count
    parsed = [(head, program_of(source)) for head, source in spec.programs]
    described = [(head, describe(program)) for head, program in parsed]
    lookahead = sum(found.lookahead for _, found in described)
    looking = sum(bool(program.looks) for _, program in parsed)
    lines = [
        f"# {info.title} with {len(spec.programs)} of {total} attention heads as programs",
        "",
        f"Base model: {_cell(info.name)} ({_cell(info.id)}). Made with Headscript, whose method follows "
        "*Explaining Attention with Program Synthesis* (Hayes, Li, Andreas 2026, arXiv 2606.19317).",
        "The programs are in `programs/`, one short Python function a head. Load the hybrid with "
        '`core.hybrid.load_hybrid("this folder")`, or `load_hybrid("this folder", model="...")` where the '
        "model has another name or lies in a folder.",
        "",
        "| figure | value |",
        "| --- | --- |",
        *(f"| {name} | {_shown(name, value)} |" for name, value in figures.items()),
        "",
        f"{lookahead} of the programs read text to the right of a token, so the figures above let "
        "them see the whole passage; a model that generates left to right cannot."
        if lookahead
        else "No program reads text to the right of a token.",
        "",
    ]
    if looking:
        lines += [
            f"{looking} of the programs look at other heads: each reads that head's program where the hybrid "
            "replaces it, and the model's own attention where it does not.",
            "",
        ]
    if plain := sum(isinstance(program, PlainProgram) for _, program in parsed):
        lines += [
            f"{plain} of the programs are plain Python of other people: the hybrid runs only on machines "
            "whose kernel locks them in (Linux with Landlock and seccomp).",
            "",
        ]
    if curve:
        lines += [*_curve_lines(curve), ""]
    lines += ["## Heads", "", "| head | program | fitted from | audited |", "| --- | --- | --- | --- |"]
    lines += [
        f"| [{head}](programs/{head}.py) | {_cell(found.sentence)} | {_cell(fitted.get(head, ''))} "
        f"| {_cell(said.get(head, 'not audited'))} |"
        for head, found in described
    ]
    return "\n".join([*lines, *_NOT_SHOWN]) + "\n"


def _curve_lines(curve: Mapping[str, Any]) -> list[str]:
    """The curve as a picture and a table, with what it was measured on."""
    rows, words = curve["rows"], COSTS[str(curve.get("measure", "next tokens"))]
    cost = "increase" if words.perplexity else words.short
    kind = {True: "control", False: "programs"}
    return [
        f"## {capitalised(words.perplexity or words.distance)} against share of heads replaced",
        "",
        "![curve](curve.svg)",
        "",
        f"{_cell(str(curve['title']))}, before any calibration: {curve['passages']} passages, "
        f"{curve['tokens']} {words.tokens}, {_cell(str(curve['passages_from']))}. Controls stand in the "
        f"place of the heads that go first by {_cell(str(rows[0]['order']))}, and explain nothing.",
        "",
        f"| order | kind | share | {cost} |",
        "| --- | --- | --- | --- |",
        *(
            f"| {_cell(row['order'])} | {kind[row['control']]} | {row['share']:.0%} | {_cost(row, words)} |"
            for row in rows
        ),
    ]


def _cost(row: Mapping[str, Any], words: CostWords) -> str:
    return f"{row['increase']:+.1%}" if words.perplexity else f"{row['kl']:.3f}"


def _shown(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:+.1%}" if name in ("increase", "low", "high") else f"{value:.4g}"
    return _cell(str(value))


def _cell(text: str) -> str:
    """Text that stays in its table cell and is not read as Markdown or HTML."""
    plain = escape(" ".join(text.split()), quote=False)
    return "".join("\\" + c if c in "|`*_[]\\" else c for c in plain)


def curve_svg(curve: Sequence[Mapping[str, Any]], measure: str = "next tokens") -> str:
    """Increase of perplexity, or distance, against share, a line for each order."""
    name, form = ("increase", "+.0%") if COSTS[measure].perplexity else ("kl", ".2f")
    top = min(_HIGHEST, max([0.05, *(float(row[name]) for row in curve)]))
    orders = list(dict.fromkeys(str(row["order"]) for row in curve))

    def place(share: float, increase: float) -> str:
        x = _MARGIN + share * (_WIDTH - 2 * _MARGIN)
        y = _HEIGHT - _MARGIN - min(increase, top) / top * (_HEIGHT - 2 * _MARGIN)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 120} {_HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<polyline fill="none" stroke="#555" points="{place(0, top)} {place(0, 0)} {place(1, 0)}"/>',
        f'<text x="4" y="{_MARGIN}">{top:{form}}</text><text x="4" y="{_HEIGHT - _MARGIN}">0</text>',
        f'<text x="{_WIDTH / 2 - 60}" y="{_HEIGHT - 12}">share of heads replaced, 0 to 100 %</text>',
    ]
    for at, order in enumerate(orders):
        rows = sorted((row for row in curve if row["order"] == order), key=lambda row: float(row["share"]))
        points = " ".join(place(float(row["share"]), float(row[name])) for row in rows)
        colour = _COLOURS[at % len(_COLOURS)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        parts.append(
            f'<text x="{_WIDTH - 30}" y="{_MARGIN + 16 * at}" fill="{colour}">{escape(order)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
