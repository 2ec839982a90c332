"""Of which inputs attention, products and lists read all, and over which of them an output lies. What a window and a
cross hold is in test_geometry.py."""

from __future__ import annotations

import pytest

from segcompile.ops import (
    IDENTITY,
    AnySize,
    Attention,
    Map,
    MatMul,
    Position,
    PositionSoftmax,
    Refusal,
    Shape,
    Token,
    WindowAttention,
)

H = AnySize("H")


def test_one_window_over_an_axis_is_not_shifted() -> None:
    op = WindowAttention(heads=1, window=(4, 2), shift=(3, 1))
    assert [op.shift_of(0, size) for size in (1, 4, 5)] == [0, 0, 3]
    assert [op.shift_of(1, size) for size in (2, 3)] == [0, 1] and op.shift_of(0, H) == 3
    for shift in (4, 5):
        with pytest.raises(Refusal):
            WindowAttention(heads=1, window=(4, 4), shift=(shift, 0)).result([Shape(4, (9, 9))])


def test_keys_and_values_are_read_from_end_to_end_and_an_output_lies_over_its_query() -> None:
    op = Attention(heads=1)
    assert [op.reads_whole(0, index, 3) for index in range(3)] == [False, True, True] and op.reads_whole(0, 0, 1)
    assert [op.window_on(0, [4] * 3, index) for index in range(3)] == [IDENTITY, None, None]
    assert [op.projects([Shape(2)] * count) for count in (1, 2, 3)] == [True, True, False]
    assert [op.fuses([Shape(2)] * count) for count in (1, 2, 3)] == [True, False, False]
    assert not Attention(heads=1, reduce=(2, 2)).fuses([Shape(2)])
    maps = [Shape(2, (side, side)) for side in (4, 5, 6)]
    assert [op.keys_of(maps[:count]) for count in (1, 2, 3)] == [maps[0], maps[1], maps[1]]


def test_a_product_over_channels_lies_over_its_second_input() -> None:
    over = {name: MatMul(over=name) for name in ("positions", "channels")}
    assert [over["channels"].window_on(0, [4] * 2, index) for index in (0, 1)] == [None, IDENTITY]
    assert [over["positions"].window_on(0, [4] * 2, index) for index in (0, 1)] == [None, None]
    assert [over["channels"].reads_whole(0, index, 2) for index in (0, 1)] == [True, False]
    assert [over["positions"].reads_whole(0, index, 2) for index in (0, 1)] == [True, True]


def test_what_keeps_the_grid_lies_over_its_input_and_not_over_the_map_that_it_remembers() -> None:
    for op in (Map(), Position(size=(2, 2)), Token(count=1)):
        assert op.window_on(0, [4], 0) == IDENTITY
    for op in (Map(), Position(size=(2, 2))):
        assert op.window_on(0, [4, 4], 1) is None


def test_a_softmax_over_one_position_is_refused() -> None:
    op = PositionSoftmax(kind="positions")
    for size in ((2, 1), (1, 2), (3, 2)):
        assert op.result([Shape(4, size)]) == Shape(4, size)
    with pytest.raises(Refusal):
        op.result([Shape(4, (1, 1))])
