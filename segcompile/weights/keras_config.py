"""What Keras says of a model beside its weights: the layers in order, their classes and settings, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segcompile.ops.base import same_pads
from segcompile.weights.sites import FileLayer, Kind, Pads

LONGEST = 50_000_000
BEGINNING = 4096  # bytes of a file by which it is told
_TENSORFLOW_JS = (b'"modelTopology"', b'"weightsManifest"')  # of its model.json; other files of JSON are specs
KINDS = {  # class in a name -> kind of layer
    "conv1d": "conv", "conv2d": "conv", "conv3d": "conv", "conv1d_transpose": "deconv", "conv2d_transpose": "deconv",
    "conv3d_transpose": "deconv", "depthwise_conv1d": "depthwise", "depthwise_conv2d": "depthwise",
    "separable_conv1d": "separable", "separable_conv2d": "separable",
    "dense": "linear", "p_re_lu": "prelu", "batch_normalization": "batch", "group_normalization": "group",
    "layer_normalization": "layer", "normalization": "image",
}  # fmt: skip
_ON_IMAGES = frozenset({
    "Rescaling", "Normalization", "Lambda", "TFOpLambda", "SlicingOpLambda", "Subtract", "Divide", "TrueDivide",
    "Multiply", "Add", "GetItem",
})  # fmt: skip
_SITES: Mapping[str, Kind] = {
    "conv": "conv", "deconv": "deconv", "depthwise": "conv", "linear": "linear", "prelu": "prelu", "batch": "batch",
    "group": "group", "layer": "layer",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """A layer: its kind as in KINDS, what it does where that can be compared, and what its arrays are, in their order,
    where settings say which there are."""

    kind: str
    layer: FileLayer | None = None
    roles: tuple[str, ...] = ()


def is_tensorflow_js(beginning: bytes) -> bool:
    """Whether a file that begins so is a model.json of tensorflow.js."""
    return beginning[:1] == b"{" and any(key in beginning for key in _TENSORFLOW_JS)


def layers_told(config: object) -> dict[str, Told]:
    """Name -> layer, in the model's order; nothing where the model is not known. Raises ValueError or RecursionError
    for what is no JSON."""
    if not isinstance(config, str | bytes) or len(config) > LONGEST:
        return {}
    found: dict[str, Told] = {}
    for kind, settings in _entries(json.loads(config)):
        name = settings.get("name")
        if isinstance(name, str) and name not in found:
            found[name] = _told(name, kind, settings)
    return found


def image_said(config: object) -> Iterator[str]:
    """What the model computes with its image before its first layer, which is not imported."""
    if not isinstance(config, str | bytes) or len(config) > LONGEST:
        return
    told: list[str] = []
    for word, settings in _entries(json.loads(config)):
        if KINDS.get(_snake(word), "") in _SITES:
            break
        if word in _ON_IMAGES:
            told.append(f"{word} `{settings.get('name')}`{_comes_to(settings) if word == 'Rescaling' else ''}")
    if told:
        why = "which is imported without that: --channels, --mean and --std say what it read"
        yield f"the file computes with its image ({', '.join(told)}) before its first layer, {why}"


def _comes_to(settings: Mapping[str, Any]) -> str:
    scale, offset = settings.get("scale"), settings.get("offset", 0)
    if not isinstance(scale, int | float) or not isinstance(offset, int | float) or not scale:
        return ""
    return f": (x - {-offset / scale + 0:.6g}) / {1 / scale:.6g}"


def kind_of(name: str) -> str:
    """`conv2d_12` -> conv: the kind that a name says which Keras has made."""
    return KINDS.get(re.sub(r"_\d+$", "", name), "")


def _entries(model: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """The class and the settings of a model and of all layers in it, models among them."""
    todo = [model]
    while todo:
        entry = todo.pop()
        settings = entry.get("config") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(settings, dict):
            yield str(entry.get("class_name")), settings
            layers = settings.get("layers")
            todo += reversed(layers) if isinstance(layers, list) else []


def _snake(word: str) -> str:
    """`Conv2DTranspose` -> conv2d_transpose, `PReLU` -> p_re_lu, as Keras makes names of classes."""
    word = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", word))
    return re.sub("([a-z])([A-Z])", r"\1_\2", word).lower()


def _told(name: str, word: str, settings: Mapping[str, Any]) -> Told:
    kind = KINDS.get(_snake(word), "")
    if kind not in _SITES:
        return Told(kind)
    eps, groups = settings.get("epsilon"), settings.get("groups", 1)
    window = kind in ("conv", "deconv", "depthwise")
    layer = FileLayer(
        name,
        _SITES[kind],
        word,
        groups if isinstance(groups, int) and kind in ("conv", "group") else 1 if kind == "deconv" else None,
        float(eps) if isinstance(eps, int | float) and kind in ("batch", "group", "layer") else None,
        _per_axis(settings.get("strides")) if window else None,
        _per_axis(settings.get("dilation_rate")) if window else None,
        _same(settings) if kind in ("conv", "depthwise") else None,
    )
    return Told(kind, layer, _roles(kind, settings))


def _roles(kind: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The arrays of a norm, in Keras' words and order: one without a scale or a shift has none."""
    if kind not in ("batch", "group", "layer"):
        return ()
    own = [role for role, key in (("gamma", "scale"), ("beta", "center")) if settings.get(key, True)]
    return (*own, *(("moving_mean", "moving_variance") if kind == "batch" else ()))


def _per_axis(value: object) -> tuple[int, ...] | None:
    """One number an axis, as Keras writes it into a file."""
    if not isinstance(value, list) or not 0 < len(value) <= 3 or not all(isinstance(part, int) for part in value):
        return None
    return tuple(value)


def _same(settings: Mapping[str, Any]) -> Pads | None:
    """The padding `same` of a convolution of stride 1. With another stride it depends on the image; `valid` may stand
    behind a layer that pads, so it says nothing alone."""
    kernel, dilation, stride = (_per_axis(settings.get(key)) for key in ("kernel_size", "dilation_rate", "strides"))
    if settings.get("padding") != "same" or not stride or max(stride) > 1 or not kernel or not dilation:
        return None
    if len(kernel) != len(dilation):
        return None
    return tuple(side for taps, apart in zip(kernel, dilation, strict=True) for side in same_pads(taps, apart))
