"""Every op with any attributes: its shape, parameters and window are those of the emitted PyTorch."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from segcompile.errors import SegcompileError
from segcompile.ops import ALL_OPS, AXES, Add, Concat, Crop, Linear, Op, Resize, Size, Undecidable
from segcompile.ops.size import AnySize, difference
from segcompile.testing import strategies

SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, max_examples=15)
sizes = st.tuples(st.integers(4, 11), st.integers(4, 11))
KINDS = {
    "conv": strategies.convs(), "deconv": strategies.deconvs(), "pool": strategies.pools(), "pad": strategies.pads(),
    "resize": strategies.resizes(), "pointwise": strategies.pointwise(),
}  # fmt: skip


def indices(op: Op, axis: int, extents: list[Size], index: int, p: int) -> set[int]:
    """The input indices that the window of an op names for output p, border or not."""
    window = op.window(axis, extents, index)
    if window is None:
        return set()
    sums = (window.stride * p + window.dilation * t - window.offset for t in range(window.taps))
    return {total // window.upsample for total in sums if total % window.upsample == 0}


def check_sets(net, index: int = 0) -> None:
    """Each output of a one-op network reads, along each axis, what the window says; borders that are no zeros aside."""
    import torch

    (node,) = net.graph.nodes
    extents = [net.shapes[name].size for name in node.inputs]
    inputs = [value.requires_grad_() for value in net.inputs()]
    (result,) = net.outputs(*inputs).values()
    (gradient,) = torch.autograd.grad(result.sum(), inputs[index], retain_graph=True)
    anything = float(gradient.abs().sum()) > 0  # else all taps lie in the padding along the other axis
    bordered = isinstance(node.op, Resize) or getattr(node.op, "mode", "zero") != "zero"
    for axis in AXES:
        rows = result.sum((0, 1, 3 - axis))
        for p in range(len(rows)):
            said = indices(node.op, axis, [extent[axis] for extent in extents], index, p)
            inside = {i for i in said if 0 <= i < extents[index][axis]}
            if bordered and inside != said:
                continue
            (gradient,) = torch.autograd.grad(rows[p], inputs[index], retain_graph=True)
            along = gradient.abs().sum((0, 1, 3 - axis))
            found = {i for i, value in enumerate(along.tolist()) if value > 1e-12}
            assert found == (inside if anything else set()), f"{node.op}, axis {axis}: {p} reads {found}, not {said}"


@pytest.mark.parametrize("kind", KINDS)
def test_shape_parameters_and_window_of_an_op_are_pytorchs(nets: SimpleNamespace, kind: str) -> None:
    @SETTINGS
    @given(op=KINDS[kind], size=sizes)
    def holds(op: Op, size: tuple[int, int]) -> None:
        try:
            net = nets.emitted(strategies.graph_of(op, size))
        except SegcompileError:
            assume(False)
        (value,) = net.outputs().values()
        shape = net.shapes["layer"]
        assert tuple(value.shape[1:]) == (shape.channels, *shape.size), net.source
        assert net.facts["layer"].parameter_count == sum(value.numel() for value in net.model.parameters())
        check_sets(net.made_linear())

    holds()


@SETTINGS
@given(op=strategies.resizes(by_factor=False), size=sizes, reference=sizes)
def test_resize_to_a_reference_reads_what_its_window_says(nets, op: Op, size, reference) -> None:
    net = nets.emitted(strategies.graph_of(op, size, reference))
    (value,) = net.outputs().values()
    assert tuple(value.shape[2:]) == reference
    check_sets(net.made_linear())


@SETTINGS
@given(size=sizes, reference=sizes, offset=st.tuples(st.integers(0, 4), st.integers(0, 4)))
def test_crop_reads_from_its_offset_on(nets, size, reference, offset) -> None:
    assume(all(o + r <= s for o, r, s in zip(offset, reference, size, strict=True)))
    check_sets(nets.emitted(strategies.graph_of(Crop(offset=offset), size, reference)).made_linear())


@SETTINGS
@given(
    op=st.builds(Concat, align=st.sampled_from(["center_crop", "pad"]))
    | st.builds(Add, align=st.sampled_from(["center_crop", "pad"]), weights=st.just((0.25, 2.0))),
    size=sizes, second=sizes, index=st.integers(0, 1),
)  # fmt: skip
def test_an_aligned_join_reads_what_its_windows_say(nets, op: Op, size, second, index: int) -> None:
    try:
        net = nets.emitted(strategies.graph_of(op, size, second))
    except SegcompileError as error:  # neither fits into the other
        assert (size[0] - second[0]) * (size[1] - second[1]) < 0
        assert [found.code.code for found in error.diagnostics] == ["SC302"]
        return
    (value,) = net.outputs().values()
    assert tuple(value.shape[2:]) == net.shapes["layer"].size
    check_sets(net.made_linear(), index)


@SETTINGS
@given(op=st.one_of(strategies.convs(), strategies.deconvs()), size=sizes)
def test_macs_are_the_products_that_are_summed(nets, op: Op, size) -> None:
    """By hand: a convolution multiplies for each output all taps of its group; a transposed one for each input."""
    try:
        net = nets.emitted(strategies.graph_of(op, size))
    except SegcompileError:
        assume(False)
    (weight, *_) = net.model.layer.parameters()
    source, result = net.shapes["in0"], net.shapes["layer"]
    places = result.size if op.spelling == "conv" else source.size
    assert net.facts["layer"].macs == places[0] * places[1] * weight.numel()


def test_a_fully_connected_layer_multiplies_once_a_weight(nets) -> None:
    net = nets.emitted(strategies.graph_of(Linear(features=7), (5, 6)))
    assert net.facts["layer"].macs == 7 * 4 * 30 == net.model.layer.weight.numel()
    assert net.outputs()["output"].shape == (1, 7)


def test_every_op_has_a_torch_rule_a_summary_and_readers() -> None:
    from segcompile_torch.rules import RULES

    assert set(RULES) == set(ALL_OPS)
    for op in ALL_OPS:
        assert op.summary and op.spelling
        for name in op.model_fields:
            assert op.reads(name)


# --- symbolic sizes --------------------------------------------------------------------------------------------------

steps = st.lists(st.tuples(st.sampled_from(["+", "-", "*", "//"]), st.integers(1, 6)), min_size=1, max_size=8)


def walk(start: Size, chain: list[tuple[str, int]]) -> Size:
    value = start
    for sign, number in chain:
        if sign == "+":
            value = value + number
        elif sign == "-":
            value = value - number
        elif sign == "*":
            value = value * number
        else:
            value = value // number
    return value


@settings(deadline=None, max_examples=300, derandomize=True)
@given(chain=steps, size=st.integers(0, 400))
def test_a_symbolic_size_is_at_every_number_what_the_integers_give(chain, size: int) -> None:
    try:
        found = walk(AnySize("H"), chain)
    except Undecidable:
        return
    assert isinstance(found, AnySize)
    assert found.at(size) == walk(size, chain)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(first=steps, second=st.integers(-5, 5))
def test_a_difference_that_is_stated_holds_for_every_image(first, second: int) -> None:
    try:
        a = walk(AnySize("H"), first)
        gap = difference(a, a + second)
    except Undecidable:
        return
    assert gap == -second
    for size in (7, 64, 100):
        assert a.at(size) - (a + second).at(size) == gap


@settings(SETTINGS, max_examples=80)
@given(ops=st.lists(st.one_of(strategies.convs(), strategies.deconvs(), strategies.pools()), min_size=1, max_size=5),
       size=st.integers(20, 60))  # fmt: skip
def test_shapes_of_any_size_are_those_of_each_size(ops: list[Op], size: int) -> None:
    from segcompile.ops import Refusal, Shape

    open_shape, fixed = Shape(4, (AnySize("H"), AnySize("W"))), Shape(4, (size, size + 3))
    for op in ops:
        try:
            open_shape = op.output([open_shape])
            fixed = op.output([fixed])
        except (Undecidable, Refusal):
            return
        assert tuple(part.at(n) for part, n in zip(open_shape.size, (size, size + 3), strict=True)) == fixed.size
