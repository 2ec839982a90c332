"""aten's resizes and paddings as ONNX's: what gives a map another size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segcompile.importers.aten_writer import END, Cannot, Writer, is_centred, ratio_of
from segcompile.importers.torch_program import Extent

Rule = Callable[[Writer, Mapping[str, Any]], None]

_MODES: Mapping[str, Mapping[str, str]] = {
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "nearest_exact": {
        "mode": "nearest",
        "coordinate_transformation_mode": "half_pixel",
        "nearest_mode": "round_prefer_ceil",
    },
    "linear": {"mode": "linear"},
    "cubic": {"mode": "cubic"},
}


def _resize(kind: str, antialias: int = 0) -> Rule:
    def rule(w: Writer, a: Mapping[str, Any]) -> None:
        name = a["x"].name
        settings: dict[str, Any] = dict(_MODES[kind])
        if "nearest_mode" not in settings:
            settings["coordinate_transformation_mode"] = "align_corners" if a["align_corners"] else "half_pixel"
        if kind == "cubic":
            settings["cubic_coeff_a"] = -0.75
        if antialias:
            settings["antialias"] = 1
        if a["scale_factors"] is not None:
            w.step("Resize", [name, "", w.number([1.0, 1.0, *map(_plain, a["scale_factors"])])], **settings)
        elif (ratios := _whole_ratios(w, name, a["output_size"])) is not None:
            w.step("Resize", [name, "", w.number([1.0, 1.0, *ratios])], **settings)
        else:
            w.step("Resize", [name, "", "", _resized(w, name, a["output_size"])], **settings)

    return rule


def _plain(scale: Any) -> float:
    if not isinstance(scale, int | float):
        raise Cannot(f"a scale of {scale}, which is another at another size")
    return float(scale)


def _whole_ratios(w: Writer, name: str, wanted: Sequence[Extent]) -> list[float] | None:
    """The whole number by which a map becomes larger along each axis, where no other map has that size: two maps of one
    size are so by what strides round, and a ratio may be right at the sizes that were tried alone."""
    if w.like(wanted) is not None:
        return None
    ratios = [ratio_of(size, [own]) for size, own in zip(wanted, w.dims(name)[2:], strict=True)]
    found = [float(ratio) for ratio in ratios if ratio is not None and ratio.denominator == 1]
    return found if len(found) == len(ratios) else None


def _resized(w: Writer, name: str, wanted: Sequence[Extent]) -> str:
    """All four extents: those of the map, and the sizes that it gets."""
    kept = w.shape(name, 0, 2)
    if all(isinstance(size, int) for size in wanted):
        sizes = w.integers([size for size in wanted if isinstance(size, int)])
    elif (other := w.like(wanted)) is not None:
        sizes = w.shape(other, 2)
    else:
        sizes = w.sizes(wanted, [name])
    return w.inner("Concat", [kept, sizes], axis=0)


_SURROUNDINGS = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _padded(w: Writer, a: Mapping[str, Any]) -> None:
    _pad(w, a, _SURROUNDINGS[a["mode"]], a["value"])


def _pad(w: Writer, a: Mapping[str, Any], mode: str, value: Any) -> None:
    """torch lists (before, after) of each axis, the last one first."""
    if is_centred(w, w.results[0]):
        return
    name, rank = a["x"].name, len(w.dims(a["x"].name))
    sides = a.get("pad", a.get("padding"))
    assert isinstance(sides, tuple)
    before, after = [0] * rank, [0] * rank
    for index, side in enumerate(sides):
        if not isinstance(side, int):
            raise Cannot(f"a padding of {side}, which is another at another size")
        (after if index % 2 else before)[rank - 1 - index // 2] = side
    name = _cropped(w, name, before, after)
    filled = [w.number(float(value))] if value else []
    w.step("Pad", [name, w.integers([max(side, 0) for side in (*before, *after)]), *filled], mode=mode)


def _cropped(w: Writer, name: str, before: Sequence[int], after: Sequence[int]) -> str:
    """A map without what a negative padding takes away."""
    axes = [axis for axis, sides in enumerate(zip(before, after, strict=True)) if min(sides) < 0]
    if not axes:
        return name
    starts = w.integers([max(-before[axis], 0) for axis in axes])
    ends = w.integers([min(after[axis], 0) or END for axis in axes])
    return w.inner("Slice", [name, starts, ends, w.integers(axes)])


def _padded_as(mode: str) -> Rule:
    return lambda w, a: _pad(w, a, mode, a.get("value"))


GRIDS: Mapping[str, Rule] = {
    **{f"upsample_nearest{rank}d": _resize("nearest") for rank in (1, 2, 3)},
    **{f"_upsample_nearest_exact{rank}d": _resize("nearest_exact") for rank in (1, 2, 3)},
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"), _resize("linear")),
    "upsample_bicubic2d": _resize("cubic"),
    "_upsample_bilinear2d_aa": _resize("linear", 1),
    "_upsample_bicubic2d_aa": _resize("cubic", 1),
    "pad": _padded,
    "constant_pad_nd": _padded_as("constant"),
    **{f"reflection_pad{rank}d": _padded_as("reflect") for rank in (1, 2, 3)},
    **{f"replication_pad{rank}d": _padded_as("edge") for rank in (1, 2, 3)},
    "_pad_circular": _padded_as("wrap"),
}  # fmt: skip
