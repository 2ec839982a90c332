"""Sizes are written so that they read as sizes: a sum that is a factor stands in brackets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segcompile.compiler import compile_spec
from segcompile.facts.pairs import show
from segcompile.ops import AnySize, Shape
from segcompile.show.architecture import rf_table
from segcompile.text.errors import Findings
from segcompile.text.report import render_text

H, W = AnySize("H"), AnySize("W")
BARE_SUM = re.compile(r"(?<!\()[+-]\d+ ?x| x [^ (]*[+-]\d")  # beside an `x`, and in no brackets

BASES = {
    "unet": "claims: {logits: {size: 388}}",
    "dilated_frontend": "",
    "fcn8s": "claims: {upscore8: {size: 568}}",
    "blue_marble": "",
}


@pytest.mark.parametrize(
    ("shape", "written"),
    [
        (Shape(3, (64, 65)), "3 x 64 x 65"),
        (Shape(3, (H, W)), "3 x H x W"),
        (Shape(3, (H - 4, W // 2)), "3 x (H-4) x ⌊W/2⌋"),
        (
            Shape(64, ((H + 4) // 16 * 16 - 188, (W + 4) // 16 * 16 - 188)),
            "64 x (16⌊(H+4)/16⌋-188) x (16⌊(W+4)/16⌋-188)",
        ),
        (Shape(2, (H * 2, (W + 1) // 2)), "2 x 2H x ⌊(W+1)/2⌋"),
        (Shape(2, (H - 1, 7)), "2 x (H-1) x 7"),
        (Shape(1000), "1000"),
    ],
)
def test_a_shape_reads_as_channels_height_and_width(shape: Shape, written: str) -> None:
    assert str(shape) == written


def test_a_pair_of_sizes_reads_as_height_and_width() -> None:
    assert (show((67, 67)), show((67, 65)), show((H - 4, W - 4))) == ("67", "67x65", "(H-4) x (W-4)")
    assert show((H - 4, 7)) == "(H-4) x 7"


@pytest.mark.parametrize("base", BASES)
def test_no_sum_stands_bare_in_a_product(base: str, tmp_path: Path) -> None:
    """In the table and in what is found, of networks on images of any size."""
    spec, findings = tmp_path / "net.yaml", Findings()
    spec.write_text(f"segcompile: 1\nmodel: net\nbase: {base}.yaml\ninput: {{size: any}}\n{BASES[base]}\n")
    told = rf_table(compile_spec(spec, findings)) + render_text(findings.diagnostics)
    assert "(H" in told or "⌊" in told
    assert BARE_SUM.findall(told) == []
