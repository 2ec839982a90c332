"""Pooling in bins: claims, refusals at the attribute, code, and what each bin sees."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from segcompile.facts.receptive_field import indices_read
from segcompile.language.write import write_spec
from segcompile.ops import AdaptivePool, Window
from tests.test_channels import compiled, refused

PYRAMID = """\
segcompile: 1
model: net
input: {channels: 4, size: [24, 31]}
defaults: {pool: {kernel: 2, round: ceil}}
layers:
  - half: {pool: avg}
  - bins: {pool: avg, bins: 3}
  - most: {pool: max, bins: [1, 20], from: half}
  - wide: {resize: half, from: bins}
outputs: {bins: bins, most: most, wide: wide}
claims:
  bins: {size: 3, receptive_field: [8, 12], stride: [8, 32/3]}
  most: {size: [1, 20], receptive_field: [24, 4]}
  wide: {size: [12, 16], stride: 2}
"""


def test_bins_have_sizes_and_fields_of_their_own(nets: SimpleNamespace, tmp_path: Path) -> None:
    found, *sources = compiled(tmp_path, PYRAMID)
    torch, jax = map(nets.unbroken, sources)
    for code in ("F.adaptive_avg_pool2d(half, 3)", "F.adaptive_max_pool2d(half, (1, 20))"):
        assert code in torch, torch
    for code in ("adaptive_avg_pool(half, (3, 3))", "adaptive_max_pool(half, (1, 20))"):
        assert code in jax, jax
    flat = write_spec(found.graph)
    assert "{pool: avg, bins: 3}" in flat and "{pool: max, bins: [1, 20], from: half}" in flat, flat


def test_a_bin_reads_from_its_first_pixel_rounded_down_to_its_last_rounded_up() -> None:
    for size in range(1, 24):
        for bins in range(1, 26):
            window = AdaptivePool(kind="avg", bins=(bins,)).window_on(0, [size], 0)
            for p in range(bins):
                assert indices_read(window, p) == range(p * size // bins, -(-(p + 1) * size // bins))


def test_one_pixel_that_is_spread_sees_what_that_pixel_sees(tmp_path: Path) -> None:
    spec = PYRAMID.replace("bins: 3", "bins: 1").partition("claims:")[0]
    found, _, _ = compiled(tmp_path, spec)
    assert [field.size for field in found.facts["wide"].fields] == [24, 32]
    assert AdaptivePool(kind="avg", bins=(1,)).window_on(0, [5], 0) == Window(5, 5)


@pytest.mark.parametrize(
    ("written", "told", "help"),
    [
        ("bins: 0", "error[SC105 out-of-range]: a positive integer", ""),
        ("bins: 3, kernel: 2", "error[SC011 misplaced-key]: `kernel` stands beside `bins`", "has no `kernel`"),
        ("bins: [2, 3, 4]", "error[SC004 wrong-type]", ""),
        ("bin: 3", "error[SC003 unknown-key]: pool has no attribute `bin`", "bins"),
    ],
)
def test_what_is_no_number_of_bins_is_refused_at_the_attribute(
    tmp_path: Path, written: str, told: str, help: str
) -> None:
    said = refused(tmp_path, PYRAMID.replace("bins: 3", written))
    assert told in said and help in said and "net.yaml:7:" in said, said


def test_a_pool_over_the_whole_image_has_no_bins(tmp_path: Path) -> None:
    said = refused(tmp_path, PYRAMID.replace("{pool: avg, bins: 3}", "{pool: global_avg, bins: 3}"))
    assert "pool has no attribute `bins`" in said, said
