"""What a file says of its layers, compared with what the spec says of those that take their weights.

SC805 is what gives the same numbers another meaning: a transposed convolution, groups, another normalisation, its eps.
SC806 is where a convolution reads: stride, dilation, padding. A spec may well read elsewhere with the same weights, as
a dilated network does with a classifier's; who wants that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segcompile.network.graph import Graph, Node
from segcompile.ops import BatchNorm, Deconv
from segcompile.ops.base import Sliding
from segcompile.text.errors import CODES, MAX_ERRORS, Diagnostic, SegcompileError
from segcompile.weights.parameters import Tensor
from segcompile.weights.placing import EXAMPLES, Place, groups_of
from segcompile.weights.sites import KERNELS, FileLayer, Pads
from segcompile.weights.stored import Stored

_WORDS: Mapping[str, str] = {
    "conv": "convolution", "deconv": "transposed convolution", "linear": "fully connected layer", "batch": "batch norm",
    "instance": "instance norm", "group": "group norm", "layer": "layer norm",
    "scale": "scale a channel", "prelu": "PReLU",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """An attribute of a layer that is one thing in the spec and another in the file."""

    code: str
    node: Node
    layer: FileLayer
    attribute: str
    what: str
    ours: str
    theirs: str
    help: str


def check_layers(graph: Graph, places: Sequence[Place], weights_only: bool) -> tuple[str, ...]:
    """Lines about what was not compared, or differs and may with `weights_only`. Raises SegcompileError (SC805,
    SC806)."""
    pairs = list(_pairs(places))
    found = [each for node, layer, channels in pairs for each in _differences(graph, node, layer, channels)]
    errors = [each for each in found if not weights_only or each.code == "SC805"]
    if errors:
        raise SegcompileError(_diagnostics(errors))
    return (*_elsewhere(found), *_unknown(pairs))


def check_groups(misfits: Iterable[tuple[Tensor, Stored]]) -> None:
    """Raises SegcompileError (SC805) for kernels whose shape is another one because their file's layer has other
    groups, which it says."""
    found: list[Difference] = []
    for tensor, stored in misfits:
        theirs, layer = groups_of(tensor, stored), stored.site.layer if stored.site else None
        if layer is not None and theirs is not None and layer.groups == theirs:
            found += _meaning(tensor.node, layer, tensor.shape[0])
    if found:
        raise SegcompileError(_diagnostics(found))


def _pairs(places: Iterable[Place]) -> Iterator[tuple[Node, FileLayer, int]]:
    """Each layer of the spec, that of the file whose tensors it takes, and the channels of these."""
    seen = set()
    for found in places:
        site = found.stored.site if found.stored else None
        if site is None or (found.tensor.node.name, site.layer) in seen:
            continue
        seen.add((found.tensor.node.name, site.layer))
        if not isinstance(found.tensor.node.op, BatchNorm) or site.layer.kind not in KERNELS:  # that bias holds a norm
            yield found.tensor.node, site.layer, found.tensor.shape[0]


def _differences(graph: Graph, node: Node, layer: FileLayer, channels: int) -> Iterator[Difference]:
    """The kind of layer; where that agrees, what it does."""
    kinds = node.op.stored_as
    if kinds and layer.kind not in kinds and not _written_out(node, layer):
        ours, theirs = _WORDS[kinds[0]], _a(_WORDS[layer.kind])
        help = f"make it {theirs}, if the file is right; otherwise these are another network's weights"
        yield Difference("SC805", node, layer, node.op.main or "", "it", _a(ours), theirs, help)
        return
    yield from _meaning(node, layer, channels)
    if node.op.sliding is not None and layer.kind in ("conv", "deconv"):
        yield from _window(graph, node, node.op.sliding, layer)


def _written_out(node: Node, layer: FileLayer) -> bool:
    """Whether the file computes the norm before the scale and shift by steps of its own: means, squares, roots."""
    return layer.kind == "scale" and not layer.behind and bool({"group", "layer"} & {*node.op.stored_as})


def _a(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _meaning(node: Node, layer: FileLayer, channels: int) -> Iterator[Difference]:
    op = node.op
    ours, theirs = op.groups_of(channels), channels if layer.kind == "instance" else layer.groups
    if ours is not None and theirs is not None and ours != theirs:
        help = f"`groups: {theirs}`, if the file is right"
        yield Difference("SC805", node, layer, "groups", "groups", str(ours), str(theirs), help)
    eps: float | None = getattr(op, "eps", None)
    if eps is not None and layer.eps is not None:
        said = np.float32(layer.eps)  # so it lies in the file
        if said != np.float32(eps):
            help = f"`eps: {said!s}`, if the file is right"
            yield Difference("SC805", node, layer, "eps", "eps", f"{eps:g}", str(said), help)


def _window(graph: Graph, node: Node, window: Sliding, layer: FileLayer) -> Iterator[Difference]:
    for name, ours, theirs in (("stride", window.stride, layer.stride), ("dilation", window.dilation, layer.dilation)):
        matters = [axis for axis, taps in enumerate(window.kernel) if name == "stride" or taps > 1]
        if theirs is not None and any(ours[axis] != theirs[axis] for axis in matters):
            yield _reads(node, layer, name, f"a {name} of", _pair(ours), _pair(theirs))
    if layer.pads is None:
        return
    pads, mode = _pads(graph, node)
    if pads != layer.pads or (any(pads) and mode != layer.pad_mode):
        what = "a cut (pad less output_pad) of" if window.transposed else "padding of"
        yield _reads(node, layer, "pad", what, _sides(pads, mode), _sides(layer.pads, layer.pad_mode))


def _reads(node: Node, layer: FileLayer, attribute: str, what: str, ours: str, theirs: str) -> Difference:
    value, _, mode = theirs.rstrip(")").partition(" (")
    right = f"`{attribute}: {value}{f', mode: {mode}' if mode else ''}` if the file is right"
    if "-" in value:
        right = "no padding of a spec is that"
    elif mode and mode not in ("reflect", "edge", "circular"):  # a number
        right = f"a layer `{{pad: {value}, value: {mode}}}` before it, and `pad: 0`, if the file is right"
    help = f"{right}; --weights-only if only its weights are wanted"
    if layer.kind == "deconv" and attribute == "pad":
        help = "change pad or output_pad if the file is right; --weights-only if only its weights are wanted"
    return Difference("SC806", node, layer, attribute, what, ours, theirs, help)


def _pads(graph: Graph, node: Node) -> tuple[Pads, str]:
    """Padding as the file's is reckoned: of a convolution with that of a `pad` before it, of a transposed one what is
    cut, less what its output is padded by."""
    op = node.op
    sides = [side for axis in range(graph.rank) for side in op.pads(axis)]
    if isinstance(op, Deconv):
        return tuple(s - op.output_pad[n // 2] if n % 2 else s for n, s in enumerate(sides)), "zero"
    before = graph.by_name.get(node.inputs[0])
    mode: str | None = op.surroundings if any(sides) else "zero"
    if before is not None and before.op.only_pads and (not any(sides) or before.op.surroundings == mode == "zero"):
        more = [side for axis in range(graph.rank) for side in before.op.pads(axis)]
        sides = [a + b for a, b in zip(sides, more, strict=True)]
        mode = before.op.surroundings or f"{before.op.value_around:g}"
    return tuple(sides), mode or "zero"


def _pair(found: tuple[int, ...]) -> str:
    return str(found[0]) if len(set(found)) == 1 else str(list(found))


def _sides(pads: Pads, mode: str) -> str:
    """As a spec writes it: a number, one an axis, [top, bottom, left, right], or a pair an axis."""
    before, behind = pads[::2], pads[1::2]
    each = list(pads) if len(pads) == 4 else [list(ends) for ends in zip(before, behind, strict=True)]
    text = _pair(before) if before == behind else str(each)
    return text if mode == "zero" or not any(pads) else f"{text} ({mode})"


def _diagnostics(found: Sequence[Difference]) -> Iterator[Diagnostic]:
    """One for each kind of difference, at the first layer that has it; the others are counted."""
    groups: dict[tuple[str, ...], list[Difference]] = {}
    for each in found:
        groups.setdefault((each.code, each.what, each.ours, each.theirs), []).append(each)
    for first, *rest in list(groups.values())[:MAX_ERRORS]:
        message = f"{first.node.layer} has {first.what} {first.ours}, the file's {first.layer.title} {first.theirs}"
        if first.what == "it":
            message = f"{first.node.layer} is {first.ours}, the file's {first.layer.title} {first.theirs}"
        names = ", ".join(each.node.layer for each in rest[:EXAMPLES])
        notes = (f"{len(rest)} more layers differ in the same way: {names}",) if rest else ()
        origin = first.node.origin
        yield Diagnostic(CODES[first.code], message, origin.at(first.attribute), (), first.help, notes)


def _elsewhere(found: Sequence[Difference]) -> Iterator[str]:
    if found:
        examples = "; ".join(f"{e.node.layer} {e.attribute} {e.ours}, {e.theirs} there" for e in found[:EXAMPLES])
        times = "1 time" if len(found) == 1 else f"{len(found)} times"
        yield f"{times} the file's convolutions read elsewhere than the spec's: {examples}"


def norms_astray(places: Sequence[Place]) -> Iterator[str]:
    """That batch norms read their convolution in the spec, and in the file something else, as its activation; for files
    that say what reads what."""
    sites = [(found.tensor.node, found.stored.site.layer) for found in places if found.stored and found.stored.site]
    makers = {node.name: layer.name for node, layer in sites if layer.kind in KERNELS}
    norms = {
        node.name: (node, layer) for node, layer in sites if layer.kind == "batch" and isinstance(node.op, BatchNorm)
    }
    found = [
        f"{node.layer} ({layer.title})"
        for node, layer in norms.values()
        if node.inputs[0] in makers and layer.behind != makers[node.inputs[0]]
    ]
    if found:
        which = "1 norm reads its" if len(found) == 1 else f"{len(found)} norms read their"
        examples = ", ".join(found[:EXAMPLES])
        yield f"{which} convolution directly, and in the file what something else makes of it: {examples}"


def _unknown(pairs: Iterable[tuple[Node, FileLayer, int]]) -> Iterator[str]:
    convs = [(node, layer) for node, layer, _ in pairs if layer.kind in ("conv", "deconv")]
    found = [node.layer for node, layer in convs if layer.pads is None and node.op.sliding is not None]
    if found:
        examples = ", ".join(found[:EXAMPLES])
        layers = "1 layer" if len(found) == 1 else f"{len(found)} layers"
        why = "is computed in the file or depends on its image, and was not compared"
        yield f"the padding of {layers} {why}: {examples}"
    norms = [node.layer for node, layer, _ in pairs if _written_out(node, layer)]
    if norms:
        which = "1 norm is" if len(norms) == 1 else f"{len(norms)} norms are"
        why = "written out in the file, whose groups and eps were not compared"
        yield f"{which} {why}: {', '.join(norms[:EXAMPLES])}"
