"""Options out of frozen dataclasses: each field that says what it is (`core.types.option`) is an option.

Several dataclasses may share an option, such as the budget of two proposers: it then appears once, and what
is not given is left to the default of the dataclass that takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields, make_dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any, get_type_hints

from cyclopts import Argument, Group, Parameter, Token

from core.errors import HeadscriptError
from core.types import Bounds

Given = dict[str, Any]  # options by field name, as far as they were given


def number(text: str, bounds: Bounds) -> Parameter:
    """An option that is a number within bounds."""
    return Parameter(help=f"{text} ({bounds})", validator=_within(bounds), metavar="X")


def whole_number(text: str, bounds: Bounds) -> Parameter:
    """An option that is a whole number within bounds; 2.5 is none."""
    return Parameter(help=f"{text} ({bounds})", validator=_within(bounds), converter=_whole, metavar="N")


def exactly_one(group: str) -> Group:
    """A group of options of which one has to be given."""

    def check(arguments: Sequence[Argument]) -> None:
        given = [argument.name for argument in arguments if argument.tokens]
        names = _either([argument.name for argument in arguments])
        if len(given) > 1:
            raise ValueError(f"{given[1]} is not allowed with {given[0]}. Give one of {names}.")
        if not given:
            raise ValueError(f"Give one of {names}.")

    return Group(group, validator=check, sort_key=1)


def options_of(groups: Mapping[Group, type], within: Mapping[str, Group] | None = None) -> Any:
    """An annotation that takes the options of these dataclasses, each in its group.

    `within` puts single options, by field name, into other groups. What arrives has an attribute an option,
    None where it was not given; None if none was.
    """
    takers: dict[str, list[tuple[Group, Field[Any], Any]]] = {}
    for group, kind in groups.items():
        hints = get_type_hints(kind)
        for part in (part for part in fields(kind) if "help" in part.metadata):
            taker = ((within or {}).get(part.name, group), part, hints[part.name])
            takers.setdefault(part.name, []).append(taker)
    parts = [(name, _annotation(shared), dataclass_field(default=None)) for name, shared in takers.items()]
    # Without its module cyclopts takes it for a type of the standard library, which has no options.
    made = make_dataclass("Options", parts, frozen=True, kw_only=True, namespace={"__module__": __name__})
    return Annotated[made | None, Parameter(name="*")]


def given(options: Any) -> Given:
    """The options that were given, by field name."""
    if options is None:
        return {}
    return {
        part.name: value for part in fields(options) if (value := getattr(options, part.name)) is not None
    }


def made_of(kind: type[Any], taken: Given, who: str, **rest: Any) -> Any:
    """A dataclass of options, with its own defaults for those not given.

    Raises HeadscriptError if `who` does not take one of them.
    """
    known = {part.name for part in fields(kind) if "help" in part.metadata}
    for name in taken:
        if name not in known:
            takes = ", ".join(map(_flag, sorted(known)))
            raise HeadscriptError(f"{who} has no option {_flag(name)}; it has {takes}")
    return kind(**taken, **rest)


def _annotation(takers: Sequence[tuple[Group, Field[Any], Any]]) -> Any:
    """One option for all that take it: the help of the first, the groups and defaults of all."""
    _, first, hint = takers[0]
    defaults = dict.fromkeys(_shown(part.default) for _, part, _ in takers)
    shown = " or ".join(text for text in defaults if text)
    bounds: Bounds | None = first.metadata["bounds"]
    text = first.metadata["help"]
    common: dict[str, Any] = {"group": [group for group, _, _ in takers], "show_default": _constantly(shown)}
    if first.default is True:  # what there is unless it is switched off
        common["negative"] = f"--no-{_flag(first.name).removeprefix('--')}"
    if bounds is None:
        return Annotated[hint | None, Parameter(help=text, **common)]
    build = whole_number if hint is int else number
    return Annotated[hint | None, build(text, bounds), Parameter(**common)]


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _constantly(text: str) -> bool | Callable[[Any], str]:
    return (lambda _: text) if text else False


def _shown(default: object) -> str:
    if default is None or default is False:
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _within(bounds: Bounds) -> Callable[[Any, Any], None]:
    def check(_: Any, value: float | None) -> None:
        if value is not None and (problem := bounds.problem(value)):
            raise ValueError(f"{problem}.")

    return check


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text} is not a whole number") from None
