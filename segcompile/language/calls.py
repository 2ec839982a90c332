"""Calls of blocks and of other specs: what is called, with which arguments, and what is in scope inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from segcompile.language.attributes import CARRIED, COMMON
from segcompile.language.derive import Document, Locate, no_spec, read_document
from segcompile.language.expressions import Values
from segcompile.language.items import list_under
from segcompile.language.place import Origins, Place, origin, origins_of, parameter_origins, with_values
from segcompile.language.sections import Sections, check_overrides, read_sections
from segcompile.language.values import read_integer, read_integer_or_name
from segcompile.ops import Shape
from segcompile.text.errors import Diagnostic, Findings, Label, Near, SegcompileError, fail, stop_on
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, Sequence, describe

MAX_DEPTH = 32  # blocks in blocks, specs in specs


def read_target(key: str, body: MappingNode, place: Place) -> Scalar:
    """The name of the block or spec that a body calls."""
    target = body.entries[key][1]
    if not isinstance(target, Scalar):
        help = f"`{key}: {'a_block' if key == 'block' else 'a_spec'}`"
        raise fail("SC004", f"`{key}` takes a name, not {describe(target)}", target.span, help=help)
    for part in CARRIED:
        if part in body.entries:
            raise fail("SC011", f"a {key} carries no `{part}`", body.key(part).span, help="give it to a layer inside")
    if len(place.calls) >= MAX_DEPTH:
        raise fail("SC111", f"blocks and specs are nested more than {MAX_DEPTH} deep", target.span)
    return target


@dataclass(frozen=True, slots=True, eq=False)
class BlockCall:
    """A block's layers, the arguments it is called with, and the place its layers stand in but for their names."""

    layers: Sequence
    arguments: dict[str, int | str]
    inside: Place


def read_block(target: Scalar, body: MappingNode, place: Place) -> BlockCall:
    """The block that a body calls. Raises SegcompileError (SC107, SC108, SC116)."""
    blocks = place.document.section("blocks")
    found = blocks.get(target.text) if blocks else None
    if blocks is None or not isinstance(found, MappingNode):
        known = blocks.entries if blocks else {}
        listed = f"blocks: {', '.join(known)}" if known else "the spec has no `blocks`"
        message = f"there is no block `{target.text}`"
        raise fail("SC116", message, target.span, help=Near(target.text, tuple(known), listed))
    if target.text in place.blocks:
        chain = " -> ".join((*place.blocks, target.text))
        help = "to stack a block, call it with `repeat`"
        raise fail("SC108", f"block `{target.text}` contains itself: {chain}", target.span, help=help)
    arguments = _arguments(target, blocks.key(target.text), found, body, place)
    inside = replace(
        place,
        values={**place.defaults.values, **arguments},
        arguments={name: origins_of(body.entries[name][1].span, place.origins) for name in arguments},
        calls=(*place.calls, Label(target.span, f"in block `{target.text}`, called here")),
        blocks=(*place.blocks, target.text),
    )
    return BlockCall(list_under(found, "layers"), arguments, inside)


def _arguments(
    target: Scalar, declared: Scalar, block: MappingNode, body: MappingNode, place: Place
) -> dict[str, int | str]:
    """The values of a block's arguments: integers where they can be evaluated, otherwise names."""
    args = block.get("args")
    wanted = [item.text for item in args.items if isinstance(item, Scalar)] if isinstance(args, Sequence) else []
    given = {key: node for key, (_, node) in body.entries.items() if key not in ("block", "repeat", "from")}
    labels = [Label(args.span if args is not None else declared.span, "declared here")]
    for name in given:
        if name not in wanted:
            help = Near(name, tuple(wanted), f"it has {', '.join(wanted)}" if wanted else "it has none")
            message = f"block `{target.text}` has no argument `{name}`"
            raise fail("SC107", message, body.key(name).span, labels=labels, help=help)
    missing = [name for name in wanted if name not in given]
    if missing:
        message = f"block `{target.text}` needs {', '.join(f'`{name}`' for name in missing)}"
        rest = "".join(f", {name}: ..." for name in wanted)
        raise fail("SC107", message, target.span, labels=labels, help=f"{{block: {target.text}{rest}}}")
    return {name: _argument(given[name], place.values) for name in wanted}


def _argument(node: Node, values: Values) -> int | str:
    if not isinstance(node, Scalar):
        help = "one value, for example `64` or `pool3`"
        raise fail("SC107", f"an argument is an integer or a name, not {describe(node)}", node.span, help=help)
    return read_integer_or_name(node, values)


@dataclass(frozen=True, slots=True, eq=False)
class SpecCall:
    """A spec used as a layer, and the place inside."""

    document: Document
    sections: Sections
    inside: Place

    @property
    def values(self) -> dict[str, int | str]:
        """Its parameters, as the call sets them."""
        return self.sections.values

    @property
    def takes(self) -> Shape:
        """What its own `input` says."""
        return self.sections.inputs[-1][self.sections.only_input]


@dataclass(slots=True)
class Library:
    """The specs that one expansion uses; each is read once."""

    locate: Locate
    documents: dict[tuple[Path, str | None], Document] = field(default_factory=dict)

    def read(self, target: Scalar, body: MappingNode, place: Place) -> SpecCall:
        """The spec that a body uses. Raises SegcompileError for all that is wrong with it, labelled with the call."""
        path = self._path(target, place)
        origins: Origins = {}
        given = {key: pair for key, pair in body.entries.items() if key not in ("use", "variant", *COMMON)}
        try:
            document = self._document(path, target, body, place)
            set_here = {name: origin(name, node.span, place.origins) for name, (_, node) in given.items()}
            origins = parameter_origins(document, set_here)
            return _read_spec(document, target, given, place, path, origins)
        except SegcompileError as error:
            call = (Label(target.span, "used here", "use"),)
            raise SegcompileError(with_values(found, origins).called(call) for found in error.diagnostics) from None

    def _path(self, target: Scalar, place: Place) -> Path:
        path = self.locate(target.text, place.document.path.parent)
        if path is None:
            raise no_spec(target, place.document.path.parent, "to use")
        if path.resolve() in place.specs:
            raise fail("SC108", f"`{target.text}` contains itself through `use`", target.span, help="use another spec")
        return path

    def _document(self, path: Path, target: Scalar, body: MappingNode, place: Place) -> Document:
        variant = body.get("variant")
        if variant is not None and not isinstance(variant, Scalar):
            help = f"for example `{{use: {target.text}, variant: large}}`"
            raise fail("SC004", f"`variant` is a name, not {describe(variant)}", variant.span, help=help)
        key = (path, variant.text if variant is not None else None)
        if key not in self.documents:
            chooser = variant.span if variant is not None else target.span
            shown = _neighbour(path, place.document)
            self.documents[key] = read_document(path, key[1], self.locate, Findings(), shown, chooser)
        return self.documents[key]


def _neighbour(path: Path, document: Document) -> str | None:
    """Messages call a spec beside this one as they call this one; any other by its path."""
    if path.parent != document.path.parent:
        return None
    folder = document.root.span.source.name.rpartition("/")[0]
    return f"{folder}/{path.name}" if folder else path.name


_Given = Mapping[str, tuple[Scalar, Node]]  # what a call gives the parameters of a spec


def _read_spec(
    document: Document, target: Scalar, given: _Given, place: Place, path: Path, origins: Origins
) -> SpecCall:
    wrong: list[Diagnostic] = []
    check_overrides(document, {name: word.span for name, (word, _) in given.items()})
    overrides = {name: read_integer(node, place.values) for name, (_, node) in given.items()}
    sections = read_sections(document, overrides, wrong)
    if not sections.only_input:
        message = f"`{target.text}` has {len(sections.inputs[-1])} inputs; a used spec takes one"
        wrong += fail("SC204", message, target.span, help="use a spec with one input").diagnostics
    if sections.rank != place.rank:
        message = f"`{target.text}` is for maps of {sections.rank} axes, and those here have {place.rank}"
        wrong += fail("SC204", message, target.span, help="use a spec whose input has as many axes").diagnostics
    stop_on(wrong)
    inside = Place(
        document,
        sections.values,
        sections.defaults,
        sections.rank,
        origins,
        title=document.model,
        input=sections.only_input,
        calls=(*place.calls, Label(target.span, f"in `{target.text}`, used here", "use")),
        specs=(*place.specs, path.resolve()),
    )
    return SpecCall(document, sections, inside)
