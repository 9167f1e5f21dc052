"""The description of the API as a page to read, made here: no script, and nothing from another host."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --text: #1b2130; --page: #fff; --panel: #f3f5f9; --line: #d9dee8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6eaf2; --page: #11151d; --panel: #1a202b; --line: #2d3646; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 900px;
  margin: 2rem auto; padding: 0 1rem; }
h2 { font: 600 1rem ui-monospace, monospace; margin: 1.8rem 0 .2rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .1rem 1rem .1rem 0; font-weight: normal;
  border-bottom: 1px solid var(--line); }
code { background: var(--panel); padding: 0 .2rem; } a { color: inherit; }
"""


def described(schema: Mapping[str, Any]) -> str:
    """The page of an OpenAPI schema."""
    info, types = schema["info"], schema["components"]["schemas"]
    asked = "".join(
        _operation(path, word, operation, types)
        for path, item in schema["paths"].items()
        for word, operation in item.items()
    )
    answered = "".join(_type(name, one) for name, one in types.items() if "properties" in one)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(info["title"])}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{_text(info['title'])} {_text(info['version'])}</h1>"
        f'<p>{_text(info["description"])} <a href="openapi.json">openapi.json</a></p>'
        f"{asked}<h1>Answers</h1>{answered}</body></html>\n"
    )


def _operation(path: str, word: str, operation: Mapping[str, Any], types: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th><code>{_text(one['name'])}</code></th><td>{_text(one['in'])}</td>"
        f"<td>{_text(_kind(one['schema'], types))}</td><td>{_text(one.get('description', ''))}</td></tr>"
        for one in operation.get("parameters", [])
    )
    ((kind, content),) = operation["responses"]["200"]["content"].items()
    answer = _text(_kind(content["schema"]))
    if kind != "application/json":
        answer = _text(f"{kind}: {operation['responses']['200']['description']}")
    return (
        f"<h2>{_text(word.upper())} {_text(path)}</h2><p>{_text(operation.get('description', ''))} "
        f"→ {answer}</p><table>{rows}</table>"
    )


def _type(name: str, schema: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th><code>{_text(field)}</code></th><td>{_text(_kind(one))}</td>"
        f"<td>{_text(one.get('description', ''))}</td></tr>"
        for field, one in schema["properties"].items()
    )
    return f"<h2>{_text(name)}</h2><p>{_text(schema.get('description', ''))}</p><table>{rows}</table>"


def _kind(schema: Mapping[str, Any], types: Mapping[str, Any] | None = None) -> str:
    """A type in words, such as `[Score]` or `number or null`; one of `types` by what it holds."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return name if types is None else _kind(types[name])
    if "anyOf" in schema:
        return " or ".join(_kind(one, types) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_kind(schema['items'])}]"
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("type", "anything"))


def _text(words: str) -> str:
    return escape(words)
