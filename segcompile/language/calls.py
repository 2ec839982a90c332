"""Calls of blocks and of other specs: what is called, with which arguments, and what is in scope inside."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from segcompile.language.attributes import COMMON
from segcompile.language.channels import WORD as CHANNELS
from segcompile.language.derive import Document, Locate, no_spec, read_document
from segcompile.language.expressions import names_in
from segcompile.language.items import list_under
from segcompile.language.owners import CARRIED
from segcompile.language.passing import as_text
from segcompile.language.place import Origins, Place, origin, origins_of, parameter_origins, with_values
from segcompile.language.ranges import written_out
from segcompile.language.sections import Sections, check_overrides, read_sections
from segcompile.language.values import is_written_whole, read_integer, read_integer_or_name
from segcompile.language.words import called
from segcompile.ops import Shape
from segcompile.text.errors import Diagnostic, Findings, Label, Near, SegcompileError, fail, stop_on
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, Sequence, describe, scalars

MAX_DEPTH = 32  # blocks in blocks, specs in specs


def read_target(key: str, body: MappingNode, place: Place) -> Scalar:
    """The name of the block or spec that a body calls."""
    target = body.entries[key][1]
    if not isinstance(target, Scalar):
        help = f"`{key}: {'a_block' if key == 'block' else 'a_spec'}`"
        raise fail("SC004", f"`{key}` takes a name, not {describe(target)}", target.span, help=help)
    if key == "use":
        _refuse_carried(key, body)
    if len(place.calls) >= MAX_DEPTH:
        raise fail("SC111", f"blocks and specs are nested more than {MAX_DEPTH} deep", target.span)
    return target


def _refuse_carried(key: str, body: MappingNode, but: Collection[str] = ()) -> None:
    """Refuse (SC011) what a layer carries, `but` what a block calls its arguments."""
    for part in CARRIED:
        if part in body.entries and part not in but:
            raise fail("SC011", f"a {key} carries no `{part}`", body.key(part).span, help="give it to a layer inside")


@dataclass(frozen=True, slots=True, eq=False)
class BlockCall:
    """A block's layers, the arguments it is called with, and the place its layers stand in but for their names."""

    layers: Sequence
    values: dict[str, int | str]
    defaults: dict[str, int]  # of the arguments, as far as they are numbers
    inside: Place


def find_block(target: Scalar, place: Place) -> tuple[Scalar, MappingNode]:
    """The block that a call names, and the word that declares it. Raises SegcompileError: SC116 if there is none, SC108
    inside of itself."""
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
    return blocks.key(target.text), found


def read_block(
    target: Scalar,
    found: tuple[Scalar, MappingNode],
    body: MappingNode,
    place: Place,
    meant: Mapping[str, str],
    entering: str,
) -> BlockCall:
    """A block that was `found`, as a body calls it. `meant`: what `input` and `above` mean to the caller, as names that
    mean the same inside; in a default both are `entering`, what enters the block. Raises SegcompileError (SC107)."""
    written = _written(target, *found, body)
    arguments = _arguments(written, _defaults(found[1]), body, place, meant, entering)
    values = {name: value if isinstance(value, int) else as_text(value) for name, value in arguments.items()}
    parameters = {name: value for name, value in place.defaults.values.items() if name != CHANNELS}
    inside = replace(
        place,
        values={**parameters, **values},
        defaults=replace(place.defaults, values=parameters),
        arguments={name: origins_of(node.span, place.origins) for name, node in written.items()},
        passed={name: value for name, value in arguments.items() if not isinstance(value, int)},
        calls=(*place.calls, Label(target.span, f"in block `{target.text}`, called here")),
        blocks=(*place.blocks, target.text),
    )
    plain = {name: node.text for name, node in _defaults(found[1]).items() if isinstance(node, Scalar)}
    defaults = {name: int(text) for name, text in plain.items() if text.isdecimal()}
    return BlockCall(list_under(found[1], "layers"), values, defaults, inside)


def _arguments(
    written: Mapping[str, Node],
    defaults: Mapping[str, Node | None],
    body: MappingNode,
    place: Place,
    meant: Mapping[str, str],
    entering: str,
) -> dict[str, int | Scalar | Sequence]:
    """The value of each argument, in their order: a default reads those before it. One that every call overrides is
    looked at, too."""
    found: dict[str, int | Scalar | Sequence] = {}
    inside = dict.fromkeys(("input", "above"), entering)
    for number, (name, node) in enumerate(written.items()):
        before = {word: value if isinstance(value, int) else as_text(value) for word, value in found.items()}
        passed = {word: value for word, value in found.items() if not isinstance(value, int)}
        own = replace(place, values={**place.defaults.values, **before}, passed=passed)
        default = defaults[name]
        if default is not None:
            _check_default(name, default, list(written)[number + 1 :], own, inside)
        given = name in body.entries
        found[name] = _argument(node, place, meant, place.prefix) if given else _argument(node, own, inside, None)
    return found


_PLACED = ("block", "repeat", "from", "share", "accept")  # what a call says of itself


def _written(target: Scalar, declared: Scalar, block: MappingNode, body: MappingNode) -> dict[str, Node]:
    """The arguments of a block in their order, as the call says them, or else their defaults."""
    args, wanted = block.get("args"), _defaults(block)
    given = {key: node for key, (_, node) in body.entries.items() if key not in _PLACED}
    _refuse_carried("block", body, wanted)
    labels = [Label(args.span if args is not None else declared.span, "declared here")]
    for name in given:
        if name not in wanted:
            help = _meant(name, given[name], target.text, wanted)
            message = f"block `{target.text}` has no argument `{name}`"
            raise fail("SC107", message, body.key(name).span, labels=labels, help=help)
    written = {name: given.get(name, default) for name, default in wanted.items()}
    missing = [name for name, node in written.items() if node is None]
    if missing:
        message = f"block `{target.text}` needs {', '.join(f'`{name}`' for name in missing)}"
        rest = "".join(f", {name}: ..." for name, default in wanted.items() if default is None)
        raise fail("SC107", message, target.span, labels=labels, help=f"{{block: {target.text}{rest}}}")
    return {name: node for name, node in written.items() if node is not None}


def _meant(name: str, node: Node, block: str, wanted: Mapping[str, Node | None]) -> str | Near:
    """The help for an argument that a block has not."""
    if name in ("args", "params", "arguments", "kwargs"):
        each = ", ".join(f"{word}: ..." for word, default in wanted.items() if default is None)
        return f"the arguments stand beside the block's name: `{{block: {block}, {each}}}`"
    listed = Near(name, tuple(wanted), f"it has {', '.join(wanted)}" if wanted else "it has none")
    return called("attribute", name, ("repeat", "from"), node) or listed


def _defaults(block: MappingNode) -> dict[str, Node | None]:
    """The arguments of a block, and their defaults."""
    args = block.get("args")
    return dict(map(_declared, args.items)) if isinstance(args, Sequence) else {}


def _declared(item: Node) -> tuple[str, Node | None]:
    """An argument and its default: `w`, `s: 1`."""
    if isinstance(item, MappingNode) and len(item.entries) == 1:
        ((key, default),) = item.entries.values()
        return key.text, default
    assert isinstance(item, Scalar)  # the schema has seen to that
    return item.text, None


def _check_default(name: str, default: Node, later: list[str], place: Place, meant: Mapping[str, str]) -> None:
    """Refuse (SC101) a default that reads an argument behind its own, or a name that there is not."""
    for scalar in scalars(default):
        read = next((word for word in later if word in names_in(scalar.text)), None)
        if read is not None:
            message = f"`{read}` comes later: a default reads the arguments before it"
            raise fail("SC101", message, scalar.span, help=f"write `{read}` before `{name}`")
    try:
        _argument(default, place, meant, None)
    except SegcompileError as error:  # other mistakes may come of what the call gives before it
        stop_on([found for found in error.diagnostics if found.code.code == "SC101"])


def _argument(node: Node, place: Place, meant: Mapping[str, str], scope: str | None) -> int | Scalar | Sequence:
    """An integer where it can be evaluated; a word, a name, a number, a pair or a list of these as it is written, to be
    looked up in the `scope` of a call."""
    if isinstance(node, Scalar) and node.text in place.passed:
        found = place.passed[node.text]
        assert not isinstance(found, MappingNode)
        return found
    node = written_out(node, place.values)
    if isinstance(node, Sequence):
        items = (_argument(item, place, meant, scope) for item in node.items)
        each = (Scalar(str(item), node.span) if isinstance(item, int) else item for item in items)
        return Sequence(tuple(each), node.span)
    if not isinstance(node, Scalar):
        message = f"an argument is an integer, a number, a word or a list of these, not {describe(node)}"
        raise fail("SC107", message, node.span, help="one value, for example `64` or `pool3`")
    if is_written_whole(node):
        return replace(node, scope=scope)
    if node.text in meant:
        return Scalar(meant[node.text], node.span, scope="")
    value = read_integer_or_name(node, place.values)
    return value if isinstance(value, int) else Scalar(value, node.span, scope=scope)


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
            findings = Findings()
            self.documents[key] = read_document(path, key[1], self.locate, findings, shown, chooser)
            findings.stop_on_errors()
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
