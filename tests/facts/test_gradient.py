"""The receptive field of every layer, in every phase, is what a gradient through the emitted model measures."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

# spec, variant, size, and how many layers have a field
SPECS = [
    ("dilated_context.yaml", "basic", 81, 8),
    ("dilated_context.yaml", "large", 81, 8),
    ("dilated_basic.yaml", None, 81, 8),
    ("dilated_large.yaml", None, 81, 8),
    ("blue_marble.yaml", None, 300, 11),
    ("aspp.yaml", None, 49, 4),
    ("unet.yaml", None, 236, 31),
    ("valid/residual_example.yaml", None, 31, 10),
    ("valid/vgg16.yaml", None, 256, 18),
    ("valid/fcn32s_layers.yaml", None, 544, 23),
    ("valid/fcn8s_layers.yaml", None, 544, 31),
    pytest.param("valid/deeplab_resnet101.yaml", None, 1601, 146, marks=pytest.mark.long),
]


def graph_of(nets: SimpleNamespace, spec: str, variant: str | None):
    path = nets.root / "tests/data" / spec if spec.startswith("valid/") else spec
    return nets.compiled(path, variant=variant).graph


def probe(nets: SimpleNamespace, spec: str, variant: str | None, size: int):
    """The linear model of a spec with every layer as an output, of one channel and this size."""
    graph = nets.slim(graph_of(nets, spec, variant), 1)
    return nets.emitted(nets.every_layer(nets.sized(graph, size, size + (0 if "unet" in spec else 3)))).made_linear()


@pytest.mark.parametrize(("spec", "variant", "size", "least"), SPECS)
def test_every_layer_of_a_paper_has_the_field_that_a_gradient_measures(
    nets: SimpleNamespace, spec: str, variant: str | None, size: int, least: int
) -> None:
    net = probe(nets, spec, variant, size)
    layers = [node for node in net.graph.outputs.values() if net.facts[node].fields[0].size is not None]
    assert nets.check_fields(net, most=2) >= len(layers) >= least


@pytest.mark.long
@pytest.mark.parametrize(("spec", "variant", "size", "least"), SPECS)
def test_every_phase_of_every_layer_has_the_field_that_a_gradient_measures(
    nets: SimpleNamespace, spec: str, variant: str | None, size: int, least: int
) -> None:
    net = probe(nets, spec, variant, size)
    phases = sum(
        max(field.period for field in net.facts[node].fields)
        for node in net.graph.outputs.values()
        if net.facts[node].fields[0].size is not None
    )
    assert nets.check_fields(net) == phases >= least


def test_behind_a_whole_image_op_every_input_pixel_counts(nets: SimpleNamespace) -> None:
    net = nets.emitted(nets.every_layer(nets.slim(graph_of(nets, "aspp.yaml", None)))).made_linear()
    inputs = [value.requires_grad_() for value in net.inputs()]
    results = net.outputs(*inputs)
    whole = [head for head, node in net.graph.outputs.items() if net.facts[node].fields[0].whole]
    assert len(whole) == 6
    for head in whole:
        assert (nets.measure(net, results, inputs, head, (0, 0)) > 0).all(), head


def extents(nets: SimpleNamespace, spec: str, layer: str) -> Counter[int]:
    """Extent -> the number of phases of the layer that have it."""
    field = nets.compiled(spec if spec == "unet.yaml" else nets.root / "tests/data/valid" / spec).facts[layer].fields[0]
    return Counter(found.width for found in field.sets)


def test_fcn8s_has_436_on_8_of_32_phases_and_468_on_24(nets: SimpleNamespace) -> None:
    assert extents(nets, "fcn8s_layers.yaml", "score") == {436: 8, 468: 24}


def test_unet_has_188_on_4_of_16_phases_and_204_on_12(nets: SimpleNamespace) -> None:
    assert extents(nets, "unet.yaml", "logits") == {188: 4, 204: 12}


def test_deeplab_resnet101_has_1555_on_all_8_phases(nets: SimpleNamespace) -> None:
    assert extents(nets, "deeplab_resnet101.yaml", "up") == {1555: 8}


def test_fcn32s_fc6_receptive_field_is_404_at_stride_32(nets: SimpleNamespace) -> None:
    fact = nets.compiled(nets.root / "tests/data/valid/fcn32s_layers.yaml").facts["fc6"]
    assert fact.receptive_field == (404, 404) and fact.fields[0].stride == fact.fields[1].stride == 32


@pytest.mark.parametrize(
    ("spec", "offsets"),
    [
        ("fcn32s_layers.yaml", {"score": (19, 19)}),
        ("fcn8s_layers.yaml", {"score_pool4c": (5, 5), "score_pool3c": (9, 9), "score": (31, 31)}),
    ],
)
def test_fcn_crop_offsets_are_those_of_the_release(
    nets: SimpleNamespace, spec: str, offsets: dict[str, tuple[int, int]]
) -> None:
    graph = nets.compiled(nets.root / "tests/data/valid" / spec).graph
    assert {name: graph.by_name[name].op.offset for name in offsets} == offsets


def test_three_convolutions_of_dilation_2_span_13(nets: SimpleNamespace, tmp_path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "segcompile: 1\nmodel: gridded\ninput: {channels: 1, size: 40}\n"
        'layers:\n  - "c{i}": {conv: 1, kernel: 3, dilation: 2, repeat: 3}\n'
    )
    graph = nets.compiled(path).graph
    assert nets.compiled(path).facts[graph.nodes[-1].name].receptive_field == (13, 13)
    assert nets.check_fields(nets.emitted(nets.every_layer(graph)).made_linear()) == 3


def test_an_output_that_reads_only_rows_without_an_input_sees_nothing(nets: SimpleNamespace, tmp_path) -> None:
    """Rows 1, 3, ... of `up` get nothing, and `down` reads row 29 alone at its row 14: in floating point with 1e-15 of
    a neighbour."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "segcompile: 1\nmodel: gaps\ninput: {channels: 1, size: 29}\nlayers:\n"
        "  - up: {deconv: 1, kernel: [4, 3], stride: 2, dilation: [2, 1], pad: [2, 2, 0, 1], output_pad: [0, 1]}\n"
        "  - down: {resize: input, mode: bilinear, align_corners: true}\n"
    )
    graph = nets.compiled(path).graph
    nets.check_fields(nets.emitted(nets.every_layer(graph)).made_linear())


def test_a_product_depends_on_both_its_factors_where_one_sees_nothing(nets: SimpleNamespace, tmp_path) -> None:
    """Every other row of `up` gets nothing, and would be zero: times that, nothing else could be measured."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "segcompile: 1\nmodel: product\ninput: {channels: 1, size: 20}\nlayers:\n"
        "  - up: {deconv: 1, kernel: 1, stride: [2, 1], bias: false}\n"
        "  - gate: {mul: [input, up], align: center_crop}\n"
    )
    nets.check_fields(nets.emitted(nets.every_layer(nets.compiled(path).graph)).made_linear())
