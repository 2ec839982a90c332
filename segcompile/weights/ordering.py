"""Layer for layer, in order: for files whose names are not those of the spec.

A layer is a kernel or matrix with the vectors behind it: its bias, a norm's scale, shift and statistics. The first
layer of the file goes into the first of the network, and so on until one does not fit in all of its tensors. From
there on the file is another network, and nothing is placed.

A file may keep all convolutions before all norms, or number the layers of each class alone (Keras). Then the first
kernel goes into the first kernel and the first norm into the first norm. For this, file and network must have as many
norms: behind one that is missing, each norm would get its neighbour's.

Nothing says that a program made its layers in the order in which the spec lists them. `interchangeable` says which
layers could be exchanged without a shape that tells.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import dropwhile, groupby
from typing import TypeVar

from segcompile.network.graph import Graph, Node
from segcompile.ops import Conv
from segcompile.weights.aligning import aligned
from segcompile.weights.parameters import Tensor
from segcompile.weights.placing import Place, endings, floating, shown, takes
from segcompile.weights.stored import Order, Source, Stored

Layer = tuple[Place, ...]  # the places of one layer's tensors

CONSTANTS = frozenset({  # what programs keep in a state dict beside weights: counters, an image's mean, tables
    "mean", "std", "pixel_mean", "pixel_std", "image_mean", "image_std", "n_averaged", "total_ops", "total_params",
    "attn_mask", "inv_freq", "relative_position_index",
})  # fmt: skip
_LOSS = re.compile(
    r"(^|[^a-z])(loss|losses|criterion)([^a-z].*)?\.", re.IGNORECASE
)  # a module that holds class weights
_ROLES = ("weight", "bias", "running_mean", "running_var")  # in the order in which PyTorch has them
_WORDS = {  # what else programs call them
    "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var",
    "moving_variance": "running_var",
}  # fmt: skip

_T = TypeVar("_T", Tensor, Stored)


def ordered(source: Source, wanted: Sequence[Tensor]) -> tuple[Layer, ...]:
    """Whichever places more: all layers in one order, or each kind of layer in its own. The file must have an order; if
    it is that of a run and says of the layers what they are, that decides."""
    if source.order is Order.EXECUTED and any(stored.site for stored in source.tensors):
        return aligned(source, wanted)
    whole = _in_order(source, wanted) if source.order is not Order.KINDS else ()
    if whole and (source.order is Order.EXECUTED or all(found.stored for layer in whole for found in layer)):
        return whole
    return max(whole, _by_kind(source, wanted), key=lambda layers: sum(layer[0].stored is not None for layer in layers))


def _in_order(source: Source, wanted: Sequence[Tensor]) -> tuple[Layer, ...]:
    """Each kernel with the vectors up to the next one, in the order of the file."""
    theirs = iter(_blocks(_candidates(source, wanted)))
    return _walk(_blocks(wanted), lambda mine: next(theirs, None))


def _by_kind(source: Source, wanted: Sequence[Tensor]) -> tuple[Layer, ...]:
    """Each layer from the next one of its kind; nothing is placed unless the file has as many norms and slopes."""
    fine = source.order is Order.KINDS
    ours = [list(group) for _, group in groupby(wanted, lambda tensor: tensor.node.name)]
    theirs = groupby(_candidates(source, wanted), lambda stored: stored.name.rpartition(".")[0])
    modules = [list(group) for _, group in theirs]

    def kind(layer: Sequence[Tensor]) -> str:
        return _kind(layer[0].node) if fine else _form(layer)

    def their_kind(layer: Sequence[Stored]) -> str:
        return layer[0].kind if fine else _form(layer)

    counts = [Counter(_form(layer) for layer in layers if _form(layer) != "kernel") for layers in (ours, modules)]
    if counts[0] != counts[1]:
        here, there = (sum(count.values()) for count in counts)
        why = f"the network has {here} norms and slopes, the file {there}"
        return tuple(tuple(Place(tensor, None, why) for tensor in layer) for layer in ours)
    queues = {kind(layer): iter([found for found in modules if their_kind(found) == kind(layer)]) for layer in ours}
    return _walk(ours, lambda mine: next(queues[kind(mine)], None))


def _walk(
    ours: Iterable[Sequence[Tensor]], following: Callable[[Sequence[Tensor]], Sequence[Stored] | None]
) -> tuple[Layer, ...]:
    """The network's layers, each with what `following` finds for it, until that does not fit."""
    found: list[Layer] = []
    stopped = ""
    for mine in ours:
        theirs = None if stopped else following(mine)
        if theirs is not None and _alike(mine, theirs):
            found.append(tuple(map(Place, mine, theirs)))
        elif theirs is not None:
            found.append(tuple(_misplaced(mine, theirs)))
            stopped = f"behind `{mine[0].name}`, where the order ends"
        else:
            found.append(tuple(Place(tensor, None, stopped or "the file ends before it") for tensor in mine))
    return tuple(found)


def misfits(source: Source, wanted: Sequence[Tensor]) -> list[tuple[Tensor, Stored]]:
    """The parameters, each with the tensor at its place in the order, whose shapes do not fit; none unless file and
    network have as many layers."""
    ours, theirs = _blocks(wanted), _blocks(_candidates(source, wanted))
    if len(ours) != len(theirs):
        return []
    pairs = [pair for mine, found in zip(ours, theirs, strict=True) for pair in zip(mine, found, strict=False)]
    return [(tensor, stored) for tensor, stored in pairs if not takes(tensor, stored.shape)]


def _misplaced(mine: Sequence[Tensor], theirs: Sequence[Stored]) -> Iterator[Place]:
    """Why a layer is not placed, for each of its tensors."""
    for index, tensor in enumerate(mine):
        if index >= len(theirs):
            yield Place(tensor, None, f"`{theirs[0].name}` has nothing for it")
        elif _fit(tensor, theirs[index]):
            yield Place(tensor, None, f"`{theirs[0].name}` is another layer")
        elif takes(tensor, theirs[index].shape) and not theirs[index].unusable:
            yield Place(tensor, None, f"by order `{theirs[index].name}`, which its name says it is not")
        else:
            told = theirs[index].unusable or shown(theirs[index].shape)
            why = f"by order `{theirs[index].name}`: {told}"
            yield Place(tensor, None, why, None if theirs[index].unusable else theirs[index])


def _alike(mine: Sequence[Tensor], theirs: Sequence[Stored]) -> bool:
    return len(mine) == len(theirs) and all(map(_fit, mine, theirs))


def _fit(mine: Tensor, stored: Stored) -> bool:
    """Whether shapes agree, and the names of what they are to their layers where both have known ones."""
    role = _role(stored)
    plain = role not in _ROLES or role == mine.parameter.name
    return plain and not stored.unusable and takes(mine, stored.shape)


def _blocks(tensors: Iterable[_T]) -> list[list[_T]]:
    """Each kernel or matrix with the vectors up to the next one."""
    found: list[list[_T]] = []
    for tensor in tensors:
        if not found or len(tensor.shape) > 1:
            found.append([])
        found[-1].append(tensor)
    return found


def _candidates(source: Source, wanted: Sequence[Tensor]) -> list[Stored]:
    """The file's tensors without those that are no weights of the network: by their names, because a loss holds them,
    because they are single numbers or arrays for a batch of one (a mask, a table) whose shape no parameter has, or
    because they are vectors of no layer."""
    shapes = {tensor.shape for tensor in wanted}

    def constant(stored: Stored) -> bool:
        lone = not stored.shape or (len(stored.shape) > 2 and stored.shape[0] == 1)
        named = stored.name.rpartition(".")[2] in CONSTANTS or _LOSS.search(stored.name) is not None
        return named or (lone and stored.shape not in shapes)

    found = [stored for stored in source.tensors if floating(stored) and not constant(stored)]
    found = [stored for stored in found if not _metric(stored, found, shapes)]
    if wanted and len(wanted[0].shape) > 1:  # the network starts with a kernel: no norm stands before it
        found = list(dropwhile(lambda stored: len(stored.shape) < 2 and _role(stored) not in _ROLES, found))
    layers = groupby(found, lambda stored: stored.name.rpartition(".")[0])
    return [stored for _, layer in layers for stored in _by_role(list(layer))]


def _metric(stored: Stored, every: Sequence[Stored], shapes: Container[tuple[int, ...]]) -> bool:
    """Whether a vector is what a program keeps of its run, a curve of losses: it has a shape that no parameter has, and
    stands beside the layers, which are in modules."""
    vector = len(stored.shape) == 1 and stored.shape not in shapes and "." not in stored.name
    return vector and all("." in other.name for other in every if len(other.shape) > 1)


def _by_role(layer: Sequence[Stored]) -> Sequence[Stored]:
    """A layer's tensors in PyTorch's order, if their names say of each what it is: a program may have made the bias or
    the statistics first."""
    roles = [_role(stored) for stored in layer]
    known = set(roles) <= set(_ROLES) and len(set(roles)) == len(roles)
    return sorted(layer, key=lambda stored: _ROLES.index(_role(stored))) if known else layer


def _role(stored: Stored) -> str:
    """What a tensor is to its layer, by the end of its name."""
    word = stored.name.rpartition(".")[2]
    return _WORDS.get(word, word)


def _form(layer: Sequence[Tensor] | Sequence[Stored]) -> str:
    if any(len(tensor.shape) > 1 for tensor in layer):
        return "kernel"
    return "norm" if len(layer) > 1 else "slope"


def _kind(node: Node) -> str:
    """What Keras would number it among."""
    depthwise = isinstance(node.op, Conv) and node.op.groups > 1
    return "depthwise" if depthwise else node.op.spelling


def interchangeable(layers: Iterable[Layer], graph: Graph, order: Order) -> tuple[tuple[Layer, ...], ...]:
    """Groups of layers, placed in order, that could exchange their tensors although every shape fits.

    Two layers can do so if their tensors have the same shapes, one for one, and neither got them under its own name.
    If the file has the order in which its network is run, the two must also stand side by side: of two layers of which
    one computes from the other, this one comes later in any such order. Groups that have two side by side come first:
    there not even the run of the network says which was made first.
    """
    groups: dict[tuple[object, ...], list[Layer]] = {}
    for layer in layers:
        if layer[0].stored is not None and not all(_confirmed(found) for found in layer):
            key = tuple((found.tensor.parameter.name, found.tensor.shape) for found in layer)
            groups.setdefault(key, []).append(layer)
    kin, bits = _kin(graph)
    found: list[tuple[bool, tuple[Layer, ...]]] = []
    for group in groups.values():
        every = sum({bits[_node(layer)] for layer in group})
        beside = [layer for layer in group if every & ~kin[_node(layer)]]
        rest = [layer for layer in group if not every & ~kin[_node(layer)]]
        members = (*beside, *(rest if order is not Order.EXECUTED else ()))
        if len(members) > 1:
            found.append((not beside, members))
    return tuple(members for _, members in sorted(found, key=lambda entry: entry[0]))


def _node(layer: Layer) -> str:
    return layer[0].tensor.node.name


def _confirmed(found: Place) -> bool:
    """Whether a tensor of the file has the name of its place."""
    return found.stored is not None and found.tensor.name in endings(found.stored.name)


def _kin(graph: Graph) -> tuple[dict[str, int], dict[str, int]]:
    """Node -> the nodes that it computes from and that compute from it, and itself, as bits; and the bit of each."""
    bits = {node.name: 1 << index for index, node in enumerate(graph.nodes)}
    above, below = dict(bits), dict(bits)
    for node in graph.nodes:
        for name in node.inputs:
            above[node.name] |= above.get(name, 0)
    for node in reversed(graph.nodes):
        for name in node.inputs:
            if name in below:
                below[name] |= below[node.name]
    return {name: above[name] | below[name] for name in bits}, bits
