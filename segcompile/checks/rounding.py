"""What is not the same for all legal sizes of the image, because something before it rounds: SC309."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import lcm

from segcompile.checks.subject import Subject
from segcompile.facts.size_set import SizeSet, fulfilling
from segcompile.facts.sizes import AxisSizes
from segcompile.network.graph import Node
from segcompile.ops import CELL, AnySize, Op, Resize, Shape, Size, Undecidable
from segcompile.ops.resampling import limit_ratio
from segcompile.ops.size import difference
from segcompile.text.errors import Diagnostic, finding


@dataclass(frozen=True, slots=True)
class _Told:
    """What depends on the size at one node, and the remedy."""

    node: Node
    message: str
    help: str


def check_rounding(subject: Subject) -> Iterator[Diagnostic]:
    """SC309 for joins whose alignment, and resizes to a reference whose ratio, depends on the size of the image; once
    for all that one choice of sizes makes constant."""
    causes: dict[str, list[_Told]] = {}
    shapes, sizes = subject.shapes, subject.sizes
    for node in subject.graph.nodes:
        found = next((told for axis, among in enumerate(sizes) if (told := _along(node, axis, shapes, among))), None)
        if found is not None:
            causes.setdefault(found.help, []).append(found)
    for help, (first, *others) in causes.items():
        notes = [f"{', '.join(told.node.layer for told in others)}: the same"] if others else []
        origin = first.node.origin
        message = f"{first.node.layer}: {first.message}"
        yield finding("SC309", message, origin.span, help=help, notes=notes)


def _along(node: Node, axis: int, shapes: Mapping[str, Shape], sizes: AxisSizes | None) -> _Told | None:
    to_size = isinstance(node.op, Resize) and node.op.size is not None
    if sizes is None or len(node.inputs) + to_size < 2 or not shapes[node.inputs[0]].size:
        return None
    extents = [shapes[name].size[axis] for name in (*node.inputs, *([node.name] if to_size else []))]
    try:
        if node.op.joins:
            return next(_of_join(node, node.op, CELL[len(shapes[node.inputs[0]].size)], extents, sizes), None)
        return _of_resize(node, node.op, extents, sizes) if isinstance(node.op, Resize) else None
    except Undecidable:
        return None  # more residues than can be written down


def _of_join(node: Node, op: Op, cell: str, extents: list[Size], sizes: AxisSizes) -> Iterator[_Told]:
    """What an `align` cuts off, or puts, before the first pixel of an input."""
    verb = "cuts off" if op.aligns == "center_crop" else "puts before"
    for index, name in enumerate(node.inputs):
        shift = op.cut_off(extents, index)
        if isinstance(shift, int):
            continue
        message = f"the {cell}s that it {verb} {_layer(name)} depend on {shift.symbol}"
        if shift.step:
            yield _Told(node, f"{message}, and grow with it", "bring both inputs to one stride first")
            continue
        usual = shift.at(_usual(sizes))
        help = _remedy(shift - usual, sizes)
        if help is not None:
            values = sorted(abs(value) for value in _values(shift, sizes.legal))
            listed = f"{values[0]} {'or' if len(values) == 2 else 'to'} {values[-1]}"
            yield _Told(node, f"{message}: {listed}", help)


def _of_resize(node: Node, op: Resize, extents: list[Size], sizes: AxisSizes) -> _Told | None:
    """The ratio of an interpolation to a reference. One pixel becomes any number of them in the same way."""
    have, want = extents
    if have == 1 or (isinstance(have, int) and isinstance(want, int)):
        return None
    source, *named = map(_layer, node.inputs)
    reference = named[0] if named else "its size"
    message = f"the ratio from {source} to {reference} depends on {sizes.legal.symbol}: {have} to {want}"
    ends = 1 if op.align_corners else 0
    ratio = limit_ratio(have - ends, want - ends)
    if ratio is None:
        return _Told(node, message, "resize by a factor")
    help = _remedy(difference((have - ends) * ratio.denominator, (want - ends) * ratio.numerator), sizes)
    return None if help is None else _Told(node, message, help)


def _layer(name: str) -> str:
    return name.partition(":")[0]


def _usual(sizes: AxisSizes) -> int:
    """The least size at which no stride rounds; where there is none, the least legal one."""
    exact = sizes.exact.nearest(1)[1] if sizes.exact is not None else None
    return exact or sizes.legal.nearest(1)[1] or 1


def _remedy(slack: Size, sizes: AxisSizes) -> str | None:
    """Which legal sizes make a difference vanish; None if all do."""
    zero = fulfilling(slack, equal=True) if isinstance(slack, AnySize) else None
    if zero is None:
        return None if slack == 0 else "no size of the input keeps it constant: resize by a factor, and crop or pad"
    kept = sizes.legal & zero
    if kept == sizes.legal:
        return None
    if sizes.exact is not None and sizes.exact.residues and sizes.exact & kept == sizes.exact:
        return f"it is constant at the sizes where no stride rounds: {sizes.exact}"
    if not kept.residues:
        return "no size of the input keeps it constant: resize by a factor, and crop or pad"
    return f"it is constant at {kept}"


def _values(size: AnySize, legal: SizeSet) -> set[int]:
    """What a size that only depends on the residue is at the legal ones."""
    period = lcm(size.period, legal.modulus)
    return {size.at(residue) for residue in range(period) if legal.least[residue % legal.modulus] is not None}
