"""`segcompile weights plan` and `transfer`: the weights of a base, an earlier stage or a used spec, for a spec."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from segcompile.compiler import Compiled
from segcompile.network.graph import Graph
from segcompile.text.errors import SegcompileError, did_you_mean, fail
from segcompile.weights.images import AS_GIVEN, NOTE
from segcompile.weights.lineage import Origin, origins, parents
from segcompile.weights.misfits import likely_cause, misfits_said
from segcompile.weights.parameters import Tensor, reads_image, tensors
from segcompile.weights.placing import COUNTER, Place, fits, left_over, shown
from segcompile.weights.reading import SAFETENSORS, form_of
from segcompile.weights.report import Filled, Plan
from segcompile.weights.safetensors_file import read_safetensors
from segcompile.weights.stored import Array, Source, Stored, damaged
from segcompile.weights.writing import FRESH, check_target, write_weights

Part = tuple[Source, Origin]  # a file, and where its weights go
NEW = "new here"


def plan(compiled: Compiled) -> Plan:
    """Where each parameter of a spec comes from. Reads no file."""
    sources = parents(compiled, origins(compiled))
    places, titles = [], []
    for tensor in tensors(compiled.graph, compiled.facts):
        origin = next((origin for origin in sources if origin.covers(tensor)), None)
        name = origin.named(tensor) if origin else None
        stored = Stored(name, origin.shapes[name], list) if origin and name else None
        places.append(_place(tensor, stored, origin if reads_image(tensor, compiled.graph) else None))
        titles.append(f"{origin.model} {name}" if origin and places[-1].stored else "")
    named = [f"{origin.model} {name}" for origin in sources for name in origin.shapes]
    left = tuple(name for name in named if name not in titles)
    return Plan(compiled.model, tuple(sources), tuple(places), tuple(titles), left)


def transfer(files: Sequence[Path], into: Sequence[str | None], compiled: Compiled, target: Path) -> Filled:
    """Write `target` with the weights of `files`; `into`: the scope each goes to, or nothing where that is plain.

    Raises SegcompileError, with nothing written: SC801, SC802 for weights of another network, SC803, SC013.
    """
    check_target(target)
    every = origins(compiled)
    scopes = into or [None] * len(files)
    parts = [_part(file, scope, compiled, every) for file, scope in zip(files, scopes, strict=True)]
    values: dict[str, Array] = {}
    places = []
    for tensor in tensors(compiled.graph, compiled.facts):
        source, found = _chosen(tensor, parts, compiled.graph)
        places.append(found)
        if source and found.stored:
            values[tensor.name] = found.value(source.values(found.stored))
    wrong = [(found.tensor, found.misfit) for found in places if found.misfit is not None]
    if not values:
        names = " and ".join(f"`{file}`" for file in files)
        message = f"no tensor of {names} fits: every layer of {compiled.model} has another shape"
        raise fail("SC802", message, help=likely_cause(compiled, (), wrong) if wrong else None)
    notes = misfits_said(compiled, places, wrong) if len(wrong) > len(values) else ()
    fresh = [found.tensor.name for found in places if not found.stored]
    write_weights(target, compiled.model, values, fresh, _image_note([source for source, _ in parts]))
    left = [stored for source, _ in parts for stored in left_over(source, places)]
    return Filled(compiled.model, tuple(files), target, tuple(places), tuple(left), notes)


def _image_note(sources: Sequence[Source]) -> dict[str, str]:
    """What all files note of the images that their networks read, if it is the same."""
    told = {source.notes.get(NOTE) for source in sources}
    return {NOTE: AS_GIVEN} if told == {AS_GIVEN} else {}


def _chosen(tensor: Tensor, parts: Sequence[Part], graph: Graph) -> tuple[Source | None, Place]:
    """The file that has a parameter, and its place. Raises SegcompileError (SC803) if two have it."""
    candidates = [(source, _in(source, origin, tensor, graph)) for source, origin in parts if origin.covers(tensor)]
    found = [candidate for candidate in candidates if candidate[1].stored]
    if len(found) > 1:
        files = " and ".join(f"`{source.path}`" for source, _ in found[:2])
        raise fail("SC803", f"{files} both have weights for `{tensor.name}`", help="give only one of them")
    if found or candidates:
        return (found or candidates)[0]
    return None, Place(tensor, None, "no file for it")


def _in(source: Source, origin: Origin, tensor: Tensor, graph: Graph) -> Place:
    name, image = origin.named(tensor), reads_image(tensor, graph)
    stored = next((stored for stored in source.tensors if stored.name == name), None)
    if name is not None and stored is None:
        return Place(tensor, None, f"fresh in {source.path.name}, too")
    return _place(tensor, stored, origin if image else None)


def _place(tensor: Tensor, stored: Stored | None, image: Origin | None) -> Place:
    """The rule of lineage.py, for a parameter and what has its name there; `image`: whence it comes if it is a kernel
    that reads an image."""
    if stored is None:
        return Place(tensor, None, NEW)
    if stored.unusable or not (fits(stored.shape, tensor.shape) or _widens(stored, tensor, image)):
        return Place(tensor, None, stored.unusable or f"was {shown(stored.shape)}", stored)
    return Place(tensor, stored)


def _widens(stored: Stored, tensor: Tensor, image: Origin | None) -> bool:
    """Whether a kernel differs in nothing but that the image which it reads has more channels than the origin's."""
    if image is None or stored.name not in image.kernels or stored.shape != image.shapes[stored.name]:
        return False
    (count, channels, *extents), (wanted, more, *others) = stored.shape, tensor.shape
    return channels < more and (count, extents) == (wanted, others)


def _part(file: Path, scope: str | None, compiled: Compiled, every: Sequence[Origin]) -> Part:
    """A file with the origin whose parameters it has: exactly those, but for what it says it leaves to start fresh."""
    scopes = dict.fromkeys(origin.into for origin in every if origin.into)
    if scope is not None and scope not in scopes:
        known = ", ".join(f"`{name}`" for name in scopes) or "none"
        help = did_you_mean(scope, scopes) or f"its used specs are: {known}"
        raise fail("SC802", f"{compiled.model} uses no spec as `{scope}`", help=help)
    if form_of(file) is not SAFETENSORS:
        help = (
            "`python weights.py export` of the generated folder makes it one; `segcompile weights import` reads others"
        )
        raise damaged(file, "`transfer` takes safetensors", help)
    source = read_safetensors(file)
    names = {stored.name for stored in source.tensors if not stored.name.endswith(COUNTER)}
    whole = names | {name for name in _fresh(source) if not name.endswith(COUNTER)}
    asked = [origin for origin in every if scope is None or origin.into == scope]
    named = [origin for origin in reversed(asked) if origin.shapes.keys() == whole]
    found = {origin.into: origin for origin in sorted(named, key=lambda origin: _alike(source, origin))}
    if len(found) > 1:
        places = " and into ".join(f"`{name}`" if name else "the whole" for name in sorted(found))
        help = f"say which, for example --into {max(found)}"
        raise fail("SC803", f"the weights in `{file}` fit into {places}", help=help)
    if not found:
        raise _other(file, whole, asked)
    return source, next(iter(found.values()))


def _alike(source: Source, origin: Origin) -> int:
    """How many tensors of a file have the shapes that an origin says."""
    return sum(origin.shapes.get(stored.name) == stored.shape for stored in source.tensors)


def _fresh(source: Source) -> list[str]:
    try:
        names = json.loads(source.notes.get(FRESH, "[]"))
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise damaged(source.path, "its note `fresh` is no list of names")
    return names


def _other(file: Path, names: set[str], asked: Sequence[Origin]) -> SegcompileError:
    """SC802: what is missing and what is too much, for the network that comes nearest."""
    nearest = max(asked, key=lambda origin: len(names & origin.shapes.keys()) - len(names ^ origin.shapes.keys()))
    missing = [name for name in nearest.shapes if name not in names]
    more = sorted(names - nearest.shapes.keys())
    told = [f"of which it lacks {_some(missing)}"] if missing else []
    told += [f"which lacks {_some(more)}"] if more else []
    titles = ", ".join(dict.fromkeys(origin.title for origin in asked))
    message = f"`{file}` holds the weights of another network than {titles}"
    return fail("SC802", message, help=f"nearest is {nearest.title}, {', and '.join(told)}")


def _some(names: Sequence[str]) -> str:
    return f"`{names[0]}`" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
