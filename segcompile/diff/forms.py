"""One form for ops that are written differently and do the same; and what is left of an op without its padding."""

from __future__ import annotations

from segcompile.ops import AXES, Conv, Crop, Deconv, Op, Pad, Pool, Unpool

_NONE = (0, 0, 0, 0)


def canonical(op: Op) -> Op:
    """`pad: same` in pixels, a pool's stride written out, no `mode` of a padding that is none."""
    if isinstance(op, Unpool):
        return op.model_copy(update={"pool_layer": canonical(op.pool)})
    if isinstance(op, Pad):
        return op if any(op.amount) else Pad(amount=_NONE)
    if not isinstance(op, Conv | Deconv | Pool):
        return op
    (top, bottom), (left, right) = (op.pads(axis) for axis in AXES)
    changes: dict[str, object] = {"pad": (top, bottom, left, right)}
    if isinstance(op, Conv) and not any((top, bottom, left, right)):
        changes["mode"] = "zero"
    if isinstance(op, Pool):
        changes["stride"] = op.steps
    return op.model_copy(update=changes)


def unpadded(op: Op) -> Op:
    """The canonical op without what says where its border lies. Two that are equal then have equal weights, and do the
    same to pixels far from any border."""
    op = canonical(op)
    if isinstance(op, Unpool):
        return op.model_copy(update={"pool_layer": unpadded(op.pool)})
    if isinstance(op, Pad):
        return Pad(amount=_NONE)
    if isinstance(op, Crop):
        return op.model_copy(update={"offset": None})
    if isinstance(op, Conv):
        return op.model_copy(update={"pad": _NONE, "mode": "zero"})
    if isinstance(op, Deconv):
        return op.model_copy(update={"pad": _NONE, "output_pad": (0, 0)})
    return op.model_copy(update={"pad": _NONE}) if isinstance(op, Pool) else op
