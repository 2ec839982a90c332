"""Options of `data` and `training`: each is read by its place, and held against the limits of its type.

What is wrong is said in our words.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from functools import cache
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from segcompile.language.expressions import Values
from segcompile.language.words import Meant
from segcompile.network.training import MOST_PADDING, Loss, Training
from segcompile.text.errors import Diagnostic, fail, gathering, stop_on
from segcompile.text.source import Mapping, Node, describe

_T = TypeVar("_T")
Known = MappingOf[str, tuple[str, Callable[[Node, Values], Any]]]  # option -> its field, its reader


def read_options(node: Node | None, known: Known, values: Values) -> dict[str, Any]:
    """The fields of Training, or of Loss, that some options say."""
    if node is not None and not isinstance(node, Mapping):
        raise fail("SC004", f"options are {{name: value}}, not {describe(node)}", node.span, help=", ".join(known))
    found: dict[str, Any] = {}
    wrong: list[Diagnostic] = []
    for key, value in node.entries.values() if node is not None else ():
        with gathering(wrong):
            if key.text not in known:
                help = Meant("training", key.text, tuple(known), value, otherwise=f"known: {', '.join(known)}")
                raise fail("SC003", f"there is no option `{key.text}` here", key.span, help=help)
            name, read = known[key.text]
            found[name] = held(name, read(value, values), value)
    stop_on(wrong)
    return found


_DUE: MappingOf[str, tuple[str, str]] = {  # of a field: what it takes, and the help
    "lr": ("a learning rate is positive", "for example `lr: 1e-3`"),
    "momentum": ("a momentum is at least 0 and below 1", "for example `momentum: 0.9`"),
    "keep": ("a share is above 0 and at most 1", "half: `0.5`"),
    "padding": (f"at most {MOST_PADDING} pixels can be added", f"`reflect: {MOST_PADDING}`, or less"),
    "weight": ("a weight is positive", "leave out what shall not count"),
    "class_weights": ("numbers from 0 on are due here", "for example `class_weights: [0.5, 2]`"),
}
_USUAL = ("a number from 0 on is due here", "the least is `0`")


@cache
def _limits(name: str) -> TypeAdapter[Any]:
    """What a field of Training, or of Loss, can be."""
    kind = Loss if name in Loss.__annotations__ else Training
    return TypeAdapter(get_type_hints(kind, include_extras=True)[name])


def held(name: str, value: _T, node: Node) -> _T:
    """The value, if a field of Training, or of Loss, can have it. Raises SegcompileError (SC105)."""
    due, help = _DUE.get(name, _USUAL)
    try:
        _limits(name).validate_python(value)
    except ValidationError:
        raise fail("SC105", f"{due}, not {describe(node)}", node.span, help=help) from None
    return value
