"""Tensors that have their place by name or order, and another shape: how many, and why that is most likely so.

A network built with another value of a parameter has the same layers at other widths. The values that the file's
shapes suggest are tried, one parameter and then a second one beside it, and the spec is compiled with each: the first
that makes the most tensors fit is what the file was built with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from segcompile.compiler import Compiled, compile_spec
from segcompile.language.sections import read_parameters
from segcompile.text.errors import Findings, SegcompileError
from segcompile.weights.images import channels_said, of_other_images
from segcompile.weights.parameters import Tensor, tensors
from segcompile.weights.placing import EXAMPLES, Place, fits, groups_of, shown
from segcompile.weights.stored import Stored

MOST_TRIES = 24  # compilations
LARGEST = 65_536  # of a value that is tried

Pair = tuple[Tensor, Stored]


def misfits_said(compiled: Compiled, places: Sequence[Place], wrong: Sequence[Pair]) -> tuple[str, ...]:
    """One line with the count, three examples and the likely cause; nothing where every shape fits."""
    if not wrong:
        return ()
    right = [(found.tensor, found.stored) for found in places if found.stored is not None]
    return (f"{counted(wrong, len(places))}; {likely_cause(compiled, right, wrong)}",)


def counted(wrong: Sequence[Pair], total: int) -> str:
    """How many tensors have another shape, with examples."""
    told = [f"`{tensor.name}` is {shown(tensor.shape)}, there {shown(stored.shape)}" for tensor, stored in wrong]
    count = f"{len(wrong)} of {total} tensors {'has' if len(wrong) == 1 else 'have'} another shape in the file"
    return f"{count}: {'; '.join(told[:EXAMPLES])}"


def likely_cause(compiled: Compiled, right: Sequence[Pair], wrong: Sequence[Pair]) -> str:
    """`built with W=64?`, or in words what the shapes have in common."""
    groups = {groups_of(tensor, stored) for tensor, stored in wrong}
    if None not in groups:
        counts = ", ".join(f"`groups: {count}`" for count in sorted(filter(None, groups)))
        return f"built with {counts} at `{wrong[0][0].node.layer}`{' and others' if len(wrong) > 1 else ''}?"
    found = _built_with(compiled, right, wrong)
    if found:
        told = [f"{name}={value}" for name, value in found.items()]
        return f"built with {', '.join(told)}? then {' '.join(f'--set {each}' for each in told)}"
    image = of_other_images(compiled.graph, wrong)
    if image is not None and len(wrong) == 1:
        layer, count = image[0].node.layer, channels_said(image[1].shape[1])
        return f"`{layer}` reads {count} there: a network for other images? then a spec whose `input` has {count}"
    first, stored = wrong[0]
    layers = {tensor.node.layer for tensor, _ in wrong}
    if len(layers) == 1 and len(first.shape) == len(stored.shape) and first.shape[1:] == stored.shape[1:]:
        return f"`{first.node.layer}` has {stored.shape[0]} channels there: a layer for other classes?"
    ratios = {_ratio(tensor, stored) for tensor, stored in wrong if len(tensor.shape) == len(stored.shape) == 1}
    if len(ratios) == 1 and (ratio := ratios.pop()) is not None:
        return f"every layer has {ratio} channels: a network of another width?"
    return "weights of another network?"


def _ratio(tensor: Tensor, stored: Stored) -> str | None:
    """`2 times as many`, or a half."""
    ours, theirs = tensor.shape[0], stored.shape[0]
    if ours and theirs > ours and theirs % ours == 0:
        return f"{theirs // ours} times as many"
    return f"1/{ours // theirs} as many" if theirs and ours > theirs and ours % theirs == 0 else None


def _built_with(compiled: Compiled, right: Sequence[Pair], wrong: Sequence[Pair]) -> dict[str, int]:
    """The parameters that make more of the tensors fit than the spec's own do, at most two; nothing if none does."""
    values = {name: value for name, value in compiled.spec.values.items() if isinstance(value, int)}
    given, chosen = _given(compiled), dict[str, int]()
    best, tries = len(right), 0
    pairs = [*right, *wrong]
    while len(chosen) < 2 and best < len(pairs):
        found: tuple[int, str, int] | None = None
        for name, value in _candidates(values, chosen, wrong):
            if tries == MOST_TRIES:
                break
            tries += 1
            count = _fitting(compiled, {**given, **chosen, name: value}, pairs)
            if count > (found[0] if found else best):
                found = count, name, value
            if count == len(pairs):
                break
        if found is None:
            break
        best = found[0]
        chosen[found[1]] = found[2]
    return chosen


def _candidates(
    values: Mapping[str, int], chosen: Mapping[str, int], wrong: Sequence[Pair]
) -> Iterator[tuple[str, int]]:
    """Values that would turn extents of the spec into the file's, the most frequent pair of extents first: the same
    multiple of a parameter, or the extent itself."""
    extents = Counter(
        (ours, theirs)
        for tensor, stored in wrong
        if len(tensor.shape) == len(stored.shape)
        for ours, theirs in zip(tensor.shape[:2], stored.shape[:2], strict=True)
        if ours != theirs
    )
    tried = set[tuple[str, int]]()
    for (ours, theirs), _ in extents.most_common():
        for name, value in values.items():
            scaled = [value * theirs // ours] if ours and value * theirs % ours == 0 else []
            for guess in (*scaled, theirs):
                if name not in chosen and 0 < guess <= LARGEST and guess != value and (name, guess) not in tried:
                    tried.add((name, guess))
                    yield name, guess


def _given(compiled: Compiled) -> dict[str, int]:
    """The parameters that have another value than the spec says, by --set."""
    found: dict[str, int] = {}
    for name, value in compiled.spec.values.items():
        own = read_parameters(compiled.document.root, found, []).get(name)
        if isinstance(value, int) and own != value:
            found[name] = value
    return found


def _fitting(compiled: Compiled, values: Mapping[str, int], pairs: Sequence[Pair]) -> int:
    """How many tensors of the file would have the shape of their parameter."""
    document = compiled.document
    try:
        other = compile_spec(document.path, Findings(), variant=document.variant, overrides=values)
    except SegcompileError:
        return 0
    shapes = {tensor.name: tensor.shape for tensor in tensors(other.graph, other.facts)}
    return sum(fits(stored.shape, shapes.get(tensor.name, ())) for tensor, stored in pairs)
