"""Resize and Upsample, in the coordinates that a resize of ours holds exactly.

ONNX has eight rules for where an output lies and four for which pixel is nearest. Ours has three: output p reads pixel
floor(p / r) (`nearest`), floor((p + 1/2) / r) (`nearest_exact`), or lies at (p + 1/2) / r - 1/2, or corner on corner. A
rule that gives other values at some size is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from segcompile.importers.amounts import Amount, ratio
from segcompile.importers.bench import Bench, Rule, Value
from segcompile.importers.shapes import Mode, resized_to
from segcompile.importers.views import Unheld, View, regrown
from segcompile.ops import Resize
from segcompile.ops.size import Size
from segcompile.weights.onnx_values import Step

_HALF = ("half_pixel", "pytorch_half_pixel")
_BLENDS: Mapping[str, Mode] = {"linear": "bilinear", "cubic": "cubic"}


def _resize(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    factors, sizes = _asked(step, bench, view)
    view, order = _map_of(view, step, bench)
    source = bench.settle_node(view.node)
    factors, sizes = _in_order(factors, order), _in_order(sizes, order)
    _refuse_more(step)
    if factors is None:
        assert sizes is not None
        if [each.known() for each in sizes] == [each.known() for each in source.sizes[2:]]:
            return view
        mode, corners = _mode(step, bench, None)
        made = resized_to(source, sizes, step, bench, mode, corners)
    elif set(factors) == {1}:
        return view
    else:
        mode, corners = _mode(step, bench, factors)
        if corners and not _are_whole(bench.shape(source.node).size, factors):
            raise Unheld("corner on corner, of a size that the ratio does not make whole")
        made = bench.on_grid(source, Resize(factor=tuple(factors), mode=mode, align_corners=corners), step)
    _check_places(step, bench, made)
    return regrown(view, made.node, bench.shape(made.node))


def _map_of(view: View, step: Step, bench: Bench) -> tuple[View, list[int]]:
    """A tensor that is a map with its axes in some order, and where each size of ours is in that."""
    order = [view.axis_of(axis) for axis in range(2, len(view.sizes))]
    if None in order or len(view.axes) != len(view.sizes):
        view = bench.settle(view, step, len(view.axes) - 2)
        order = list(range(2, len(view.sizes)))
    return view, [each or 0 for each in order]


def _in_order(found: list[Any] | None, order: list[int]) -> list[Any] | None:
    return None if found is None else [found[each] for each in order]


def _asked(step: Step, bench: Bench, view: View) -> tuple[list[Fraction] | None, list[Amount] | None]:
    """By which ratio each axis of the tensor is resized, or to which size."""
    rank = len(view.axes)
    at = 1 if step.op == "Upsample" or len(step.inputs) == 2 else 2
    sizes = bench.amounts(step, 3) if step.input(3) else None
    said = bench.array(step, at) if step.input(at) else None
    scales: Sequence[float] | None = None if said is None else [float(each) for each in said.reshape(-1)]
    if step.op == "Upsample" and isinstance(given := step.settings.get("scales"), tuple):
        scales = [float(each) for each in given]
    axes = step.integers("axes") or range(rank)
    if sizes is not None:
        return None, _on_axes(sizes, axes, list(view.extents), view)
    if not scales or min(scales) <= 0:
        raise Unheld("it says neither sizes nor scales")
    return _on_axes([ratio(each) for each in scales], axes, [Fraction(1)] * rank, view), None


def _on_axes(found: Sequence[Any], axes: Sequence[int], whole: list[Any], view: View) -> list[Any]:
    """What is said of some axes, with what holds of the others; the batch and the channels stay."""
    if len(found) != len(axes):
        raise Unheld(f"it says {len(found)} numbers for {len(axes)} axes")
    usual = list(whole)
    for axis, each in zip(axes, found, strict=True):
        whole[axis] = each
    for axis, (mine, each) in enumerate(zip(view.axes, usual, strict=True)):
        is_size = len(mine) == 1 and mine[0][0] > 1
        number = whole[axis].number if isinstance(whole[axis], Amount) else None
        if mine and not is_size and whole[axis] != each and not (mine[0][0] == 0 and number is not None):
            raise Unheld("it resizes the batch or the channels")
    return whole


def _refuse_more(step: Step) -> None:
    if step.integer("antialias", 0):
        raise Unheld("it smooths before it makes smaller (`antialias`)")
    if step.integer("exclude_outside", 0):
        raise Unheld("`exclude_outside` weighs the border another way")
    if step.word("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Unheld(f"its `keep_aspect_ratio_policy` is `{step.word('keep_aspect_ratio_policy', '')}`")
    if step.word("mode", "nearest") == "cubic" and abs(step.number("cubic_coeff_a", -0.75) + 0.75) > 1e-6:
        raise Unheld(f"its cubic coefficient is {step.number('cubic_coeff_a', 0):g}, where ours is -0.75")


def _mode(step: Step, bench: Bench, factors: Sequence[Fraction] | None) -> tuple[Mode, bool]:
    """Our mode, and whether corners lie on corners."""
    mode = step.word("mode", "nearest")
    mode = "linear" if mode == "bilinear" else mode
    old = step.op == "Upsample" or bench.foreign.opset < 11  # corner on corner but for the last one: p / r
    place = step.word("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    if mode in _BLENDS:
        if place == "align_corners":
            return _BLENDS[mode], True
        if place in _HALF:
            return _BLENDS[mode], False
        raise Unheld(f"{mode} interpolation in coordinates `{place}`", "export with half_pixel or align_corners")
    if mode != "nearest":
        raise Unheld(f"its mode is `{mode}`")
    nearest = step.word("nearest_mode", "floor" if old else "round_prefer_floor")
    if place == "asymmetric" and nearest == "floor":
        return "nearest", False
    if place == "tf_half_pixel_for_nn" and nearest == "floor":
        return "nearest_exact", False
    if place in _HALF and nearest.startswith("round"):
        grows = factors is not None and all(factor.denominator == 1 for factor in factors)
        return ("nearest" if grows else "nearest_exact"), False
    if place == "asymmetric" and nearest == "round_prefer_floor" and factors is not None and set(factors) <= {1, 2}:
        return "nearest", False  # a half goes down, as every p / 2 does
    raise Unheld(f"the nearest pixel by `{nearest}` in coordinates `{place}`", "export with asymmetric and floor")


def _are_whole(sizes: Sequence[Size], factors: Sequence[Fraction]) -> bool:
    """Whether the sizes times the ratios are whole, at every size of the image."""
    each = zip(sizes, factors, strict=True)
    return all(by.denominator == 1 or (isinstance(size, int) and (size * by).denominator == 1) for size, by in each)


def _check_places(step: Step, bench: Bench, made: View) -> None:
    """Refuse sizes at which a place lies between two pixels, where the file prefers the first one and ours the second;
    and one pixel of several, which `pytorch_half_pixel` puts on the first."""
    node = bench.made[made.node].node
    sizes = [bench.shape(name).size for name in node.inputs]
    first = step.word("coordinate_transformation_mode", "") == "pytorch_half_pixel"
    if first and any(size == 1 != own for size, own in zip(bench.shape(made.node).size, sizes[0], strict=True)):
        raise Unheld("`pytorch_half_pixel` to one pixel takes the first one")
    if (
        not isinstance(node.op, Resize)
        or node.op.mode != "nearest_exact"
        or step.word("nearest_mode", "round_prefer_floor") != "round_prefer_floor"
    ):
        return
    for axis in range(len(sizes[0])):
        window = node.op.window_on(axis, [each[axis] for each in sizes], 0)
        if window is None or window.stride % 2 == 0:
            raise Unheld("a place between two pixels goes to the first one (`round_prefer_floor`)")


RULES: Mapping[str, Rule] = {"Resize": _resize, "Upsample": _resize}
