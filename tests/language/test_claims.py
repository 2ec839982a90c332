"""Claims leave the language as numbers: evaluated, exact, one for each axis, true or not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from segcompile.compiler import compile_spec
from segcompile.network.claims import Claim
from segcompile.text.errors import Findings

TEXT = """
params: {{N: 3}}
layers:
  - a: {{conv: 4, kernel: 3, stride: 2x1, pad: 1, act: relu}}
  - p: {{pool: max, kernel: 2}}
claims: {claims}
"""


def read(folder: Path, claims: str) -> tuple[Claim, ...]:
    """The claims of a spec, whether or not they hold."""
    path = folder / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 3, size: 64}}{TEXT.format(claims=claims)}")
    return compile_spec(path, Findings()).spec.claims


@pytest.mark.parametrize(
    ("claim", "kind", "number"),
    [
        ("a: {stride: 2x1}", "stride", (2, 1)),
        ("a: {margin: [0.5, 1]}", "margin", (Fraction(1, 2), 1)),
        ("a: {kernel: N}", "kernel", (3, 3)),
        ("a: {receptive_field: 3}", "receptive_field", (3, 3)),
        ("a: {dilation: stride//2 + 1}", "dilation", (2, 1)),
        ("p: {kernel: stride}", "kernel", (2, 2)),  # of a pool that is its kernel
        ("p: {margin: stride/3}", "margin", (Fraction(2, 3), Fraction(2, 3))),
        ("a: {channels: N + 1}", "channels", (4, 4)),
        ("parameters: 112", "parameters", (112, 112)),
        ("count: {conv+pool: 2}", "count", (2, 2)),
    ],
)
def test_a_claim_is_a_number_for_each_axis(tmp_path: Path, claim: str, kind: str, number: tuple[Any, Any]) -> None:
    (found,) = read(tmp_path, f"{{{claim}}}")
    assert (found.kind, found.number) == (kind, number)


def test_a_claim_knows_its_node_and_where_it_is_written(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "{a: {channels: N + 1}}")
    assert (found.layer, found.result, found.word.text, found.span.text) == ("a", "a:act", "channels", "N + 1")


def test_a_size_may_be_that_of_an_input_or_one_for_each_size_of_it(tmp_path: Path) -> None:
    of_input, small, large = read(tmp_path, "{a: {size: input}, p: {size: {64: 16, 128x96: 32x48}}}")
    assert (of_input.input, of_input.number) == ("input", (64, 64))
    assert [(each.elsewhere, each.number, each.what) for each in (small, large)] == [
        ((64, 64), (16, 16), "size at 64"),
        ((128, 96), (32, 48), "size at 128x96"),
    ]


def test_a_count_knows_its_ops(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "{count: {conv + pool: 2}}")
    assert (found.ops, found.what, found.layer) == (("conv", "pool"), "count of conv + pool", None)


def test_all_claims_that_cannot_be_read_are_told_with_what_is_wrong_elsewhere(bench: Any) -> None:
    text = TEXT.format(claims="{a: {size: 1.5, kernal: 3}, count: {convs: 1}, p: {channels: M}}")
    assert bench.errors(f"{text}training: {{lr: 0}}") == [
        "SC004 an integer, `3x3` or [height, width] is due here, not `1.5`",
        "SC003 a layer has no `kernal` to claim",
        "SC109 there is no op `convs` to count",
        "SC101 `M` is not a parameter here",
        "SC105 a learning rate is positive, not `0`",
    ]
