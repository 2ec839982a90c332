"""Index sets against Python's own sets of integers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segcompile.facts.coverage.region import Region, unite
from segcompile.facts.index_set import IndexSet, read_by, union
from segcompile.facts.receptive_field import indices_read
from segcompile.ops import Window

INDICES = st.sets(st.integers(-40, 40), min_size=1, max_size=30)
WINDOWS = st.builds(
    Window, st.integers(1, 6), st.integers(0, 5), st.integers(1, 4), st.integers(-9, 9), st.integers(1, 5)
)
PRODUCTS = st.lists(
    st.tuples(st.sets(st.integers(0, 9), min_size=1), st.sets(st.integers(0, 9), min_size=1)), max_size=6
)


def index_set(indices: set[int]) -> IndexSet:
    found = union(IndexSet(index, index) for index in indices)
    assert found is not None
    return found


def indices(found: IndexSet | None) -> set[int]:
    return set() if found is None else {i for first, last in found.runs() for i in range(first, last + 1)}


def test_a_set_is_shown_shortly_however_many_holes_it_has() -> None:
    assert [repr(IndexSet(3, 3)), repr(IndexSet(-6, 6))] == ["<3 to 3>", "<-6 to 6>"]
    assert repr(IndexSet(0, 0).repeated(7, 2).shifted(-6)) == "<-6 to 6 (7 of 13)>"
    assert repr(IndexSet(0, 0).repeated(50_000, 2)) == "<0 to 99998 (50000 of 99999)>"


@given(INDICES, INDICES)
def test_sets_of_indices_are_sets(a: set[int], b: set[int]) -> None:
    ours, theirs = index_set(a), index_set(b)
    assert indices(ours) == a and ours.count == len(a) and ours.width == max(a) - min(a) + 1
    assert {index for index in range(-50, 50) if index in ours} == a
    assert indices(union([ours, None, theirs])) == a | b
    assert indices(ours.intersection(theirs)) == a & b
    assert indices(ours.difference(theirs)) == a - b
    assert ours.issuperset(theirs) == (a >= b)
    assert (ours == theirs) == (a == b)


@given(INDICES, st.integers(1, 7), st.integers(0, 9))
def test_moves_of_a_set(a: set[int], n: int, step: int) -> None:
    ours = index_set(a)
    assert indices(ours.repeated(n, step)) == {i + k * step for i in a for k in range(n)}
    assert indices(ours.spread(step)) == {i * step for i in a}
    assert indices(ours.divided(n)) == {i // n for i in a if i % n == 0}
    assert indices(ours.mirrored(step)) == {step - i for i in a}
    assert indices(ours.shifted(-n)) == {i - n for i in a}
    assert indices(ours.within(-n, step)) == {i for i in a if -n <= i <= step}


@given(INDICES, WINDOWS)
def test_what_a_window_reads(a: set[int], w: Window) -> None:
    """By the definition: upsample * i = stride * p + dilation * t - offset."""
    every = [{w.stride * p + w.dilation * t - w.offset for t in range(w.taps)} for p in sorted(a)]
    reads = [{place // w.upsample for place in places if place % w.upsample == 0} for places in every]
    assert [set(indices_read(w, p)) for p in sorted(a)] == reads
    assert indices(read_by(w, index_set(a))) == set().union(*reads)
    hull = set(range(min(a), max(a) + 1))
    assert indices(read_by(w, index_set(hull))) == set().union(*(indices_read(w, p) for p in hull))


@given(PRODUCTS, WINDOWS, WINDOWS)
def test_regions_are_sets_of_cells(products: list[tuple[set[int], set[int]]], height: Window, width: Window) -> None:
    cells = {(y, x) for rows, columns in products for y in rows for x in columns}
    region = unite((index_set(rows), index_set(columns)) for rows, columns in products)
    assert cells_of(region) == cells
    if region is not None:
        assert region.count == len(cells)
        assert [indices(factor) for factor in region.along] == [{y for y, _ in cells}, {x for _, x in cells}]
        assert cells_of(region.within((4, 7))) == {(y, x) for y, x in cells if y < 4 and x < 7}
        assert cells_of(region.read_by(((height,), (width,)))) == {
            (i, j) for y, x in cells for i in indices_read(height, y) for j in indices_read(width, x)
        }


def cells_of(region: Region | None) -> set[tuple[int, int]]:
    return set() if region is None else {(y, x) for y, start, end in region.runs() for x in range(start, end + 1)}


def test_a_dense_set_costs_the_same_at_any_width() -> None:
    wide = IndexSet(0, 2**60).repeated(3, 2**59).shifted(-(2**61))
    assert (wide.low, wide.holes, wide.width) == (-(2**61), 0, 2**61 + 1)
