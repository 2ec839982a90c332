"""Symbolic sizes against whole numbers: what is reckoned with them holds at every size of the image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import pytest

from segcompile.ops.size import (
    MAX_PERIOD,
    AnySize,
    Size,
    Undecidable,
    constant,
    difference,
    floor_shift,
    least,
    most,
    primes,
    tabulate,
)

H = AnySize("H")
IMAGES = range(1, 61)


@cache
def sizes() -> tuple[AnySize, ...]:
    """What windows make of a size: floors, multiples and shifts, some of them equal functions."""
    once = [
        (H * up + shift) // down + plus
        for up, down in product((1, 2, 3), (1, 2, 3, 4))
        for shift, plus in ((0, 0), (1, -1), (5, 2))
    ]
    twice = [(size * 2 + 1) // 3 for size in once[::3]]
    falling = [size * -1 + 9 for size in once[::5]]
    return (*once, *twice, *falling, H * 0 + 4, H // 2 * 2, (H + 1) // 3 * 3)  # fmt: skip


def at(size: Size, image: int) -> int:
    return size if isinstance(size, int) else size.at(image)


def values(size: Size) -> list[int]:
    return [at(size, image) for image in range(61)]


def test_a_size_is_the_image_s_own_at_every_number() -> None:
    assert values(H) == list(range(61))
    assert (H.period, H.slope) == (1, 1)
    assert (H // 4).period == 4 and (H * 3 // 4).slope * 4 == 3


@pytest.mark.parametrize("number", range(-3, 6))
def test_sums_multiples_and_floors_are_those_of_whole_numbers(number: int) -> None:
    for size in sizes():
        assert values(size + number) == [value + number for value in values(size)]
        assert values(size - number) == [value - number for value in values(size)]
        assert values(size * number) == [value * number for value in values(size)]
        if number > 0:
            assert values(size // number) == [value // number for value in values(size)]


def test_equal_functions_are_equal_values_of_the_smallest_period() -> None:
    for size in sizes():
        found = [size.at(image) for image in range(2 * size.period)]
        assert size.table[0] == 0 and size.plus == found[0]
        for shorter in range(1, size.period):
            turns = {found[image + shorter] - found[image] for image in range(2 * size.period - shorter)}
            assert len(turns) > 1, f"{size!r} repeats itself after {shorter}"
        for times in (1, 2, 3, 5):  # the same function, told at greater length
            told = [size.at(image) for image in range(size.period * times)]
            assert tabulate("H", size.step * times, told) == size
    assert all(size * 0 == H * 0 for size in sizes())
    assert H * 2 // 2 == H and (H // 2 * 2 + 1) // 2 == H // 2


def test_a_period_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert (H // MAX_PERIOD).period == MAX_PERIOD
    with pytest.raises(Undecidable, match="repeats itself only after 4,097 sizes"):
        H // (MAX_PERIOD + 1)
    half = H // (MAX_PERIOD // 2)
    assert difference(half, H // MAX_PERIOD).period == MAX_PERIOD  # type: ignore[union-attr]
    with pytest.raises(Undecidable, match="repeat themselves only after"):
        difference(half, H // 3)
    assert MAX_PERIOD + 1 == 17 * 241
    with pytest.raises(Undecidable, match="repeat themselves only after 4,097 sizes"):
        difference(H // 17, H // 241)


def test_a_difference_is_right_at_every_size_and_a_number_where_it_never_changes() -> None:
    for a, b in product((*sizes()[::2], 7), (*sizes()[1::3], 3)):
        found = difference(a, b)
        assert values(found) == [x - y for x, y in zip(values(a), values(b), strict=True)]
        assert isinstance(found, int) == (len(set(values(found))) == 1)


def test_what_never_changes_is_a_number() -> None:
    for size in sizes():
        assert isinstance(constant(size), int) == (len(set(values(size))) == 1)
        assert values(constant(size)) == values(size)
    assert constant(5) == 5


def decided(all_values: list[list[int]]) -> bool:
    """Whether one order of two sizes holds at every image, or they stay beside one another for ever."""
    first, second = all_values
    gaps = [x - y for x, y in zip(first, second, strict=True)]
    return all(gap >= 0 for gap in gaps) or all(gap <= 0 for gap in gaps)


def beside(a: Size, b: Size) -> bool:
    """Whether two symbolic sizes grow alike, so that only the image's residue decides which is smaller."""
    return isinstance(a, AnySize) and isinstance(b, AnySize) and a.slope == b.slope


def pairs() -> Iterator[tuple[Size, Size]]:
    yield from product((*sizes(), 1, 6), (*sizes()[::3], H // 2 * 2, 2, 40))


def test_the_smaller_and_the_larger_of_two_sizes_are_right_at_every_image_or_undecidable() -> None:
    outcomes = set()
    for a, b in pairs():
        both = [[at(size, image) for image in range(1, 400)] for size in (a, b)]
        if not decided(both) and not beside(a, b):
            for choose in (least, most):
                with pytest.raises(Undecidable, match="depends on how large the input is"):
                    choose([a, b])
            outcomes.add("undecidable")
            continue
        for choose, plain in ((least, min), (most, max)):
            found = choose([a, b])
            assert [at(found, image) for image in range(1, 400)] == [plain(pair) for pair in zip(*both, strict=True)]
        outcomes.add("beside" if not decided(both) else "one of them")
    assert outcomes == {"undecidable", "beside", "one of them"}


def test_the_least_of_many_is_the_least_of_all_pairs() -> None:
    assert least([H + 2, H, H + 1]) == H and most([H + 1, H + 2, H]) == H + 2
    assert least([H]) == H and least([5, 3, 4]) == 3 and most([5, 3, 6]) == 6


def test_prime_factors_are_given_once_each() -> None:
    for number in range(1, 200):
        divisors = [d for d in range(2, number + 1) if number % d == 0]
        assert list(primes(number)) == [d for d in divisors if not any(d % e == 0 for e in divisors if e < d)]


def test_a_floor_is_recognised_by_its_values() -> None:
    """By trial of every shift: a multiple of the divisor is preferred, else the smallest that will do."""
    for up, down, shift, bump in product((1, 2, 3), (1, 2, 3, 4), range(-6, 7), (0, 1, 2)):
        told = [(up * r + shift) // down for r in range(2 * down)]
        told[-1] += bump  # with a bump it is no floor any more, but of few values
        fits = [a for a in range(-30, 31) if all((up * r + a) // down == value for r, value in enumerate(told))]
        wanted = next((a for a in fits if a % down == 0), min(fits, default=None))
        assert floor_shift(up, down, told) == wanted
        assert floor_shift(up, down, told[1::2], range(1, 2 * down, 2)) == next(
            iter(sorted(fits_at(up, down, told), key=lambda a: (a % down != 0, a))), None
        )


def fits_at(up: int, down: int, told: list[int]) -> list[int]:
    """The shifts that give the values at odd places."""
    places = range(1, len(told), 2)
    return [a for a in range(-30, 31) if all((up * r + a) // down == told[r] for r in places)]
