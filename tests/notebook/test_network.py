"""The Python API of receptive fields: what people would ask in a notebook."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import segcompile
from segcompile.cli import cli
from segcompile.text.errors import SegcompileError

ROOT = Path(__file__).resolve().parents[2]
VALID = ROOT / "tests/data/valid"
GRIDDED = """segcompile: 1
model: gridded
input: {channels: 1, size: 40}
layers:
  - "c{i}": {conv: 1, kernel: 3, dilation: 2, pad: same, repeat: 3}
"""


@pytest.fixture
def gridded(tmp_path: Path) -> segcompile.ReceptiveField:
    path = tmp_path / "net.yaml"
    path.write_text(GRIDDED)
    return segcompile.receptive_field(path)


def test_a_bundled_spec_is_known_by_name() -> None:
    view = segcompile.receptive_field("dilated_large")
    assert (view.model, len(view.layers), view.outputs) == ("dilated_large", 8, {"output": "layer8"})
    assert view["output"] is view["layer8"]
    assert (view["layer8"].size, view["layer8"].stride, view["layer8"].period) == ((67, 67), (1, 1), (1, 1))


def test_a_graph_is_as_good_as_its_spec(nets: SimpleNamespace) -> None:
    compiled = nets.compiled("unet.yaml")
    views = [segcompile.receptive_field(found) for found in (compiled, compiled.graph, ROOT / "specs/unet.yaml")]
    assert [view["logits"].size for view in views] == [(204, 204)] * 3


def test_fcn8s_has_32_phases_of_two_sizes() -> None:
    score = segcompile.receptive_field(VALID / "fcn8s_layers.yaml")["score"]
    assert score.period == (32, 32)
    sizes = [phase.size for phase in score.phases()]
    assert len(sizes) == 1024 and sizes.count((436, 436)) == 64 and sizes.count((468, 468)) == 24 * 24
    assert (score.phase(0, 1).size, score.phase(0, 1).start) == ((436, 468), (-221, -221))
    assert score.widest_phase == (1, 1)


def test_three_convolutions_of_dilation_2_span_13_and_touch_7(gridded: segcompile.ReceptiveField) -> None:
    c3 = gridded["c3"]
    assert (c3.size, c3.phase(0, 0).touched) == ((13, 13), (7, 7))
    found = c3.coverage()
    assert (found.count, found.size, found.touched) == (49, (13, 13), (7, 7))
    assert (found.fill, found.fill_of_projections) == (Fraction(49, 169), 1)
    assert found.array().sum() == 49 and len(list(found.runs())) == 49


def test_aspp_fills_half_of_the_product_of_its_projections() -> None:
    aspp = segcompile.receptive_field("aspp")["aspp"]
    found = aspp.coverage()
    assert (found.count, found.touched, found.whole_image) == (25, (7, 7), True)
    assert round(float(found.fill_of_projections), 2) == 0.51
    assert (aspp.size, aspp.local_size, aspp.whole_image) == (None, (37, 37), True)


def test_path_counts_of_two_convolutions_are_a_pyramid(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(GRIDDED.replace("dilation: 2, ", "").replace("repeat: 3", "repeat: 2"))
    found = segcompile.receptive_field(path)["c2"].path_counts()
    side = [1, 2, 3, 2, 1]
    assert found.counts.tolist() == [[a * b for b in side] for a in side]
    assert (found.start, found.exact, found.centre) == ((-2, -2), True, (0, 0))
    assert [found.radius(share) for share in (0.1, 0.5, 0.6, 0.61, 1)] == [0, 1, 1, 2, 2]


def test_path_counts_beyond_the_largest_float_keep_their_proportions(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(GRIDDED.replace("dilation: 2, ", "").replace("repeat: 3", "repeat: 400"))
    found = segcompile.receptive_field(path)["c400"].path_counts()
    assert found.exponent > 0 and not found.exact
    assert found.counts == pytest.approx(found.counts[::-1, ::-1]) and found.counts.argmax() == found.counts.size // 2


@pytest.mark.parametrize(("spec", "layer"), [("dilated_large", "layer8"), ("unet", "logits"), ("aspp", "aspp"),
                                              (str(VALID / "fcn8s_layers.yaml"), "score")])  # fmt: skip
def test_what_the_layers_on_the_path_add_is_the_distance_to_the_end(spec: str, layer: str) -> None:
    found = segcompile.receptive_field(spec)[layer]
    phase = found.phase(*found.widest_phase)
    assert phase.along is not None
    rows, columns = phase.along
    ends = {"top": rows.low, "bottom": rows.high, "left": columns.low, "right": columns.high}
    for direction, end in ends.items():
        path = found.why(direction)
        assert path[0].index == end and path[-1].node.startswith(layer)
    up, down = (sum(step.pixels or 0 for step in found.why(side)) for side in ("top", "bottom"))
    assert up + down == rows.width - 1


def test_a_path_that_ends_along_one_axis_is_not_seen_along_the_other(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "segcompile: 1\nmodel: gaps\ninput: {channels: 1, size: 12}\nlayers:\n"
        "  - down: {conv: 1, kernel: [1, 5], stride: 2, pad: [0, 0, 2, 1]}\n"
        "  - up: {deconv: 1, kernel: [1, 2], stride: 2, output_pad: [1, 0]}\n"  # every other row is empty
        "  - sum: {add: [up, input]}\n"
    )
    found = segcompile.receptive_field(path)["sum"]
    assert [found.phase(y, 0).size for y in (0, 1)] == [(1, 5), (1, 1)]
    assert [found.coverage((y, 0)).count for y in (0, 1)] == [5, 1]


GAPS = """segcompile: 1
model: gaps
input: {channels: 1, size: 24}
layers:
  - down: {conv: 1, kernel: [3, 5], stride: 2, pad: [1, 0, 2, 1]}
  - up: {deconv: 1, kernel: [1, 2], stride: 2, output_pad: [1, 0]}
  - sum: {add: [up, input]}
  - last: {conv: 1, kernel: [1, 3], pad: same}
"""


@pytest.mark.parametrize(("last", "exact"), [("sum", False), ("last", False), ("up", True)])
def test_the_pairs_in_the_data_are_what_a_gradient_measures_also_behind_gaps(
    nets: SimpleNamespace, tmp_path: Path, last: str, exact: bool
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"{GAPS}outputs: {{output: {last}}}\n")
    layer = segcompile.receptive_field(path)[last]
    output = CliRunner().invoke(cli, ["rf", str(path), "--phases", "--format", "json"], standalone_mode=False).output
    data = json.loads(output)
    pairs = {tuple(item["phase"]): item for item in data["outputs"][last]["phases"]}
    assert len(pairs) == layer.period[0] * layer.period[1]
    net, measured = nets.emitted(nets.compiled(path).graph).made_linear(), set()
    inputs = [value.requires_grad_() for value in net.inputs()]
    results, less = net.outputs(*inputs), False
    for cell in [(y, x) for y in range(8, 14) for x in range(8, 14)]:
        seen = nets.measure(net, results, inputs, "output", cell) > 0
        rows, columns = (seen.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
        phase = tuple(index % period for index, period in zip(cell, layer.period, strict=True))
        size = [found[-1] - found[0] + 1 if found else 0 for found in (rows, columns)]
        moved = [index - of for index, of in zip(cell, phase, strict=True)]
        start = [found[0] - by for found, by in zip((rows, columns), moved, strict=True)] if rows else None
        assert (pairs[phase]["receptive_field"], pairs[phase]["start"]) == (size, start), cell
        tables = [axis.at(index) for axis, index in zip(layer.fields, phase, strict=True)]
        less |= bool(rows) and size != [table.width if table else 0 for table in tables]
        measured.add(phase)
    assert measured == {*pairs}
    assert layer.exact is exact is not less and data["asked"][last]["phases"]["exact"] is exact


def test_a_layer_that_sees_nothing_along_one_axis_sees_nothing(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "segcompile: 1\nmodel: blind\ninput: {channels: 1, size: 20}\nlayers:\n"
        "  - u: {deconv: 1, kernel: 1, stride: [2, 1]}\n"
        "  - c: {conv: 1, kernel: 1, stride: [2, 1], pad: [1, 0, 0, 0]}\n"  # of the other rows
        "  - s: {add: [c, input]}\n"
    )
    found = segcompile.receptive_field(path)
    assert (found["c"].size, found["c"].stride, found["c"].phase(0, 0).along) == ((0, 0), (1, 1), None)
    assert repr(found["c"]) == "<c, conv: sees nothing: receptive field 0, stride 1>"
    assert (found["s"].size, found["s"].phase(0, 0).size, found["s"].exact) == ((1, 1), (1, 1), True)
    table = CliRunner().invoke(cli, ["rf", str(path)], standalone_mode=False).output
    (row,) = [line for line in table.splitlines() if line.startswith("c ")]
    assert re.search(" 1 +0 +2 ", row) and "\n0: no pixel is seen\n" in table


REFUSED = [
    ("unet", lambda view: view["logit"], "SC102", "there is no layer `logit` in unet"),
    ("unet", lambda view: view["logits"].why("up"), "SC410", "a field has no side `up`"),
    ("aspp", lambda view: view["aspp.image.pool"].path_counts(), "SC410",
     "no path to `aspp.image.pool` can be counted: it sees the whole image at once"),
    ("unet", lambda view: view["logits"].phase(0, 16), "SC410",
     "`logits` has no phase 16 along the width: its fields repeat after 16"),
    ("unet", lambda view: view["logits"].coverage((-1, 0)), "SC410",
     "`logits` has no phase -1 along the height: its fields repeat after 16"),
    ("unet", lambda view: view["logits"].phase(3), "SC410",
     "phase 3 has 1 number; the network has 2 axes, height and width"),
    ("wavenet", lambda view: view["score"].coverage((0, 0)), "SC410",
     "phase 0,0 has 2 numbers; the network has 1 axis, length"),
    ("unet3d", lambda view: view["score"].touched_by(5, 5), "SC410",
     "the voxel asked for has 2 numbers; the network has 3 axes, depth, height and width"),
    ("wavenet", lambda view: view["score"].why("top"), "SC410", "a field has no side `top`"),
    ("unet", lambda view: view["logits"].touched_by(-1, 0), "SC410", "`input` has no row -1: its height is 572"),
    ("unet", lambda view: view["logits"].touched_by(range(5, 5), 0), "SC410", "no pixel of `input` is asked for"),
    ("unet", lambda view: view["logits"].touched_by(0, 0, of="imput"), "SC410", "unet has no input `imput`"),
    ("aspp", lambda view: view["aspp.image.pool"].touched_by(5, 5).array(), "SC410",
     "no output is touched through windows alone: there is no box to draw out"),
    ("unet", lambda view: view["enc0.conv1"].why("top", (1, 0)), "SC410",
     "`enc0.conv1` has no phase 1 along the height: its fields repeat after 1"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "ask", "code", "message"), REFUSED)
def test_absurd_requests_get_a_diagnostic(spec: str, ask, code: str, message: str) -> None:  # type: ignore[no-untyped-def]
    view = segcompile.receptive_field(spec)
    with pytest.raises(SegcompileError) as caught:
        ask(view)
    (found,) = caught.value.diagnostics
    assert (found.code.code, found.message) == (code, message)
    assert found.help or "whole image" in message or "no box" in message


def test_a_field_of_a_hundred_million_pixels_is_not_drawn_out(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(GRIDDED.replace("dilation: 2", "dilation: 1").replace("kernel: 3", "kernel: 5001"))
    layer = segcompile.receptive_field(path)["c3"]
    found, counts = layer.coverage(), layer.path_counts()
    assert found.count == 15001**2 and next(found.runs()) == (-7500, -7500, 7500)
    assert (counts.size, counts.centre, counts.exact) == ((15001, 15001), (0, 0), True)
    for array in (found.array, lambda: counts.counts):
        with pytest.raises(SegcompileError, match="a field of 15,001 x 15,001 pixels is too large to draw out"):
            array()


def test_where_branches_meet_in_a_field_of_a_hundred_million_pixels_paths_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    wide = GRIDDED.replace("dilation: 2", "dilation: 1").replace("kernel: 3", "kernel: 5001")
    path.write_text(f"{wide}  - s: {{add: [c3, c2]}}\n")
    with pytest.raises(SegcompileError, match="too large for its pixels to be counted one by one"):
        segcompile.receptive_field(path)["s"].path_counts()


CHAIN = """segcompile: 1
model: chain
input: {channels: 1, size: 96}
layers:
  - a: {conv: 1, kernel: [5, 3], stride: [2, 1], pad: [2, 0, 1, 1]}
  - b: {conv: 1, kernel: 7, dilation: [1, 3], pad: same}
  - u: {deconv: 1, kernel: [4, 3], stride: [2, 3]}
  - c: {pool: avg, kernel: 3, stride: [1, 2]}
"""


def test_the_counts_of_a_chain_are_those_of_a_gradient_and_have_its_radii(
    nets: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(CHAIN)
    net = nets.emitted(nets.skeleton(nets.compiled(path).graph)).made_ones()
    layer, measured = segcompile.receptive_field(path)["c"], set()
    for _, _, cell, gradient in nets.measured_cells(net):
        phase = (cell[0] % layer.period[0], cell[1] % layer.period[1])
        found = layer.path_counts(phase)
        measured.add(phase)
        assert len(found.factors) == 2
        rows, columns = gradient.sum(1).nonzero().flatten(), gradient.sum(0).nonzero().flatten()
        seen = gradient[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert seen.tolist() == found.counts.tolist()
        one = replace(found, factors=(found.counts,))  # the same, as if branches met
        assert (found.centre, found.size, found.exact) == (one.centre, one.size, one.exact)
        shares = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1]
        assert [found.radius(share) for share in shares] == [one.radius(share) for share in shares]
    assert measured == {(0, 0), (1, 0), (0, 1)}  # of 2 x 3


def test_a_compiled_spec_takes_no_variant(nets: SimpleNamespace) -> None:
    compiled = nets.compiled("unet.yaml")
    for spec in (compiled, compiled.graph):
        with pytest.raises(SegcompileError, match="unet is compiled already: it takes no variant and no overrides"):
            segcompile.receptive_field(spec, overrides={"K": 3})


def test_parameters_and_variants_are_those_of_the_spec() -> None:
    view = segcompile.receptive_field("dilated_context", variant="large", overrides={"C": 3})
    assert [layer.shape.channels for layer in view.layers.values()] == [6, 6, 12, 24, 48, 96, 96, 3]


def test_a_layer_of_the_whole_image_has_answers() -> None:
    pool = segcompile.receptive_field("aspp")["aspp.image.pool"]
    assert (pool.size, pool.local_size, pool.whole_image, pool.unknown) == (None, None, True, None)
    assert (list(pool.phases()), pool.why("top"), pool.period) == ([], (), (0, 0))
    found = pool.coverage()
    assert (found.count, found.size, found.fill, found.whole_image, list(found.runs())) == (0, (0, 0), 0, True, [])


def test_where_nothing_repeats_phases_are_outputs(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    layers = "{conv: 1, kernel: 3, stride: 2, pad: 1}\n  - d: {conv: 1, kernel: 1, stride: 3, from: input}\n"
    layers += "  - s: {add: [c, d], align: center_crop}\n"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 1, size: 40}}\nlayers:\n  - c: {layers}")
    found = segcompile.receptive_field(path)["s"]
    assert (found.stride, found.period) == (None, (14, 14))
    assert found.coverage((13, 13)).count == 10
    with pytest.raises(SegcompileError, match="`s` has no output 14 along the height: there are 14"):
        found.coverage((14, 0))


def test_a_phase_counts_its_holes(gridded: segcompile.ReceptiveField) -> None:
    phase = gridded["c3"].phase(0, 0)
    assert (phase.start, phase.stop, phase.size, phase.touched, phase.holes) == (
        (-6, -6), (7, 7), (13, 13), (7, 7), (6, 6)
    )  # fmt: skip


def test_outputs_that_a_pixel_touches_see_it(gridded: segcompile.ReceptiveField) -> None:
    found = gridded["c3"].touched_by(2, range(20, 23, 2))
    assert repr(found) == "<rows 2 to 2, columns 20 to 22 (2 of 3) touch 40 of 9 x 15 outputs>"
    assert (found.count, found.size, found.start, found.touched) == (40, (9, 15), (0, 14), (5, 8))
    assert (found.repeats, found.whole_image, found.others, found.mixed) == (((1, 1), (1, 1)), False, 0, None)
    assert (8, 28) in found and (1, 28) not in found and (10, 28) not in found
    assert next(found.runs()) == (0, 14, 14) and found.array().sum() == 40


def test_every_output_behind_a_whole_image_op_is_touched() -> None:
    view = segcompile.receptive_field("aspp")
    found = view["logits"].touched_by(0, 0)
    assert found.whole_image and (found.count, found.others) == (10, 33 * 33 - 10) and (32, 31) in found
    assert repr(found) == "<rows 0 to 0, columns 0 to 0 touch 10 of 19 x 19 outputs, and others by the whole image>"


def test_of_several_inputs_the_one_that_is_named_touches(nets: SimpleNamespace) -> None:
    view = segcompile.receptive_field(nets.root / "tests/data/odd.yaml")
    assert view["both"].touched_by(4, 5, of="y").count == 1 < view["both"].touched_by(4, 5, of="x").count
    assert view["stem"].touched_by(4, 5, of="y").region is None


def test_what_notebooks_show(gridded: segcompile.ReceptiveField) -> None:
    c3 = gridded["c3"]
    assert repr(gridded) == "<gridded, 3 layers: <c3, conv: receptive field 13, stride 1>>"
    assert repr(c3.phase(0, 0)) == "PhaseField(phase=(0, 0), rows=-6 to 6 (7 of 13), columns=-6 to 6 (7 of 13))"
    assert repr(c3.coverage()) == "<phase (0, 0) sees 49 of 13 x 13 pixels>"
    assert repr(c3.path_counts()) == "<paths from 13 x 13 pixels, the first (-6, -6)>"
    page, row = gridded._repr_html_(), c3._repr_html_()
    assert page.count("<tr>") == 4 and "c1, c2, c3 leave holes" in page  # SC407, which `diagnostics` holds
    assert "<td>c3</td><td>conv</td><td>1 x 40 x 40</td><td>1</td><td>13</td><td>1</td>" in row
    assert [found.code.code for found in gridded.diagnostics] == ["SC407"]


def test_nothing_can_be_changed(gridded: segcompile.ReceptiveField) -> None:
    with pytest.raises(TypeError):
        gridded.layers["c4"] = gridded["c3"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        gridded["c3"].name = "c4"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        gridded["c3"].path_counts().counts[0, 0] = 1


def test_importing_the_package_imports_nothing() -> None:
    code = "import sys, segcompile; print(sorted({'numpy', 'pydantic', 'matplotlib', 'click'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_checking_a_spec_imports_neither_numpy_nor_another_command() -> None:
    code = (
        "import sys; from segcompile.cli import cli; cli.main(['check', 'unet'], standalone_mode=False);"
        "unasked = {'numpy', 'matplotlib', 'networkx', 'jinja2', 'segcompile.cli.rf', 'segcompile.notebook'};"
        "print(sorted(unasked & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.endswith("[]\n")
