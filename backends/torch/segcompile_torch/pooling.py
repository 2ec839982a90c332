"""Pooling, and pooling undone, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Code, Rule
from segcompile.emit.arguments import same_sides, symmetric
from segcompile.ops import GlobalPool, Op, Pool, Shape, Unpool
from segcompile_torch.arguments import befores, pads


def pool(op: Pool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if op.kind == "avg" and op.round == "ceil" and len(op.kernel) == 3 and _is_too_small(op, shapes[0]):
        return _mean_of_few(op, inputs[0], shapes[0], output)
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


def _is_too_small(op: Pool, source: Shape) -> bool:
    """Whether a map is smaller than the kernel."""
    pairs = zip(source.size, op.kernel, strict=True)
    return any(isinstance(extent, int) and extent < taps for extent, taps in pairs)


def _mean_of_few(op: Pool, source: str, shape: Shape, output: Shape) -> Code:
    """A mean that rounds up, over a volume smaller than its kernel: of the padded map, by a kernel no larger than that,
    whose windows are clipped to the same voxels. Those are cut off that would start in the padding behind it."""
    around = tuple(map(op.pads, range(len(op.kernel))))
    padded = tuple(size + before + after for size, (before, after) in zip(shape.size, around, strict=True))
    kernel = tuple(
        min(taps, size) if isinstance(size, int) else taps for taps, size in zip(op.kernel, padded, strict=True)
    )
    fitting = op.model_copy(update={"kernel": kernel, "stride": op.steps, "pad": ((0, 0),) * len(kernel)})
    made = fitting.result([Shape(shape.channels, padded)])
    code = _pool(fitting, f"F.pad({source}, {pads(op)})" if any(pads(op)) else source, Shape(shape.channels, padded))
    cut = "" if made.size == output.size else f"[:, :, {', '.join(f':{size}' for size in output.size)}]"
    return Code(f"{code.text}{cut}", code.needs)


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


RULES: dict[type[Op], Rule] = {
    Pool: Rule(pool, switched=switched_pool),
    GlobalPool: Rule(global_pool),
    Unpool: Rule(unpool),
}
