"""Pooling, and pooling undone, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Code, Rule
from segcompile.emit.arguments import beyond, counted, reached, same_sides, symmetric
from segcompile.ops import AdaptivePool, GlobalPool, Op, Pool, Shape, Unpool
from segcompile_torch.arguments import befores, in_order, pads


def pool(op: Pool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if op.kind == "max":
        return _pool(op, inputs[0], pads_itself(op))
    itself = pads_itself(op) and not _may_be_too_small(op, shapes[0])
    if itself or counted(op) == reached(op):
        return _pool(op, inputs[0], itself)
    parts = ", ".join(str(in_order(part)) for part in (counted(op), beyond(counted(op), reached(op))))
    text = f"avg_pool({inputs[0]}, {same_sides(op.kernel)}, {same_sides(op.steps)}, {parts})"
    return Code(text, {"avg_pool"})


def switched_pool(op: Pool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """The maxima, and their indices in each channel's flattened image."""
    return _pool(op, inputs[0], pads_itself(op), ", return_indices=True")


def pads_itself(op: Pool) -> bool:
    """Whether the pooling takes the padding: alike on both sides, and at most half the kernel, however dilated."""
    return symmetric(op) and all(2 * op.pads(axis)[0] <= op.kernel[axis] for axis in range(len(op.kernel)))


def _may_be_too_small(op: Pool, source: Shape) -> bool:
    """Whether a map may be smaller than the kernel, which F.avg_pool3d refuses of one that it pads or rounds up."""
    pairs = zip(source.size, op.kernel, strict=True)
    return len(op.kernel) == 3 and not all(isinstance(extent, int) and extent >= taps for extent, taps in pairs)


def _pool(op: Pool, source: str, itself: bool, end: str = "") -> Code:
    """`itself`: the pooling pads, and rounds up; else the map is padded before, so far that it is rounded down."""
    arguments = [str(same_sides(op.kernel))]
    if op.steps != op.kernel:
        arguments.append(str(same_sides(op.steps)))
    if max(op.dilation) > 1:
        end = f", dilation={same_sides(op.dilation)}{end}"
    around = in_order(reached(op))
    if itself:
        arguments += [f"padding={same_sides(befores(op))}"] if any(pads(op)) else []
        arguments += ["ceil_mode=True"] if op.round == "ceil" else []
        arguments += ["count_include_pad=False"] if not op.count_pad and any(pads(op)) else []
    elif any(around):
        outside = ', value=float("-inf")' if op.kind == "max" else ""
        source = f"F.pad({source}, {around}{outside})"
    return Code(f"F.{op.kind}_pool{len(op.kernel)}d({source}, {', '.join(arguments)}{end})", {"F"})


def adaptive_pool(op: AdaptivePool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.adaptive_{op.kind}_pool{len(op.bins)}d({inputs[0]}, {same_sides(op.bins)})", {"F"})


def global_pool(op: GlobalPool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.adaptive_{op.kind.removeprefix('global_')}_pool{len(shapes[0].size)}d({inputs[0]}, 1)", {"F"})


def _gathered(op: Op, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """What was gathered of the rows is the map."""
    return Code(f"{inputs[0]}.map")


def unpool(op: Unpool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """Pairs throughout: PyTorch's types know no single numbers here. The indices are those of what was pooled, which is
    the padded map where the pooling does not pad itself."""
    source, indices, before = inputs
    arguments = [str(op.kernel)]
    if op.pool.steps != op.kernel:
        arguments.append(str(op.pool.steps))
    itself, around = pads_itself(op.pool), in_order(reached(op.pool))
    if itself and any(pads(op.pool)):
        arguments.append(f"padding={befores(op.pool)}")
    size = f"{before}.shape[2:]" if itself or not any(around) else _padded_size(op.pool, before)
    code = f"F.max_unpool{len(op.kernel)}d({source}, {indices}, {', '.join(arguments)}, output_size={size})"
    return Code(code if itself or not any(around) else f"F.pad({code}, {tuple(-side for side in around)})", {"F"})


def _padded_size(op: Pool, source: str) -> str:
    """`(x.shape[2] + 1, x.shape[3])`: of a map with all the padding that a pooling sees."""
    more = (f" + {sum(pair)}" if any(pair) else "" for pair in reached(op))
    sides = [f"{source}.shape[{axis}]{added}" for axis, added in enumerate(more, 2)]
    return f"({', '.join(sides)}{',' if len(sides) == 1 else ''})"


RULES: dict[type[Op], Rule] = {
    Pool: Rule(pool, switched=switched_pool),
    AdaptivePool: Rule(adaptive_pool, in_rows=_gathered),
    GlobalPool: Rule(global_pool, in_rows=_gathered),
    Unpool: Rule(unpool),
}
