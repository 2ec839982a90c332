"""Interpolation by a ratio, to a size, and which pixel is nearest: claims, refusals at the value, code."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from segcompile.facts.receptive_field import reads
from segcompile.language.write import write_spec
from segcompile.ops import Resize
from segcompile.ops.base import Shape
from tests.test_channels import compiled, refused

HALVES = """\
segcompile: 1
model: net
params: {S: 2}
input: {channels: 3, size: 33}
layers:
  - half:  {resize: 1/S}
  - most:  {resize: [3/2, 1], from: input}
  - least: {resize: 0.25, mode: nearest, from: input}
  - near:  {resize: 2/3, mode: nearest_exact, from: input}
  - back:  {resize: {size: [33, 65]}, from: half}
outputs: {half: half, most: most, least: least, near: near, back: back}
claims:
  half:  {size: 16, stride: 2, receptive_field: 2}
  most:  {size: [49, 33], receptive_field: [2, 1]}
  least: {size: 8, stride: 4, receptive_field: 1}
  near:  {size: 22, stride: 3/2, receptive_field: 1}
  back:  {size: [33, 65]}
"""


def test_a_ratio_is_exact_and_a_size_is_a_size(nets: SimpleNamespace, tmp_path: Path) -> None:
    found, *sources = compiled(tmp_path, HALVES)
    torch, jax = map(nets.unbroken, sources)
    for code in (
        'F.interpolate(image, scale_factor=0.5, mode="bilinear")',
        'scale_factor=(1.5, 1), mode="bilinear"',
        'F.interpolate(image, scale_factor=0.25, mode="nearest")',
        "nearest_by(image, ((2, 3), (2, 3)), half=1)",
        'F.interpolate(half, (33, 65), mode="bilinear")',
    ):
        assert code in torch, torch
    for code in (
        "interpolate_by(image, ((1, 2), (1, 2)))",
        "interpolate_by(image, ((3, 2), (1, 1)))",
        "nearest_by(image, ((1, 4), (1, 4)))",
        "nearest_by(image, ((2, 3), (2, 3)), half=1)",
        "interpolate(half, (33, 65))",
    ):
        assert code in jax, jax
    flat = write_spec(found.graph)
    for layer in ("{resize: 1/2}", "{resize: [3/2, 1], from: input}", "{resize: 1/4, mode: nearest, from: input}",
                  "{resize: {size: [33, 65]}, from: half}"):  # fmt: skip
        assert layer in flat, flat


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("0", "error[SC105 out-of-range]: a positive ratio"),
        ("-1/2", "error[SC105 out-of-range]: a positive ratio"),
        ("1/(S - 2)", "error[SC104 bad-expression]: division by zero"),
        ("1/40", "error[SC303 empty-output]: half: 1/40 of 33 pixels is less than one"),
        ("{size: 0}", "error[SC105 out-of-range]: a positive integer"),
        ("{to: 4}", "error[SC004 wrong-type]: `resize` takes a value, not a mapping"),
        ("2, size: [4, 4]", "error[SC011 misplaced-key]: `size` stands under `resize`"),
    ],
)
def test_what_is_no_ratio_and_no_size_is_refused_at_the_value(tmp_path: Path, written: str, told: str) -> None:
    said = refused(tmp_path, HALVES.replace("{resize: 1/S}", f"{{resize: {written}}}"))
    assert told in said and "net.yaml:6:" in said, said


def test_a_ratio_of_any_size_is_the_same_at_every_size_and_a_size_of_any_size_is_not(tmp_path: Path) -> None:
    any_size = HALVES.replace("size: 33", "size: any").partition("claims:")[0]
    found, _, _ = compiled(tmp_path, any_size.replace("  - back:  {resize: {size: [33, 65]}, from: half}\n", "")
                           .replace(", back: back", ""))  # fmt: skip
    assert found.facts["near"].stride == (Fraction(3, 2),) * 2
    shape = found.facts["near"].shape
    assert [size.at(32) for size in shape.size if not isinstance(size, int)] == [21, 21]
    assert [[axis.legal.legal(size) for size in (3, 4)] for axis in found.sizes if axis is not None] == [
        [False, True]
    ] * 2


def test_the_nearest_pixel_of_an_exact_centre_is_the_one_that_the_centre_lies_in() -> None:
    for mode, want in (("nearest", [0, 2, 4]), ("nearest_exact", [1, 3, 5])):
        op = Resize(factor=(Fraction(1, 2),), mode=mode)
        assert op.result([Shape(1, (7,))]) == Shape(1, (3,))
        window = op.window_on(0, [7], 0)
        assert window is not None
        assert [window.stride * p - window.offset for p in range(3)] == want


def _nearer(place: Fraction) -> list[int]:
    """The pixels of a cubic's weights that are not zero: nearer than two, and none a whole pixel away."""
    return [i for i in range(-9, 40) if abs(i - place) < 2 and abs(i - place) != 1]


def test_a_cubic_sees_four_pixels_or_the_one_that_it_lies_on() -> None:
    for ratio in (Fraction(2), Fraction(3), Fraction(1, 2), Fraction(2, 3), Fraction(5, 2), Fraction(1)):
        op = Resize(factor=(ratio,), mode="cubic")
        for p in range(8):
            place = (p + Fraction(1, 2)) / ratio - Fraction(1, 2)
            around = op.window_on(0, [9], 0)
            assert around is not None
            assert sorted({i for chain in op.chains(0, [9], 0) for i in reads(chain, p)}) == _nearer(place)
            assert reads((around,), p) == [i for i in range(-9, 40) if abs(i - place) < 2]
    for have, want in ((5, 9), (9, 5), (4, 7), (5, 5), (5, 1), (1, 5), (2, 3)):
        op = Resize(size=(want,), mode="cubic", align_corners=True)
        for p in range(want):
            place = Fraction(p * (have - 1), max(want - 1, 1))
            assert sorted({i for chain in op.chains(0, [have], 0) for i in reads(chain, p)}) == _nearer(place)


def test_a_cubic_of_one_pixel_sees_that_pixel() -> None:
    op = Resize(size=(6,), mode="cubic")
    assert all(reads(chain, p) == [0] for chain in op.chains(0, [1], 0) for p in range(6))
