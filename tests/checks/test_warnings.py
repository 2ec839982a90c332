"""What the analyses warn about and refuse: fields beyond the input, numbers without effect, crops, joins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from segcompile.checks import gridding
from segcompile.compiler import compile_spec
from segcompile.facts.coverage.reach import Reach, reach
from segcompile.network.graph import Graph
from segcompile.ops import Shape
from segcompile.text.errors import Findings, SegcompileError


def found(folder: Path, layers: str, size: str = "64") -> list[tuple[str, str]]:
    """(code, message) of each finding of a network on 4 channels."""
    path = folder / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 4, size: {size}}}\nlayers:\n{layers}")
    findings = Findings()
    try:
        compile_spec(path, findings)
    except SegcompileError as error:
        findings.absorb(error)
    return [(item.code.code, item.message) for item in findings.diagnostics]


def codes(folder: Path, layers: str, size: str = "64") -> list[str]:
    return [code for code, _ in found(folder, layers, size)]


@pytest.mark.parametrize(
    ("kernel", "size", "expected"),
    [
        ("67", "64", []),
        ("127", "64", []),
        ("129", "64", ["SC408"]),
        ("129", "[65, 64]", ["SC408"]),
        ("1x129", "[64, 65]", []),
        ("129", "any", []),
    ],
)
def test_a_field_may_be_2_n_minus_1_pixels_and_no_more(
    tmp_path: Path, kernel: str, size: str, expected: list[str]
) -> None:
    assert codes(tmp_path, f"  - a: {{conv: 1, kernel: {kernel}, pad: same}}\n", size) == expected


@pytest.mark.parametrize(
    ("kernel", "dilation", "expected"),
    [
        ("1", "2", ["SC409"]),
        ("1x3", "2", ["SC407"]),
        ("1x3", "2x1", ["SC409"]),
        ("3x1", "2x1", ["SC407"]),
        ("3", "2", ["SC407"]),
    ],
)
def test_a_dilation_that_changes_nothing_is_warned_about(
    tmp_path: Path, kernel: str, dilation: str, expected: list[str]
) -> None:
    layers = f"  - a: {{conv: 1, kernel: {kernel}, dilation: {dilation}, pad: same}}\n"
    assert codes(tmp_path, layers) == expected


ASPPS = """
  - for: {i: [0, 1, 2, 3, 4]}
    layers:
      - "a{i}":
          concat:
            - for: {d: [6, 12, 18, 24]}
              layers: ["d{d}": {conv: 4, kernel: 3, dilation: d, pad: same}]
      - "p{i}": {conv: 4, kernel: 1}
"""
OTHER = """  - e1: {conv: 4, kernel: 3, dilation: 2, pad: same, from: input}
  - e2: {conv: 4, kernel: 3, dilation: 2, pad: same}
outputs: {one: p4, two: e2}
"""


@pytest.mark.parametrize(("rest", "others"), [("", []), (OTHER, ["smaller dilations before larger ones"])])
def test_the_remedy_of_holes_is_looked_for_in_six_layers_of_a_network_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str, others: list[str]
) -> None:
    path, findings, changed = tmp_path / "net.yaml", Findings(), []

    def counted(graph: Graph, shapes: Mapping[str, Shape], node: str, cell: tuple[int, int]) -> Reach:
        dilated = [item.name for item in graph.nodes if getattr(item.op, "dilation", (1, 1)) != (1, 1)]
        changed.append(len(dilated))
        return reach(graph, shapes, node, cell)

    monkeypatch.setattr(gridding, "reach", counted)
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 4, size: 512}}\nlayers:\n{ASPPS}{rest}")
    compile_spec(path, findings)
    assert changed == [(22 if rest else 20) - 1] * 6  # each time with one layer that is not dilated
    first = "(dilation 1 in any one of the first 6 of 20 dilated layers is not enough)"
    helps = [item.help for item in findings.diagnostics if item.code.code == "SC407"]
    assert helps == [f"smaller dilations before larger ones {first}", *others]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("  - a: {conv: 4, kernel: 3}\n  - b: {crop: a, from: input}\n", []),
        ("  - p: {pool: max, kernel: 2}\n  - b: {crop: p, from: input}\n", ["SC305"]),
        ("  - a: {conv: 4, kernel: 2}\n  - b: {crop: a, from: input}\n", ["SC307"]),
        ("  - a: {conv: 4, kernel: 1, pad: [3, 0, 3, 0]}\n  - b: {conv: 4, kernel: 5}\n  - c: {crop: b, from: input}\n",
         ["SC306"]),
        ("  - g: {pool: global_avg}\n  - b: {resize: input}\n  - c: {crop: input}\n", ["SC305"]),
    ],
)  # fmt: skip
def test_a_crop_that_cannot_be_aligned_says_so_once(tmp_path: Path, layers: str, expected: list[str]) -> None:
    assert codes(tmp_path, layers) == expected


def test_maps_that_all_lie_on_one_pixel_cannot_be_cropped_over_each_other(tmp_path: Path) -> None:
    layers = (
        "  - a: {conv: 4, kernel: 64}\n  - r: {resize: input, align_corners: yes}\n  - c: {crop: r, from: input}\n"
        "  - d: {crop: c, from: r}\n"
    )
    assert set(codes(tmp_path, layers)) <= {"SC305", "SC202"}


def test_crops_behind_crops_are_derived_in_one_sweep(tmp_path: Path) -> None:
    layers = "".join(
        f"  - c{i}: {{conv: 4, kernel: 3}}\n  - r{i}: {{crop: c{i}, from: {'input' if i == 0 else f'r{i - 1}'}}}\n"
        f"  - s{i}: {{add: [c{i}, r{i}]}}\n"
        for i in range(6)
    )
    assert found(tmp_path, layers) == []


def test_joins_where_neither_input_fits_into_the_other_are_cut_along_each_axis(tmp_path: Path) -> None:
    layers = (
        "  - a: {conv: 4, kernel: 3x1}\n  - b: {conv: 4, kernel: 1x3, from: input}\n"
        "  - c: {add: [a, b], align: center_crop}\n"
    )
    assert found(tmp_path, layers + "claims: {c: {size: 62}}\n") == []


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("  - a: {linear: 4}\n", ["SC310"]),
        ("  - p{i}: {pool: max, kernel: 2, repeat: 13}\n", ["SC310"]),
        ("  - a: {pool: max, kernel: 2}\n  - b: {conv: 4, kernel: 11, from: input}\n"
         "  - c: {add: [a, b], align: center_crop}\n", ["SC310"]),
        ("  - a: {pool: max, kernel: 2}\n  - b: {crop: input, offset: 0}\n", ["SC302"]),
        ("  - a: {pool: max, kernel: 1, stride: 3, round: ceil}\n", []),
        ("  - a: {pool: max, kernel: 2}\n  - b: {deconv: 4, kernel: 2, stride: 2}\n  - c: {add: [b, input]}\n", []),
        ("  - a: {pool: max, kernel: 2}\n  - b: {deconv: 4, kernel: 2, stride: 2}\n"
         "  - c: {add: [b, input], align: center_crop}\n", []),
        ("  - a: {pool: max, kernel: 3}\n  - b: {deconv: 4, kernel: 2, stride: 2}\n  - c: {pool: max, kernel: 3}\n",
         []),
    ],
)  # fmt: skip
def test_what_cannot_be_said_for_any_size_is_a_diagnostic(tmp_path: Path, layers: str, expected: list[str]) -> None:
    assert codes(tmp_path, layers, "any") == expected


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("  - a: {conv: 4, kernel: 3, stride: 2}\n  - b: {resize: input}\n", ["SC309"]),
        ("  - a: {conv: 4, kernel: 3, stride: 2}\n  - b: {resize: input, align_corners: yes}\n", ["SC309"]),
        ("  - a: {conv: 4, kernel: 2, stride: 2}\n  - b: {deconv: 4, kernel: 2, stride: 2}\n"
         "  - c: {add: [b, input]}\n  - d: {resize: input}\n", []),
        ("  - a: {pool: global_avg}\n  - b: {resize: input}\n  - c: {concat: [b, input]}\n", []),
    ],
)  # fmt: skip
def test_a_ratio_that_depends_on_the_size_is_warned_about(tmp_path: Path, layers: str, expected: list[str]) -> None:
    assert codes(tmp_path, layers, "any") == expected


def test_a_dilated_pool_is_warned_of_as_a_convolution_is(tmp_path: Path) -> None:
    one = "  - one: {pool: max, kernel: 1, stride: 1, dilation: 2}\n"
    assert codes(tmp_path, one) == ["SC409"]
    path = tmp_path / "net.yaml"
    path.write_text(path.read_text().replace(one, "  - two: {pool: max, kernel: 3, stride: 1, dilation: 3}\n"))
    findings = Findings()
    compile_spec(path, findings)
    assert [item.help for item in findings.diagnostics] == ["dilation 1 in two closes every hole"]


def test_a_transposed_convolution_is_not_tried_without_its_dilation(tmp_path: Path) -> None:
    up = "  - up: {deconv: 4, kernel: 3, dilation: 2, pad: same}\n"
    assert codes(tmp_path, up + "  - mid: {deconv: 4, kernel: 2, stride: [1, 3], dilation: 2, pad: same}\n") == [
        "SC407"
    ]


def test_what_is_left_out_is_told_once_for_each_place_and_with_what_it_alone_needs(tmp_path: Path) -> None:
    layers = (
        "  - a: {conv: 4, kernel: 1}\n"
        '  - for: {i: 1..5}\n    layers: ["x{i}": {conv: 4, kernel: 1, from: a}, "y{i}": {conv: 4, kernel: 1}]\n'
        "  - z: {conv: 4, kernel: 1, from: a}\n  - end: {conv: 4, kernel: 1, from: a}\n"
    )
    path = tmp_path / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 4, size: 64}}\nlayers:\n{layers}")
    findings = Findings()
    compiled = compile_spec(path, findings)
    assert [*compiled.graph.layers] == ["a", "end"]
    assert [(found.message, found.notes) for found in findings.diagnostics] == [
        (
            "no output depends on `y1`; it is left out",
            (
                "4 more layers of this line are left out: y2, y3, y4, ...",
                "5 more layers that nothing else needs are left out: x1, x2, x3, ...",
            ),
        ),
        ("no output depends on `z`; it is left out", ()),
    ]


def test_a_default_that_changes_nothing_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "segcompile: 1\nmodel: net\ninput: {channels: 4, size: 64}\ndefaults: {conv: {kernel: 1, dilation: 2}}\n"
        'layers:\n  - "c{i}": {conv: 4, repeat: 3}\n'
    )
    findings = Findings()
    compile_spec(path, findings)
    (found,) = findings.diagnostics
    assert found.message == "c1: a dilation of 2 changes nothing on a 1x1 kernel"
    assert found.notes == ("nor does it at c2, c3",)
