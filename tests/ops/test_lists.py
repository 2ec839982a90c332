"""Lists of tokens and positions: how many vectors they hold, and what makes, keeps and takes them apart."""

from __future__ import annotations

import pytest

from segcompile.ops import AnySize, Attention, Map, MatMul, Position, Refusal, Shape, Token, Tokens

MAP = Shape(6, (3, 5))


def test_a_list_holds_its_tokens_and_then_the_positions_of_its_map() -> None:
    for size, positions in (((7,), 7), ((3, 5), 15), ((2, 3, 4), 24)):
        plain, listed = Shape(6, size), Shape(6, size, 2)
        assert (plain.axes, plain.positions, plain.extents) == (len(size), positions, size)
        assert (listed.axes, listed.positions, listed.extents) == (1, 2 + positions, (2 + positions,))
    alone = Shape(6, (), 4)
    assert (alone.axes, alone.positions, alone.extents) == (1, 4, (4,))
    assert Shape(6).axes == 0 and Shape(6).positions == 1, "a vector"
    anywhere = Shape(6, (AnySize("H"), 5), 2)
    assert anywhere.positions is None and anywhere.extents == (None,)
    assert Shape(6, (AnySize("H"), 5)).extents == (None, 5)


def test_learned_tokens_stand_before_a_map_and_before_the_tokens_of_a_list() -> None:
    one = Token(count=3).result([MAP])
    assert one == Shape(6, (3, 5), 3)
    assert Token(count=2).result([one]) == Shape(6, (3, 5), 5)
    assert Token(count=2).result([Shape(6, (), 4)]) == Shape(6, (), 6)


def test_a_list_is_taken_apart_into_its_map_and_its_tokens() -> None:
    listed = Shape(6, (3, 5), 4)
    assert Map().result([listed]) == MAP
    for part in ((0, 1), (0, 4), (1, 3), (3, 4)):
        assert Tokens(part=part).result([listed]) == Shape(6, (), part[1] - part[0])
    for part in ((0, 5), (4, 5), (2, 2), (3, 1)):
        with pytest.raises(Refusal):
            Tokens(part=part).result([listed])
    for op, shape in ((Map(), MAP), (Map(), Shape(6, (), 4)), (Tokens(part=(0, 1)), MAP)):
        with pytest.raises(Refusal):
            op.result([shape])


def test_positions_are_added_to_a_map_and_to_a_list_of_one() -> None:
    op = Position(size=(2, 4))
    for shape in (MAP, Shape(6, (3, 5), 4)):
        assert op.result([shape]) == shape
    with pytest.raises(Refusal):
        op.result([Shape(6, (), 4)])


def test_attention_keeps_its_queries_and_has_a_channel_of_the_values_for_each_of_theirs() -> None:
    for query in (MAP, Shape(6, (3, 5), 4), Shape(6, (), 4)):
        assert Attention(heads=2).result([query]) == query
        assert Attention(heads=2).result([query, Shape(9, (2, 2))]) == query
        assert Attention(heads=2).result([query, Shape(6, (2, 2)), Shape(8, (2, 2))]) == query.with_channels(8)
    for heads in (4, 5, 12):
        with pytest.raises(Refusal):
            Attention(heads=heads).result([MAP])


def test_keys_that_are_made_smaller_have_one_left_and_each_has_a_value() -> None:
    for size in range(1, 7):
        for step in range(1, 7):
            op = Attention(heads=1, reduce=(step, 1))
            if step <= size:
                assert op.result([Shape(4, (size, 3))]) == Shape(4, (size, 3))
            else:
                with pytest.raises(Refusal):
                    op.result([Shape(4, (size, 3))])
    for other in (2, 4):
        with pytest.raises(Refusal):
            Attention(heads=1).result([MAP, Shape(6, (3, 3)), Shape(6, (other, 3))])


def test_a_product_over_positions_gives_a_token_a_channel_and_one_over_channels_a_channel_a_token() -> None:
    regions = MatMul(over="positions").result([Shape(7, (3, 5)), MAP])
    assert regions == Shape(6, (), 7)
    assert MatMul(over="channels").result([regions, MAP]) == Shape(7, (3, 5))
    for size in ((3, 4), (3, 6), (2, 5), (3,)):
        with pytest.raises(Refusal):
            MatMul(over="positions").result([Shape(7, size), MAP])


def test_how_large_a_list_of_any_size_is_cannot_be_said() -> None:
    assert Token(count=1).result([Shape(6, (AnySize("H"), 5))]).positions is None
    with pytest.raises(Refusal):
        MatMul(over="positions").result([Shape(7, (AnySize("H") * 2, 5)), Shape(7, (AnySize("H"), 5))])
