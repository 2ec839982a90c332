"""Where specs are found: beside the spec that names them, and in the collection that comes with segcompile.

What is wrong in a bundled one is told at the line of the user's own that brought it in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from segcompile.text.errors import Diagnostic, Findings, Label, SegcompileError

_PACKAGE = Path(__file__).resolve().parent
_COLLECTIONS = (_PACKAGE / "specs", _PACKAGE.parent / "specs")  # in a wheel, and in a checkout
INDEX = "index.json"  # beside the bundled specs; segcompile/index.py makes it


def bundled() -> dict[str, Path]:
    """Name -> file of every spec that comes with segcompile."""
    for folder in _COLLECTIONS:
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    return {}


def bundled_networks() -> list[dict[str, Any]]:
    """What the index says of every network among the bundled specs, in the order of their names."""
    for folder in _COLLECTIONS:
        if folder.is_dir():
            found: list[dict[str, Any]] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            return found
    return []


def came_with_us(path: Path) -> bool:
    """Whether a file is one of the installed package, and not of a checkout."""
    return path.resolve().parent == _COLLECTIONS[0]


def locate(written: str, folder: Path) -> Path | None:
    """The file that a `base` or `use` names: beside the spec (in `folder`), otherwise a bundled one."""
    beside = folder / written
    if _is_file(beside):
        return beside
    return bundled().get(written.removesuffix(".yaml")) if "/" not in written else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have, a folder that may not be read
        return False


@contextmanager
def own_files_first(findings: Findings) -> Iterator[None]:
    """What is found inside, in `findings` or raised, is told as `own_file_first` says."""
    bundle = frozenset(map(str, bundled().values()))
    try:
        yield
    except SegcompileError as error:
        raise SegcompileError(_own_files_first(error.diagnostics, bundle)) from error
    finally:
        findings.diagnostics[:] = _own_files_first(findings.diagnostics, bundle)


def _own_files_first(diagnostics: Iterable[Diagnostic], bundle: frozenset[str]) -> Iterable[Diagnostic]:
    """Those as `own_file_first` says; of all that comes of one value only the first, with how many there are."""
    found: dict[object, list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        own = own_file_first(diagnostic, bundle)
        values = {label.span for label in diagnostic.labels if label.brings == "value"} if own is not diagnostic else ()
        key = (own.code.code, own.span) if own.span in values else id(own)
        found.setdefault(key, []).append(own)
    for first, *others in found.values():
        more = f"and so at {len(others)} more {'place' if len(others) == 1 else 'places'} that read it"
        yield replace(first, notes=(*first.notes, more)) if others else first


def own_file_first(found: Diagnostic, bundle: frozenset[str]) -> Diagnostic:
    """The finding, at the line of the user's own that brought in the bundled spec (one of `bundle`, by its name) where
    it was found; that place is a label then.

    Nobody mends a bundled spec: what does not fit is what the own spec makes of it, by an input, a parameter or an
    edit. What is wrong in a base or used spec of the user's own is to be mended there, and stays there.
    """
    if found.span is None or found.span.source.name not in bundle:
        return found
    own = [label for label in found.places if label.brings and label.span.source.name not in bundle]
    if not own:
        return found  # a bundled spec was asked for
    brings = {label.brings: label for label in reversed(own)}
    brought = brings.get("value") or brings.get("base") or own[-1]  # of the lines, the one nearest to the place
    labels = (Label(found.span, "here"), *(label for label in found.places if label is not brought))
    return replace(found, span=replace(brought.span, calls=()), labels=labels)
