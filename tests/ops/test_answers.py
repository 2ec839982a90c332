"""What an op answers of itself, so that nobody else looks at its class."""

from __future__ import annotations

import pytest

from segcompile.ops import (
    Activation,
    Attention,
    AxialAttention,
    Conv,
    Crop,
    Deconv,
    GlobalPool,
    Op,
    Pad,
    Pool,
    Softmax,
    Unpool,
)
from segcompile.ops.base import Sliding

POOL = Pool(kind="max", kernel=(3, 2), pad=((1, 0), (1, 1)))
WINDOWS: tuple[tuple[Op, Sliding], ...] = (
    (Conv(channels=4, kernel=(3, 5), stride=(2, 1), dilation=(1, 2)), Sliding((3, 5), (2, 1), (1, 2))),
    (Deconv(channels=4, kernel=(4, 2), stride=(2, 1)), Sliding((4, 2), (2, 1), (1, 1), transposed=True)),
    (POOL, Sliding((3, 2), (3, 2), (1, 1))),
    (Unpool(pool_layer=POOL), Sliding((3, 2), (3, 2), (1, 1), transposed=True)),
)


@pytest.mark.parametrize(("op", "sliding"), WINDOWS)
def test_the_sliding_window_of_an_op_is_the_one_it_reads_by(op: Op, sliding: Sliding) -> None:
    assert op.sliding == sliding
    for axis in range(2):
        window = op.window_on(axis, [20, 20, 20], 0)
        assert window is not None
        stride = window.upsample if sliding.transposed else window.stride
        assert (window.taps, stride, window.dilation) == (
            sliding.kernel[axis], sliding.stride[axis], sliding.dilation[axis],
        )  # fmt: skip


MEAN = Pool(kind="avg", kernel=(3, 2), stride=(3, 2))
SAME = Conv(channels=4, kernel=(3, 4), pad=("same",))
FORMS: tuple[tuple[Op, Op, Op], ...] = (  # an op, its canonical form, and that without padding
    (SAME, SAME.model_copy(update={"pad": ((1, 1), (1, 2))}), SAME.model_copy(update={"pad": ((0, 0), (0, 0))})),
    (Conv(channels=4, kernel=(3, 3), mode="edge"), *[Conv(channels=4, kernel=(3, 3))] * 2),
    (
        Deconv(channels=4, kernel=(4, 4), stride=(2, 2), pad=("same",), output_pad=(1, 0)),
        Deconv(channels=4, kernel=(4, 4), stride=(2, 2), pad=((1, 1), (1, 1)), output_pad=(1, 0)),
        Deconv(channels=4, kernel=(4, 4), stride=(2, 2)),
    ),
    (
        POOL,
        POOL.model_copy(update={"stride": (3, 2)}),
        Pool(kind="max", kernel=(3, 2), stride=(3, 2)),
    ),
    (
        Pool(kind="avg", kernel=(3, 2), stride=(1, 1), pad=((1, 0), (1, 1)), count_pad=False),
        Pool(kind="avg", kernel=(3, 2), stride=(1, 1), pad=((1, 0), (1, 1)), count_pad=False),
        Pool(kind="avg", kernel=(3, 2), stride=(1, 1)),
    ),
    (MEAN.model_copy(update={"count_pad": False}), MEAN, MEAN),
    (
        Unpool(pool_layer=POOL),
        Unpool(pool_layer=Pool(kind="max", kernel=(3, 2), stride=(3, 2), pad=((1, 0), (1, 1)))),
        Unpool(pool_layer=Pool(kind="max", kernel=(3, 2), stride=(3, 2))),
    ),
    (Pad(amount=((0, 0), (0, 0)), mode="edge"), *[Pad(amount=((0, 0), (0, 0)))] * 2),
    (
        Pad(amount=((1, 0), (2, 0)), mode="edge"),
        Pad(amount=((1, 0), (2, 0)), mode="edge"),
        Pad(amount=((0, 0), (0, 0))),
    ),
    (
        Pad(amount=((1, 0), (2, 0)), value=0.5),
        Pad(amount=((1, 0), (2, 0)), value=0.5),
        Pad(amount=((0, 0), (0, 0))),
    ),
    (Crop(offset=(1, 2)), Crop(offset=(1, 2)), Crop()),
    (Softmax(), Softmax(), Softmax()),
)


@pytest.mark.parametrize(("op", "canonical", "unpadded"), FORMS)
def test_ops_that_do_the_same_have_one_form(op: Op, canonical: Op, unpadded: Op) -> None:
    assert (op.canonical(), op.unpadded()) == (canonical, unpadded)
    assert (canonical.canonical(), unpadded.unpadded()) == (canonical, unpadded)


def test_an_op_that_says_nothing_has_no_padding_and_shifts_nothing() -> None:
    op = Activation(kind="relu")
    assert [op.pads(axis) for axis in range(2)] == [(0, 0), (0, 0)]
    assert (op.sliding, op.surroundings, op.cut_off([5, 7], 1), op.aligns) == (None, None, 0, "none")
    assert (op.groups_of(8), op.buffers([]), Pad(amount=((1, 1), (1, 1))).bounds) == (None, (), None)


def test_what_reads_some_input_from_end_to_end_says_so() -> None:
    attention = Attention(heads=1)
    assert attention.spans_some(2, 1) and attention.spans_some(2, 2)
    assert GlobalPool(kind="global_avg").spans_some(1, 1) and not POOL.spans_some(2, 1)
    rows = AxialAttention(heads=1, along="rows")
    assert [rows.reads_whole(axis, 0, 1) for axis in range(2)].count(True) == 1 and rows.spans_some(2, 1)


def test_a_convolution_says_its_groups() -> None:
    for op in (Conv(channels=4, kernel=(1, 1), groups=2), Deconv(channels=4, kernel=(1, 1), groups=2)):
        assert op.groups_of(4) == 2


@pytest.mark.parametrize(("channels", "found"), [(1, "sigmoid"), (2, None)])
def test_a_sigmoid_is_a_probability_of_one_class(channels: int, found: str | None) -> None:
    assert Activation(kind="sigmoid").probability(channels) == found
    assert Activation(kind="relu").probability(channels) is None
