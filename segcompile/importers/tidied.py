"""Nodes that were lifted one by one -> layers: constants folded where they belong, and norm, act and drop carried by
the layer before them. Each fold is a function, and FOLDS their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from segcompile.importers.bench import Made, float32
from segcompile.importers.values import line
from segcompile.network.graph import Role
from segcompile.ops import (
    Activation,
    Add,
    Affine,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    Deconv,
    Elu,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    Linear,
    Mul,
    Op,
    PRelu,
    ResponseNorm,
    Scale,
)

Network = dict[str, Made]
_WEIGHTED = (Conv, Deconv, Linear)
_SCALING = (BatchNorm, InstanceNorm, GroupNorm, LayerNorm)
_NORMS = (*_SCALING, ResponseNorm)
_CARRIERS = (*_WEIGHTED, *_NORMS, Add, Concat, Mul)  # what networks are told in: a sum and its relu are one line
_CARRIED: Mapping[Role, tuple[type[Op], ...]] = {
    Role.NORM: _NORMS,
    Role.ACT: (Activation, Elu, Clip, LeakyRelu, PRelu),
}


def tidied(made: Mapping[str, Made], ends: Iterable[str]) -> tuple[Network, dict[str, str]]:
    """The network that these nodes end, and the node that gives what each of `ends` gave."""
    found = _needed(made, ends)
    now = {end: end for end in ends}
    for fold in FOLDS:
        readers = _readers(found)
        for name in list(found):
            _folded(found, readers, now, name, fold)
    layers, names = _named(_carried(found, set(now.values())))
    return _sharing(layers), {end: names[node] for end, node in now.items()}


def _needed(made: Mapping[str, Made], ends: Iterable[str]) -> Network:
    """The nodes that results depend on, in order."""
    todo, seen = list(ends), set[str]()
    while todo:
        name = todo.pop()
        if name in made and name not in seen:
            seen.add(name)
            todo += made[name].node.inputs
    order: list[str] = []
    placed = set[str]()
    for name in made:  # a rewritten node may read one that was made after it
        stack = [name] if name in seen else []
        while stack:
            top = stack[-1]
            late = [each for each in made[top].node.inputs if each in made and each not in placed]
            if late:
                stack += late
            else:
                stack.pop()
                if top not in placed:
                    placed.add(top)
                    order.append(top)
    return {name: made[name] for name in order}


def _readers(network: Network) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in network}
    for name, each in network.items():
        for read in each.node.inputs:
            found.setdefault(read, []).append(name)
    return found


def _folded(network: Network, readers: dict[str, list[str]], now: dict[str, str], name: str, fold: Fold) -> None:
    """A node taken into the one before it, which nothing else reads."""
    behind = network[name]
    before = network.get(behind.node.inputs[0])
    if before is None or len(behind.node.inputs) != 1:
        return
    kept = before.node.name
    if readers[kept] != [name] or kept in now.values():
        return
    found = fold(before, behind)
    if found is None:
        return
    network[kept] = found
    del network[name]
    readers[kept] = readers.pop(name)
    for other in readers[kept]:
        each = network[other]
        inputs = tuple(kept if read == name else read for read in each.node.inputs)
        network[other] = replace(each, node=replace(each.node, inputs=inputs))
    now.update({end: kept for end, node in now.items() if node == name})


# --- folds -----------------------------------------------------------------------------------------------------------

Fold = Callable[[Made, Made], Made | None]


def _bias(before: Made, behind: Made) -> Made | None:
    """Conv + b: what is added to each channel is the bias, with the one that is there."""
    if not isinstance(before.node.op, _WEIGHTED) or not isinstance(behind.node.op, Affine):
        return None
    if not behind.node.op.bias or np.any(behind.tensors["weight"] != 1):
        return None
    channels = before.shape.channels
    bias = np.broadcast_to(behind.tensors["bias"], channels) + before.tensors.get("bias", np.float32(0))
    op = before.node.op.model_copy(update={"bias": True})
    return replace(before, node=replace(before.node, op=op), tensors={**before.tensors, "bias": float32(bias)})


def _scaled_norm(before: Made, behind: Made) -> Made | None:
    """norm · a + b: what a norm scales and shifts by."""
    if not isinstance(before.node.op, _SCALING) or not isinstance(behind.node.op, Affine | Scale):
        return None
    weight, bias = _line(behind)
    scaled = {"weight": before.tensors["weight"] * weight, "bias": before.tensors["bias"] * weight + bias}
    return replace(before, tensors={**before.tensors, **{name: float32(each) for name, each in scaled.items()}})


def _one_line(before: Made, behind: Made) -> Made | None:
    """a (c x + d) + b: one scale and one shift."""
    lines = (Affine, Scale)
    if not isinstance(before.node.op, lines) or not isinstance(behind.node.op, lines):
        return None
    (c, d), (a, b) = _line(before), _line(behind)
    weight, bias = a * c, a * d + b
    if isinstance(before.node.op, Scale) and isinstance(behind.node.op, Scale):
        op = Scale(factor=float(f"{float(weight[0]):.7g}"))
        return replace(before, node=replace(before.node, op=op))
    shared = weight.size == bias.size == 1 and all(_is_shared(each) for each in (before, behind))
    shifts = any("bias" in each.tensors for each in (before, behind))
    one, tensors = line(weight, bias, 0 if shared else before.shape.channels, shifts=shifts)
    return replace(before, node=replace(before.node, op=one), tensors=tensors)


def _is_shared(made: Made) -> bool:
    return not isinstance(made.node.op, Affine) or made.node.op.shared


def _line(made: Made) -> tuple[np.ndarray, np.ndarray]:
    """By what a node scales and shifts."""
    if isinstance(made.node.op, Scale):
        return np.full(1, made.node.op.factor, np.float32), np.zeros(1, np.float32)
    weight = made.tensors["weight"]
    return weight, made.tensors.get("bias", np.zeros_like(weight))


FOLDS: tuple[Fold, ...] = (_bias, _one_line, _scaled_norm)


# --- layers ----------------------------------------------------------------------------------------------------------


def _carried(network: Network, results: set[str]) -> Network:
    """The same nodes, where norms and activations that alone read a convolution are carried by its layer."""
    readers = _readers(network)
    found: Network = {}
    layers: dict[str, tuple[str, Role]] = {}
    for name, each in network.items():
        (first, *_) = each.node.inputs
        layer, role = layers.get(first, ("", Role.DROP))
        mine = next((role for role, ops in _CARRIED.items() if isinstance(each.node.op, ops)), None)
        alone = len(readers.get(first, ())) == 1 and first not in results and len(each.node.inputs) == 1
        if layer and mine is not None and alone and list(Role).index(mine) > list(Role).index(role):
            layers[name] = (layer, mine)
            found[name] = replace(each, node=replace(each.node, layer=layer, role=mine))
        else:
            found[name] = each
            if isinstance(each.node.op, _CARRIERS):
                layers[name] = (name, Role.NORM if isinstance(each.node.op, _NORMS) else Role.MAIN)
    return found


def _named(network: Network) -> tuple[Network, dict[str, str]]:
    """Nodes that a layer carries are called after it, `conv1:norm`, and stand behind it."""
    names = {
        name: f"{each.node.layer}:{each.node.role}" if each.node.role is not Role.MAIN else name
        for name, each in network.items()
    }
    order: list[tuple[str, Made]] = []
    carried: dict[str, list[Made]] = {}
    for each in network.values():
        if each.node.role is not Role.MAIN:
            carried.setdefault(each.node.layer, []).append(each)
    for name, each in network.items():
        if each.node.role is Role.MAIN:
            order += [(name, each), *((one.node.name, one) for one in carried.get(name, ()))]
    return {names[name]: _renamed(each, names) for name, each in order}, names


def _renamed(made: Made, names: Mapping[str, str]) -> Made:
    node = made.node
    inputs = tuple(names.get(name, name) for name in node.inputs)
    return replace(made, node=replace(node, name=names[node.name], inputs=inputs))


def _sharing(network: Network) -> Network:
    """The same nodes; of those whose kernel is one constant of the file, the first has it, and the others share it.

    A norm shares only what the layer that carries it shares: exporters make one constant of all that are equal, as the
    numbers of fresh norms are.
    """
    owners: dict[str, Made] = {}
    found: Network = {}
    for name, each in network.items():
        owner = owners.setdefault(each.kernel, each) if each.kernel else each
        carrier = found[each.node.layer].node if each.node.role is not Role.MAIN else None
        shares = isinstance(each.node.op, _WEIGHTED) or (carrier is not None and carrier.weights == owner.node.layer)
        found[name] = _lent(each, owner.node.name) if shares and owner is not each and _alike(owner, each) else each
    return found


def _alike(owner: Made, other: Made) -> bool:
    """Whether two nodes have the same tensors, and no setting that only one weight can have."""
    if type(owner.node.op) is not type(other.node.op) or owner.tensors.keys() != other.tensors.keys():
        return False
    settings = set(type(owner.node.op).model_fields) - set(owner.node.op.per_use)
    return all(getattr(owner.node.op, each) == getattr(other.node.op, each) for each in settings) and all(
        np.array_equal(each, other.tensors[name]) for name, each in owner.tensors.items()
    )


def _lent(made: Made, owner: str) -> Made:
    return replace(made, node=replace(made.node, weights=owner), tensors={})
