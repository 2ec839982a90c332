"""Variants: every mapping from variants to values gives way to the value of the one that was chosen."""

from __future__ import annotations

from dataclasses import dataclass

from segcompile.text.errors import Label, Near, Span, fail
from segcompile.text.source import Mapping, Node, Scalar, Sequence


@dataclass(frozen=True, slots=True)
class Choice:
    """The variant that was chosen, and where; `span` None is the command line."""

    variant: str | None
    span: Span | None


MOST = 64  # variants of a spec: each is compiled


def variant_names(given: Node | None) -> list[str]:
    """The names under `variants`. Raises SegcompileError: SC002 for one that is there twice, SC111 for too many."""
    items = [item for item in given.items if isinstance(item, Scalar)] if isinstance(given, Sequence) else []
    if len(items) > MOST:
        raise fail("SC111", f"{len(items):,} variants; {MOST} is the most", items[MOST].span)
    seen: set[str] = set()
    for item in items:
        if item.text in seen:
            raise fail("SC002", f"the variant `{item.text}` is there twice", item.span, help="delete one")
        seen.add(item.text)
    return [item.text for item in items]


def choose(root: Mapping, choice: Choice) -> Mapping:
    """The document with every mapping from variants to values replaced by the chosen value."""
    given, variant = root.get("variants"), choice.variant
    names = variant_names(given)
    labels = [Label(given.span, "its variants")] if given is not None and choice.span is not None else []
    if variant is not None and variant not in names:
        span = choice.span or (given.span if given is not None else root.span)
        known = f"it has {', '.join(names)}" if names else "it has none"
        message = f"there is no variant `{variant}`; {known}"
        raise fail("SC110", message, span, labels=labels, help=Near(variant, tuple(names)))
    if names and variant is None:
        assert given is not None
        how = "--variant {}" if choice.span is None else "`variant: {}`"
        help = " or ".join(how.format(name) for name in names)
        message = "the spec has variants, and none is chosen"
        raise fail("SC110", message, choice.span or given.span, labels=labels, help=help)
    if variant is None:
        return root
    chosen = _select(root, frozenset(names), variant)
    assert isinstance(chosen, Mapping)
    return chosen


def _refuse_name(item: Node, names: frozenset[str]) -> None:
    """A layer that is called like a variant would lose its name: what it says would be that variant's value."""
    if isinstance(item, Mapping) and len(item.entries) == 1 and names.issuperset(item.entries):
        ((key, body),) = item.entries.values()
        if isinstance(body, Mapping):
            help = "give the layer another name"
            raise fail("SC114", f"`{key.text}` is a variant; no layer can be called so", key.span, help=help)


def _select(node: Node, names: frozenset[str], variant: str) -> Node:
    if isinstance(node, Sequence):
        for item in node.items:
            _refuse_name(item, names)
        return Sequence(tuple(_select(item, names, variant) for item in node.items), node.span)
    if isinstance(node, Scalar):
        return node
    if node.entries and names.issuperset(node.entries):
        missing = sorted(names - {*node.entries})
        if missing:
            help = f"add `{missing[0]}: ...`; if `{next(iter(node.entries))}` is a name of yours, give it another one"
            raise fail("SC012", f"variant `{missing[0]}` has no value here", node.span, help=help)
        return _select(node.entries[variant][1], names, variant)
    return Mapping(
        {name: (key, _select(value, names, variant)) for name, (key, value) in node.entries.items()}, node.span
    )
