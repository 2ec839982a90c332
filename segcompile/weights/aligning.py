"""Layer for layer, in order, for files that say what their layers are.

The first convolution or matrix of the file goes into the first of the network, and so on until a kernel has another
shape: from there on the file is another network. Between two kernels, norms go into norms and slopes into slopes,
whatever else the file has there. A norm that only one of both has moves nothing that comes behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from segcompile.weights.parameters import Tensor
from segcompile.weights.placing import Place, given
from segcompile.weights.sites import KERNELS, NORMS, FileLayer
from segcompile.weights.stored import Source, Stored

_SLOPES = frozenset({"prelu"})
Layer = tuple[Place, ...]
_Ours = list[Tensor]  # the tensors of a node
_Theirs = list[Stored]  # those of a layer of the file


def aligned(source: Source, wanted: Sequence[Tensor]) -> tuple[Layer, ...]:
    """The places of each kernel and what stands behind it up to the next one; first, what stands before any. A kernel
    that is not wanted, or not in the file, since `--names` says where it goes, takes its bias out of the order."""
    found: list[Layer] = []
    stopped = ""
    theirs = iter(_their_blocks(source.tensors))
    for mine in _our_blocks(wanted):
        block = next(theirs, None)
        if not stopped and block is None:
            stopped = "the file ends before it"
        if stopped or block is None:
            found.append(tuple(Place(tensor, None, stopped) for part in mine for tensor in part))
            continue
        places = tuple(_block(mine, block))
        found.append(places)
        if any(each.misfit for each in places if len(each.tensor.shape) > 1):
            stopped = f"behind `{places[0].tensor.name}`, where the order ends"
    return tuple(filter(None, found))


def _our_blocks(wanted: Iterable[Tensor]) -> list[list[_Ours]]:
    """Node by node, a new block with each kernel; the first block has none."""
    found: list[list[_Ours]] = [[]]
    for _, group in groupby(wanted, lambda tensor: tensor.node.name):
        part = list(group)
        if len(part[0].shape) > 1:
            found.append([])
        found[-1].append(part)
    return found


def _their_blocks(tensors: Iterable[Stored]) -> list[list[_Theirs]]:
    layers: dict[FileLayer, _Theirs] = {}
    for stored in tensors:
        if stored.site:
            layers.setdefault(stored.site.layer, []).append(stored)
    found: list[list[_Theirs]] = [[]]
    for layer, part in layers.items():
        if layer.kind not in KERNELS:
            found[-1].append(part)
        elif any(stored.site and stored.site.role == "weight" for stored in part):
            found.append([part])
    return found


def _block(mine: Sequence[_Ours], theirs: Sequence[_Theirs]) -> Iterator[Place]:
    """A place for each tensor of a block, in our order. Behind a kernel that is not placed nothing is."""
    pairs = dict(_pairs(mine, theirs))
    lost = ""
    for part in mine:
        layer = pairs.get(part[0].node.name)
        for tensor in part:
            if lost:
                yield Place(tensor, None, f"it belongs to `{lost}`, which is not placed")
                continue
            found = _place(tensor, layer) if layer else Place(tensor, None, _missing(part))
            lost = tensor.name if len(tensor.shape) > 1 and not found.stored else ""
            yield found


def _pairs(mine: Sequence[_Ours], theirs: Sequence[_Theirs]) -> Iterator[tuple[str, _Theirs]]:
    """Node -> the layer of the file that stands at its place: the kernel, norms and slopes each in their order."""
    for kinds in (KERNELS, NORMS, frozenset({"prelu"})):
        ours = [part for part in mine if _family(part) == kinds]
        layers = [layer for layer in theirs if _said(layer).kind in kinds]
        if len(ours) != len(layers):  # those that read the kernel's result may be missing on one side
            kernel = {part[0].node.name for part in mine if _family(part) == KERNELS}
            ours = [part for part in ours if not kernel.intersection(part[0].node.inputs)]
            layers = [layer for layer in layers if not _said(layer).behind]
        if len(ours) == len(layers):
            yield from ((part[0].node.name, layer) for part, layer in zip(ours, layers, strict=True))


def _family(part: _Ours) -> frozenset[str]:
    kinds = set(part[0].node.op.stored_as)
    return next((family for family in (KERNELS, NORMS, _SLOPES) if family & kinds), frozenset())


def _said(layer: _Theirs) -> FileLayer:
    site = layer[0].site
    assert site is not None
    return site.layer


def _place(tensor: Tensor, layer: _Theirs) -> Place:
    """The tensor of the same role."""
    for stored in layer:
        if stored.site and stored.site.role == tensor.parameter.name:
            return given(tensor, stored)
    return Place(tensor, None, f"{_said(layer).title} has none")


def _missing(part: _Ours) -> str:
    words = {NORMS: "no norm", frozenset({"prelu"}): "no slopes"}
    return f"the file has {words.get(_family(part), 'no kernel')} here"
