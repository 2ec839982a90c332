"""One evaluator, two arithmetics: floats agree with the reference, the ring is exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from segcompile.facts.facts import shapes_in
from segcompile.ops import ALL_OPS, Conv, Deconv, Pool, Resize, Shape
from segcompile.prove.arithmetic import Arithmetic, Array
from segcompile.prove.evaluate import FORMULAS, evaluate
from segcompile.prove.pairing import pair
from segcompile.prove.real import Real
from segcompile.prove.ring import LOW, Ring
from segcompile.prove.sizes import held
from segcompile.prove.terms import Side, Term, Terms, add_side
from segcompile.testing import reference
from segcompile.testing.cases import ops


def values(terms: Terms, a: Arithmetic, shapes: dict[int, Shape]) -> dict[int, Array]:
    found: dict[int, Array] = {}
    given = {index: a.drawn(f"input {index}", held(shape)) for index, shape in shapes.items()}
    evaluate(terms, range(len(terms.terms)), given, a, found.__setitem__)
    return found


def test_every_op_has_a_formula() -> None:
    assert {*FORMULAS} == {*ALL_OPS}


def test_floats_agree_with_the_reference_on_every_case_and_the_ring_stays_in_its_bounds() -> None:
    for case in ops():
        graph, shapes = case.request.graph, shapes_in(case.request.graph, case.request.facts)
        weights = pair((graph, graph), (shapes, shapes), None).first
        terms = Terms()
        where = add_side(terms, Side(graph, shapes, weights), list(graph.inputs))
        inputs = {where[name]: shapes[name] for name in graph.inputs}
        real = Real(0)
        found = values(terms, real, inputs)
        tensors = {node: {name: each.value(real)[0] for name, each in own.items()} for node, own in weights.items()}
        expected = reference.trace(graph, tensors, {name: found[where[name]] for name in graph.inputs})
        exact = values(terms, Ring(0), inputs)
        for node in graph.nodes:
            value = found[where[node.name]]
            np.testing.assert_allclose(value, expected[node.name], rtol=1e-10, atol=1e-10, err_msg=case.name)
            ring = exact[where[node.name]]
            assert ring.shape[1:] == value.shape[1:], case.name
            assert (ring == np.rint(ring)).all() and np.abs(ring).max() <= LOW, case.name


@pytest.mark.parametrize(
    ("op", "weight"),
    [
        (
            Conv(channels=3, kernel=(3, 2), stride=(2, 1), dilation=(1, 2), pad=((1, 2), (0, 1)), bias=False),
            (3, 4, 3, 2),
        ),
        (Deconv(channels=3, kernel=(3, 2), stride=(2, 1), pad=((1, 1), (0, 0)), bias=False), (4, 3, 3, 2)),
        (Pool(kind="avg", kernel=(3, 2), stride=(2, 1)), None),
        (Resize(factor=(Fraction(3, 2), Fraction(2)), mode="cubic"), None),
    ],
    ids=lambda value: getattr(value, "spelling", ""),
)
def test_sums_and_products_of_the_ring_are_those_of_whole_numbers(op: Conv, weight: tuple[int, ...] | None) -> None:
    """The reference, on Python's whole numbers: of rationals the inverse is one modulo the prime, too."""
    ring, term = Ring(3), Term(0, op, (), (), Shape(4, (7, 6)), "")
    x = ring.drawn("x", (4, 7, 6))
    tensors = {"weight": ring.drawn("w", weight)} if weight is not None else {}
    found = FORMULAS[type(op)](op, [x], tensors, ring, term.index)
    for part, prime in enumerate(ring.moduli):
        exact = FORMULAS[type(op)](op, [_whole(x[part])], {k: _whole(v[part]) for k, v in tensors.items()}, _Whole(), 0)
        for place in np.ndindex(*exact.shape[1:]):
            value = Fraction(exact[(0, *place)])
            assert (value.numerator * pow(value.denominator, -1, prime) - int(found[(part, *place)])) % prime == 0


def _whole(x: Array) -> Array:
    found: Array = np.vectorize(Fraction, otypes=[object])(x.astype(int))[None]
    return found


class _Whole(Real):
    """Rationals: exact, and slow."""

    def __init__(self) -> None:
        super().__init__(0)

    def numbers(self, values: Array) -> Array:
        return values[None]


def test_a_sum_of_many_products_is_split_where_floats_would_round() -> None:
    ring = Ring(0)
    a, b = ring.drawn("a", (1, 20_001)), ring.drawn("b", (20_001, 1))
    found = ring.contracted(a, b)
    for part, prime in enumerate(ring.moduli):
        total = sum(int(x) * int(y) for x, y in zip(a[part, 0], b[part, :, 0], strict=True))
        assert (total - int(found[part, 0, 0])) % prime == 0


def test_a_set_of_one_is_its_own_value_and_multiplicities_do_not_count() -> None:
    ring = Ring(0)
    x, y = ring.drawn("x", (2, 1)), ring.drawn("y", (2, 1))
    there = np.ones((3, 1, 1, 1), bool)
    one = ring.largest(np.stack([x, x, x]), there)
    assert (one == x).all()
    assert (ring.largest(np.stack([x, y, y]), there) == ring.largest(np.stack([y, x, x]), there)).all()
    assert (ring.largest(np.stack([x, y, y]), there) != ring.largest(np.stack([x, x, x]), there)).any()


def test_a_ring_is_the_same_in_every_process() -> None:
    ring = Ring(0)
    assert ring.moduli == Ring(0).moduli != Ring(1).moduli
    assert all(LOW < prime < 2 * LOW for prime in ring.moduli)
    assert (ring.drawn("x", (3,)) == Ring(0).drawn("x", (3,))).all()
