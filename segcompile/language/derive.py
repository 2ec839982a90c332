"""From a file to one self-contained document: the base merged in, the variant chosen, the schema held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from segcompile.language.schema import validate
from segcompile.language.variants import Choice, choose, variant_names
from segcompile.text.errors import Findings, Label, SegcompileError, SourceText, Span, fail
from segcompile.text.source import Mapping, Node, Scalar, Sequence, describe, load

VERSION = "1"
_MERGED = (
    "params",
    "input",
    "blocks",
    "defaults",
    "claims",
    "cite",
    "training",
)  # a derived spec adds to these, key by key
_DEEP = ("defaults", "claims")  # and to these one level further down
_OWN = ("model", "base", "variant", "variants", "transform")  # never handed on
MAX_BASES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one spec of a chain of bases says of the network that it makes: all of it with what it takes over, its edits
    of the base, and its own `outputs`."""

    root: Mapping
    edits: Sequence | None
    outputs: Node | None


Locate = Callable[[str, Path], Path | None]  # how `base` and `use` find a file: (as written, the folder of the spec)


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One spec, complete: no base, no variants left in it. `variant` is the one chosen by whoever asked for it.

    `bases`: the text of each base. `steps`: what each
    spec of the chain says of its network, the first base, which has the layers, first. `base`: the nearest, and its
    variant.
    """

    path: Path
    root: Mapping
    variant: str | None
    bases: tuple[SourceText, ...] = ()
    steps: tuple[Step, ...] = ()
    base: tuple[Path, str | None] | None = None

    @property
    def is_edited(self) -> bool:
        """Whether some spec of the chain edits the network of its base."""
        return any(step.edits is not None for step in self.steps)

    @property
    def model(self) -> str:
        """The spec's name, with the chosen variant."""
        name = self.root.get("model")
        text = name.text if isinstance(name, Scalar) else "model"
        return f"{text}_{self.variant}" if self.variant else text

    @property
    def about(self) -> str:
        """What the spec says of itself, as it says it."""
        found = self.root.get("about")
        return found.text if isinstance(found, Scalar) else ""

    def section(self, key: str) -> Mapping | None:
        """The mapping under a top-level key, or None."""
        found = self.root.get(key)
        return found if isinstance(found, Mapping) else None


def variants_of(path: Path, locate: Locate, name: str | None = None, seen: tuple[Path, ...] = ()) -> tuple[str, ...]:
    """The variants that a spec leaves to choose; () if there is nothing to choose."""
    root = load(path, name)
    variants = root.get("variants")
    if isinstance(variants, Sequence):
        return tuple(variant_names(variants))
    base = root.get("base")
    if isinstance(base, Scalar) and root.get("variant") is None and path not in seen:
        found = locate(base.text, path.parent)
        return variants_of(found, locate, None, (*seen, path)) if found is not None else ()
    return ()


def read_document(
    path: Path,
    variant: str | None,
    locate: Locate,
    findings: Findings,
    name: str | None = None,
    chooser: Span | None = None,
) -> Document:
    """The document in `path`; messages call it `name`. `chooser`: where another spec chose the variant, or should have.

    Raises SegcompileError for all that is wrong with its outline (SC0xx, SC110, SC5xx).
    """
    reader = _Reader(locate)
    root = reader.read(path, name, Choice(variant, chooser))
    refused = Findings()
    validate(root, refused)
    findings.diagnostics += refused.diagnostics
    if refused.has_errors:
        raise SegcompileError(findings.diagnostics)
    return Document(path, root, variant, tuple(reader.bases), tuple(reader.steps), reader.base)


@dataclass(slots=True)
class _Reader:
    """Reads a spec and its bases, merged; `steps` remembers what each of them says of its network."""

    locate: Locate
    bases: list[SourceText] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    base: tuple[Path, str | None] | None = None  # of the spec read last: that of the one asked for

    def read(
        self, path: Path, name: str | None, choice: Choice, chain: tuple[Path, ...] = (), named: Label | None = None
    ) -> Mapping:
        root = load(path, name, named)
        _check_version(root)
        own, base = root.get("variant"), root.get("base")
        if "variants" in root.entries:
            root = choose(root, choice)
        if base is None:
            if own is not None:
                message = "`variant` chooses one of a base's variants, and there is no `base`"
                raise fail("SC011", message, root.key("variant").span, help="remove it, or name the `base`")
            if "transform" in root.entries:
                span = root.key("transform").span
                raise fail("SC011", "`transform` edits a base, and there is no `base`", span, help="name the `base`")
            root = choose(root, choice) if "variants" not in root.entries else root
            self.steps.append(Step(root, None, root.get("outputs")))
            return root
        if not isinstance(base, Scalar):
            help = "for example `base: fcn32s`"
            raise fail("SC004", f"`base` is the name of a spec file, not {describe(base)}", base.span, help=help)
        own = root.get("variant")  # by now that of the chosen variant
        if own is not None and not isinstance(own, Scalar):
            help = "the name of one of the base's variants: `variant: large`"
            raise fail("SC004", f"`variant` is a name, not {describe(own)}", own.span, help=help)
        if own is not None:
            if choice.variant is not None and "variants" not in root.entries:
                message = f"there is no variant `{choice.variant}`: this spec is variant `{own.text}` of its base"
                raise fail("SC110", message, choice.span or own.span)
            choice = Choice(own.text, own.span)
        elif "variants" in root.entries:
            choice = Choice(None, base.span)
        read = self._base(path, base, choice, chain)
        edits = root.get("transform")
        if edits is not None and not isinstance(edits, Sequence):
            raise fail(
                "SC004", f"`transform` is a list of edits, not {describe(edits)}", edits.span, help="`- remove: [fc8]`"
            )
        merged = _merge(read, root)
        self.steps.append(Step(merged, edits, root.get("outputs")))
        return merged

    def _base(self, path: Path, base: Scalar, choice: Choice, chain: tuple[Path, ...]) -> Mapping:
        found = self.locate(base.text, path.parent)
        if found is None:
            raise no_spec(base, path.parent, "to derive from")
        if found.resolve() in (path.resolve(), *chain):
            help = "the first of a chain of bases has its own layers"
            raise fail("SC505", f"`{base.text}` is derived from this spec itself", base.span, help=help)
        if len(chain) >= MAX_BASES:
            raise fail("SC111", f"bases are nested more than {MAX_BASES} deep", base.span)
        named = Label(base.span, "in the base named here", "base")
        try:
            root = self.read(found, _shown(found, path, base), choice, (*chain, path.resolve()), named)
        except SegcompileError as error:
            raise SegcompileError(
                replace(found, labels=(*found.labels, named)) if found.span is None else found
                for found in error.diagnostics
            ) from None
        self.bases.append(root.span.source)
        self.base = found, choice.variant
        return root


def no_spec(name: Scalar, folder: Path, purpose: str) -> SegcompileError:
    """SC501 for a name, written in a spec in `folder`, that names no spec."""
    help = "the name of a file beside this one, or of a bundled spec (`segcompile list`)"
    if name.text and _is_folder(folder / name.text):
        return fail("SC501", f"`{name.text}` is a directory, not a spec {purpose}", name.span, help=help)
    return fail("SC501", f"there is no spec `{name.text}` {purpose}", name.span, help=help)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _shown(found: Path, path: Path, base: Scalar) -> str | None:
    """Messages call a neighbour as they call the spec itself; anything else by its path."""
    if found.parent == path.parent:
        folder = base.span.source.name.rpartition("/")[0]
        return f"{folder}/{found.name}" if folder else found.name
    return None


def _check_version(root: Mapping) -> None:
    version = root.get("segcompile")
    if version is None:
        first = next(iter(root.entries.values()), None)
        span = first[0].span if first else root.span
        raise fail(
            "SC006",
            "this is no segcompile spec: `segcompile: 1` is missing",
            span,
            help="a spec starts with `segcompile: 1`",
        )
    if not isinstance(version, Scalar) or version.text != VERSION:
        text = version.text if isinstance(version, Scalar) else "..."
        help = f"this segcompile reads version {VERSION}"
        raise fail("SC006", f"the spec language has no version `{text}`", version.span, help=help)


def _merge(base: Mapping, own: Mapping) -> Mapping:
    """What the derived spec says, over what its base says.

    Claims speak of one network: they come along unless a `transform` makes it another one.
    """
    network = [key for key in ("table", "layers") if key in own.entries]
    if network:
        key = own.key(network[0])
        raise fail(
            "SC011", f"a spec has a `base` or `{key.text}`, not both", key.span, help="edit the base with `transform`"
        )
    entries = {key: pair for key, pair in base.entries.items() if key not in _OWN}
    if "transform" in own.entries:
        entries.pop("claims", None)
    for name, (key, value) in own.entries.items():
        if name in ("base", "variant"):
            continue
        old = entries.get(name)
        depth = 2 if name in _DEEP else 1 if name in _MERGED else 0
        entries[name] = (key, _overlay(old[1], value, depth) if old is not None else value)
    return Mapping(entries, own.span)


def _overlay(old: Node, new: Node, depth: int) -> Node:
    if depth == 0 or not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    entries = dict(old.entries)
    for name, (key, value) in new.entries.items():
        before = entries.get(name)
        entries[name] = (key, _overlay(before[1], value, depth - 1) if before is not None else value)
    return Mapping(entries, new.span)


__all__ = ["Document", "Locate", "SegcompileError", "read_document", "variants_of"]
