"""Options of `data` and `training`: each is read by its place, and held against the limits of its type.

What is wrong is said in our words.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import fields
from typing import Any, TypeVar

from pydantic import ValidationError

from segcompile.language.expressions import Values
from segcompile.language.words import Meant
from segcompile.network.training import Loss, Training
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


_LIMITS: MappingOf[str, tuple[str, str]] = {  # of a field: what it takes, and the help
    "lr": ("a learning rate is positive", "for example `lr: 1e-3`"),
    "momentum": ("a momentum is at least 0 and below 1", "for example `momentum: 0.9`"),
    "keep": ("a share is above 0 and at most 1", "half: `0.5`"),
    "weight": ("a weight is positive", "leave out what shall not count"),
    "class_weights": ("numbers from 0 on are due here", "for example `class_weights: [0.5, 2]`"),
}
_USUAL = ("a number from 0 on is due here", "the least is `0`")
_OF_A_LOSS = frozenset(field.name for field in fields(Loss))


def held(name: str, value: _T, node: Node) -> _T:
    """The value, if a field of Training, or of Loss, can have it. Raises SegcompileError (SC105)."""
    due, help = _LIMITS.get(name, _USUAL)
    kind = Loss if name in _OF_A_LOSS else Training
    within(lambda: kind(**{name: value}), due, node, help)  # type: ignore[arg-type]
    return value


def within(make: Callable[[], _T], due: str, node: Node, help: str) -> _T:
    """What is made of a value between the limits of its type. Raises SegcompileError (SC105)."""
    try:
        return make()
    except ValidationError:
        raise fail("SC105", f"{due}, not {describe(node)}", node.span, help=help) from None
