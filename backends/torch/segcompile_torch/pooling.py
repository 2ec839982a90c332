"""Pooling, and pooling undone."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Code
from segcompile.emit.arguments import same_sides, symmetric
from segcompile.ops import GlobalPool, Pool, Shape, Unpool
from segcompile_torch.arguments import befores, pads


def pool(op: Pool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return _pool(op, inputs[0], shapes[0])


def switched_pool(op: Pool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """The maxima, and their indices in each channel's flattened image."""
    return _pool(op, inputs[0], shapes[0], ", return_indices=True")


def pads_itself(op: Pool) -> bool:
    """Whether the pooling takes the padding: alike on both sides, and at most half the kernel, however dilated."""
    return symmetric(op) and all(2 * op.pads(axis)[0] <= op.kernel[axis] for axis in range(len(op.kernel)))


def _may_be_too_small(op: Pool, source: Shape) -> bool:
    """Whether a map may be smaller than the kernel, which F.avg_pool3d refuses of one that it pads itself."""
    pairs = zip(source.size, op.kernel, strict=True)
    fits = all(isinstance(extent, int) and extent >= taps for extent, taps in pairs)
    return op.kind == "avg" and op.round == "floor" and len(op.kernel) == 3 and not fits


def _pool(op: Pool, source: str, shape: Shape, end: str = "") -> Code:
    arguments = [str(same_sides(op.kernel))]
    if op.steps != op.kernel:
        arguments.append(str(same_sides(op.steps)))
    if max(op.dilation) > 1:
        end = f", dilation={same_sides(op.dilation)}{end}"
    if not pads_itself(op) or (_may_be_too_small(op, shape) and any(pads(op))):
        outside = ', value=float("-inf")' if op.kind == "max" else ""
        source = f"F.pad({source}, {pads(op)}{outside})"
    elif any(pads(op)):
        arguments.append(f"padding={same_sides(befores(op))}")
    if op.round == "ceil":
        arguments.append("ceil_mode=True")
    return Code(f"F.{op.kind}_pool{len(op.kernel)}d({source}, {', '.join(arguments)}{end})", {"F"})


def global_pool(op: GlobalPool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.adaptive_{op.kind.removeprefix('global_')}_pool{len(shapes[0].size)}d({inputs[0]}, 1)", {"F"})


def unpool(op: Unpool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """Pairs throughout: PyTorch's types know no single numbers here."""
    source, indices, before = inputs
    arguments = [str(op.kernel)]
    if op.pool.steps != op.kernel:
        arguments.append(str(op.pool.steps))
    if any(pads(op.pool)):
        arguments.append(f"padding={befores(op.pool)}")
    arguments.append(f"output_size={before}.shape[2:]")
    return Code(f"F.max_unpool{len(op.kernel)}d({source}, {indices}, {', '.join(arguments)})", {"F"})
