"""Caffe's caffemodel: a NetParameter of either generation, of which only names, types and blobs are looked at.

protobuf reads it, as it does ONNX: well kept, and hardened against hostile bytes. The messages are described here
with the numbers that caffe.proto gives them, and everything else in the file is skipped. Values are taken as `bytes`,
which is how packed floats lie in the file: so a tensor is an array without a Python number for each value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segcompile.weights.stored import Order, Source, Stored, check_file, checked, damaged

MOST_BYTES = 2**31 - 1  # of a protobuf message

_STRING, _BYTES, _INT32, _INT64, _BOOL = 9, 12, 5, 3, 8  # FieldDescriptorProto.Type
_FIELDS: dict[str, list[tuple[str, int, Any, bool]]] = {  # message -> name, number, type or message, repeated
    "NetParameter": [("layers", 2, "V1LayerParameter", True), ("layer", 100, "LayerParameter", True)],
    "V1LayerParameter": [
        ("name", 4, _STRING, False), ("type", 5, _INT32, False), ("blobs", 6, "BlobProto", True),
        ("inner_product_param", 17, "InnerProductParameter", False),
    ],
    "LayerParameter": [
        ("name", 1, _STRING, False), ("type", 2, _STRING, False), ("blobs", 7, "BlobProto", True),
        ("inner_product_param", 117, "InnerProductParameter", False),
    ],
    "InnerProductParameter": [("transpose", 6, _BOOL, False)],
    "BlobProto": [
        ("num", 1, _INT32, False), ("channels", 2, _INT32, False), ("height", 3, _INT32, False),
        ("width", 4, _INT32, False), ("data", 5, _BYTES, False), ("shape", 7, "BlobShape", False),
        ("double_data", 8, _BYTES, False),
    ],
    "BlobShape": [("dim", 1, _INT64, True)],
}  # fmt: skip
_DENSE = (14, "InnerProduct")  # V1LayerParameter's enum, LayerParameter's word
_WEIGHTED = (4, "Convolution", 39, "Deconvolution", *_DENSE)


def read_caffe(path: Path) -> Source:
    """The blobs of a caffemodel: 0 and 1 of a convolution or inner product are `<layer>.weight` and `<layer>.bias`,
    others `<layer>.<number>`. Raises SegcompileError (SC801)."""
    check_file(path, MOST_BYTES)
    try:
        from google.protobuf.message import DecodeError
    except ImportError:
        raise damaged(path, "that needs protobuf", "pip install 'segcompile[weights]'") from None
    net = _net_parameter()
    try:
        net.ParseFromString(path.read_bytes())
    except DecodeError:
        raise damaged(path, "it is no caffemodel, or cut short") from None
    except OSError as error:
        raise damaged(path, (error.strerror or "").lower()) from None
    layers = [*net.layers, *net.layer]
    return Source(path, checked(path, [blob for layer in layers for blob in _blobs(layer)]), Order.EXECUTED)


def _net_parameter() -> Any:
    """An empty NetParameter."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file: Any = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    for message, fields in _FIELDS.items():
        entry = file.message_type.add(name=message)
        for name, number, kind, repeated in fields:
            made = entry.field.add(name=name, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                made.type, made.type_name = 11, f".caffe.{kind}"
            else:
                made.type = kind
            made.options.packed = name == "dim"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))()


def _blobs(layer: Any) -> Iterator[Stored]:
    weighted = layer.type in _WEIGHTED and len(layer.blobs) <= 2
    turned = layer.inner_product_param.transpose
    for index, blob in enumerate(layer.blobs):
        name = f"{layer.name}.{('weight', 'bias')[index] if weighted else index}"
        legacy = (blob.num, blob.channels, blob.height, blob.width)
        shape = tuple(blob.shape.dim) if blob.HasField("shape") else legacy
        if weighted and (index == 1 or layer.type in _DENSE):
            shape = _without_ones(shape, 1 if index == 1 else 2)
        yield Stored(name, shape, partial(_values, blob, shape), "it is transposed" if turned and index == 0 else "")


def _without_ones(shape: Sequence[int], axes: int) -> tuple[int, ...]:
    """The last axes; before these, a blob of the first generation has ones."""
    rest, kept = shape[:-axes], shape[-axes:]
    return tuple(kept) if all(extent == 1 for extent in rest) else tuple(shape)


def _values(blob: Any, shape: tuple[int, ...]) -> Any:
    data, kind = (blob.double_data, "<f8") if blob.double_data else (blob.data, "<f4")
    return np.frombuffer(data, kind).reshape(shape)
