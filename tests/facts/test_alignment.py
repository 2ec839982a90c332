"""Where tensors lie: every path is followed, witnesses lead where they say, what lies apart is warned about."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings

from segcompile.checks import Subject
from segcompile.checks.misaligned import check_joins
from segcompile.compiler import compile_spec
from segcompile.facts.alignment import MOST_MAPS, START, Coordinates, place_nodes, window_of
from segcompile.facts.facts import analyse
from segcompile.facts.shapes import infer_shapes
from segcompile.facts.witness import Atlas
from segcompile.network.graph import Graph, Node
from segcompile.ops import Add, Conv, Pool, Resize, Shape
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Diagnostic, Findings

MOST_PATHS = 3000


def paths(graph: Graph, shapes: dict[str, Shape], axis: int, name: str) -> Iterator[Coordinates]:
    """The map of a tensor along each path, one path at a time."""
    if name in graph.inputs:
        yield from START.every
        return
    node = graph.by_name[name]
    for index, source in enumerate(node.inputs):
        window = window_of(node, axis, shapes, index)
        if window is not None and window.stride:
            yield from (item.behind(window) for item in paths(graph, shapes, axis, source))


@settings(max_examples=60)
@given(graph=graphs(most=10))
def test_a_tensor_has_the_maps_of_all_its_paths_and_no_others(graph: Graph) -> None:
    shapes = infer_shapes(graph, Findings())
    for name, pair in place_nodes(graph, shapes).items():
        for axis, maps in enumerate(pair):
            every = list(islice(paths(graph, shapes, axis, name), MOST_PATHS))
            assert len(set(maps.every)) == len(maps.every) <= MOST_MAPS
            if len(every) < MOST_PATHS:
                assert maps.more or set(maps.every) == set(every)
                assert set(maps.every) <= set(every)
            assert maps.every[:1] == tuple(every[:1])  # the first path's comes first


@settings(max_examples=60)
@given(graph=graphs(most=10))
def test_a_witness_leads_to_the_map_that_it_is_a_witness_for(graph: Graph) -> None:
    shapes = infer_shapes(graph, Findings())
    atlas = Atlas(graph, place_nodes(graph, shapes))
    for name, pair in atlas.places.items():
        for axis, maps in enumerate(pair):
            for entry, item in enumerate(maps.every):
                chain = [(name, entry)]
                while chain[-1][0] in graph.by_name:
                    chain.append(atlas.before(chain[-1], axis))
                found = START.every[0]
                for (after, _), (before, _) in zip(chain[-2::-1], chain[:0:-1], strict=True):
                    node = graph.by_name[after]
                    window = window_of(node, axis, shapes, node.inputs.index(before))
                    assert window is not None
                    found = found.behind(window)
                assert found == item


def findings_of(graph: Graph) -> list[Diagnostic]:
    shapes = infer_shapes(graph, Findings())
    return [*check_joins(Subject(graph, shapes, (None, None), analyse(graph, shapes)))]


@settings(max_examples=60)
@given(graph=graphs(most=10))
def test_a_warning_is_given_where_paths_differ_and_nowhere_else(graph: Graph) -> None:
    places = place_nodes(graph, infer_shapes(graph, Findings()))
    several = any(len(maps.every) > 1 for pair in places.values() for maps in pair)
    assert bool(findings_of(graph)) == several


def test_a_map_is_the_centroid_of_what_a_gradient_reaches(nets: SimpleNamespace) -> None:
    import torch

    layers = [
        Conv(channels=1, kernel=(4, 3), stride=(2, 1), pad=((1, 2), (0, 1)), bias=False),
        Pool(kind="avg", kernel=(3, 2), stride=(1, 2)),
        Conv(channels=1, kernel=(2, 3), dilation=(3, 2), pad=((3, 0), (1, 1)), bias=False),
    ]
    nodes = tuple(
        Node(f"n{i}", op, (f"n{i - 1}" if i else "input",), f"n{i}") for i, op in enumerate(layers)
    )  # fmt: skip
    net = nets.emitted(Graph("net", {"input": Shape(1, (40, 40))}, nodes, {"output": "n2"}))
    with torch.no_grad():
        for value in net.model.parameters():
            value.fill_(1)
    (image,) = (value.requires_grad_() for value in net.inputs())
    net.outputs(image)["output"][0, 0, 6, 7].backward()
    for axis, p in enumerate((6, 7)):
        along = image.grad[0, 0].sum(1 - axis)
        centroid = float((along * torch.arange(40)).sum() / along.sum())
        place = net.facts["n2"].place[axis]
        assert place is not None and centroid == pytest.approx(float(place.scale * p + place.shift))


def warnings(folder: Path, layers: str, size: str = "64") -> list[Diagnostic]:
    """The SC311 of a network on 4 channels."""
    path, findings = folder / "net.yaml", Findings()
    text = "\n".join(f"  - {line.strip()}" for line in layers.strip().splitlines())
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 4, size: {size}}}\nlayers:\n{text}\n")
    compile_spec(path, findings)
    return [found for found in findings.diagnostics if found.code.code == "SC311"]


UNET = """
    c0: {conv: 4, kernel: 3, pad: same}
    p0: {pool: max, kernel: 2}
    c1: {conv: 4, kernel: 3, pad: same}
    UP
    cat: {concat: [c0, up]}
"""


@pytest.mark.parametrize(
    "up",
    [
        "up: {deconv: 4, kernel: 2, stride: 2}",
        "up: {deconv: 4, kernel: 4, stride: 2, pad: 1}",
        "up: {resize: 2}",
        "up: {resize: 2, mode: nearest}",
    ],
)
def test_unet_lies_over_itself(tmp_path: Path, up: str) -> None:
    assert warnings(tmp_path, UNET.replace("UP", up)) == []


@pytest.mark.parametrize(
    ("up", "message", "reason"),
    [
        ("up: {deconv: 4, kernel: 3, stride: 2, pad: 1, output_pad: 1}", "lie 1/2 input pixel", "`up` (3x3/2) keeps"),
        ("up: {resize: 2, align_corners: yes}", "of 1 and 62/63 input pixels a step, up to 1/2 input", "leave it"),
        ("r: {resize: 2}\n up: {conv: 4, kernel: 2, pad: same}", "lie 1/2 input pixel apart", "`up` (2x2) moves"),
    ],
)  # fmt: skip
def test_unet_lies_half_a_pixel_off_with_another_way_up(tmp_path: Path, up: str, message: str, reason: str) -> None:
    (found,) = warnings(tmp_path, UNET.replace("UP", up))
    assert message in found.message and reason in (found.help or "")


def test_unet_and_fcn_have_one_map_a_tensor(nets: SimpleNamespace) -> None:
    for spec in (
        "specs/unet.yaml",
        *(f"tests/data/valid/fcn{kind}_layers.yaml" for kind in ("32s", "16s", "8s", "_alexnet", "_googlenet")),
    ):
        facts = nets.compiled(nets.root / spec).facts
        assert all(len(maps.every) == 1 for fact in facts.values() for maps in fact.maps), spec


def test_resnet_lies_over_its_shortcuts(tmp_path: Path) -> None:
    layers = """
        conv1: {conv: 4, kernel: 7, stride: 2, pad: 3}
        pool:  {pool: max, kernel: 3, stride: 2, pad: 1}
        a:     {conv: 4, kernel: 3, stride: 2, pad: 1}
        b:     {conv: 4, kernel: 3, pad: 1}
        short: {conv: 4, kernel: 1, stride: 2, from: pool}
        sum:   {add: [b, short]}
    """
    assert warnings(tmp_path, layers) == []


def test_resnet_d_pools_its_shortcuts_half_a_pixel_off(tmp_path: Path) -> None:
    layers = """
        c:      {conv: 4, kernel: 3, pad: 1}
        a1:     {conv: 4, kernel: 3, stride: 2, pad: 1}
        short1: {pool: avg, kernel: 2, from: c}
        sum1:   {add: [a1, short1]}
        b1:     {conv: 4, kernel: 3, pad: 1}
        same1:  {add: [b1, sum1]}
        a2:     {conv: 4, kernel: 3, stride: 2, pad: 1}
        short2: {pool: avg, kernel: 2, from: same1}
        sum2:   {add: [a2, short2]}
    """
    (found,) = warnings(tmp_path, layers)
    assert found.message == "sum1 joins maps that lie 1/2 input pixel apart (1/4 of a step)"
    assert found.notes == ("1 later join lies apart in the same way and is not shown: sum2",)  # and nothing of same1


FPN = """
    c2: {conv: 4, kernel: 3, stride: 2, pad: 1}
    c3: {conv: 4, kernel: 3, stride: 2, pad: 1}
    c4: {conv: 4, kernel: 3, stride: 2, pad: 1}
    u4: {resize: c3UP}
    p3: {add: [c3, u4]}
    u3: {resize: c2UP}
    p2: {add: [c2, u3]}
"""


def test_fpn_is_warned_about_once(tmp_path: Path) -> None:
    (found,) = warnings(tmp_path, FPN.replace("UP", ", mode: nearest"))
    assert found.message == "p3 joins maps that lie 2 input pixels apart (1/2 of a step)"
    assert [label.text for label in found.labels] == ["via c3, at 4p", "via c3 -> c4 -> u4, at 4p - 2"]
    assert found.notes == ("1 later join lies apart in the same way and is not shown: p2",)


def test_fpn_lies_over_itself_with_corners_aligned_on_odd_maps(tmp_path: Path) -> None:
    assert warnings(tmp_path, FPN.replace("UP", ", align_corners: yes"), size="65") == []
    (found,) = warnings(tmp_path, FPN.replace("UP", ""), size="65")
    assert "`align_corners: yes` makes 16 steps of 8, which is one" in (found.help or "")


def test_deeplab_ends_its_image_pooling_path_without_a_warning(tmp_path: Path) -> None:
    layers = """
        c: {conv: 4, kernel: 3, stride: 2, pad: 1}
        g: {pool: global_avg}
        u: {resize: c, align_corners: yes}
        d: {conv: 4, kernel: 3, dilation: 6, pad: same, from: c}
        j: {concat: [c, d, u]}
        w: {mul: [j, j]}
    """
    assert warnings(tmp_path, layers) == []


def test_googlenets_modules_lie_over_each_other(tmp_path: Path) -> None:
    layers = """
        stem: {conv: 4, kernel: 7, stride: 2, pad: 3}
        a: {conv: 4, kernel: 1}
        b: {conv: 4, kernel: 3, pad: 1, from: stem}
        c: {conv: 4, kernel: 5, pad: 2, from: stem}
        d: {pool: max, kernel: 3, stride: 1, pad: 1, from: stem}
        all: {concat: [a, b, c, d]}
    """
    assert warnings(tmp_path, layers) == []


def test_what_depends_on_a_misaligned_join_is_counted_at_it(tmp_path: Path) -> None:
    layers = """
        a: {conv: 4, kernel: 2, pad: same}
        j: {add: [a, input]}
        k: {add: [j, input]}
        l: {mul: [k, a]}
    """
    (found,) = warnings(tmp_path, layers)
    assert found.message == "j joins maps that lie 1/2 input pixel apart"
    assert found.notes[-1] == "2 later joins lie apart because of this one and are not shown: k, l"


def test_an_axis_is_named_where_the_other_fits_or_differs(tmp_path: Path) -> None:
    (found,) = warnings(tmp_path, "a: {conv: 4, kernel: 1x2, pad: same}\nj: {add: [a, input]}")
    assert found.message == "j joins maps that lie 1/2 input pixel apart along the width"
    layers = "a: {conv: 4, kernel: 3x2, pad: [2, 0, 0, 1]}\nj: {add: [a, input]}"
    (found,) = warnings(tmp_path, layers)
    assert found.message == "j joins maps that lie 1 input pixel apart along the height"
    assert "along the width, maps that lie 1/2 input pixel apart" in found.notes


def test_center_crop_by_an_odd_number_is_a_cause_of_its_own(tmp_path: Path) -> None:
    layers = """
        a: {conv: 4, kernel: 3, pad: [0, 1, 0, 1]}
        j: {concat: [a, input], align: center_crop}
    """
    (found,) = warnings(tmp_path, layers)
    assert found.message == "j joins maps that lie 0 input pixel apart" or "goes by the sizes alone" in (
        found.help or ""
    )


def test_inputs_of_unequal_size_have_no_common_frame(tmp_path: Path) -> None:
    path, findings = tmp_path / "net.yaml", Findings()
    path.write_text(
        "segcompile: 1\nmodel: net\ninput: {near: {channels: 4, size: 64}, far: {channels: 4, size: 32}}\nlayers:\n"
        "  - a: {conv: 4, kernel: 3, stride: 2, pad: 1, from: near}\n  - j: {add: [a, far]}\n"
    )
    facts = compile_spec(path, findings).facts
    assert findings.diagnostics == [] and facts["j"].place[0] == Coordinates(Fraction(2), Fraction(0))


@pytest.mark.parametrize(
    ("scale", "shift", "text"),
    [
        ("1", "0", "p"), ("2", "1/2", "2p + 1/2"), ("1/2", "-1/4", "p/2 - 1/4"), ("66/65", "0", "66p/65"),
        ("1", "-19", "p - 19"),
    ],
)  # fmt: skip
def test_a_map_reads_like_a_formula(scale: str, shift: str, text: str) -> None:
    assert str(Coordinates(Fraction(scale), Fraction(shift))) == text


def ladder(count: int) -> Graph:
    """So many joins of the tensor before with itself, a half pixel on: count + 1 maps."""
    half, nodes, last = Conv(channels=4, kernel=(2, 2), pad=((0, 1), (0, 1))), [], "input"
    for i in range(count):
        nodes.append(Node(f"c{i}", half, (last,), f"c{i}"))
        nodes.append(Node(f"j{i}", Add(), (last, f"c{i}"), f"j{i}"))
        last = f"j{i}"
    return Graph("net", {"input": Shape(4, (64, 64))}, tuple(nodes), {"output": last}).verify()


def test_beyond_64_maps_the_rest_is_said_not_to_be_followed() -> None:
    graph = ladder(100)
    maps = place_nodes(graph, infer_shapes(graph, Findings()))
    assert [len(maps[f"j{i}"][0].every) for i in (0, 62, 63, 99)] == [2, 64, 64, 64]
    assert not maps["j62"][0].more and maps["j63"][0].more
    (found,) = findings_of(graph)
    assert found.notes[-1] == "j63 lies in more than 64 ways over the input; the rest is not followed"
    assert "99 later joins lie apart because of this one" in found.notes[-2]


def test_ten_times_the_layers_are_placed_and_compared_in_ten_times_the_work(nets: SimpleNamespace) -> None:
    def residual(blocks: int) -> Graph:
        conv = Conv(channels=4, kernel=(3, 3), pad=("same",))
        nodes, last = [], "input"
        for i in range(blocks):
            a, b, j = (f"{letter}{i}" for letter in "abj")
            nodes += [Node(a, conv, (last,), a), Node(b, conv, (a,), b), Node(j, Add(), (b, last), j)]
            last = j
        return Graph("net", {"input": Shape(4, (64, 64))}, tuple(nodes), {"output": last}).verify()

    def compare(graph: Graph) -> None:
        assert findings_of(graph) == []

    few, many = (nets.work(compare, residual(blocks)) for blocks in (333, 3_330))
    assert many < 11 * few


def test_hundreds_of_misaligned_joins_end_in_one_warning_and_in_bounded_work(nets: SimpleNamespace) -> None:
    def pyramid(levels: int) -> Graph:
        nodes, last = [], "input"
        for i in range(levels):
            half = Conv(channels=4, kernel=(3, 3), stride=(2, 2), pad=((1, 1), (1, 1)))
            nodes += [Node(f"d{i}", half, (last,), f"d{i}"), Node(f"u{i}", Resize(factor=(2, 2)), (f"d{i}",), f"u{i}")]
            nodes += [Node(f"j{i}", Add(), (last, f"u{i}"), f"j{i}")]
            last = f"j{i}"
        return Graph("net", {"input": Shape(4, (64, 64))}, tuple(nodes), {"output": last}).verify()

    (found,) = findings_of(pyramid(400))
    assert "399 later joins" in found.notes[-2]
    few, many = (nets.work(findings_of, pyramid(levels)) for levels in (200, 400))
    assert many < 2.5 * few


def test_the_whole_image_lies_nowhere(nets: SimpleNamespace) -> None:
    facts = nets.compiled("aspp.yaml").facts
    assert facts["aspp.image.resize"].place == (None, None) and facts["aspp.image.resize"].maps[0].every == ()
    assert all(place is not None for axis in range(2) for place in [facts["logits"].place[axis]])
