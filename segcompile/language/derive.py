"""From a file to one self-contained document: the base merged in, the variant chosen, the schema held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segcompile.errors import Findings, SegcompileError, did_you_mean, fail
from segcompile.language.schema import validate
from segcompile.source import Mapping, Node, Scalar, Sequence, load

VERSION = "1"
_MERGED = ("params", "input", "blocks", "defaults", "claims", "cite")  # a derived spec adds to these, key by key
_DEEP = ("defaults", "claims")  # and to these one level further down
_OWN = ("base", "variant", "variants", "transform")  # never handed on

Locate = Callable[[str, Path], Path | None]  # how `base` and `use` find a file: (as written, the folder of the spec)


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One spec, complete: no base, no variants left in it. `variant` is the one chosen on the command line."""

    path: Path
    root: Mapping
    variant: str | None

    @property
    def model(self) -> str:
        """The spec's name, with the chosen variant."""
        name = self.root.get("model")
        text = name.text if isinstance(name, Scalar) else "model"
        return f"{text}_{self.variant}" if self.variant else text

    def section(self, key: str) -> Mapping | None:
        """The mapping under a top-level key, or None."""
        found = self.root.get(key)
        return found if isinstance(found, Mapping) else None


def variants_of(path: Path, locate: Locate, name: str | None = None, seen: tuple[Path, ...] = ()) -> tuple[str, ...]:
    """The variants that a spec leaves to choose; () if there is nothing to choose."""
    root = load(path, name)
    variants = root.get("variants")
    if isinstance(variants, Sequence):
        return tuple(item.text for item in variants.items if isinstance(item, Scalar))
    base = root.get("base")
    if isinstance(base, Scalar) and root.get("variant") is None and path not in seen:
        found = locate(base.text, path.parent)
        return variants_of(found, locate, None, (*seen, path)) if found is not None else ()
    return ()


def read_document(path: Path, variant: str | None, locate: Locate, findings: Findings, name: str | None = None) -> Document:
    """The document in `path`. Raises SegcompileError for all that is wrong with its outline (SC0xx, SC110, SC5xx)."""
    root = _merged(path, name, variant, locate, ())
    validate(root, findings)
    findings.stop_on_errors()
    return Document(path, root, variant)


def _merged(path: Path, name: str | None, variant: str | None, locate: Locate, chain: tuple[Path, ...]) -> Mapping:
    root = load(path, name)
    _check_version(root)
    base = root.get("base")
    if base is None:
        return _choose(root, variant)
    if not isinstance(base, Scalar):
        raise fail("SC004", "`base` is the name of a spec file", base.span)
    own = root.get("variant")
    if isinstance(own, Scalar):
        if variant is not None:
            raise fail("SC110", f"this spec has no variant `{variant}`: it is `{own.text}` of its base", own.span)
        variant = own.text
    return _merge(_base(path, base, variant, locate, chain), root)


def _base(path: Path, base: Scalar, variant: str | None, locate: Locate, chain: tuple[Path, ...]) -> Mapping:
    found = locate(base.text, path.parent)
    if found is None:
        raise fail("SC501", f"there is no spec `{base.text}` to derive from", base.span, help="beside this file, or a bundled spec")
    if found.resolve() in (path.resolve(), *chain):
        raise fail("SC505", f"`{base.text}` is derived from this spec itself", base.span)
    if len(chain) >= 16:
        raise fail("SC505", "bases are nested more than 16 deep", base.span)
    return _merged(found, _shown(found, path, base), variant, locate, (*chain, path.resolve()))


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
        raise fail("SC006", "this is no segcompile spec: `segcompile: 1` is missing", span, help="a spec starts with `segcompile: 1`")
    if not isinstance(version, Scalar) or version.text != VERSION:
        text = version.text if isinstance(version, Scalar) else "..."
        help = f"this segcompile reads version {VERSION}"
        raise fail("SC006", f"the spec language has no version `{text}`", version.span, help=help)


def _choose(root: Mapping, variant: str | None) -> Mapping:
    """The document with every mapping from variants to values replaced by the chosen value."""
    given = root.get("variants")
    names = [item.text for item in given.items if isinstance(item, Scalar)] if isinstance(given, Sequence) else []
    if variant is not None and variant not in names:
        span = given.span if given is not None else root.span
        known = f"it has {', '.join(names)}" if names else "it has none"
        raise fail("SC110", f"there is no variant `{variant}`; {known}", span, help=did_you_mean(variant, names))
    if names and variant is None:
        assert given is not None
        raise fail("SC110", "which variant?", given.span, help=" or ".join(f"--variant {name}" for name in names))
    if variant is None:
        return root
    chosen = _select(root, frozenset(names), variant)
    assert isinstance(chosen, Mapping)
    return chosen


def _select(node: Node, names: frozenset[str], variant: str) -> Node:
    if isinstance(node, Sequence):
        return Sequence(tuple(_select(item, names, variant) for item in node.items), node.span)
    if isinstance(node, Scalar):
        return node
    if node.entries and names.issuperset(node.entries):
        value = node.get(variant)
        if value is None:
            raise fail("SC110", f"variant `{variant}` has no value here", node.span, help=f"add `{variant}: ...`")
        return _select(value, names, variant)
    return Mapping({name: (key, _select(value, names, variant)) for name, (key, value) in node.entries.items()}, node.span)


def _merge(base: Mapping, own: Mapping) -> Mapping:
    """What the derived spec says, over what its base says.

    Claims speak of one network: they come along unless a `transform` makes it another one.
    """
    network = [key for key in ("table", "layers") if key in own.entries]
    if network:
        key = own.key(network[0])
        raise fail("SC004", f"a spec has a `base` or `{key.text}`, not both", key.span, help="edit the base with `transform`")
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
