"""The Python API of receptive fields: what people would ask in a notebook."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import segcompile
from segcompile.compiler import compile_spec
from segcompile.errors import Findings, SegcompileError

ROOT = Path(__file__).resolve().parents[1]
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


def test_a_graph_is_as_good_as_its_spec() -> None:
    compiled = compile_spec(ROOT / "specs/unet.yaml", Findings())
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
    assert found.region.mask().sum() == 49


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
    assert (found.top, found.left, found.exact, found.centre) == (-2, -2, True, (0, 0))
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
    assert phase.rows is not None and phase.columns is not None
    ends = {"top": phase.rows.low, "bottom": phase.rows.high, "left": phase.columns.low, "right": phase.columns.high}
    for direction, end in ends.items():
        path = found.why(direction)  # type: ignore[arg-type]
        assert path[0].index == end and path[-1].node.startswith(layer)
    up, down = (sum(step.pixels or 0 for step in found.why(side)) for side in ("top", "bottom"))
    assert up + down == phase.rows.width - 1


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


REFUSED = [
    ("unet", lambda view: view["logit"], "SC102", "there is no layer `logit` in unet"),
    ("unet", lambda view: view["logits"].phase(0, 16), "SC410",
     "`logits` has no phase 16 horizontally: its fields repeat after 16"),
    ("unet", lambda view: view["logits"].coverage((-1, 0)), "SC410",
     "`logits` has no phase -1 vertically: its fields repeat after 16"),
    ("unet", lambda view: view["enc0.conv1"].why("top", (1, 0)), "SC410",
     "`enc0.conv1` has no phase 1 vertically: its fields repeat after 1"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "ask", "code", "message"), REFUSED)
def test_absurd_requests_get_a_diagnostic(spec: str, ask, code: str, message: str) -> None:  # type: ignore[no-untyped-def]
    view = segcompile.receptive_field(spec)
    with pytest.raises(SegcompileError) as caught:
        ask(view)
    (found,) = caught.value.diagnostics
    assert (found.code.code, found.message) == (code, message)
    assert found.help


def test_a_field_of_a_hundred_million_pixels_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(GRIDDED.replace("dilation: 2", "dilation: 1").replace("kernel: 3", "kernel: 5001"))
    layer = segcompile.receptive_field(path)["c3"]
    assert layer.coverage().count == 15001**2
    with pytest.raises(SegcompileError, match="too wide to list its pixels"):
        layer.path_counts()


def test_importing_the_package_imports_nothing() -> None:
    code = "import sys, segcompile; print(sorted({'numpy', 'pydantic', 'matplotlib', 'click'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_checking_a_spec_imports_neither_numpy_nor_matplotlib() -> None:
    code = (
        "import sys; from segcompile.cli import cli; cli.main(['check', 'unet'], standalone_mode=False);"
        "print(sorted({'numpy', 'matplotlib', 'networkx', 'jinja2'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.endswith("[]\n")
