"""`accept: {SC311: "as published"}` on the spec, a block or a layer: which warnings their author stands by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from segcompile.language.derive import Document
from segcompile.text.acceptance import Acceptance, Region
from segcompile.text.errors import CODES, Diagnostic, SourceText, Span, fail, gathering
from segcompile.text.source import Mapping, Node, Scalar, Sequence, describe

WORD = "accept"
WARNINGS = tuple(code for code, known in CODES.items() if known.severity == "warning")
_EXAMPLE = f'`{WORD}: {{SC311: "as published"}}`'

_Regions = tuple[Region, ...] | None  # None: the whole network


def read_acceptances(document: Document, used: Iterable[Document], wrong: list[Diagnostic]) -> tuple[Acceptance, ...]:
    """All that a spec accepts, and what the specs that it uses accept of themselves.

    What a base accepts is inherited as far as no `transform` makes another network of it. Mistakes (SC003, SC004,
    SC011, SC012) go to `wrong`; those in a used spec are told where that is read alone.
    """
    found = [*_read_all(document, None, wrong)]
    for each in dict.fromkeys(used):
        found += _read_all(each, tuple(Region(step.root.span.source) for step in each.steps), [])
    return tuple(found)


def _read_all(document: Document, everything: _Regions, wrong: list[Diagnostic]) -> Iterator[Acceptance]:
    """What one document accepts; `everything`: what it speaks of at its top."""
    files = _files(document)
    for written, regions in _written(document.root, everything):
        if regions is everything or (regions and regions[0].source in files):
            yield from _read(written, regions, wrong)


def _files(document: Document) -> set[SourceText]:
    """The files of a chain of bases from the last edited one on."""
    edited = [number for number, step in enumerate(document.steps) if step.edits is not None]
    return {step.root.span.source for step in document.steps[edited[-1] if edited else 0 :]}


def _written(root: Mapping, everything: _Regions) -> Iterator[tuple[Node, _Regions]]:
    """Each `accept` of a document, and what it speaks of."""
    blocks, own = root.get("blocks"), root.get(WORD)
    if own is not None:
        yield own, everything
    for name, block in blocks.entries.values() if isinstance(blocks, Mapping) else ():
        if isinstance(block, Mapping) and WORD in block.entries:
            yield block.entries[WORD][1], _around(name.span, block)
        yield from _of_layers(block)
    for section in ("layers", "transform"):
        yield from _of_layers(root.get(section))


def _of_layers(node: Node | None) -> Iterator[tuple[Node, _Regions]]:
    """Each `accept` of a layer below a list of layers or edits, or in a block, and the layer's place in its file."""
    if isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Mapping) and WORD in item.entries and len(item.entries) > 1:  # a layer without a name
                yield item.entries[WORD][1], _around(next(iter(item.entries.values()))[0].span, item)
            yield from _of_layers(item)
    elif isinstance(node, Mapping):
        for name, value in node.entries.values():
            if isinstance(value, Mapping) and WORD in value.entries:
                yield value.entries[WORD][1], _around(name.span, value)
            if name.text != WORD:
                yield from _of_layers(value)


def _around(start: Span, node: Node) -> _Regions:
    """What stands from a place to the end of a node."""
    end = _last(node)
    return (Region(start.source, (start.line, start.column), (end.line, end.column)),)


def _last(node: Node) -> Span:
    """Where the last word of a node starts."""
    while not isinstance(node, Scalar):
        inside = node.items if isinstance(node, Sequence) else [value for _, value in node.entries.values()]
        if not inside:
            break
        node = inside[-1]
    return node.span


def _read(node: Node, regions: _Regions, wrong: list[Diagnostic]) -> list[Acceptance]:
    """The codes of one `accept`, each with its reason."""
    found: list[Acceptance] = []
    with gathering(wrong):
        for key, reason in _entries(node).entries.values():
            with gathering(wrong):
                found.append(Acceptance(_code(key), _reason(key, reason), key.span, regions))
    return found


def _entries(node: Node) -> Mapping:
    if not isinstance(node, Mapping):
        message = f"`{WORD}` maps codes of warnings to reasons, not {describe(node)}"
        raise fail("SC004", message, node.span, help=_EXAMPLE)
    if not node.entries:
        raise fail("SC012", f"`{WORD}` is empty", node.span, help=_EXAMPLE)
    return node


def _code(key: Scalar) -> str:
    known = CODES.get(key.text)
    if known is None:
        help = "`segcompile check` shows the code of each warning"
        raise fail("SC003", f"there is no code `{key.text}`", key.span, help=help)
    if known.severity != "warning":
        message = f"{key.text} ({known.slug}) is an error, and only warnings are accepted"
        raise fail("SC011", message, key.span, help=f"`segcompile explain {key.text}` says how to mend it")
    return key.text


def _reason(key: Scalar, node: Node) -> str:
    if not isinstance(node, Scalar):
        raise fail("SC004", f"a reason is a sentence, not {describe(node)}", node.span, help=_EXAMPLE)
    if not node.text.strip():
        raise fail("SC012", f"why {key.text} is accepted is missing", key.span, help=_EXAMPLE)
    return node.text.strip()
