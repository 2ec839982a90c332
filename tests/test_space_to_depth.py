"""The op that CONTRIBUTING.md shows: its numbers as claims, its refusals at the right place, its code."""

from __future__ import annotations

from pathlib import Path

import pytest

from segcompile.backend import load_backend, run_backend
from segcompile.build import request_for
from segcompile.compiler import compile_spec
from segcompile.text.errors import Findings, SegcompileError

SPEC = """
segcompile: 1
model: net
input: {channels: 3, size: 16}
layers:
  - score:  {conv: 8, kernel: 3, pad: same}
  - coarse: {space_to_depth: 2}
claims: {coarse: {channels: 32, size: 8, stride: 2, receptive_field: 4}}
"""


def test_a_patch_of_two_by_two_pixels_becomes_four_times_the_channels(tmp_path: Path) -> None:
    spec, findings = tmp_path / "net.yaml", Findings()
    spec.write_text(SPEC)
    compiled = compile_spec(spec, findings)
    assert findings.diagnostics == []  # every claim holds
    for backend, code in (("torch", "F.pixel_unshuffle(x, 2)"), ("jax", "space_to_depth(x, 2)")):
        assert code in run_backend(load_backend(backend), request_for(compiled, spec)).files["model.py"]


def test_fifteen_pixels_are_refused_at_the_factor(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(SPEC.replace("size: 16", "size: 15"))
    with pytest.raises(SegcompileError) as caught:
        compile_spec(spec, Findings(), name="net.yaml")
    assert [str(found.span) for found in caught.value.diagnostics] == ["net.yaml:7:30"]


def test_an_image_of_any_size_has_an_even_one(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(SPEC.replace("size: 16", "size: any").replace("size: 8, ", ""))
    legal = [axis.legal for axis in compile_spec(spec, Findings()).sizes if axis is not None]
    assert [[sizes.legal(size) for size in (7, 8)] for sizes in legal] == [[False, True], [False, True]]
