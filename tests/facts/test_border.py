"""Which outputs see padding: by sets of indices, and by running the emitted model on more of the image."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import lcm
from types import SimpleNamespace

import pytest
from hypothesis import given, settings

from segcompile.facts.alignment import window_of
from segcompile.facts.any_border import borders_of_any_size
from segcompile.facts.border import trace_borders
from segcompile.facts.shapes import infer_shapes
from segcompile.network.graph import Graph, Node
from segcompile.ops import AnySize, Deconv, Shape
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings


def leaves_gaps(node: Node, axis: int) -> bool:
    """Whether some outputs of a transposed convolution or an unpooling may read less than their neighbours."""
    op = node.op
    return op.data_dependent or (
        isinstance(op, Deconv) and op.stride[axis] > 1 and (op.dilation[axis] > 1 or op.kernel[axis] < op.stride[axis])
    )


def clean_sets(graph: Graph, shapes: dict[str, Shape], axis: int) -> dict[str, set[int] | None]:
    """Tensor -> the outputs all of whose indices, followed one by one, lie inside every tensor on the way; None
    behind an op of the whole image, or of places."""
    found: dict[str, set[int] | None] = {name: set(range(shapes[name].size[axis])) for name in graph.inputs}
    for node in graph.nodes:
        everything = node.op.whole_image or node.op.positional
        clean: set[int] | None = None if everything else set(range(shapes[node.name].size[axis]))
        for index, name in enumerate(node.inputs):
            window = window_of(node, axis, shapes, index)
            source = found[name]
            if window is None or clean is None:
                continue
            if source is None or window.stride == 0:
                clean = None
                continue
            for p in list(clean):
                reads = [window.stride * p + window.dilation * t - window.offset for t in range(window.taps)]
                indices = [i // window.upsample for i in reads if i % window.upsample == 0]
                if any(i not in source for i in indices):
                    clean.discard(p)
        found[node.name] = clean
    return found


def check_sets(graph: Graph) -> None:
    shapes = infer_shapes(graph, Findings())
    borders = trace_borders(graph, shapes)
    for axis in range(2):
        gapped: set[str] = set()
        for node in graph.nodes:
            if leaves_gaps(node, axis) or gapped.intersection(node.inputs):
                gapped.add(node.name)
        for name, clean in clean_sets(graph, shapes, axis).items():
            border = borders[name][axis]
            if clean is None or border is None:
                assert clean is None and border is None, name
            elif name in gapped:
                assert set(border.clean) <= clean, name
            else:
                assert set(border.clean) == clean, name


@settings(max_examples=100)
@given(graph=graphs())
def test_clean_outputs_are_those_whose_indices_stay_inside_every_tensor(graph: Graph) -> None:
    check_sets(graph)


@pytest.mark.long
@settings(max_examples=3000, derandomize=False)
@given(graph=graphs(most=12, high=60))
def test_three_thousand_graphs_have_the_borders_of_their_indices(graph: Graph) -> None:
    check_sets(graph)


def steady(net, more, by: int) -> dict[str, tuple[int, int]]:
    """Of the tensors that move with the image: by how many of their pixels, if it begins `by` pixels earlier."""
    found: dict[str, tuple[int, int]] = dict.fromkeys(net.graph.inputs, (by, by))
    for node in net.graph.nodes:
        maps = net.facts[node.name].maps
        scales = [{item.scale for item in along.every} for along in maps]
        read = [name for i, name in enumerate(node.inputs) if window_of(node, 0, net.shapes, i) is not None]
        same = all(
            window_of(node, axis, net.shapes, i) == window_of(node, axis, more.shapes, i)
            for axis in range(2)
            for i in range(len(node.inputs))
        )
        if not same or any(len(along) != 1 for along in scales) or not all(name in found for name in read):
            continue
        moved = [by / min(along) for along in scales]
        sizes = zip(net.shapes[node.name].size, more.shapes[node.name].size, moved, strict=True)
        if all(step.denominator == 1 and big == small + 2 * step for small, big, step in sizes):
            found[node.name] = (int(moved[0]), int(moved[1]))
    return found


def farthest(net) -> Fraction:
    """As many input pixels as all layers together may read beyond their tensors: padding of padding adds up."""
    most = Fraction(8)
    for node in net.graph.nodes:
        for axis in range(2):
            for index in range(len(node.inputs)):
                window, place = window_of(node, axis, net.shapes, index), net.facts[node.name].place[axis]
                if window is not None and place is not None:
                    reach = abs(window.offset) + window.dilation * window.taps
                    most += reach * place.scale / max(1, window.stride)
    return most


def check_execution(nets: SimpleNamespace, graph: Graph) -> int:
    """Assert that exactly the clean outputs stay the same when the image goes on beyond its border; the number of
    tensors looked at."""
    graph = nets.mixed(graph)
    net = nets.emitted(graph)
    maps = [along for fact in net.facts.values() for along in fact.maps]
    period = lcm(1, *(item.scale.numerator for along in maps for item in along.every))
    if period > 48:
        return 0
    by = int(period * -(-farthest(net) // period))
    (size,) = {shape.size for shape in graph.inputs.values()}
    more = nets.emitted(nets.sized(graph, size[0] + 2 * by, size[1] + 2 * by))
    image = more.inputs()
    beyond = more.made_linear().outputs(*image)
    inside = net.made_linear().outputs(*(value[..., by:-by, by:-by] for value in image))
    borders, count, moved = trace_borders(net.graph, net.shapes), 0, steady(net, more, by)
    loose: set[str] = set()
    for node in net.graph.nodes:
        if any(leaves_gaps(node, axis) for axis in range(2)) or loose.intersection(node.inputs):
            loose.add(node.name)
    for head, name in net.graph.outputs.items():
        height, width = borders[name]
        if name not in moved or height is None or width is None:
            continue
        (y, x), small = moved[name], inside[head]
        large = beyond[head][..., y : y + small.shape[-2], x : x + small.shape[-1]]
        same = ((small - large).abs() <= 1e-12 * large.abs()).all(1)[0]
        clean = same.new_zeros(same.shape)
        clean[height.clean.start : height.clean.stop, width.clean.start : width.clean.stop] = True
        wrong = clean & ~same if name in loose else clean ^ same
        assert not wrong.any(), f"{name}: {borders[name]}, the same at {same.nonzero().tolist()}\n{net.source}"
        count += 1
    return count


@settings(max_examples=40)
@given(graph=graphs(most=6))
def test_clean_outputs_are_those_that_more_of_the_image_does_not_change(nets: SimpleNamespace, graph: Graph) -> None:
    check_execution(nets, graph)


@pytest.mark.long
@settings(max_examples=1000, derandomize=False)
@given(graph=graphs(most=8))
def test_a_thousand_graphs_have_the_borders_that_a_run_shows(nets: SimpleNamespace, graph: Graph) -> None:
    check_execution(nets, graph)


# spec, the size at which it is run, and how many layers have borders (not behind image pooling)
SPECS = [
    ("unet.yaml", 188, 31),
    ("dilated_basic.yaml", 96, 8),
    ("blue_marble.yaml", 160, 11),
    ("aspp.yaml", 48, 4),
    ("valid/residual_example.yaml", 32, 10),
    pytest.param("valid/fcn32s_layers.yaml", 448, 23, marks=pytest.mark.long),
    pytest.param("valid/fcn8s_layers.yaml", 448, 31, marks=pytest.mark.long),
    ("valid/fcn_alexnet_layers.yaml", 448, 12),
]


def graph_of(nets: SimpleNamespace, spec: str) -> Graph:
    return nets.compiled(nets.root / "tests/data" / spec if spec.startswith("valid/") else spec).graph


@pytest.mark.parametrize(("spec", "size", "least"), SPECS)
def test_every_layer_of_a_paper_has_the_border_that_a_run_shows(
    nets: SimpleNamespace, spec: str, size: int, least: int
) -> None:
    graph = nets.every_layer(nets.sized(nets.slim(graph_of(nets, spec), 1), size, size))
    assert check_execution(nets, graph) >= least


@pytest.mark.parametrize("spec", [getattr(spec, "values", spec)[0] for spec in SPECS])
def test_every_layer_of_a_paper_has_the_border_of_its_indices(nets: SimpleNamespace, spec: str) -> None:
    check_sets(graph_of(nets, spec))


def borders_of(nets: SimpleNamespace, spec: str):
    graph = graph_of(nets, spec)
    return trace_borders(graph, infer_shapes(graph, Findings()))


def test_unet_sees_no_padding_anywhere(nets: SimpleNamespace) -> None:
    found = borders_of(nets, "unet.yaml")
    assert all(
        border is not None and (border.before, border.after) == (0, 0) for pair in found.values() for border in pair
    )


def test_fcn8s_sees_its_padding_in_217_pixels_at_the_start(nets: SimpleNamespace) -> None:
    border = borders_of(nets, "valid/fcn8s_layers.yaml")["score"][0]
    assert border is not None and (border.before, border.after, len(border.clean)) == (217, 243, 40)


def test_the_context_network_sees_its_padding_in_33_pixels_on_either_side(nets: SimpleNamespace) -> None:
    border = borders_of(nets, "dilated_basic.yaml")["layer8"][0]
    assert border is not None and (border.before, border.after) == (33, 33)


def test_behind_image_pooling_nothing_is_clean(nets: SimpleNamespace) -> None:
    found = borders_of(nets, "aspp.yaml")
    assert found["logits"] == found["aspp"] == (None, None)
    assert found["aspp.b18"][0] is not None


def test_more_border_than_image_leaves_nothing_clean(nets: SimpleNamespace) -> None:
    border = trace_borders(*with_shapes(nets.sized(graph_of(nets, "dilated_basic.yaml"), 40, 90)))["layer8"]
    assert border[0] is not None and border[1] is not None
    assert (border[0].before, border[0].after, len(border[0].clean)) == (33, 33, 0) and len(border[1].clean) == 24


def with_shapes(graph: Graph) -> tuple[Graph, dict[str, Shape]]:
    return graph, infer_shapes(graph, Findings())


def anywhere(nets: SimpleNamespace, spec: str) -> Graph:
    """The graph of a spec for images of any size."""
    graph = graph_of(nets, spec)
    size = (AnySize("H"), AnySize("W"))
    return replace(graph, inputs={name: Shape(shape.channels, size) for name, shape in graph.inputs.items()})


def test_of_any_size_fcn8s_has_one_border_at_the_start_and_32_at_the_end(nets: SimpleNamespace) -> None:
    found = borders_of_any_size(*with_shapes(anywhere(nets, "valid/fcn8s_layers.yaml")))
    score, fc7 = found["score"][0], found["fc7"][1]
    assert score is not None and score.proven and score.before == (217,) and score.after == tuple(range(214, 246))
    assert fc7 is not None and fc7.before == (6,) and fc7.after == (6, 7)


@pytest.mark.parametrize("spec", ["dilated_basic.yaml", "valid/fcn32s_layers.yaml", "valid/fcn8s_layers.yaml"])
@pytest.mark.parametrize("size", [211, 500, 513, 1021])
def test_the_borders_of_any_size_hold_for_every_size(nets: SimpleNamespace, spec: str, size: int) -> None:
    anyhow = borders_of_any_size(*with_shapes(anywhere(nets, spec)))
    for name, pair in trace_borders(*with_shapes(nets.sized(graph_of(nets, spec), size, size + 7))).items():
        for border, values in zip(pair, anyhow[name], strict=True):
            assert border is not None and values is not None and values.proven
            assert (border.before,) == values.before and border.after in values.after, name


def test_a_resize_by_a_ratio_of_the_image_is_not_proven(nets: SimpleNamespace, tmp_path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "segcompile: 1\nmodel: net\ninput: {channels: 1, size: any}\n"
        "layers:\n  - c: {conv: 1, kernel: 3, stride: 2, pad: 1}\n  - r: {resize: input}\n"
    )
    found = borders_of_any_size(*with_shapes(nets.compiled(path).graph))["r"][0]
    assert found is not None and not found.proven and found.before == (3,)


def test_symbols_are_not_borders(nets: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="borders_of_any_size"):
        trace_borders(*with_shapes(anywhere(nets, "dilated_basic.yaml")))
