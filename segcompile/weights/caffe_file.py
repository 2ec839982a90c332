"""Caffe's caffemodel: a NetParameter of either generation, of which names, blobs and what layers do are looked at.

protobuf reads it, as it does ONNX: well kept, and hardened against hostile bytes. The messages are described here
with the numbers that caffe.proto gives them, and everything else in the file is skipped. Values are taken as `bytes`,
which is how packed floats lie in the file: so a tensor is an array without a Python number for each value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segcompile.weights.caffe_layers import bn_said, tensors_of
from segcompile.weights.stored import Order, Source, check_file, checked, damaged

MOST_BYTES = 2**31 - 1  # of a protobuf message

_STRING, _BYTES, _INT32, _INT64, _BOOL, _UINT32, _FLOAT = 9, 12, 5, 3, 8, 13, 2  # FieldDescriptorProto.Type
_FIELDS: dict[str, list[tuple[str, int, Any, bool]]] = {  # message -> name, number, type or message, repeated
    "NetParameter": [("layers", 2, "V1LayerParameter", True), ("layer", 100, "LayerParameter", True)],
    "V1LayerParameter": [
        ("name", 4, _STRING, False), ("type", 5, _INT32, False), ("blobs", 6, "BlobProto", True),
        ("bottom", 2, _STRING, True), ("top", 3, _STRING, True),
        ("convolution_param", 10, "ConvolutionParameter", False),
        ("inner_product_param", 17, "InnerProductParameter", False),
    ],
    "LayerParameter": [
        ("name", 1, _STRING, False), ("type", 2, _STRING, False), ("blobs", 7, "BlobProto", True),
        ("bottom", 3, _STRING, True), ("top", 4, _STRING, True),
        ("convolution_param", 106, "ConvolutionParameter", False),
        ("inner_product_param", 117, "InnerProductParameter", False),
        ("bn_param", 137, "BNParameter", False), ("batch_norm_param", 139, "BatchNormParameter", False),
    ],
    "ConvolutionParameter": [
        ("pad", 3, _UINT32, True), ("group", 5, _UINT32, False), ("stride", 6, _UINT32, True),
        ("pad_h", 9, _UINT32, False), ("pad_w", 10, _UINT32, False),
        ("stride_h", 13, _UINT32, False), ("stride_w", 14, _UINT32, False), ("dilation", 18, _UINT32, True),
    ],
    "BatchNormParameter": [("eps", 3, _FLOAT, False)],
    "BNParameter": [("eps", 4, _FLOAT, False)],  # of forks: 137 is another message in Caffe itself, for other layers
    "InnerProductParameter": [("transpose", 6, _BOOL, False)],
    "BlobProto": [
        ("num", 1, _INT32, False), ("channels", 2, _INT32, False), ("height", 3, _INT32, False),
        ("width", 4, _INT32, False), ("data", 5, _BYTES, False), ("shape", 7, "BlobShape", False),
        ("double_data", 8, _BYTES, False),
    ],
    "BlobShape": [("dim", 1, _INT64, True)],
}  # fmt: skip


def read_caffe(path: Path) -> Source:
    """The blobs of a caffemodel, each with what the file says of its layer. Raises SegcompileError (SC801)."""
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
    return Source(path, checked(path, tensors_of(layers)), Order.EXECUTED, said=tuple(bn_said(layers)))


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
