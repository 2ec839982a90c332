"""The section `data` -> what the labels of each head's masks mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, KeysView
from collections.abc import Mapping as MappingOf
from typing import Any

from segcompile.language.derive import Document
from segcompile.language.expressions import Values, names_in
from segcompile.language.values import read_natural
from segcompile.network.data import (
    CLASS_NAME,
    COLOUR,
    MOST_HEADS,
    MOST_IGNORED,
    MOST_LABEL,
    MOST_RENAMED,
    Class,
    Data,
    Ignored,
    Labels,
    Renamed,
)
from segcompile.network.graph import Graph
from segcompile.text.errors import (
    Diagnostic,
    Label,
    SegcompileError,
    fail,
    gathering,
    near_one,
    stop_on,
)
from segcompile.text.source import Mapping, Node, Scalar, Sequence, counted, describe

_Written = tuple[Node | None, ...]  # for one head: its classes, what is ignored, its map
_Classes = tuple[Class, ...]


def read_data(
    document: Document, values: Values, graph: Graph, outputs: Iterable[str], wrong: list[Diagnostic]
) -> Data:
    """The document's `data`, of a network, as far as it can be read; what is wrong in it goes to `wrong`. `outputs`: as
    they are written, also those that could not be read."""
    section, heads = document.section("data"), dict.fromkeys((*graph.outputs, *outputs))
    if section is None:
        return Data()
    written: dict[str, MappingOf[str, Node]] = {}
    for key, (_, node) in section.entries.items():
        with gathering(wrong):
            written[key] = _by_head(key, node, heads.keys())
    read: dict[_Written, Labels] = {}
    found: dict[str, Labels] = {}
    for head in heads:
        nodes: _Written = tuple(written.get(key, {}).get(head) for key in _READERS)
        if nodes not in read:
            read[nodes] = Labels()  # where they cannot be read, which is told once
            with gathering(wrong):
                read[nodes] = _labels(nodes, values)
        found[head] = read[nodes]
    return Data(found, {key.text: key.span for key, _ in section.entries.values()})


def _by_head(key: str, node: Node, outputs: KeysView[str]) -> MappingOf[str, Node]:
    """Head -> what is written for it under a key of the section; what is written once is of all heads."""
    entries = node.entries if isinstance(node, Mapping) else {}
    if not any(name in outputs or not isinstance(value, Scalar) for name, (_, value) in entries.items()):
        return dict.fromkeys(outputs, node)
    if len(entries) > MOST_HEADS:
        message = f"`{key}` has {len(entries):,} heads of its own; {MOST_HEADS} is the most"
        raise fail("SC111", message, node.span, help="what is written once is of all heads")
    for name, (head, _) in entries.items():
        if name not in outputs:
            message = f"the network has no output {describe(head)}"
            raise fail("SC102", message, head.span, help=near_one(name, outputs))
    return {name: value for name, (_, value) in entries.items()}


def _labels(written: _Written, values: Values) -> Labels:
    """What is written for one head, under each of the keys."""
    found: dict[str, Any] = {}
    wrong: list[Diagnostic] = []
    for node, (key, read) in zip(written, _READERS.items(), strict=True):
        with gathering(wrong):
            found[key] = read(node, values, found.get("classes", ())) if node is not None else ()
        if "classes" not in found:  # whose names the other keys may say
            break
    stop_on(wrong)
    return Labels(**found)


# --- classes ---------------------------------------------------------------------------------------------------------

_CLASSES = 'for example `classes: [road, {sky: "#4682b4"}]`'


def _classes(node: Node, values: Values, _: _Classes) -> tuple[Class, ...]:
    """The classes of a list, each with another name and another colour."""
    if not isinstance(node, Sequence) or not node.items:
        raise fail("SC004", f"a list of names is due here, not {counted(node)}", node.span, help=_names_of(node))
    names, colours = dict[str, Class](), dict[str, Class]()
    wrong: list[Diagnostic] = []
    for item in node.items:
        with gathering(wrong):
            each = _class(item, values)
            if each.name in names:
                labels = [Label(names[each.name].span, "first here")]
                raise fail("SC002", f"there is already a class `{each.name}`", each.span, labels=labels)
            names[each.name] = each
            if each.colour in colours:
                first = colours[each.colour]
                message = f"`{each.name}` has the colour of `{first.name}`, {each.colour}"
                raise fail("SC002", message, each.span, labels=[Label(first.span, "first here")], help="change one")
            if each.colour:
                colours[each.colour] = each
    stop_on(wrong)
    return tuple(names.values())


def _names_of(node: Node) -> str:
    """The help where a list of classes is due: the names that are written, as a list."""
    names = list(node.entries) if isinstance(node, Mapping) else []
    fit = 0 < len(names) <= 20 and all(re.fullmatch(CLASS_NAME, name) for name in names)
    return f"write `classes: [{', '.join(names)}]`" if fit else _CLASSES


def _class(node: Node, values: Values) -> Class:
    """`road` or `{sky: "#4682b4"}`."""
    if isinstance(node, Mapping) and len(node.entries) == 1:
        ((name, colour),) = node.entries.values()
    elif isinstance(node, Scalar):
        name, colour = node, None
    else:
        raise fail(
            "SC004", f"a class is a name, or a name and its colour, not {counted(node)}", node.span, help=_CLASSES
        )
    if not re.fullmatch(CLASS_NAME, name.text):
        message = f"{describe(name)} cannot be a class's name: a letter first, at most 64 characters"
        raise fail("SC114", message, name.span, help=_CLASSES)
    if name.text in values:
        message = f"`{name.text}` cannot be a class's name: it is a parameter"
        raise fail("SC114", message, name.span, help="give one of them another name")
    if isinstance(colour, Scalar) and not colour.text:
        help = f'in quotes, `{name.text}: "#4682b4"`: without them it is a comment'
        raise fail("SC012", f"the colour of `{name.text}` is missing", name.span, help=help)
    return Class(name.text, name.span, _colour(colour) if colour is not None else "")


def _colour(node: Node) -> str:
    """`"#4682b4"`, in small letters."""
    text = node.text.lower() if isinstance(node, Scalar) else ""
    if not re.fullmatch(COLOUR, text):
        meant = _meant_colour(node)
        help = f'write `"{meant}"`' if meant else 'for example `"#4682b4"`'
        raise fail("SC004", f'a colour, `"#rrggbb"`, is due here, not {describe(node)}', node.span, help=help)
    return text


def _meant_colour(node: Node) -> str | None:
    """The colour that something else can only mean: `4682b4`, `#48b`, `[70, 130, 180]`."""
    if isinstance(node, Sequence) and len(node.items) == 3:
        parts = [item.text if isinstance(item, Scalar) else "" for item in node.items]
        shades = [int(part) for part in parts if re.fullmatch("[0-9]{1,3}", part) and int(part) < 256]
        return "#" + "".join(f"{shade:02x}" for shade in shades) if len(shades) == 3 else None
    text = node.text.lower().removeprefix("#").removeprefix("0x") if isinstance(node, Scalar) else ""
    doubled = "".join(2 * digit for digit in text) if len(text) == 3 else text
    return f"#{doubled}" if re.fullmatch(COLOUR, f"#{doubled}") else None


# --- labels ----------------------------------------------------------------------------------------------------------

_NAMED = re.compile(r"class:([0-9]{1,9})")
_MAP = 'for example `map: {254: 1, "#800000": 2}`'


def read_ignored(node: Node, values: Values, classes: _Classes | None = None) -> tuple[Ignored, ...]:
    """The labels of a list, or the only one. `classes`: those that may be written by their names; None for numbers
    alone."""
    items = node.items if isinstance(node, Sequence) else (node,)
    if not 0 < len(items) <= MOST_IGNORED:
        message = f"one to {MOST_IGNORED} labels are due here, not {counted(node)}"
        raise fail("SC105", message, node.span, help="for example `ignore: [255, class:0]`")
    labels = _labels_of(classes) if classes is not None else None
    found: list[Ignored] = []
    wrong: list[Diagnostic] = []
    for item in items:
        with gathering(wrong):
            named = _NAMED.fullmatch(item.text) if isinstance(item, Scalar) else None
            label = int(named[1]) if named else _class_of(item, labels, values) if labels is not None else None
            read = read_natural(item, values) if label is None else label
            found.append(Ignored(_label(read, item), label is not None, item.span))
    stop_on(wrong)
    return tuple(found)


def _label(number: int, node: Node) -> int:
    if number >= MOST_LABEL:
        message = f"a label is below {MOST_LABEL}, not {describe(node)}"
        raise fail("SC105", message, node.span, help=f"the largest is `{MOST_LABEL - 1}`")
    return number


def _labels_of(classes: _Classes) -> dict[str, int]:
    return {each.name: label for label, each in enumerate(classes)}


def _class_of(node: Node, classes: MappingOf[str, int], values: Values) -> int | None:
    """The label of the class that is named; None for a number. Raises SegcompileError (SC115) for a name of none."""
    text = node.text if isinstance(node, Scalar) else ""
    if text in classes:
        return classes[text]
    if text[:1].isalpha() and names_in(text).isdisjoint(values):
        help = near_one(text, classes, "its classes:") if classes else "`classes` has the names"
        raise fail("SC115", f"there is no class {describe(node)}", node.span, help=help)
    return None


def _map(node: Node, values: Values, classes: _Classes) -> tuple[Renamed, ...]:
    """A label or a colour of the files -> the label that is meant, which may be that of a named class."""
    if isinstance(node, Mapping) and len(node.entries) > MOST_RENAMED:
        message = f"a `map` of {len(node.entries):,} labels; {MOST_RENAMED:,} is the most"
        raise fail("SC111", message, node.span)
    if not isinstance(node, Mapping):
        raise fail("SC004", f"`map` is {{label: label}}, not {counted(node)}", node.span, help=_MAP)
    known = _labels_of(classes)
    found: dict[int | str, tuple[Scalar, Renamed]] = {}
    wrong: list[Diagnostic] = []
    for key, value in node.entries.values():
        with gathering(wrong):
            source = _source(key, values)
            if source in found:
                labels = [Label(found[source][0].span, "first here")]
                raise fail("SC002", f"`{source}` is mapped twice", key.span, labels=labels, help="delete one")
            named = _class_of(value, known, values)
            label = read_natural(value, values) if named is None else named
            found[source] = key, Renamed(source, _label(label, value), value.span)
    stop_on(wrong)
    return tuple(renamed for _, renamed in found.values())


def _source(key: Scalar, values: Values) -> int | str:
    """A label or a colour of the files."""
    if key.text.startswith("#"):
        return _colour(key)
    try:
        label = read_natural(key, values)
    except SegcompileError:
        message = f"a label or a colour of the files is due here, not {describe(key)}"
        raise fail("SC004", message, key.span, help=_MAP) from None
    return _label(label, key)


_READERS: MappingOf[str, Callable[[Node, Values, _Classes], Any]] = {  # key -> its reader, the classes before the rest
    "classes": _classes,
    "ignore": read_ignored,
    "map": _map,
}
