"""Attention inside windows, and along rows and columns: the authors' algorithms, exact fields, costs."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from segcompile.facts.coverage.reach import Reach, reach
from segcompile.facts.coverage.region import Region
from segcompile.facts.facts import shapes_in
from segcompile.facts.index_set import IndexSet
from segcompile.facts.projective_field import project
from segcompile.network.graph import Graph, Node
from segcompile.ops import AnySize, Attention, AxialAttention, Conv, MatMul, Op, Shape, WindowAttention
from segcompile.testing import reference
from segcompile.testing.strategies import graph_of


def traced(op: Op, *inputs: np.ndarray, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What the reference makes of these maps, with random weights, and the weights."""
    rng, shapes = np.random.default_rng(seed), [Shape(x.shape[1], x.shape[2:]) for x in inputs]
    tensors = {each.name: rng.normal(size=each.shape) for each in op.parameters(shapes)}
    return reference.FORMULAS[type(op)](op, inputs, tensors), tensors


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def swin(x: np.ndarray, tensors: dict[str, np.ndarray], heads: int, window: int, shift: Sequence[int]) -> np.ndarray:
    """`shifted_window_attention` of torchvision, of x (B, H, W, C), line by line."""
    batch, height, width, channels = x.shape
    x = np.pad(x, ((0, 0), (0, -height % window), (0, -width % window), (0, 0)))
    _, h, w, _ = x.shape
    shift = [0 if window >= side else by for side, by in zip((h, w), shift, strict=True)]
    x = np.roll(x, (-shift[0], -shift[1]), (1, 2))
    count = (h // window) * (w // window)
    split = (batch, h // window, window, w // window, window, channels)
    x = x.reshape(split).transpose(0, 1, 3, 2, 4, 5).reshape(batch * count, window**2, channels)
    qkv = x @ tensors["qkv.weight"].T + tensors["qkv.bias"]
    q, k, v = qkv.reshape(len(x), window**2, 3, heads, -1).transpose(2, 0, 3, 1, 4)
    scores = q * (channels // heads) ** -0.5 @ k.swapaxes(-2, -1)
    at = np.stack(np.meshgrid(range(window), range(window), indexing="ij")).reshape(2, -1)
    apart = at[:, :, None] - at[:, None] + window - 1
    index = apart[0] * (2 * window - 1) + apart[1]
    scores = scores + tensors["relative_position_bias_table"][index].transpose(2, 0, 1)
    if sum(shift) > 0:
        mask, number = np.zeros((h, w)), 0
        for rows in ((0, -window), (-window, -shift[0]), (-shift[0], None)):
            for columns in ((0, -window), (-window, -shift[1]), (-shift[1], None)):
                mask[rows[0] : rows[1], columns[0] : columns[1]] = number
                number += 1
        mask = mask.reshape(split[1:5]).transpose(0, 2, 1, 3).reshape(count, window**2)
        masked = np.where(mask[:, None] != mask[:, :, None], -100.0, 0.0)
        scores = (scores.reshape(batch, count, heads, window**2, -1) + masked[:, None]).reshape(scores.shape)
    x = (softmax(scores) @ v).swapaxes(1, 2).reshape(len(x), window**2, channels)
    x = x @ tensors["proj.weight"].T + tensors["proj.bias"]
    x = x.reshape(batch, h // window, w // window, window, window, channels).transpose(0, 1, 3, 2, 4, 5)
    x = np.roll(x.reshape(batch, h, w, channels), shift, (1, 2))
    return x[:, :height, :width]


@pytest.mark.parametrize("size", [(8, 12), (7, 10), (4, 9), (3, 4)])
@pytest.mark.parametrize("shift", [(0, 0), (2, 2), (1, 3)])
def test_window_attention_is_torchvision_s(size: tuple[int, int], shift: tuple[int, int]) -> None:
    """Maps of whole windows and others, and such as one window covers along an axis, where nothing is shifted."""
    x = np.random.default_rng(1).normal(size=(2, 6, *size))
    op = WindowAttention(heads=2, window=(4, 4), shift=shift, positions="relative")
    found, tensors = traced(op, x)
    expected = swin(x.transpose(0, 2, 3, 1), tensors, 2, 4, shift)
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, rtol=1e-9, atol=1e-12)


def test_padding_is_attended_to_unless_it_is_masked() -> None:
    """Of a map of 3 in windows of 4: with a mask the last row and column are as if the window were of 3."""
    x = np.random.default_rng(1).normal(size=(1, 4, 3, 3))
    found, tensors = traced(WindowAttention(heads=1, window=(4, 4), pad_mask=True), x)
    whole = reference.FORMULAS[WindowAttention](WindowAttention(heads=1, window=(3, 3)), [x], tensors)
    padded = reference.FORMULAS[WindowAttention](WindowAttention(heads=1, window=(4, 4)), [x], tensors)
    np.testing.assert_allclose(found, whole, rtol=1e-12)
    assert abs(found - padded).max() > 0.01


def test_criss_cross_attention_is_ccnet_s() -> None:
    """As the authors' module: the energies of a column without the pixel itself beside those of its row."""
    rng = np.random.default_rng(3)
    q, k, v = (rng.normal(size=(1, channels, 4, 5)) for channels in (2, 2, 6))
    found, _ = traced(AxialAttention(heads=1, along="both", scale=1.0), q, k, v)
    columns = np.einsum("bcyx,bcix->byxi", q, k)
    columns[:, range(4), :, range(4)] = -np.inf
    shares = softmax(np.concatenate([columns, np.einsum("bcyx,bcyi->byxi", q, k)], 3))
    expected = np.einsum("byxi,bcix->bcyx", shares[..., :4], v) + np.einsum("byxi,bcyi->bcyx", shares[..., 4:], v)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# --- fields ----------------------------------------------------------------------------------------------------------


def seen(nets: SimpleNamespace, graph: Graph, cell: tuple[int, int]) -> list[np.ndarray]:
    """Where on each input the emitted model has a gradient of one cell of its output."""
    import torch

    net = nets.emitted(graph).made_linear()
    inputs = [value.requires_grad_() for value in net.inputs()]
    (result,) = net.outputs(*inputs).values()
    found = torch.autograd.grad(result[0, :, *cell].sum(), inputs)
    return [(gradient.abs().sum((0, 1)) > 1e-12).numpy() for gradient in found]


def said(graph: Graph, found: Reach) -> list[np.ndarray]:
    """The same, as the analysis has it: what lies on the maps."""
    masks = []
    for name, shape in graph.inputs.items():
        mask = np.full(shape.size, name in found.whole)
        region = found.regions.get(name)
        for row, first, last in region.within(shape.size).runs() if region is not None else ():
            mask[row, first : last + 1] = True
        masks.append(mask)
    return masks


def check(nets: SimpleNamespace, graph: Graph, *cells: tuple[int, int]) -> list[np.ndarray]:
    """The field of some cells, backwards and forwards; that of the last one."""
    net = nets.emitted(graph)
    shapes, last = shapes_in(net.graph, net.facts), net.graph.nodes[-1].name
    for cell in cells:
        masks = said(net.graph, reach(net.graph, shapes, last, cell))
        for mask, expected in zip(masks, seen(nets, graph, cell), strict=True):
            np.testing.assert_array_equal(mask, expected)
        for (name, shape), mask in zip(net.graph.inputs.items(), masks, strict=True):
            for pixel in [(0, 0), cell, (shape.size[0] - 1, cell[1])]:
                region = Region((tuple(IndexSet(index, index) for index in pixel),))
                touched = project(net.graph, shapes, last, {name: region})
                parts = [part for part in (touched.local, touched.mixed) if part is not None]
                assert any(cell in part for part in parts) == mask[pixel], (name, pixel, cell)
    return masks


@pytest.mark.parametrize(("shift", "rows", "columns"), [((0, 0), (4, 7), (10, 14)), ((1, 2), (5, 8), (12, 16))])
def test_an_output_sees_its_window(
    nets: SimpleNamespace, shift: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    op = WindowAttention(heads=2, window=(4, 5), shift=shift)
    (mask,) = check(nets, graph_of(op, (9, 17)), (0, 0), (8, 16), (6, 12))
    assert [(where.min(), where.max()) for where in np.nonzero(mask)] == [rows, columns] and mask.sum() == 16 + 4


def test_what_lies_behind_windows_has_a_phase_for_each_place_in_one(nets: SimpleNamespace) -> None:
    nodes = (
        Node("a", WindowAttention(heads=1, window=(3, 3), shift=(1, 1)), ("in0",), "a"),
        Node("b", Conv(channels=4, kernel=(3, 3)), ("a",), "b"),
    )
    net = nets.emitted(Graph("net", {"in0": Shape(4, (13, 13))}, nodes, {"output": "b"}).verify())
    (field, _) = net.facts["b"].fields
    assert (field.period, field.step) == (3, 3)
    assert [str(part) for part in field.sets] == ["-2 to 3", "1 to 3", "1 to 6"]


@pytest.mark.parametrize(("along", "count"), [("rows", 7), ("columns", 5), ("both", 11)])
def test_an_output_sees_its_row_its_column_or_a_cross(nets: SimpleNamespace, along: str, count: int) -> None:
    op = AxialAttention(heads=2, along=along)
    (mask,) = check(nets, graph_of(op, (5, 7)), (0, 0), (3, 2))
    assert mask.sum() == count
    masks = check(nets, graph_of(op, (5, 7), (5, 7), (5, 7)), (3, 2))
    assert [part.sum() for part in masks] == [1, count, count]


def test_two_turns_of_criss_cross_attention_see_the_whole_image(nets: SimpleNamespace) -> None:
    """Huang et al. (2019), section 3.3."""
    turns = tuple(
        Node(f"turn{n}", AxialAttention(heads=1, along="both"), (before,), f"turn{n}")
        for n, before in enumerate(["in0", "turn0"])
    )
    (mask,) = check(nets, Graph("net", {"in0": Shape(4, (4, 6))}, turns, {"output": "turn1"}).verify(), (1, 2))
    assert mask.all()


def test_an_output_of_cross_attention_sees_its_own_query_and_all_keys(nets: SimpleNamespace) -> None:
    masks = check(nets, graph_of(Attention(heads=2), (4, 5), (3, 6)), (0, 0), (2, 3))
    assert masks[0].sum() == 1 and masks[0][2, 3] and masks[1].all()
    net = nets.emitted(graph_of(Attention(heads=2), (4, 5), (3, 6)))
    (field, _) = net.facts["layer"].fields
    assert field.whole and field.local_size == 1


def test_a_mask_sees_its_own_pixel_and_all_that_its_tokens_see(nets: SimpleNamespace) -> None:
    image = Shape(4, (4, 5))
    nodes = (
        Node("regions", MatMul(over="positions"), ("in0", "in1"), "regions"),
        Node("layer", MatMul(over="channels"), ("regions", "in2"), "layer"),
    )
    graph = Graph("net", dict.fromkeys(("in0", "in1", "in2"), image), nodes, {"output": "layer"}).verify()
    masks = check(nets, graph, (2, 3))
    assert [mask.sum() for mask in masks] == [20, 20, 1]


# --- costs and weights -----------------------------------------------------------------------------------------------


def test_windows_cost_what_the_paper_s_equation_says_of_the_padded_map() -> None:
    op, width = WindowAttention(heads=4, window=(7, 7), positions="relative"), 16
    for size, (height, wide) in {(14, 21): (14, 21), (13, 15): (14, 21)}.items():
        shape = Shape(width, size)
        assert op.macs([shape], shape) == 4 * height * wide * width**2 + 2 * 49 * height * wide * width
    assert op.macs([Shape(width, (AnySize("H"), 7))], shape) is None
    table = op.parameters([shape])[0]
    assert (table.name, table.shape, table.init.std) == ("relative_position_bias_table", (169, 4), 0.02)


@pytest.mark.parametrize(("along", "read"), [("rows", 7), ("columns", 5), ("both", 11)])
def test_a_cross_costs_its_pixels(along: str, read: int) -> None:
    op, image = AxialAttention(heads=1, along=along), Shape(8, (5, 7))
    assert op.macs([image], image) == 35 * (4 * 64 + 2 * 8 * read)
    assert op.macs([Shape(2, (5, 7)), Shape(2, (5, 7)), image], image) == 35 * (2 + 8) * read
