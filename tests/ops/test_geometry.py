"""Sizes and windows of ops against their definitions: lines of pixels are padded, cut, slid over and written to.

Nothing here knows a formula of `segcompile/ops`. The reads of an output are the input indices that its value is made of
along one axis; those before 0 and from the size on lie in the padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import floor
from typing import Any

import pytest

from segcompile.ops import (
    AdaptivePool,
    Add,
    AnySize,
    AxialAttention,
    Concat,
    Conv,
    Crop,
    Deconv,
    GlobalPool,
    Linear,
    Mul,
    Op,
    Pad,
    PixelShuffle,
    Pool,
    Refusal,
    Resize,
    Shape,
    SpaceToDepth,
    Undecidable,
    Unpool,
    Window,
    WindowAttention,
)
from segcompile.ops.needs import Need, least_size
from segcompile.ops.resampling import limit_ratio

Line = list[set[int]]  # the reads of each output along one axis
SIZES = range(1, 10)
OTHER = 7  # the size along the other axis, where every op here has an output


def both(value: Any) -> tuple[Any, int]:
    """An attribute that is a number along the axis that is tried (the height) and 1 along the other."""
    return value, 1


def slid(size: int, taps: Sequence[int], stride: int, pads: tuple[int, int]) -> Line:
    """A window of taps, at distances from its first one, over a padded line, as long as all of it fits."""
    padded = list(range(-pads[0], size + pads[1]))
    starts = range(0, len(padded), stride)
    return [{padded[start + tap] for tap in taps} for start in starts if start + taps[-1] < len(padded)]


def overhanging(size: int, taps: Sequence[int], stride: int, pads: tuple[int, int]) -> Line:
    """As `slid`, with a last window that does not fit: as long as it starts before the padding behind the image."""
    line, start = [], -pads[0]
    while start + taps[-1] < size + pads[1] or (start < size and start + taps[-1] - stride < size + pads[1] - 1):
        line.append({start + tap for tap in taps})
        start += stride
    return line


def scattered(size: int, taps: Sequence[int], stride: int, cut: tuple[int, int], more: int) -> Line:
    """Each input writes to the taps behind stride times its index; what is cut before and behind is lost."""
    full: Line = [set() for _ in range(stride * (size - 1) + taps[-1] + 1 + more)]
    for i, tap in product(range(size), taps):
        full[stride * i + tap].add(i)
    return full[cut[0] : len(full) - cut[1]] if sum(cut) < len(full) else []


def between(size: int, places: Sequence[Fraction]) -> Line:
    """The pixels on both sides of each place, those that have any weight in linear interpolation."""
    return [{i for i in range(-2, size + 2) if abs(i - place) < 1} for place in places]


def resized(have: int, want: int, mode: str, corners: bool, ratio: Fraction | None = None) -> Line:
    ratio = ratio or Fraction(want, have)
    if mode == "nearest":
        return [{floor(p / ratio)} for p in range(want)]
    if mode == "nearest_exact":
        return [{floor((p + Fraction(1, 2)) / ratio)} for p in range(want)]
    if corners:
        step = Fraction(have - 1, want - 1) if want > 1 else Fraction(0)
        return between(have, [p * step for p in range(want)])
    return between(have, [(p + Fraction(1, 2)) / ratio - Fraction(1, 2) for p in range(want)])


def turned(op: Op) -> Op:
    """The op with what it says of height and width exchanged."""
    pairs = {name: value for name, value in op if isinstance(value, tuple)}
    return op.model_copy(
        update={name: (*value[len(value) // 2 :], *value[: len(value) // 2]) for name, value in pairs.items()}
    )


def reads(op: Op, sizes: Sequence[int], index: int, outputs: int, axis: int = 0) -> Line:
    """What the op's window along an axis says."""
    window = op.window_on(axis, sizes, index)
    assert window is not None
    return taps(window, outputs)


def taps(window: Window, outputs: int) -> Line:
    """What a window reads for each of so many outputs."""
    line: Line = []
    for p in range(outputs):
        sums = [window.stride * p + window.dilation * t - window.offset for t in range(window.taps)]
        assert sums[-1] - sums[0] == window.reach
        line.append({total // window.upsample for total in sums if total % window.upsample == 0})
    return line


def held(op: Op, sizes: Sequence[int], line: Line, *, inside: bool = False) -> None:
    """Size and windows of an op are those of its definition along either axis, and it is refused where that leaves no
    output. `inside`: only the reads inside the image are compared."""
    for axis, along in ((0, op), (1, turned(op))):
        shapes = [Shape(4, (size, OTHER)[:: 1 - 2 * axis]) for size in sizes]
        if not line:
            with pytest.raises(Refusal):
                along.result(shapes)
            continue
        result = along.result(shapes)
        assert result.size[axis] == len(line), f"{along} of {sizes} gives {result}, by definition {len(line)}"
        found = reads(along, sizes, 0, len(line), axis)
        want = line
        if inside:
            found, want = ([{i for i in part if 0 <= i < sizes[0]} for part in each] for each in (found, line))
        assert found == want, f"{along} of {sizes}"


def attributes() -> Iterator[tuple[int, int, int, tuple[int, int]]]:
    """Kernel, stride, dilation and padding of windows."""
    pads = [(0, 0), (1, 1), (2, 0), (0, 1), (1, 2)]
    yield from product((1, 2, 3, 4), (1, 2, 3), (1, 2, 3), pads)


def down(pads: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Padding of the height alone."""
    return pads, (0, 0)


@pytest.mark.parametrize("size", SIZES)
def test_a_convolution_slides_its_window_over_the_padded_line(size: int) -> None:
    for kernel, stride, dilation, pads in attributes():
        taps = [dilation * t for t in range(kernel)]
        attributes_ = {"kernel": both(kernel), "stride": both(stride), "dilation": both(dilation)}
        held(Conv(channels=4, pad=down(pads), **attributes_), [size], slid(size, taps, stride, pads))


@pytest.mark.parametrize("size", SIZES)
def test_padding_that_is_same_gives_one_output_a_stride_and_puts_an_odd_pixel_behind(size: int) -> None:
    for kernel, stride, dilation in product((1, 2, 3, 4), (1, 2, 3), (1, 2, 3)):
        taps = [dilation * t for t in range(kernel)]
        line = slid(size, taps, stride, (taps[-1] // 2, -(-taps[-1] // 2)))
        assert len(line) == -(-size // stride)
        made = {"kernel": both(kernel), "stride": both(stride), "dilation": both(dilation), "pad": ("same",)}
        held(Conv(channels=4, **made), [size], line)
        if kernel > 1 and size >= dilation:  # else a window may step over the map
            held(Pool(kind="max", **made), [size], line)


@pytest.mark.parametrize("size", SIZES)
def test_padding_that_is_causal_gives_one_output_a_stride_whose_last_tap_lies_where_its_step_begins(size: int) -> None:
    for kernel, stride, dilation in product((1, 2, 3, 4), (1, 2, 3), (1, 2, 3)):
        line = [{stride * p - dilation * t for t in range(kernel)} for p in range(-(-size // stride))]
        made = {"kernel": both(kernel), "stride": both(stride), "dilation": both(dilation), "pad": ("causal",)}
        held(Conv(channels=4, **made), [size], line)
        if kernel > 1:
            held(Pool(kind="max", **made), [size], line)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_a_pool_slides_its_window_and_may_overhang_the_end(size: int, rounding: str) -> None:
    for kernel, stride, dilation, pads in attributes():
        taps = [dilation * t for t in range(kernel)]
        pool = Pool(
            kind="max", kernel=both(kernel), stride=both(stride), dilation=both(dilation), pad=down(pads),
            round=rounding,
        )  # fmt: skip
        slides = {"floor": slid, "ceil": overhanging}[rounding]
        if max(pads) > taps[-1]:
            with pytest.raises(Refusal, match="would see no pixel"):
                pool.result([Shape(4, (size, OTHER))])
            continue
        empty = [n for n in range(1, 12) if any(part.isdisjoint(range(n)) for part in slides(n, taps, stride, pads))]
        if size in empty:
            with pytest.raises(Refusal, match="a window with gaps would hold none"):
                pool.result([Shape(4, (size, OTHER))])
        held(pool, [size], slides(size, taps, stride, pads) if size > max(empty, default=0) else [])


def test_whether_the_padding_counts_is_said_of_a_mean_alone() -> None:
    with pytest.raises(Refusal, match="a maximum counts no padding"):
        Pool(kind="max", kernel=(2, 2), pad=((1, 1), (1, 1)), count_pad=False).output([Shape(4, (9, 9))])
    counts, not_ = (Pool(kind="avg", kernel=(2, 2), pad=((1, 1), (1, 1)), count_pad=said) for said in (True, False))
    assert counts.output([Shape(4, (9, 9))]) == not_.output([Shape(4, (9, 9))])


def test_a_pool_without_a_stride_steps_by_its_kernel() -> None:
    for size, kernel in product(SIZES, (1, 2, 3)):
        held(Pool(kind="avg", kernel=both(kernel)), [size], slid(size, range(kernel), kernel, (0, 0)))


@pytest.mark.parametrize("size", SIZES)
def test_a_transposed_convolution_writes_each_input_and_is_cut(size: int) -> None:
    for (kernel, stride, dilation, cut), more in product(attributes(), (0, 1, 2)):
        taps = [dilation * t for t in range(kernel)]
        made = {"kernel": both(kernel), "stride": both(stride), "dilation": both(dilation)}
        op = Deconv(channels=4, pad=down(cut), output_pad=(more, 0), **made)
        if more >= max(stride, dilation):
            with pytest.raises(Refusal, match="must be smaller than"):
                op.result([Shape(4, (size, OTHER))])
            continue
        held(op, [size], scattered(size, taps, stride, cut, more), inside=True)


@pytest.mark.parametrize("size", SIZES)
def test_a_transposed_convolution_that_is_same_gives_stride_times_the_pixels(size: int) -> None:
    for kernel, stride, dilation in product((1, 2, 3, 4), (1, 2, 3), (1, 2, 3)):
        taps = [dilation * t for t in range(kernel)]
        op = Deconv(
            channels=4, kernel=both(kernel), stride=both(stride), dilation=both(dilation), pad=("same",)
        )  # fmt: skip
        surplus = taps[-1] + 1 - stride
        if surplus < 0:
            with pytest.raises(Refusal, match="cannot fill a stride"):
                op.result([Shape(4, (size, OTHER))])
            continue
        line = scattered(size, taps, stride, (surplus // 2, -(-surplus // 2)), 0)
        assert len(line) == stride * size
        held(op, [size], line, inside=True)


@pytest.mark.parametrize("size", SIZES)
def test_a_transposed_convolution_that_is_causal_is_cut_at_its_end_alone(size: int) -> None:
    for kernel, stride, dilation in product((1, 2, 3, 4), (1, 2, 3), (1, 2, 3)):
        taps = [dilation * t for t in range(kernel)]
        if taps[-1] + 1 < stride:
            continue  # as of `same`
        made = {"kernel": both(kernel), "stride": both(stride), "dilation": both(dilation)}
        line = scattered(size, taps, stride, (0, 0), 0)[: stride * size]
        held(Deconv(channels=4, pad=("causal",), **made), [size], line, inside=True)


def test_padding_and_cropping_move_the_line() -> None:
    for size, before, after in product(SIZES, (0, 1, 2), (0, 1, 3)):
        held(Pad(amount=((before, after), (0, 0))), [size], [{i} for i in range(-before, size + after)])
        line = [{before + i} for i in range(after)]
        reference = Shape(4, (after, OTHER))
        op = Crop(offset=(before, 0))
        if after and before + after > size:
            with pytest.raises(Refusal, match="do not cover"):
                op.result([Shape(4, (size, OTHER)), reference])
        elif after:
            held(op, [size, after], line)
            assert op.window_on(0, [size, after], 1) is None


def of_each(op: Op, size: int, factor: int, axis: int) -> Line:
    """What every factor-th output reads of every factor-th pixel of a map that is `factor` times as dense."""
    dense = factor * (size - 1) + 1
    count = op.result([Shape(4, (dense, 40)[:: 1 - 2 * axis])]).size[axis]
    assert isinstance(count, int)
    return [{i for i in part if 0 <= i < dense} for part in reads(op, [dense], 0, count, axis)[::factor]]


def test_on_a_denser_map_every_so_many_outputs_read_what_they_read_before() -> None:
    for size, factor, kernel, dilation, pads in product(
        (6, 7), (1, 2, 3), (1, 2, 3), (1, 2), ((0, 0), (1, 1), (1, 0), (0, 2))
    ):
        made: dict[str, Any] = {"kernel": both(kernel), "stride": (1, 1), "dilation": both(dilation)}
        tried: list[Op] = [Conv(channels=4, pad=down(pads), **made), Pad(amount=down(pads))]
        tried += [
            Conv(channels=4, pad=("same",), **made),
            Conv(channels=4, pad=((pads[0], 0), (0, 0)), mode="edge", **made),
        ]
        tried += [Pool(kind="max", pad=down(pads), **made)] if max(pads) <= dilation * (kernel - 1) else []
        for op, axis in product(tried, (0, 1)):
            op = turned(op) if axis else op
            sparse = op.result([Shape(4, (size, 40)[:: 1 - 2 * axis])]).size[axis]
            assert isinstance(sparse, int)
            line = reads(op, [size], 0, sparse, axis)
            found = op.dilated((1, factor) if axis else (factor, 1))
            want = [{factor * i for i in part if 0 <= i < size} for part in line]
            assert of_each(found, size, factor, axis) == want, f"{op} on a map {factor} times as dense"


def test_a_denser_map_dilates_what_has_neighbours_and_pads_as_it_says() -> None:
    """A kernel of one pixel has no dilation; `same` stays where it says the same, else it becomes its numbers."""
    for kernel, factor in product(((1, 1), (1, 3), (3, 1), (5, 3)), ((2, 1), (1, 3), (2, 3))):
        conv = Conv(channels=4, kernel=kernel, pad=("same",)).dilated(factor)
        pool = Pool(kind="max", kernel=kernel, stride=(1, 1), pad=("same",)).dilated(factor)
        want = tuple(f if k > 1 else 1 for k, f in zip(kernel, factor, strict=True))
        assert conv == Conv(channels=4, kernel=kernel, dilation=want, pad=("same",))
        assert pool == Pool(kind="max", kernel=kernel, stride=(1, 1), dilation=want, pad=("same",))
    uneven = Conv(channels=4, kernel=(2, 4), pad=("same",)).dilated((2, 3))
    assert uneven == Conv(channels=4, kernel=(2, 4), dilation=(2, 3), pad=((0, 2), (3, 6)))
    assert Conv(channels=4, kernel=(2, 3), pad=("same",)).dilated((2, 1)).pad == ((0, 2), (1, 1))
    assert Conv(channels=4, kernel=(3, 2), pad=("same",)).dilated((1, 2)).pad == ((1, 1), (0, 2))


def test_a_crop_on_a_denser_map_starts_as_many_times_further() -> None:
    assert Crop(offset=(2, 3)).dilated((2, 4)) == Crop(offset=(4, 12))
    assert Crop().dilated((2, 4)) == Crop()


def test_what_a_denser_map_pads_otherwise_is_refused() -> None:
    for mode, axis in product(("edge", "reflect"), (0, 1)):
        factor = (2, 1) if axis == 0 else (1, 2)
        behind = tuple((0, int(axis == along)) for along in range(2))
        with pytest.raises(Refusal, match="a denser map ends with other pixels"):
            Pad(amount=behind, mode=mode).dilated(factor)
        other = behind[::-1]
        assert Pad(amount=other, mode=mode).dilated(factor) == Pad(amount=other, mode=mode)
    for before, after in ((1, 0), (0, 1)):  # the other end is another one, on both sides
        wrapped = Pad(amount=((before, after), (0, 0)), mode="circular")
        with pytest.raises(Refusal, match="pads by `circular`, and a denser map ends with other pixels"):
            wrapped.dilated((2, 1))
        assert wrapped.dilated((1, 2)) == wrapped
    filled = Pad(amount=((1, 2), (0, 3)), value=0.5)
    assert filled.dilated((2, 3)) == Pad(amount=((2, 4), (0, 9)), value=0.5)


def test_a_pool_of_one_pixel_is_the_same_on_a_denser_map_and_a_mean_of_more_is_none() -> None:
    for kernel, factor in product(((1, 1), (2, 1), (1, 2)), ((2, 1), (1, 2))):
        op = Pool(kind="avg", kernel=kernel, stride=(1, 1))
        if any(k > 1 and f > 1 for k, f in zip(kernel, factor, strict=True)):
            with pytest.raises(Refusal, match="a mean of neighbours"):
                op.dilated(factor)
        else:
            assert op.dilated(factor) == op


def test_a_crop_without_an_offset_starts_at_the_first_pixel() -> None:
    for size, reference in product(SIZES, SIZES):
        shapes = [Shape(4, (size, OTHER)), Shape(5, (reference, OTHER))]
        if reference > size:
            with pytest.raises(Refusal, match="from offset 0 do not cover"):
                Crop().result(shapes)
        else:
            assert Crop().result(shapes) == Shape(4, (reference, OTHER))
    assert reads(Crop(), [9, 5], 0, 5) == [{i} for i in range(5)]


@pytest.mark.parametrize(("mode", "kept", "said"), [("reflect", 1, "reflected"), ("circular", 0, "continued by its")])
def test_a_reflection_takes_fewer_pixels_than_there_are_and_the_other_end_no_more(
    mode: Any, kept: int, said: str
) -> None:
    for size, before, after in product(SIZES, (0, 1, 3), (0, 2, 3)):
        kernel = before + after + 1
        for op in (
            Pad(amount=((before, after), (0, 0)), mode=mode),
            Conv(channels=4, kernel=both(kernel), pad=((before, after), (0, 0)), mode=mode),
        ):
            if max(before, after) > size - kept:  # it would reach beyond the other end
                with pytest.raises(Refusal, match=f"cannot be {said}"):
                    op.result([Shape(4, (size, OTHER))])
            else:
                op.result([Shape(4, (size, OTHER))])


def test_only_zeros_around_a_map_may_be_another_value() -> None:
    for mode in ("reflect", "edge", "circular"):
        with pytest.raises(Refusal, match=f"a padding by `{mode}` has the map's own values"):
            Pad(amount=((1, 1), (1, 1)), mode=mode, value=0.5).output([Shape(4, (9, 9))])


RATIOS = [Fraction(text) for text in ("1/2", "2/3", "3/2", "1/3", "3/5", "5/2", "4/3")]


@pytest.mark.parametrize(
    ("mode", "corners"), [("nearest", False), ("nearest_exact", False), ("bilinear", False), ("bilinear", True)]
)
def test_a_resize_reads_the_pixels_around_the_place_of_its_output(mode: str, corners: bool) -> None:
    for have, want in product(range(1, 8), range(1, 12)):
        op = Resize(mode=mode, align_corners=corners)
        held(op, [have, want], resized(have, want, mode, corners), inside=True)
        assert op.window_on(0, [have, want], 1) is None
    for have, factor in product(range(1, 8), (1, 2, 3, 4)):
        op = Resize(factor=both(factor), mode=mode, align_corners=corners)
        held(op, [have], resized(have, have * factor, mode, corners), inside=True)
    for have, ratio in product(range(1, 12), RATIOS):
        op = Resize(factor=both(ratio), mode=mode, align_corners=corners)
        held(op, [have], resized(have, floor(have * ratio), mode, corners, ratio), inside=True)
    for have, want in product(range(1, 8), range(1, 12)):
        op = Resize(size=(want, OTHER), mode=mode, align_corners=corners)
        held(op, [have], resized(have, want, mode, corners), inside=True)


def cubic(have: int, want: int, corners: bool, ratio: Fraction | None = None) -> tuple[Line, Line]:
    """Pixels less than two from the place of each output, and those of them that have a weight: a whole one away is
    none, and a map of one pixel that is spread by its centres has no neighbours."""
    if have == 1 and ratio is None and not corners:
        return [{0}] * want, [{0}] * want
    places = list(_places(have, want, corners, ratio or Fraction(want, have)))
    near = [{i for i in range(-4, have + 4) if abs(i - place) < 2} for place in places]
    return near, [{i for i in part if abs(i - place) != 1} for part, place in zip(near, places, strict=True)]


def _places(have: int, want: int, corners: bool, ratio: Fraction) -> Iterator[Fraction]:
    for p in range(want):
        if corners:
            yield p * Fraction(have - 1, want - 1) if want > 1 else Fraction(0)
        else:
            yield (p + Fraction(1, 2)) / ratio - Fraction(1, 2)


@pytest.mark.parametrize("corners", [False, True])
def test_a_cubic_reads_the_four_pixels_around_a_place_that_have_a_weight(corners: bool) -> None:
    def tried(op: Resize, have: int, want: int, ratio: Fraction | None = None) -> None:
        near, weighed = cubic(have, want, corners, ratio)
        inside = set(range(have))
        found: Line = [set() for _ in range(want)]
        for (window,) in op.chains(0, [have], 0):
            for part, read in zip(found, taps(window, want), strict=True):
                part |= read
        assert [part & inside for part in found] == [part & inside for part in weighed], f"{op} of {have}"
        around = reads(op, [have], 0, want)
        assert all(part <= whole for part, whole in zip(found, around, strict=True))
        assert [part & inside for part in around] == [part & inside for part in near]

    for have, want in product(range(1, 9), range(1, 12)):
        tried(Resize(size=(want, OTHER), mode="cubic", align_corners=corners), have, want)
    for have, ratio in product(range(1, 10), [*RATIOS, *map(Fraction, (1, 2, 3, 4))] if not corners else []):
        if floor(have * ratio):
            tried(Resize(factor=both(ratio), mode="cubic"), have, floor(have * ratio), ratio)
    assert Resize(mode="cubic").chains(0, [4, 8], 1) == ()


def test_bins_hold_the_pixels_of_their_part_of_the_map() -> None:
    for size, bins in product(range(1, 13), range(1, 8)):
        parts: Line = [set(range(p * size // bins, -(-(p + 1) * size // bins))) for p in range(bins)]
        held(AdaptivePool(kind="avg", bins=both(bins)), [size], parts)
    with pytest.raises(Undecidable, match="into 4 bins"):
        AdaptivePool(kind="max", bins=both(4)).window_on(0, [AnySize("H")], 0)


@pytest.mark.parametrize("mode", ["nearest", "nearest_exact", "bilinear", "cubic"])
def test_a_pixel_that_is_spread_over_a_size_has_no_neighbours_not_even_outside(mode: Any) -> None:
    assert reads(Resize(size=(4, OTHER), mode=mode), [1], 0, 4) == [{0}] * 4


def test_a_resize_asks_for_a_pixel_that_is_left_where_it_makes_the_map_smaller() -> None:
    for ratio in (Fraction(1), Fraction(3, 2), Fraction(2)):
        shapes = [Shape(4, (5, OTHER))]
        assert not [*Resize(factor=both(ratio)).needs(shapes, Resize(factor=both(ratio)).output(shapes))]
    with pytest.raises(Refusal, match="needs a factor"):
        Resize().output([Shape(4, (5, OTHER))])


def test_a_resize_has_no_form_for_a_denser_map() -> None:
    for op in (Resize(), Resize(size=(4, 4)), *(Resize(factor=both(ratio)) for ratio in (1, 2, Fraction(3, 2)))):
        with pytest.raises(Refusal, match="brings the map back"):
            op.dilated((2, 2))
    for factor in ((Fraction(1, 2), 1), (1, Fraction(2, 3)), (2, Fraction(1, 3))):
        with pytest.raises(Refusal, match="takes values between pixels"):
            Resize(factor=factor).dilated((2, 2))


def test_corner_on_corner_one_pixel_stands_for_all_outputs_and_one_output_over_the_first_pixel() -> None:
    op = Resize(align_corners=True)
    for want in range(1, 5):
        assert op.window_on(0, [1, want], 0) == Window(taps=1, stride=0)
    for have in range(2, 5):
        assert op.window_on(0, [have, 1], 0) == Window(taps=1, stride=1)


def test_a_resize_of_any_size_reads_what_it_reads_of_each_where_the_ratio_is_one_number() -> None:
    height = AnySize("H")
    for have, want in ((height, height * 2), (height // 2, height // 2 * 3), (height * 3, height), (height, height)):
        for mode in ("nearest", "bilinear"):
            op = Resize(mode=mode)
            assert op.window_on(0, [have, want], 0) == op.window_on(0, [have.at(8), want.at(8)], 0)
    for have, want in (
        (height // 2, height),
        (height, height + 1),
        (height, 8),
        (8, height),
        (height, height * -1 + 9),
    ):
        with pytest.raises(Undecidable, match="resizing"):
            Resize().window_on(0, [have, want], 0)
    flat = AnySize("H", 0, (0, 1))
    for have, want in ((height, flat), (flat, height), (height * -1, height), (height, height * -1), (height, 3)):
        assert limit_ratio(have, want) is None
    assert limit_ratio(height, height * 2 + 1) == Fraction(1, 2)
    with pytest.raises(Undecidable, match="resizing"):
        Resize(align_corners=True).window_on(0, [height, height * 2], 0)  # (H - 1) / (2H - 1)


def test_shuffles_move_pixels_between_patches_and_channels() -> None:
    for size, factor in product(SIZES, (1, 2, 3)):
        shape = Shape(2 * factor**2, (size, 6))
        op = PixelShuffle(factor=factor)
        assert op.result([shape]) == Shape(2, (size * factor, 6 * factor))
        assert reads(op, [size], 0, size * factor) == [{p // factor} for p in range(size * factor)]
        back = SpaceToDepth(factor=factor)
        if size % factor:
            with pytest.raises(Refusal, match="cannot be split"):
                back.result([Shape(2, (size, 6))])
            continue
        assert back.result([Shape(2, (size, 6))]) == Shape(2 * factor**2, (size // factor, 6 // factor))
        patches = [{factor * p + t for t in range(factor)} for p in range(size // factor)]
        assert reads(back, [size], 0, size // factor) == patches


def test_an_unpool_gives_back_the_size_and_reads_the_windows_that_hold_a_pixel() -> None:
    for size, kernel, more, pads in product(
        range(4, 10), (1, 2, 3), (0, 1), ((0, 0), (1, 1), (0, 1), (1, 0), (2, 1), (0, 2))
    ):
        if max(pads) >= kernel:
            continue
        pool = Pool(kind="max", kernel=(kernel, kernel), stride=(kernel + more,) * 2, pad=(pads, pads))
        windows = slid(size, range(kernel), kernel + more, pads)
        before = Shape(4, (size, size))
        cells = pool.result([before])
        op = Unpool(pool_layer=pool)
        assert op.result([cells, cells, before]) == before
        for more_rows, more_columns in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            wrong = Shape(4, (cells.size[0] + more_rows, cells.size[1] + more_columns))
            with pytest.raises(Refusal, match="comes in, and the pool gave"):
                op.result([wrong, cells, before])
        line = [{cell for cell, window in enumerate(windows) if p in window} for p in range(size)]
        for index in (0, 1):
            found = reads(op, [len(windows), len(windows), size], index, size)
            assert [{cell for cell in part if 0 <= cell < len(windows)} for part in found] == line
        assert op.window_on(0, [len(windows), len(windows), size], 2) is None


def test_an_unpool_refuses_windows_that_overlap_or_are_dilated() -> None:
    shapes = [Shape(4, (4, 4)), Shape(4, (4, 4)), Shape(4, (9, 9))]
    for kernel, stride in product((2, 3), (1, 2, 3)):
        for pair in ((kernel, 1), (1, kernel)):
            steps = (stride if pair[0] > 1 else 1, stride if pair[1] > 1 else 1)
            op = Unpool(pool_layer=Pool(kind="max", kernel=pair, stride=steps))
            if kernel > stride:
                with pytest.raises(Refusal, match="overlap"):
                    op.output(shapes)
            else:
                assert op.output(shapes) == shapes[2]
    for dilation in ((2, 1), (1, 2)):
        with pytest.raises(Refusal, match="dilated pool cannot be undone"):
            Unpool(pool_layer=Pool(kind="max", kernel=(2, 2), dilation=dilation)).output(shapes)
        with pytest.raises(Refusal, match="only a max pool can be dilated"):
            Pool(kind="avg", kernel=(2, 2), dilation=dilation).output([Shape(4, (9, 9))])


def test_a_pool_over_the_whole_image_gives_one_pixel() -> None:
    assert GlobalPool(kind="global_avg").result([Shape(4, (5, 6))]) == Shape(4, (1, 1))
    assert GlobalPool(kind="global_max").window_on(0, [5], 0) is None


def test_maps_are_joined_by_their_middles_or_with_zeros_around() -> None:
    for first, second in product(SIZES, SIZES):
        least, most = min(first, second), max(first, second)
        cut, put = Add(align="center_crop"), Add(align="pad")
        if least == 1 < most:  # one pixel beside many is meant for all of them
            for op, does in ((cut, "cuts"), (put, "puts zeros around the pixel")):
                for sizes in ((first, OTHER), (second, OTHER)), ((OTHER, first), (OTHER, second)):
                    with pytest.raises(Refusal, match=f"{does}.* 4 x {min(sizes)[0]} x {min(sizes)[1]}$"):
                        op.result([Shape(4, size) for size in sizes])
            continue
        held(cut, [first, second], [{(first - least) // 2 + p} for p in range(least)])
        held(put, [first, second], [{p - (most - first) // 2} for p in range(most)])
        plain = Add()
        if first == second:
            held(plain, [first, second], [{p} for p in range(first)])
        else:
            for sizes in ((first, OTHER), (second, OTHER)), ((OTHER, first), (OTHER, second)):
                with pytest.raises(Refusal, match="differ in size"):
                    plain.result([Shape(4, size) for size in sizes])


def test_a_pixel_is_spread_over_a_map_in_sums_and_products() -> None:
    for op, size in product((Add(), Mul()), SIZES):
        for sizes in ((1, size), (size, 1)):
            maps = [Shape(4, (each, OTHER)) for each in sizes]
            assert op.result(maps) == Shape(4, (size, OTHER))
            stretched = [op.window_on(0, sizes, index) == Window(taps=1, stride=0) for index in range(2)]
            assert stretched == [each == 1 < size for each in sizes]
    with pytest.raises(Refusal, match="differ in size"):
        Concat().result([Shape(4, (1, OTHER)), Shape(4, (3, OTHER))])


def test_one_channel_is_spread_over_the_others_in_sums_and_products() -> None:
    for op, (first, second, wanted) in product((Add(), Mul()), [(1, 1, 1), (1, 2, 2), (2, 1, 2), (4, 1, 4), (4, 4, 4)]):
        assert op.result([Shape(first, (3, OTHER)), Shape(second, (3, OTHER))]) == Shape(wanted, (3, OTHER))
    with pytest.raises(Refusal, match="differ in channels: 2 and 4"):
        Add().result([Shape(2, (3, OTHER)), Shape(4, (3, OTHER))])


def test_a_map_of_half_the_pixels_is_to_be_resized_and_a_larger_one_aligned() -> None:
    resized, aligned = "a `resize` to the larger map", "`align: center_crop`, `align: pad` or a crop"
    for size, larger, help in ((5, 10, resized), (6, 10, aligned), (6, 11, aligned)):
        for sizes in ((size, larger), (larger, size)):
            with pytest.raises(Refusal) as refused:
                Concat().result([Shape(4, (each, OTHER)) for each in sizes])
            assert refused.value.help == help


def test_a_map_of_any_size_that_is_aligned_has_more_than_a_pixel() -> None:
    """At one pixel it would be meant for all of the other map; where both axes differ, the size in hand decides."""
    height, width = AnySize("H"), AnySize("W")
    for align in ("center_crop", "pad"):
        op = Add(align=align)
        for axis in range(2):
            sizes = [(width, height), (width + 3, height)] if axis == 0 else [(height, width), (height, width + 3)]
            maps = [Shape(4, size) for size in sizes]
            needs = [*op.needs(maps, op.output(maps))]
            assert [(need.axis, need.slack, need.equal) for need in needs] == [
                (axis, width - 2, False), (axis, width + 1, False),
            ]  # fmt: skip
            with pytest.raises(Refusal, match="down to" if align == "center_crop" else "around the pixel"):
                raise needs[0].refusal()
        beside = [Shape(4, (1, width)), Shape(4, (5, width + 3))]  # one pixel high, and on some image one wide
        assert (1, width - 2) in [(need.axis, need.slack) for need in op.needs(beside, op.output(beside))]
        both = [Shape(4, (height, width)), Shape(4, (height + 1, width + 1))]
        assert not [*op.needs(both, op.output(both))]


def test_a_vector_is_not_joined_with_a_map() -> None:
    assert Add().result([Shape(4), Shape(4)]) == Shape(4)
    for align in ("none", "center_crop", "pad"):
        with pytest.raises(Refusal, match="a vector cannot be joined"):
            Add(align=align).result([Shape(4), Shape(4, (1, 1))])


def test_a_sum_takes_maps_of_one_number_of_channels_and_a_concatenation_any() -> None:
    for channels in ((4, 5), (5, 4, 4)):
        shapes = [Shape(part, (6, OTHER)) for part in channels]
        assert Concat().result(shapes) == Shape(sum(channels), (6, OTHER))
        for kind in (Add, Mul):
            with pytest.raises(Refusal, match="differ in channels"):
                kind().result(shapes)


def test_a_fully_connected_layer_reads_one_vector_of_all_pixels() -> None:
    op = Linear(features=5)
    assert op.result([Shape(4, (3, 2))]) == Shape(5) == op.result([Shape(4)])
    assert op.parameters([Shape(4, (3, 2))])[0].shape == (5, 24)
    assert op.window_on(0, [3], 0) is None


# --- any size --------------------------------------------------------------------------------------------------------

WINDOWED = [
    *(Conv(channels=4, kernel=both(k), stride=both(s), pad=down(p)) for k, s, _, p in attributes()),
    *(Pool(kind="max", kernel=both(k), stride=both(s), round="ceil") for k, s in product((2, 3, 4), (1, 2, 3))),
    *(Pool(kind="max", kernel=both(3), stride=both(s), pad=down((1, s % 2)), round="ceil") for s in (1, 2, 4)),
    *(Deconv(channels=4, kernel=both(k), stride=both(s), pad=down(p)) for k, s, _, p in attributes()),
    *(Pad(amount=((a, b), (0, 0))) for a, b in product((0, 2), (0, 3))),
    *(SpaceToDepth(factor=factor) for factor in (1, 2, 3)),
    Resize(factor=both(3)),
    *(Resize(factor=both(Fraction(text)), mode="nearest_exact") for text in ("1/2", "2/3", "5/2")),
]  # fmt: skip


@pytest.mark.parametrize("first", range(0, len(WINDOWED), 7))
def test_a_size_that_may_be_anything_is_at_each_number_what_the_number_gives(first: int) -> None:
    """Two ops behind one another: the size of the result, and whether there is one, for every number."""
    op = WINDOWED[first]
    for then in WINDOWED[first % 5 :: 5]:
        try:
            middle = op.output([Shape(4, (AnySize("H"), 12))])
            found = then.output([middle]).size[0]
        except Undecidable:
            continue
        except Refusal:
            continue  # of attributes, whatever the size
        assert isinstance(found, AnySize)
        for size in range(1, 40):
            try:
                inner = op.output([Shape(4, (size, 12))])
                want = then.output([inner]).size[0]
            except Refusal:
                continue
            assert found.at(size) == want, f"{op}, then {then}, at {size}"


def sizes_from(slack: AnySize, residue: int, equal: bool) -> int | None:
    """The first image of a residue from which on all meet a need, found by trying them."""
    tried = [size for size in range(1, 400) if size % slack.period == residue]
    meets = [slack.at(size) == 0 if equal else slack.at(size) >= 0 for size in tried]
    late = max((place for place, met in enumerate(meets) if not met), default=-1)
    return tried[late + 1] if late + 1 < len(tried) else None


def test_the_least_size_of_a_residue_is_the_first_from_which_on_all_meet_the_need() -> None:
    for step, table, plus in product((-2, 0, 1, 2, 3), ((0,), (0, 1), (0, 0, 1), (0, -1, 2, 2)), range(-9, 4)):
        slack = AnySize("H", step, table, plus)
        for residue, equal in product(range(slack.period), (False, True)):
            assert least_size(slack, residue, equal) == sizes_from(slack, residue, equal), (slack, residue, equal)


def test_a_need_of_a_number_is_met_or_refused() -> None:
    for slack, equal in product(range(-3, 4), (False, True)):
        need = Need(0, slack, lambda: Refusal("SC303", "too small"), equal)
        if slack == 0 or (slack > 0 and not equal):
            need.check()
        else:
            with pytest.raises(Refusal, match="too small"):
                need.check()


def test_a_need_of_any_size_is_refused_where_no_size_or_only_a_few_meet_it() -> None:
    for step, plus, equal in product((-1, 0, 1), range(-3, 4), (False, True)):
        slack = AnySize("H", step, (0,), plus)
        need = Need(0, slack, lambda: Refusal("SC303", "too small", None, "a help"), equal)
        if sizes_from(slack, 0, equal) is not None:
            need.check()
            continue
        with pytest.raises(Refusal, match="too small") as caught:
            need.check()
        few = [size for size in range(1, 9) if (slack.at(size) == 0 if equal else slack.at(size) >= 0)] if step else []
        listed = f"{few[0]}" if equal and few else f"at most {few[-1]}" if few else ""
        told = f"it fits for H = {listed} only: give the input that size" if few else "a help"
        assert caught.value.help == told


def read_along(window: Window, places: range) -> set[tuple[int, int]]:
    """The pairs (output, input) within some places that a window says, by its definition."""
    taps = range(0, window.taps * window.dilation, window.dilation)
    return {
        (output, index)
        for output, index in product(places, places)
        if any(window.upsample * index == window.stride * output + tap - window.offset for tap in taps)
    }


def test_a_window_that_is_read_the_other_way_has_the_same_pairs() -> None:
    for taps, stride, dilation, offset, upsample in product((1, 2, 3), (1, 2, 3), (1, 2), (-1, 0, 2), (1, 2, 3)):
        window = Window(taps, stride, dilation, offset, upsample)
        places = range(-12, 13)
        turned = {(index, output) for output, index in read_along(window.transposed, places)}
        assert read_along(window, places) == turned, window


def read_through(chain: Sequence[Window], output: int) -> set[int]:
    """What an output reads through windows, one behind another, of places that are not far."""
    found = {output}
    for window in reversed(chain):
        found = {index for output, index in read_along(window, range(-30, 40)) if output in found}
    return found


def test_attention_inside_windows_reads_the_window_that_an_output_lies_in() -> None:
    for window, size in product((1, 2, 3, 5), (3, 5, 12)):
        for shift in range(window):
            op = WindowAttention(heads=1, window=(window, 1), shift=(shift, 0))
            assert op.result([Shape(4, (size, 9))]) == Shape(4, (size, 9))
            (chain,) = op.chains(0, [size], 0)
            start = shift if size > window else 0  # one window holds a map that is no larger
            ends = range(start - window, size + window, window)
            for p in range(size):
                first = max(end for end in ends if end <= p)
                assert read_through(chain, p) == {*range(first, first + window)}, (op, size, p)
            assert op.chains(0, [AnySize("H")], 0) == op.chains(0, [100], 0)
            assert read_along(op.window_on(0, [size], 0), range(9)) == {
                (p, i) for p, i in product(range(9), range(9)) if abs(p - i) < window
            }
        with pytest.raises(Refusal, match=f"cannot be shifted by {window}$") as caught:
            WindowAttention(heads=1, window=(9, window), shift=(0, window)).result([Shape(4, (size, size))])
        assert caught.value.help == f"less than {window}, as `shift: {window // 2}`"


def test_attention_along_a_line_reads_all_of_it_and_across_it_a_pixel() -> None:
    whole, own = (Window(7, stride=0),), (Window(),)
    for along, axes in (("rows", (1,)), ("columns", (0,)), ("both", (0, 1))):
        op = AxialAttention(heads=1, along=along)
        assert op.result([Shape(4, (7, 6))]) == Shape(4, (7, 6))
        with pytest.raises(Refusal, match="projects no keys of another layer"):
            op.result([Shape(4, (7, 6))] * 2)
        for axis, inputs, index in product((0, 1), (1, 2, 3), (0, 2)):
            all_of_it = axis in axes and (inputs == 1 or index > 0)
            assert op.reads_whole(axis, index, inputs) == all_of_it
            if index < inputs:
                assert op.chains(axis, [7] * inputs, index) == ((whole if all_of_it else own),)
                parts = op.parts([(7, 7)] * inputs, index)
                lines = [tuple(whole if axis == line else own for axis in (0, 1)) for line in axes]
                assert list(parts) == (lines if inputs == 1 or index > 0 else [(own, own)])[:2]
        with pytest.raises(Undecidable):
            op.chains(axes[0], [AnySize("H")], 0)
    three = [Shape(4, (7, 7)), Shape(4, (7, 6)), Shape(4, (7, 7))]
    with pytest.raises(Refusal, match="keys of 4 x 7 x 6"):
        AxialAttention(heads=1, along="rows").result(three)
    with pytest.raises(Refusal, match="values of 4 x 7 x 6"):
        AxialAttention(heads=1, along="rows").result([three[0], three[2], three[1]])
    for shape in (Shape(4, (7,)), Shape(4, (7, 7, 7)), Shape(4, (7, 7), 1)):
        with pytest.raises(Refusal, match="only an image has rows and columns"):
            AxialAttention(heads=1, along="rows").result([shape])
