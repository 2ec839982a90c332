"""From a file to one self-contained document: the base merged in, the variant chosen, the schema held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from segcompile.importers import is_network_file
from segcompile.language.imported import read_network_file
from segcompile.language.schema import validate
from segcompile.language.variants import Choice, choose, variant_names
from segcompile.network.graph import Graph
from segcompile.text.errors import Diagnostic, Findings, Label, SegcompileError, SourceText, Span, fail
from segcompile.text.source import Mapping, Node, Scalar, Sequence, describe, load

VERSION = "1"
_MERGED = (
    "params",
    "input",
    "blocks",
    "defaults",
    "accept",
    "data",
    "training",
)  # a derived spec adds to these, key by key
_DEEP = ("defaults",)  # and to these one level further down
_OWN = ("model", "base", "variant", "variants", "transform", "claims")  # not handed on: see `Step`
MAX_BASES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one spec of a chain of bases says of the network that it makes: all of it with what it takes over, its edits
    of the base, and its own `outputs` and `claims`."""

    root: Mapping
    edits: Sequence | None
    outputs: Node | None
    claims: Node | None
    graph: Graph | None = None  # of a first base that is a network of another tool, and has no text


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
    if is_network_file(path):
        return ()
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
    What is wrong with single values of it goes to `findings`.

    Raises SegcompileError for all that is wrong with its outline (SC0xx, SC110, SC5xx).
    """
    chain = _chain(path, name, Choice(variant, chooser), locate)
    findings.diagnostics += [found for link in chain for found in link.wrong]
    steps: list[Step] = []
    for link in reversed(chain):
        edits = link.root.get("transform")
        if edits is not None and not isinstance(edits, Sequence):
            message = f"`transform` is a list of edits, not {describe(edits)}"
            raise fail("SC004", message, edits.span, help="`- remove: [fc8]`")
        root = _merge(steps[-1].root, link.root) if steps else link.root
        steps.append(Step(root, edits, link.root.get("outputs"), link.root.get("claims"), link.graph))
    root, refused = steps[-1].root, Findings()
    validate(root, refused)
    findings.diagnostics += refused.diagnostics
    if refused.has_errors:
        raise SegcompileError(findings.diagnostics)
    bases = tuple(link.root.span.source for link in reversed(chain[1:]))
    base = (chain[1].path, chain[1].variant) if bases else None
    return Document(path, root, variant, bases, tuple(steps), base)


@dataclass(frozen=True, slots=True, eq=False)
class _Link:
    """One spec of a chain of bases, with the variant of it that was chosen."""

    path: Path
    variant: str | None
    root: Mapping
    wrong: tuple[Diagnostic, ...]  # with its text
    graph: Graph | None  # of one that is no text


def _chain(path: Path, name: str | None, choice: Choice, locate: Locate) -> list[_Link]:
    """A spec, its base, the base of that, and so on."""
    chain: list[_Link] = []
    named: Label | None = None
    while True:
        root, graph = _loaded(path, name, named)
        wrong = root.wrong
        base = root.get("base")
        if base is None:
            _refuse_edits(root)
        if base is None or "variants" in root.entries:
            root = choose(root, choice)
        chain.append(_Link(path, choice.variant, root, wrong, graph))
        if base is None:
            return chain
        if not isinstance(base, Scalar):
            help = "for example `base: fcn32s`"
            raise fail("SC004", f"`base` is the name of a spec file, not {describe(base)}", base.span, help=help)
        choice = _choice_of_base(root, base, choice)
        found = _located(base, chain, locate)
        path, name, named = found, _shown(found, path, base), Label(base.span, "in the base named here", "base")


def _loaded(path: Path, name: str | None, named: Label | None) -> tuple[Mapping, Graph | None]:
    """A spec of our version, as it is written; or a network of another tool, and what stands for its text."""
    try:
        if is_network_file(path):
            return read_network_file(path, name, named)
        root = load(path, name, named)
    except SegcompileError as error:
        way = (named, *named.span.way) if named is not None else ()
        raise SegcompileError(
            replace(found, labels=(*found.labels, *way)) if found.span is None else found for found in error.diagnostics
        ) from None
    _check_version(root)
    return root, None


def _refuse_edits(root: Mapping) -> None:
    """Refuse (SC011) what only a derived spec has."""
    if "variant" in root.entries:
        message = "`variant` chooses one of a base's variants, and there is no `base`"
        raise fail("SC011", message, root.key("variant").span, help="remove it, or name the `base`")
    if "transform" in root.entries:
        message = "`transform` edits a base, and there is no `base`"
        raise fail("SC011", message, root.key("transform").span, help="name the `base`")


def _choice_of_base(root: Mapping, base: Scalar, choice: Choice) -> Choice:
    """Which variant of its base a spec derives from: its own, the one that was asked for, or none of them."""
    own = root.get("variant")
    if own is None:
        return Choice(None, base.span) if "variants" in root.entries else choice
    if not isinstance(own, Scalar):
        help = "the name of one of the base's variants: `variant: large`"
        raise fail("SC004", f"`variant` is a name, not {describe(own)}", own.span, help=help)
    if choice.variant is not None and "variants" not in root.entries:
        message = f"there is no variant `{choice.variant}`: this spec is variant `{own.text}` of its base"
        raise fail("SC110", message, choice.span or own.span)
    return Choice(own.text, own.span)


def _located(base: Scalar, chain: list[_Link], locate: Locate) -> Path:
    """The file of a base of the last spec of a chain."""
    folder = chain[-1].path.parent
    found = locate(base.text, folder)
    if found is None:
        raise no_spec(base, folder, "to derive from")
    if found.resolve() in [link.path.resolve() for link in chain]:
        help = "the first of a chain of bases has its own layers"
        raise fail("SC505", f"`{base.text}` is derived from this spec itself", base.span, help=help)
    if len(chain) > MAX_BASES:
        raise fail("SC111", f"bases are nested more than {MAX_BASES} deep", base.span)
    return found


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

    What is accepted speaks of one network: it comes along unless a `transform` makes it another one.
    """
    network = [key for key in ("table", "layers") if key in own.entries]
    if network:
        key = own.key(network[0])
        raise fail(
            "SC011", f"a spec has a `base` or `{key.text}`, not both", key.span, help="edit the base with `transform`"
        )
    entries = {key: pair for key, pair in base.entries.items() if key not in _OWN}
    if "transform" in own.entries:
        entries.pop("accept", None)
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
