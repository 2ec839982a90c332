"""Which claims a derived spec inherits: those that speak of its network, unless it says or drops them itself."""

from __future__ import annotations

from typing import Any

import pytest

BASE = """
segcompile: 1
model: base
params: {S: 64, N: 10}
input: {channels: 3, size: S}
layers:
  - a:    {conv: 8, kernel: 3, stride: 2, pad: 1}
  - up:   {deconv: 4, kernel: 3, stride: 2}
  - c:    {crop: input}
  - fc:   {linear: N}
claims:
  a:      {receptive_field: 3, stride: 2, size: {64: 32, 33: 17}, channels: 8, macs: 221184, parameters: 224}
  up:     {size: 65, kernel: 3}
  c:      {size: input, offset: 1}
  fc:     {parameters: 4*64*64*10 + 10, macs: 4*64*64*10}
  output: {channels: N}
  parameters: 224 + 292 + 4*64*64*10 + 10
  weights: 216 + 288 + 4*64*64*10
  macs: 221184 + 294912 + 4*64*64*10
  count: {conv: 1, linear: 1}
"""
POOLED = BASE.replace("  - fc: ", "  - g: {pool: global_avg}\n  - fc: ").replace("4*64*64*10", "4*10")


def held(bench: Any, own: str, base: str = BASE, **options: Any) -> set[str]:
    """What is claimed in the end, all of it true: `a stride`, `macs`."""
    bench.write(base, "base.yaml")
    compiled = bench.compile(f"segcompile: 1\nmodel: net\nbase: base.yaml\n{own}", **options)
    return {f"{found.layer} {found.what}" if found.layer else found.what for found in compiled.verdicts}


ALL = {
    *("a receptive_field", "a stride", "a size at 64", "a size at 33", "a channels", "a macs", "a parameters"),
    *("up size", "up kernel", "c size", "c offset", "fc parameters", "fc macs", "output channels"),
    *("parameters", "weights", "macs", "count of conv", "count of linear"),
}
OF_A_SIZE = {"a macs", "up size", "c size", "c offset", "fc macs", "macs"}
OF_MATRICES = {"fc parameters", "parameters", "weights"}


def test_all_claims_are_inherited_at_the_size_of_the_base(bench: Any) -> None:
    assert held(bench, "") == ALL
    assert held(bench, "input: {size: 64x64}") == ALL
    assert held(bench, "", POOLED) == ALL


@pytest.mark.parametrize(
    ("own", "options"),
    [
        ("input: {size: 96}", {}),
        ("input: {size: [64, 80]}", {}),
        ("params: {S: 32}", {}),
        ("", {"overrides": {"S": 96}}),
    ],
    ids=["size", "one axis", "parameter", "option"],
)
def test_at_another_size_of_the_input_the_numbers_of_its_size_are_not_inherited(
    bench: Any, own: str, options: dict[str, Any]
) -> None:
    assert held(bench, own, **options) == ALL - OF_A_SIZE - OF_MATRICES
    assert held(bench, own, POOLED, **options) == ALL - OF_A_SIZE  # its linear reads one pixel


def test_a_size_that_changes_on_the_way_counts_and_one_that_comes_back_too(bench: Any) -> None:
    bench.write("segcompile: 1\nmodel: m\nbase: base.yaml\ninput: {size: 96}\nclaims: {up: {size: 97}}", "middle.yaml")
    bench.write(BASE, "base.yaml")
    derived = "segcompile: 1\nmodel: net\nbase: middle.yaml\n"
    found = {(each.layer, each.what) for each in bench.compile(derived).verdicts}
    assert ("up", "size") in found and ("c", "offset") not in found and (None, "parameters") not in found
    found = {(each.layer, each.what) for each in bench.compile(f"{derived}input: {{size: 64}}").verdicts}
    assert ("up", "size") not in found and ("c", "offset") not in found and (None, "parameters") in found


def test_a_transform_leaves_all_claims_behind(bench: Any) -> None:
    assert held(bench, "transform: [append: [relu: {act: relu}]]\nclaims: {fc: {macs: 163840}}") == {"fc macs"}


def test_what_a_spec_claims_itself_takes_the_place_of_what_it_inherits(bench: Any) -> None:
    own = "input: {size: 96}\nclaims: {a: {size: 48}, fc: {channels: N}, count: {crop: 1}, macs: 1529856}"
    assert held(bench, own) == ALL - OF_A_SIZE - OF_MATRICES - {"a size at 64", "a size at 33", "output channels"} | {
        *("a size", "fc channels", "count of crop", "macs"),
    }


TABLE = """
segcompile: 1
model: base
input: {channels: 3, size: 64}
table:
  channels:        [ 8,  5]
  kernel:          [ 3,  3]
  receptive field: [ 3,  5]
  size:            [62, 60]
  macs:            [830304, 1296000]
claims: {layer1: {channels: 8}}
"""


def test_the_cells_of_a_table_are_inherited_dropped_and_said_anew_like_claims(bench: Any) -> None:
    every = {f"layer{n} {what}" for n in (1, 2) for what in ("receptive_field", "size", "macs")} | {"layer1 channels"}
    assert held(bench, "", TABLE) == every
    assert held(bench, "input: {size: 32}", TABLE) == {each for each in every if not each.endswith(("size", "macs"))}
    assert held(bench, "claims: {layer1: none}", TABLE) == {each for each in every if "layer1" not in each}
    own = "defaults: {conv: {stride: 2}}\nclaims: {layer2: {receptive_field: 7, size: 15, macs: 81000}, layer1: none}"
    assert held(bench, own, TABLE) == {"layer2 receptive_field", "layer2 size", "layer2 macs"}


@pytest.mark.parametrize(
    ("none", "gone"),
    [
        ("a: none", {each for each in ALL if each.startswith("a ")}),
        ("a: {size: none}", {"a size at 64", "a size at 33"}),
        ("a: {size: {33: none}}", {"a size at 33"}),
        ("fc: none", {"fc parameters", "fc macs", "output channels"}),
        ("output: none", {"fc parameters", "fc macs", "output channels"}),
        ("parameters: none, macs: none", {"parameters", "macs"}),
        ("count: none", {"count of conv", "count of linear"}),
        ("count: {conv: none}", {"count of conv"}),
        (
            "a: none, up: {kernel: none}, c: {offset: none, size: 64}",
            {"up kernel", "c offset"} | {e for e in ALL if e[:2] == "a "},
        ),
    ],
)
def test_none_drops_what_is_inherited(bench: Any, none: str, gone: set[str]) -> None:
    assert held(bench, f"claims: {{{none}}}") == ALL - gone


def errors(bench: Any, own: str) -> list[str]:
    bench.write(BASE, "base.yaml")
    return bench.errors(f"segcompile: 1\nmodel: net\nbase: base.yaml\n{own}")  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("claims: {c: {kernel: none}}", ["SC502 this drops nothing: no `kernel` of `c` is inherited"]),
        ("claims: {a: {sise: none}}", ["SC003 a layer has no `sise` to claim"]),
        ("claims: {b: none}", ["SC102 there is no layer `b` to claim this of"]),
        ("claims: {count: {crop: none}}", ["SC502 this drops nothing: no `count` of the network is inherited"]),
        ("input: {size: 96}\nclaims: {up: {size: none}}", ["SC502 this drops nothing: no `size` of `up` is inherited"]),
        ("transform: [remove: [fc]]\nclaims: {a: none}", ["SC502 this drops nothing: no claim of `a` is inherited"]),
        ('claims: {parameters: "none"}', ["SC004 an integer is due here, not the word `none`"]),
    ],
)
def test_a_none_that_drops_nothing_is_an_error(bench: Any, own: str, told: list[str]) -> None:
    assert errors(bench, own) == told
