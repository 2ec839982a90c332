"""The layers of a caffemodel that have weights, as the layers of PyTorch that compute the same.

Caffe normalises in two layers. BatchNorm has sums of means and variances, and by how much to divide them; the Scale
that reads its result has the scale and the shift. Together they are a batch norm. Behind a Convolution that they were
folded into, neither is left.

Forks have a layer BN for both. PSPNet's and ICNet's has four blobs: scale, shift, mean and variance. SegNet's and
ENet's has two, a scale and a shift into which the statistics are folded before the network is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from segcompile.weights.sites import KERNELS, NORMS, FileLayer, Kind, Site
from segcompile.weights.stored import Array, Stored

_KINDS: dict[int | str, Kind] = {  # V1LayerParameter's enum, LayerParameter's word
    4: "conv", "Convolution": "conv", 39: "deconv", "Deconvolution": "deconv", 14: "linear", "InnerProduct": "linear",
    "BatchNorm": "batch", "BN": "batch", "Scale": "scale", "PReLU": "prelu",
}  # fmt: skip
_WORDS = {4: "Convolution", 39: "Deconvolution", 14: "InnerProduct"}
_BN = ("weight", "bias", "running_mean", "running_var")
_EPS = 1e-5  # caffe.proto's own, where none is said


def tensors_of(layers: Sequence[Any]) -> Iterator[Stored]:
    """The blobs of all layers. A convolution's are `<layer>.weight` and `<layer>.bias`, a norm's `.running_mean` and so
    on; those of a layer that is not known are `<layer>.<number>`."""
    makers: dict[str, FileLayer] = {}  # blob -> the layer that made it last: Caffe's layers write in place
    widths: dict[str, int] = {}
    for layer in layers:
        source = next(iter(layer.bottom), "")
        said = _said(layer, makers.get(source))
        found = list(_blobs(layer, said, widths.get(source)))
        yield from found
        for top in layer.top:
            widths[top] = _width(found, said) or widths.get(source, 0)
            makers.pop(top, None)
            if said is not None:
                makers[top] = said


def _said(layer: Any, before: FileLayer | None) -> FileLayer | None:
    """What the file says of a layer; `before`: the layer whose result it reads."""
    kind = _KINDS.get(layer.type)
    op = _WORDS.get(layer.type, str(layer.type))
    if kind == "scale" and before is not None and before.op == "BatchNorm":
        return before
    behind = before.name if before is not None and before.kind in KERNELS else ""
    if op == "BN":
        eps = layer.bn_param.eps if layer.bn_param.HasField("eps") else None
        return FileLayer(layer.name, "scale" if len(layer.blobs) == 2 else "batch", op, eps=eps, behind=behind)
    if kind == "batch":
        eps = layer.batch_norm_param.eps if layer.batch_norm_param.HasField("eps") else _EPS
        return FileLayer(layer.name, kind, op, eps=eps, behind=behind)
    if kind in ("conv", "deconv") and layer.HasField("convolution_param"):
        rank = len(_shape(layer.blobs[0])) - 2 if layer.blobs else 2
        return _window(FileLayer(layer.name, kind, op), layer.convolution_param, rank)
    if kind is None and layer.blobs:  # of someone's own: a convolution, if it has a kernel, or else a norm
        kernel = _rank(layer.blobs[0]) > 1
        return FileLayer(layer.name, "conv" if kernel else "scale", op, behind="" if kernel else behind)
    if kind is None:
        return None
    return FileLayer(layer.name, kind, op, behind=behind if kind == "scale" else "")


def _window(layer: FileLayer, said: Any, rank: int) -> FileLayer:
    """One number for all axes, one for each, or of images `_h` and `_w`."""

    def each(name: str, default: int) -> tuple[int, ...]:
        listed = list(getattr(said, name)) or [default]
        if name != "dilation" and said.HasField(f"{name}_h") and said.HasField(f"{name}_w"):
            listed = [getattr(said, f"{name}_h"), getattr(said, f"{name}_w")]
        return tuple(listed * rank if len(listed) == 1 else listed[:rank])

    return FileLayer(
        layer.name,
        layer.kind,
        layer.op,
        said.group if said.HasField("group") else 1,
        stride=each("stride", 1),
        dilation=each("dilation", 1),
        pads=tuple(pad for pad in each("pad", 0) for _ in range(2)),
    )


def _blobs(layer: Any, said: FileLayer | None, width: int | None) -> Iterator[Stored]:
    roles = _roles(layer, said)
    turned = "it is transposed" if layer.inner_product_param.transpose else ""
    for index, blob in enumerate(layer.blobs):
        if said is not None and said.kind == "batch" and index == 2 and len(roles) == 2:
            continue  # the divisor of the two blobs before it
        role = roles[index] if index < len(roles) else ""
        shape, read = _shape(blob), partial(_values, blob)
        if role and (role != "weight" or said is None or said.kind not in ("conv", "deconv")):
            shape = _without_ones(shape, 2 if role == "weight" and said and said.kind == "linear" else 1)
        if role.startswith("running") and layer.type == "BatchNorm" and len(layer.blobs) == 3:
            read = partial(_mean, blob, layer.blobs[2])
        if said is not None and said.kind == "prelu" and shape in ((), (1,)) and width:
            shape, read = (width,), partial(_repeated, blob, width)
        site = Site(said, role) if said is not None and role else None
        unusable = turned if role == "weight" else ""
        if said is not None and said.kind in NORMS and not _known(layer):
            unusable = f"what a layer {layer.type} of {len(layer.blobs)} blobs computes is not known"
        yield Stored(f"{layer.name}.{role or index}", shape, partial(_shaped, read, shape), unusable, site=site)


def _known(layer: Any) -> bool:
    return layer.type in _KINDS and (layer.type != "BN" or len(layer.blobs) in (2, len(_BN)))


def _roles(layer: Any, said: FileLayer | None) -> tuple[str, ...]:
    if said is not None and said.kind in NORMS and not _known(layer):
        return ("weight",)
    if layer.type == "BN":
        return _BN
    if said is None or len(layer.blobs) > (3 if layer.type == "BatchNorm" else 2):
        return ()
    return ("running_mean", "running_var") if layer.type == "BatchNorm" else ("weight", "bias")


def bn_said(layers: Sequence[Any]) -> Iterator[str]:
    """What is taken for granted of a fork's BN layers, which their blobs do not say."""
    found = [layer for layer in layers if layer.type == "BN"]
    if any(len(layer.blobs) == 2 for layer in found):
        yield (
            "BN layers of two blobs are read as SegNet's and ENet's for inference: a scale and a shift, with the "
            "statistics in them; a snapshot of their training has these nowhere"
        )
    if any(len(layer.blobs) == len(_BN) and not layer.bn_param.HasField("eps") for layer in found):
        yield "the file does not say the eps of its BN layers, which in PSPNet's Caffe is 1e-5 unless told otherwise"


def _width(found: Sequence[Stored], said: FileLayer | None) -> int | None:
    """The channels that come out of a convolution."""
    if said is None or said.kind not in KERNELS or not found or len(found[0].shape) < 2:
        return None
    return found[0].shape[1] * (said.groups or 1) if said.kind == "deconv" else found[0].shape[0]


def _shape(blob: Any) -> tuple[int, ...]:
    legacy = (blob.num, blob.channels, blob.height, blob.width)
    return tuple(blob.shape.dim) if blob.HasField("shape") else legacy


def _rank(blob: Any) -> int:
    return len([extent for extent in _shape(blob) if extent != 1])


def _without_ones(shape: Sequence[int], axes: int) -> tuple[int, ...]:
    """The last axes; before these, a blob of the first generation has ones. A vector may have them behind it, too."""
    if axes == 1 and sum(extent != 1 for extent in shape) == 1:
        return tuple(extent for extent in shape if extent != 1)
    rest, kept = shape[:-axes], shape[-axes:]
    return tuple(kept) if all(extent == 1 for extent in rest) else tuple(shape)


def _values(blob: Any) -> Array:
    data, kind = (blob.double_data, "<f8") if blob.double_data else (blob.data, "<f4")
    return np.frombuffer(data, kind)


def _shaped(read: Any, shape: tuple[int, ...]) -> Array:
    found: Array = read().reshape(shape)
    return found


def _mean(blob: Any, divisor: Any) -> Array:
    """What a sum comes to: divided by the third blob, and 0 where that is 0, as Caffe has it."""
    by = float(_values(divisor).reshape(-1)[0])
    return (_values(blob) / by).astype(np.float32) if by else _values(blob) * 0


def _repeated(blob: Any, count: int) -> Array:
    """A slope that all channels share."""
    return np.repeat(_values(blob), count)
