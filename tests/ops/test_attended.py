"""What attention, products and lists read of each of their inputs, against the partition or the cross that it is."""

from __future__ import annotations

from itertools import product

import pytest

from segcompile.ops import (
    IDENTITY,
    AnySize,
    Attention,
    AxialAttention,
    Chain,
    Map,
    MatMul,
    Position,
    PositionSoftmax,
    Refusal,
    Shape,
    Token,
    Undecidable,
    WindowAttention,
)

H = AnySize("H")


def read(chain: Chain, index: int) -> set[int]:
    """The input indices that an output reads through windows behind one another, that on the input first."""
    places = {index}
    for window in reversed(chain):
        sums = [window.stride * p + window.dilation * t - window.offset for p in places for t in range(window.taps)]
        places = {total // window.upsample for total in sums if total % window.upsample == 0}
    return places


def test_a_window_holds_the_positions_from_the_shift_on_and_a_shorter_one_lies_before() -> None:
    for window, size in product((1, 2, 3, 4), range(1, 12)):
        for shift in range(window):
            op = WindowAttention(heads=1, window=(window, 1), shift=(shift, 0))
            moved = shift if size > window else 0
            ((reads, lies_in),) = op.chains(0, [size], 0)
            for p in range(size):
                found = {i for i in read((reads, lies_in), p) if 0 <= i < size}
                same = {i for i in range(size) if (i - moved) // window == (p - moved) // window}
                assert found == same
                assert found <= read((op.window_on(0, [size], 0),), p)
                assert len(read((reads, lies_in), p)) == window


def test_all_that_a_window_may_hold_is_what_any_position_of_it_may_see() -> None:
    for window in (1, 2, 5):
        around = read((WindowAttention(heads=1, window=(window, 1)).window_on(0, [20], 0),), 0)
        assert around == set(range(1 - window, window))


def test_one_window_over_an_axis_is_not_shifted() -> None:
    op = WindowAttention(heads=1, window=(4, 2), shift=(3, 1))
    assert [op.shift_of(0, size) for size in (1, 4, 5)] == [0, 0, 3]
    assert [op.shift_of(1, size) for size in (2, 3)] == [0, 1] and op.shift_of(0, H) == 3
    for shift in (4, 5):
        with pytest.raises(Refusal):
            WindowAttention(heads=1, window=(4, 4), shift=(shift, 0)).result([Shape(4, (9, 9))])


def test_rows_are_read_along_the_columns_and_both_are_a_cross() -> None:
    size = (3, 5)
    for along, lines in (("rows", [1]), ("columns", [0]), ("both", [0, 1])):
        op = AxialAttention(heads=1, along=along)
        cells = set()
        for part in op.parts([size], 0):
            rows, columns = (read(chain, at) for chain, at in zip(part, (1, 2), strict=True))
            cells |= set(product(rows, columns))
        cross = {(1, x) for x in range(5)} if 1 in lines else set()
        cross |= {(y, 2) for y in range(3)} if 0 in lines else set()
        assert cells == cross
        for axis in (0, 1):
            ((window,),) = op.chains(axis, [size[axis]], 0)
            assert read((window,), 1) == (set(range(size[axis])) if axis in lines else {1})
            assert op.reads_whole(axis, 0, 1) == (axis in lines)
        assert op.parts([size] * 3, 0) == ((((IDENTITY,),) * 2),), "of queries the pixel itself"
        assert [op.reads_whole(lines[0], index, 3) for index in range(3)] == [False, True, True]
    with pytest.raises(Undecidable):
        AxialAttention(heads=1, along="both").chains(0, [H], 0)


def test_keys_and_values_are_read_from_end_to_end_and_an_output_lies_over_its_query() -> None:
    op = Attention(heads=1)
    assert [op.reads_whole(0, index, 3) for index in range(3)] == [False, True, True] and op.reads_whole(0, 0, 1)
    assert [op.window_on(0, [4] * 3, index) for index in range(3)] == [IDENTITY, None, None]
    assert [op.projects([Shape(2)] * count) for count in (1, 2, 3)] == [True, True, False]
    assert [op.fuses([Shape(2)] * count) for count in (1, 2, 3)] == [True, False, False]
    assert not Attention(heads=1, reduce=(2, 2)).fuses([Shape(2)])


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
