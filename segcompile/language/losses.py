"""What is minimised: `loss`, of the section, a stage or a head, and `heads`."""

from __future__ import annotations

from typing import Any, get_args

from segcompile.language.data import read_ignored
from segcompile.language.expressions import Values, format_name
from segcompile.language.options import Known, held, read_options
from segcompile.language.values import read_number, read_option, read_word
from segcompile.network.selector import Selector
from segcompile.network.training import MOST_LOSSES, Head, Loss, LossKind, Reduction
from segcompile.text.errors import Diagnostic, Label, Span, fail, gathering, stop_on
from segcompile.text.source import Mapping, Node, Scalar, Sequence, counted, describe


def read_losses(node: Node, values: Values) -> dict[str, Any]:
    """The losses of the section or of a stage, and what one of them says of the pixels of all: `ignore`, `reduction`,
    `keep`."""
    read, found = _losses(node, values, {**_OWN, **_OF_ALL}), dict[str, Any]()
    first: dict[str, Span] = {}
    for loss, said in read:
        for name, value in said.items():
            if name in first:
                message = f"`{name}` is given twice: it is of all losses of the list"
                labels = [Label(first[name], "first here")]
                raise fail("SC002", message, loss.places[name], labels=labels, help="write it in one of them")
            found[name], first[name] = value, loss.places[name]
    return {"losses": tuple(loss for loss, _ in read), **found}


def _losses(node: Node, values: Values, known: Known) -> list[tuple[Loss, dict[str, Any]]]:
    """The losses of a list, or the only one, with what each says for all. `known`: the options of a cross entropy."""
    if isinstance(node, Mapping) and len(node.entries) > 1:
        several = ", ".join(f"{{{word}: ...}}" for word in list(node.entries)[:3])
        raise fail("SC004", f"a loss is one word, not {counted(node)}", node.span, help=f"several: `[{several}]`")
    items = node.items if isinstance(node, Sequence) else (node,)
    if not 0 < len(items) <= MOST_LOSSES:
        message = f"one to {MOST_LOSSES} losses are due here, not a list of {len(items)}"
        raise fail("SC105", message, node.span, help="for example `loss: [cross_entropy, {dice: 0.5}]`")
    found: list[tuple[Loss, dict[str, Any]]] = []
    wrong: list[Diagnostic] = []
    for item in items:
        with gathering(wrong):
            found.append(_one(item, values, known))
    stop_on(wrong)
    return found


def _one(node: Node, values: Values, known: Known) -> tuple[Loss, dict[str, Any]]:
    """`dice`, `{dice: 0.5}`, whose number is its weight, or `{dice: {weight: 0.5, at: score}}`."""
    word, options = read_option(node)
    kind: Any = read_word(word, get_args(LossKind), "loss")
    if isinstance(options, Scalar):
        return Loss(kind, _weight(options, values), span=word.span, places={"weight": options.span}), {}
    said = read_options(options, known if kind == "cross_entropy" else _OWN, values)
    places = {key.text: key.span for key, _ in options.entries.values()} if isinstance(options, Mapping) else {}
    own = {name: said.pop(name) for name in _OWN if name in said}
    return Loss(kind, **own, span=word.span, places=places), said


def _weight(node: Node, values: Values) -> float:
    return held("weight", read_number(node, values), node)


def _class_weights(node: Node, values: Values) -> tuple[float, ...] | str:
    """A list of numbers, a class each, or `balanced`."""
    if isinstance(node, Scalar):
        return read_word(node, ("balanced",), "class_weights")
    if not isinstance(node, Sequence):
        help = "for example `class_weights: [0.5, 2]`, in the order of the classes"
        raise fail("SC004", f"a list of numbers is due here, not {describe(node)}", node.span, help=help)
    weights = tuple(held("class_weights", (read_number(item, values),), item)[0] for item in node.items)
    if not any(weights):
        message = f"a weight above 0 is due among these, not {counted(node)} without one"
        raise fail("SC105", message, node.span, help="for example `class_weights: [0.5, 2]`")
    return weights


def _at(node: Node, values: Values) -> Selector:
    if not isinstance(node, Scalar) or not node.text:
        raise fail("SC004", f"the name of a layer is due here, not {counted(node)}", node.span, help="`at: score`")
    return Selector(format_name(node, values), node.span)


_OWN: Known = {
    "weight": ("weight", read_number),
    "class_weights": ("class_weights", _class_weights),
    "at": ("at", _at),
}
_OF_ALL: Known = {
    "ignore": ("ignore", read_ignored),
    "reduction": ("reduction", lambda node, values: read_word(node, get_args(Reduction), "reduction")),
    "keep": ("keep", read_number),
}


# --- heads -----------------------------------------------------------------------------------------------------------


def read_heads(node: Node, values: Values) -> tuple[Head, ...]:
    """The heads that are trained, by their names; `checks.losses` says which of these there are."""
    if not isinstance(node, Mapping) or not node.entries:
        help = "for example `heads: {main: 1, aux: 0.4}`"
        raise fail("SC004", f"`heads` is {{output: weight}}, not {counted(node)}", node.span, help=help)
    found: list[Head] = []
    wrong: list[Diagnostic] = []
    for key, value in node.entries.values():
        with gathering(wrong):
            if isinstance(value, Mapping):
                found.append(Head(key.text, key.span, **read_options(value, _OF_A_HEAD, values)))
            else:
                found.append(Head(key.text, key.span, _weight(value, values)))
    stop_on(wrong)
    return tuple(found)


_OF_A_HEAD: Known = {
    "weight": ("weight", read_number),
    "loss": ("losses", lambda node, values: tuple(loss for loss, _ in _losses(node, values, _OWN))),
}
