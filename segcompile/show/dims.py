"""The sizes of a network as the dynamic shapes that `torch.export` takes: `segcompile sizes --dims torch`."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm

from segcompile.facts.shapes import infer_shapes
from segcompile.facts.size_set import SizeSet
from segcompile.facts.sizes import AxisSizes, Sizes
from segcompile.network.graph import Graph
from segcompile.ops import AXIS_NAMES, AnySize, Pool, Size
from segcompile.text.errors import Findings


def dims_text(graph: Graph, sizes: Sizes) -> str:
    """Python code, for the model that is generated: `torch.export.export(model, (image,), dynamic_shapes=...)`.

    A Dim is a whole number times a step, and so says one residue: that at which no stride rounds, where there is one.
    PyTorch takes numbers that are 0 or 1 in its example for constants: the least size is two steps or more, and leaves
    two pixels of every layer.
    """
    lines, names = ["from torch.export import Dim", ""], AXIS_NAMES[graph.rank]
    maps = [shape.size for shape in infer_shapes(graph, Findings()).values() if shape.size]
    for axis, found in enumerate(sizes):
        if found is not None:
            legal = found.exact if found.exact and found.exact.residues and _is_guarded(graph, found) else found.legal
            lines.append(_dim(names[axis], legal, _least(legal, [size[axis] for size in maps])))
    axes = ", ".join(f"{2 + axis}: {names[axis]}" for axis, found in enumerate(sizes) if found is not None)
    shapes = ", ".join([f"{{{axes}}}"] * len(graph.inputs))
    return "\n".join([*lines, f"dynamic_shapes = ({shapes},)"])


def _dim(name: str, legal: SizeSet, start: int) -> str:
    """The line of one axis: the sizes from `start` on, those of its residue where not every residue is legal."""
    if len(legal.residues) == legal.modulus:
        return f'{name} = Dim("{name}", min={start})  # {start}, {legal.nearest(start + 1)[1]}, ...'
    step, rest = legal.modulus, start % legal.modulus
    more = f" + {rest}" if rest else ""
    others = f"; others are taken, too: {legal}" if len(legal.residues) > 1 else ""
    return (
        f'{name} = {step} * Dim("{name}_{step}ths", min={start // step}){more}  # {start}, {start + step}, ...{others}'
    )


def _is_guarded(graph: Graph, found: AxisSizes) -> bool:
    """Whether only sizes at which no stride rounds are told: PyTorch 2.13 cannot prove its own guards for others where
    a pool rounds up, or a join cuts; and of several residues one has to be chosen anyway."""
    several = 1 < len(found.legal.residues) < found.legal.modulus
    return several or any(
        (isinstance(node.op, Pool) and node.op.round == "ceil") or (node.op.joins and node.op.aligns != "none")
        for node in graph.nodes
    )


def _least(legal: SizeSet, maps: Sequence[Size]) -> int:
    """The least size of two steps or more that leaves two pixels of every map along an axis, of these sizes. Where
    every residue is legal, it is one from which on all sizes do."""
    growing = [each for each in maps if isinstance(each, AnySize) and each.step > 0]

    def fits(size: int) -> bool:
        return legal.legal(size) and all(each.at(size) >= 2 for each in growing)

    whole = len(legal.residues) == legal.modulus  # else the sizes that are told are of one residue
    size = legal.nearest(2 if whole else 2 * legal.modulus)[1]
    assert size is not None  # a legal set has no last size
    step = 1 if whole else legal.modulus
    period = lcm(legal.modulus, *(each.period for each in growing))
    while (bad := next((at for at in range(size + period - step, size - 1, -step) if not fits(at)), None)) is not None:
        size = legal.nearest(bad + 1)[1]
        assert size is not None
    return size
