"""Which outputs see padding, as it is told: held against the emitted model, run on an image that goes on."""

from __future__ import annotations

import json
import re
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import segcompile
from segcompile.cli import cli
from segcompile.compiler import find_spec

ROOT = Path(__file__).resolve().parents[2]
FCN8S = str(ROOT / "tests/data/valid/fcn8s_layers.yaml")
UNEVEN = """
  - c: {conv: 1, kernel: 3x5, pad: [1, 0, 2, 2]}
  - p: {pool: max, kernel: 3, stride: 2, pad: 1}
  - d: {conv: 1, kernel: 3, stride: [2, 1], pad: 1}
  - u: {deconv: 1, kernel: [8, 4], stride: [4, 2], pad: [2, 1]}
  - s: {conv: 1, kernel: 1x3}
"""
GAPS = "\n  - c: {conv: 1, kernel: 3, stride: 2, pad: 1}\n  - u: {deconv: 1, kernel: 1, stride: 2}\n"

Sides = tuple[int, int, int, int]  # top, bottom, left, right


def write(folder: Path, layers: str, size: str) -> str:
    path = folder / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 1, size: {size}}}\nlayers: {layers}\n")
    return str(path)


def told(spec: str, layer: str) -> str:
    """The line about padding."""
    text = CliRunner().invoke(cli, ["rf", spec, "--layer", layer], standalone_mode=False).output
    (line,) = re.findall("^.*(?:padding|borders).*$", text, re.MULTILINE)
    return line


def unchanged(nets: SimpleNamespace, spec: str, size: tuple[int, int], by: int) -> Any:
    """Where the result stays the same if the image goes on by `by` pixels, in which the outputs make whole steps."""
    graph = nets.slim(nets.compiled(find_spec(spec)).graph, 1)
    net = nets.emitted(nets.sized(graph, *size))
    more = nets.emitted(nets.sized(graph, size[0] + 2 * by, size[1] + 2 * by))
    image = more.inputs()
    ((head, node),) = net.graph.outputs.items()
    large = more.made_linear().outputs(*image)[head][0, 0]
    small = net.made_linear().outputs(*(value[..., by:-by, by:-by] for value in image))[head][0, 0]
    y, x = (int(by / field.stride) for field in net.facts[node].fields)
    return (small - large[y : y + small.shape[0], x : x + small.shape[1]]).abs() <= 1e-12 * small.abs()


def changed(nets: SimpleNamespace, spec: str, size: tuple[int, int], by: int) -> Sides:
    """How many outputs on each side change so; all others do not."""
    same = unchanged(nets, spec, size, by)
    rows, columns = (same.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    assert same[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert same.sum() == len(rows) * len(columns)
    height, width = same.shape
    return rows[0], height - 1 - rows[-1], columns[0], width - 1 - columns[-1]


FIXED = [
    (FCN8S, "score", (500, 500), 512,
     "sees padding: the first 217 and the last 243 of 500 rows and columns; 40 x 40 outputs see none"),
    ("unet", "logits", (572, 572), 192, "sees no padding"),
    (UNEVEN, "s", (42, 60), 64,
     "sees padding: the first 6 and the last 6 of 44 rows, the first 7 and the last 5 of 58 columns; "
     "32 x 46 outputs see none"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "layer", "size", "by", "said"), FIXED)
def test_the_outputs_that_see_padding_are_those_that_more_of_the_image_changes(
    nets: SimpleNamespace, tmp_path: Path, spec: str, layer: str, size: tuple[int, int], by: int, said: str
) -> None:
    spec = write(tmp_path, spec, f"[{size[0]}, {size[1]}]") if "\n" in spec else spec
    found = segcompile.receptive_field(spec)[layer].padding
    assert told(spec, layer) == said
    assert found is not None and found.proven and not found.bound
    sides = changed(nets, spec, size, by)
    assert tuple(chain(*found.sides)) == tuple((side,) for side in sides)


def test_of_any_size_every_number_occurs_that_is_told(nets: SimpleNamespace, tmp_path: Path) -> None:
    spec = write(tmp_path, UNEVEN, "any")
    sides = "the first 6 and the last 2 or 6 rows, the first 7 and the last 5 or 7 columns"
    assert told(spec, "s") == f"sees padding, at any size: {sides}"
    found = segcompile.receptive_field(spec)["s"].padding
    every = [changed(nets, spec, (40 + rest, 60 + rest % 2), 64) for rest in range(4)]
    assert found is not None and found.proven and found.clean is None
    sides = [tuple(sorted({*values})) for values in zip(*every, strict=True)]
    assert list(chain(*found.sides)) == sides


SAID = [
    ("[c: {conv: 1, kernel: 1x3, pad: [0, 0, 1, 0]}]", "[9, 8]", "c",
     "sees padding: no rows, the first 1 of 7 columns; 9 x 6 outputs see none"),
    ("[c: {conv: 1, kernel: 7, pad: 3}]", "[40, 5]", "c",
     "sees padding: the first 3 and the last 3 of 40 rows, the first 3 and the last 3 of 5 columns; "
     "every output sees some"),
    (GAPS, "40", "u", "sees padding: at most the first 1 of 39 rows and columns; at least 38 x 38 outputs see none"),
    ("[c: {conv: 1, kernel: 3}]", "any", "c", "sees no padding, at any size"),
    ("[p: {pool: max, kernel: 2}, c: {conv: 1, kernel: 3, pad: 1}, r: {resize: input}]", "any", "r",
     "sees padding, at the image sizes tried: the first 3 and the last 3 rows and columns"),
    ("[c: {conv: 1, kernel: 3, norm: instance}]", "40", "c",
     "every output depends on the image's borders: an op mixes the whole image"),
    ("[c: {conv: 1, kernel: 5}, r: {resize: input, align_corners: yes}]", "5", "r",
     "every output depends on the image's borders"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "size", "layer", "said"), SAID)
def test_what_is_said_of_other_layers(tmp_path: Path, layers: str, size: str, layer: str, said: str) -> None:
    assert told(write(tmp_path, layers, size), layer) == said


def test_a_size_that_fits_along_one_axis_only_is_not_tried_along_both(tmp_path: Path) -> None:
    layers = """
  - c: {conv: 1, kernel: [2, 3], stride: 2}
  - u: {deconv: 1, kernel: [2, 3], stride: 2}
  - s: {add: [u, input]}
"""  # the height must be even, the width odd
    assert told(write(tmp_path, layers, "any"), "s") == (
        "sees padding, at any size: no rows, the first 1 and the last 1 columns"
    )


def data(spec: str, layer: str) -> object:
    output = CliRunner().invoke(cli, ["rf", spec, "--layer", layer, "--format", "json"], standalone_mode=False).output
    return json.loads(output)["asked"][layer]["padding"]


def test_the_same_as_data(tmp_path: Path) -> None:
    assert data(FCN8S, "score") == {
        "everywhere": False, "top": [217], "bottom": [243], "left": [217], "right": [243],
        "clean": [[217, 256], [217, 256]], "bound": False, "proven": True,
    }  # fmt: skip
    assert data(write(tmp_path, UNEVEN, "any"), "s") == {
        "everywhere": False, "top": [6], "bottom": [2, 6], "left": [7], "right": [5, 7],
        "clean": None, "bound": False, "proven": True,
    }  # fmt: skip
    assert data("aspp", "aspp") == {"everywhere": True}


def test_gaps_make_a_bound_that_holds(nets: SimpleNamespace, tmp_path: Path) -> None:
    """Every other output of `u` sees nothing: no padding either."""
    spec = write(tmp_path, GAPS, "40")
    found = segcompile.receptive_field(spec)["u"].padding
    assert found is not None and found.bound
    assert found.clean is not None
    rows, columns = found.clean
    same = unchanged(nets, spec, (40, 40), 16)
    assert same[rows.start : rows.stop, columns.start : columns.stop].all() and same.sum() > len(rows) * len(columns)
