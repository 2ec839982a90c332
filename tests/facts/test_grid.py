"""The weights of phases: networks of one channel, all weights one, run on a constant image and on single pixels."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings

from segcompile.compiler import analyse_graph
from segcompile.facts.border import trace_borders
from segcompile.facts.grid import Grid, TooManyPhases, input_grid, output_grid
from segcompile.facts.grid_edits import smallest_edit
from segcompile.facts.receptive_field import Field, trace_fields
from segcompile.facts.shapes import infer_shapes
from segcompile.network.graph import Graph, Node
from segcompile.ops import Conv, Deconv, Pool, Resize, Shape
from segcompile.testing import reference
from segcompile.testing.networks import has_lists, linear
from segcompile.testing.parameters import by_node
from segcompile.testing.reference.arrays import Array
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings
from segcompile.weights.parameters import tensors


def ones(graph: Graph) -> dict[str, dict[str, Array]]:
    """Weights of one, no biases."""
    found = analyse_graph(graph, Findings())
    wanted = list(tensors(found.graph, found.facts))
    return by_node(wanted, {each.name: np.full(each.shape, float(each.parameter.name == "weight")) for each in wanted})


def apart(node: Node) -> bool:
    """Whether the weights say nothing of an op, or (cubic) not all."""
    op = node.op
    mixes = (
        op.positional or op.whole_image or any(op.reads_whole(0, i, len(node.inputs)) for i in range(len(node.inputs)))
    )
    return bool(mixes or op.data_dependent or op.value_around or getattr(op, "mode", "") == "cubic")


def within(field: Field, clean: range, size: int) -> range:
    """The pixels that clean outputs alone would read, were the image endless; none where fields do not repeat."""
    if field.step is None:
        return range(0)
    before = [field.at(output) for output in range(clean.start - field.period, clean.start)]
    behind = [field.at(output) for output in range(clean.stop, clean.stop + field.period)]
    first = max([0, *(seen.high + 1 for seen in before if seen is not None)])
    return range(first, min([size, *(seen.low for seen in behind if seen is not None)]))


def check_weights(nets: SimpleNamespace, graph: Graph) -> int:
    """Assert that clean outputs have the values that the weights say, and that what they get of single pixels is what
    the pixels' weights say, of those that nothing unclean would read. The number of heads looked at."""
    if has_lists(graph) or any(map(apart, graph.nodes)):
        return 0
    graph = linear(nets.skeleton(graph))
    shapes = infer_shapes(graph, findings := Findings())
    if findings.has_errors:
        return 0
    (source,), borders, count = graph.inputs, trace_borders(graph, shapes), 0
    size, weights = shapes[source].size[0], ones(graph)
    fields = trace_fields(graph, shapes)
    constant = reference.run(graph, weights, {source: np.ones((1, 1, size))})
    pixels = reference.run(graph, weights, {source: np.eye(size).reshape(size, 1, size)})
    for head, name in graph.outputs.items():
        border = borders[name][0]
        try:
            outputs, inputs = output_grid(graph, shapes, 0, name), input_grid(graph, shapes, 0, name, source)
        except TooManyPhases:
            continue
        if border is None:
            continue
        values = constant[head][0, 0]
        for output in border.clean:
            assert values[output] == pytest.approx(float(outputs.weights[output % len(outputs.weights)]), rel=1e-9)
        count += bool(border.clean)
        clean = slice(border.clean.start, border.clean.stop)  # beside them a reflected pixel is read once more
        for pixel in within(fields[name][0], border.clean, size):
            total = float(inputs.weights[pixel % len(inputs.weights)])
            assert pixels[head][pixel, 0, clean].sum() == pytest.approx(total, rel=1e-9), (head, pixel)
    return count


@settings(max_examples=25)
@given(graph=graphs(most=5, low=48, high=60, rank=1))
def test_weights_are_those_of_a_run(nets: SimpleNamespace, graph: Graph) -> None:
    check_weights(nets, graph)


@pytest.mark.long
@settings(max_examples=1500, derandomize=False)
@given(graph=graphs(most=7, low=60, high=90, rank=1))
def test_fifteen_hundred_graphs_have_the_weights_of_a_run(nets: SimpleNamespace, graph: Graph) -> None:
    check_weights(nets, graph)


def signal(*layers: Node) -> Graph:
    return Graph("net", {"input": Shape(1, (64,))}, layers, {"out": layers[-1].name}).verify()


def grids(graph: Graph) -> tuple[Grid, Grid]:
    shapes, name = infer_shapes(graph, Findings()), graph.outputs["out"]
    return output_grid(graph, shapes, 0, name), input_grid(graph, shapes, 0, name, "input")


def up(kernel: int, stride: int = 2) -> Node:
    return Node("up", Deconv(channels=1, kernel=(kernel,), stride=(stride,)), ("input",), "up")


def test_a_kernel_of_3_on_a_stride_of_2_is_a_checkerboard() -> None:
    """Odena, Dumoulin & Olah (2016), `Deconvolution and Checkerboard Artifacts`."""
    outputs, pixels = grids(signal(up(3)))
    assert outputs.weights == (2, 1) and [node.name for node in outputs.makers] == ["up"]
    assert pixels.weights == (3,)
    assert grids(signal(up(4)))[0].weights == (2,)
    assert grids(signal(up(5, 3)))[0].weights == (2, 2, 1)
    assert grids(signal(up(2, 3)))[0].weights == (1, 1, 0)  # every third output sees nothing


def test_a_resize_has_no_grid_and_a_convolution_behind_a_checkerboard_makes_none() -> None:
    resize = Node("up", Resize(factor=(Fraction(3),)), ("input",), "up")
    assert grids(signal(resize))[0].is_even
    outputs, _ = grids(signal(up(3), Node("conv", Conv(channels=1, kernel=(3,), pad=("same",)), ("up",), "conv")))
    assert outputs.weights == (4, 5) and [node.name for node in outputs.makers] == ["up"]
    smooth = Node("conv", Conv(channels=1, kernel=(4,)), ("up",), "conv")
    assert grids(signal(up(3), smooth))[0].weights == (6,)  # two of each phase


def test_a_strided_kernel_of_3_reads_every_second_pixel_twice() -> None:
    down = Node("down", Conv(channels=1, kernel=(3,), stride=(2,), pad=((1, 1),)), ("input",), "down")
    outputs, pixels = grids(signal(down))
    assert outputs.is_even and pixels.weights == (1, 2) and [node.name for node in pixels.makers] == ["down"]
    pool = Node("pool", Pool(kind="avg", kernel=(2,)), ("input",), "pool")
    assert grids(signal(pool))[1].weights == (Fraction(1, 2),)


def edit(graph: Graph) -> tuple[str, bool]:
    def regrid(graph: Graph, shapes: Mapping[str, Shape]) -> Grid:
        return output_grid(graph, shapes, 0, graph.outputs["out"])

    found, tried = smallest_edit(graph, regrid(graph, infer_shapes(graph, Findings())), regrid)
    assert found is not None and tried > 0
    return str(found), found.kept


def test_the_smallest_edit_is_tried_and_keeps_the_size() -> None:
    assert edit(signal(up(3))) == ("kernel 4 and pad 0 before and 1 behind in `up` (now kernel 3)", True)
    assert edit(signal(up(5, 3))) == ("kernel 6 and pad 0 before and 1 behind in `up` (now kernel 5)", True)
    twice = (up(3), Node("up2", Deconv(channels=1, kernel=(3,), stride=(2,)), ("up",), "up2"))
    each = "kernel 4 and pad 0 before and 1 behind in `{}` (now kernel 3)"
    assert edit(signal(*twice)) == (f"{each.format('up')}, {each.format('up2')}", True)


def test_a_dilated_transposed_convolution_needs_another_edit() -> None:
    layer = Node("up", Deconv(channels=1, kernel=(4,), stride=(2,), dilation=(2,), pad=((2, 2),)), ("input",), "up")
    assert grids(signal(layer))[0].weights == (4, 0)
    assert edit(signal(layer))[0] == "dilation 1 in `up`"
