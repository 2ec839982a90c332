"""Loops in a `transform`, in its lists of names, in `outputs` and in `claims`."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from segcompile.compiler import Compiled, compile_spec
from segcompile.ops import DropPath, LeakyRelu
from segcompile.text.errors import Findings, SegcompileError

from .conftest import Workbench

BASE = """
segcompile: 1
model: base
params: {N: 3, K: 2}
input: {channels: 3, size: 64}
defaults: {conv: {kernel: 3, pad: same}}
layers:
  - for: {i: 1..N}
    layers: ["c{i}": {conv: 4i, act: relu}, "p{i}": {pool: max, kernel: 2}]
"""


def derived(bench: Workbench, own: str, base: str = BASE) -> str:
    bench.write(base, "base.yaml")
    return f"segcompile: 1\nmodel: net\nbase: base.yaml\n{dedent(own)}"


def attributes(compiled: Compiled, name: str) -> list[Any]:
    return [getattr(compiled.graph.layers[f"c{i}"][0].op, name) for i in (1, 2, 3)]


# --- edits


def test_an_edit_in_a_loop_is_made_once_a_turn_with_the_loops_variables(bench: Workbench) -> None:
    own = """
    transform:
      - for: {i: 1..N, a: [silu, gelu, silu], d: [1, 2, 4]}
        edits: [set: {"c{i}": {dilation: d, act: a, conv: K*i}}]
    """
    found = bench.compile(derived(bench, own))
    assert attributes(found, "dilation") == [(1, 1), (2, 2), (4, 4)]
    assert attributes(found, "channels") == [2, 4, 6]
    assert [found.graph.layers[f"c{i}"][1].op.kind for i in (1, 2, 3)] == ["silu", "gelu", "silu"]  # type: ignore[attr-defined]


def test_loops_of_edits_nest_and_stand_in_the_order_of_the_list(bench: Workbench) -> None:
    own = """
    transform:
      - for: {i: [3, 1]}
        edits:
          - for: {j: 1..i-1}
            edits: [insert: {after: "c{i}", layers: ["x{i}_{j}": {conv: channels, kernel: 1}]}]
          - remove: "p{i}"
      - append: [{for: {i: 1..2}, layers: ["end{i}": {conv: K, kernel: i}]}]
    """
    assert [*bench.compile(derived(bench, own)).graph.layers] == [
        "c1",
        "c2",
        "p2",
        "c3",
        "x3_2",
        "x3_1",
        "end1",
        "end2",
    ]


def test_a_loop_without_a_turn_edits_nothing(bench: Workbench) -> None:
    own = 'transform: [{for: {i: 1..0}, edits: [remove: nothing]}, {remove: [{for: {i: []}, name: "p{i}"}]}]'
    assert len(bench.compile(derived(bench, own)).graph.layers) == 6


@pytest.mark.parametrize(
    ("edit", "layers"),
    [
        ('remove: [p1, {for: {i: 2..N}, name: "c{i}"}]', ["c1", "p2", "p3"]),
        ('remove_stride: [{for: {i: 2..N}, name: "p{i}"}]', ["c1", "p1", "c2", "c3"]),
        ('atrous: {for: {i: 2..N}, name: "p{i}"}', ["c1", "p1", "c2", "p2", "c3", "p3"]),
    ],
)
def test_a_list_of_names_may_have_loops(bench: Workbench, edit: str, layers: list[str]) -> None:
    assert [*bench.compile(derived(bench, f"transform: [{edit}]")).graph.layers] == layers


def test_what_changes_nothing_is_told_where_it_changes_nothing_in_any_turn(bench: Workbench) -> None:
    for value, told in (("i", 0), ("1", 1)):
        own = f'transform: [{{for: {{i: 1..3}}, edits: [set: {{"c{{i}}": {{dilation: {value}}}}}, set: {{c1: {{}}}}]}}]'
        found = [each.message for each in bench.findings(derived(bench, own)) if each.code.code == "SC506"]
        assert len(found) == 1 + told, found


def test_all_mistakes_of_a_loop_are_told_and_each_once(bench: Workbench) -> None:
    own = """
    transform:
      - for: {i: 1..3}
        edits: [remove: "d{i}", set: {"c{i}": {dilation: 0}}, append: ["x{i}": {conv: k, kernel: 1}]]
    """
    assert bench.errors(derived(bench, own)) == [
        "SC502 no layer matches `d1`",
        "SC105 a positive integer, `3x3` or [height, width] is due here, not 0",
        "SC101 `k` is not a parameter here",
    ]


# --- outputs


def test_outputs_are_a_mapping_or_a_list_of_mappings_and_loops(bench: Workbench) -> None:
    own = """
    outputs:
      - {main: p3, first: c1}
      - for: {i: 1..2, word: [low, high]}
        outputs:
          - {"side{i}": "p{i}"}
          - {for: {j: [i]}, outputs: {"{word}{j}": "c{j}"}}
    """
    outputs = {"main": "p3", "first": "c1:act", "side1": "p1", "low1": "c1:act", "side2": "p2", "high2": "c2:act"}
    assert bench.compile(derived(bench, own)).graph.outputs == outputs
    assert bench.compile(derived(bench, "", BASE + dedent(own))).graph.outputs == outputs
    empty = "outputs: [{for: {i: 1..0}, outputs: {a: b}}]"
    assert bench.compile(derived(bench, empty)).graph.outputs == {"output": "p3"}


def test_an_output_of_a_loop_that_is_the_input_is_shown_at_its_layer(bench: Workbench) -> None:
    own = 'outputs: [{a: c1}, {for: {w: [c2, input]}, outputs: {"x_{w}": w}}]'
    assert bench.errors(derived(bench, own)) == ["SC203 output `x_input` is an input, not a layer"]


# --- claims


def claims(bench: Workbench, own: str, base: str = BASE, **options: Any) -> dict[str, tuple[object, ...]]:
    """What is claimed, all of it true."""
    found = bench.compile(derived(bench, own, base), **options).verdicts
    return {f"{each.layer} {each.what}": tuple(dict.fromkeys(each.claimed)) for each in found}


LISTED = """
claims:
  - {c1: {channels: 4}, parameters: 112 + 8*37 + 12*73}
  - for: {i: 1..N}
    claims:
      - "c{i}": {stride: 2**(i-1)}
      - {for: {s: [32, 64]}, claims: {"p{i}": {size: {s: s//2**i}}}}
  - {c1: {kernel: 3}}
"""
HELD = {
    **{"c1 channels": (4,), "c1 kernel": (3,), "None parameters": (1284,)},
    **{"c1 stride": (1,), "c2 stride": (2,), "c3 stride": (4,)},
    **{"p1 size at 32": (16,), "p1 size at 64": (32,), "p2 size at 32": (8,), "p2 size at 64": (16,)},
    **{"p3 size at 32": (4,), "p3 size at 64": (8,)},
}


def test_claims_of_a_list_are_those_of_all_its_mappings_and_turns(bench: Workbench) -> None:
    assert claims(bench, "", BASE + LISTED) == claims(bench, LISTED) == HELD


@pytest.mark.parametrize(
    ("own", "change"),
    [
        ("claims: {c1: {channels: 8//2}, c2: {channels: 8}}", {"c2 channels": (8,)}),
        ('claims: [{for: {i: 1..2}, claims: {"c{i}": {channels: 4i}}}]', {"c2 channels": (8,)}),
        ('claims: {c1: none, p2: {size: {32: none}}}', {"c1": None, "p2 size at 32": None}),
        ('claims: [{for: {i: [1, 2]}, claims: {"c{i}": {stride: none}}}, {p3: none}]',
         {"c1 stride": None, "c2 stride": None, "p3": None}),
        ("claims: [{c1: none}, {c1: {stride: 1}}]", {"c1 channels": None, "c1 kernel": None}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("listed", [True, False], ids=["on a list", "on a mapping"])
def test_a_derived_spec_adds_to_and_drops_from_claims_in_either_form(
    bench: Workbench, own: str, change: dict[str, Any], listed: bool
) -> None:
    mapping = "claims: {c1: {channels: 4, kernel: 3, stride: 1}, c2: {stride: 2}, c3: {stride: 4}, parameters: 1284, "
    mapping += ", ".join(f"p{i}: {{size: {{32: {32 // 2**i}, 64: {64 // 2**i}}}}}" for i in (1, 2, 3)) + "}\n"
    gone = [name for name, value in change.items() if value is None]
    expected = {name: value for name, value in HELD.items() if not any(name.startswith(each) for each in gone)}
    expected |= {name: value for name, value in change.items() if value is not None}
    assert claims(bench, own, BASE + (LISTED if listed else mapping)) == expected


def test_a_loop_over_a_parameter_follows_it(bench: Workbench) -> None:
    own = 'claims: [{for: {i: 1..N}, claims: {"p{i}": {stride: 2**i}}}]'
    assert len(claims(bench, own, overrides={"N": 5})) == 5


def test_a_parameter_that_claims_alone_mention_is_used(bench: Workbench) -> None:
    assert (
        bench.findings(derived(bench, "claims: {c2: {stride: 2}}", f"{BASE}claims: [{{c1: {{channels: 2*K}}}}]")) == []
    )


def test_a_loop_passes_numbers_whole_and_a_number_may_be_a_ratio(tmp_path: Path) -> None:
    text = """\
segcompile: 1
model: net
input: {channels: 2, size: 8}
layers:
  - for: {i: 1..3, rate: [0, 0.125, 0.5]}
    layers: ["c{i}": {conv: 2, kernel: 1, act: {leaky_relu: (i-1)/16}, drop: {path: rate}}]
"""
    spec = tmp_path / "net.yaml"
    spec.write_text(text)
    nodes = compile_spec(spec, Findings()).graph.nodes
    assert [node.op.rate for node in nodes if isinstance(node.op, DropPath)] == [0, 0.125, 0.5]
    assert [node.op.slope for node in nodes if isinstance(node.op, LeakyRelu)] == [0, 1 / 16, 1 / 8]
    spec.write_text(text.replace("drop: {path: rate}", "groups: rate"))
    with pytest.raises(SegcompileError, match=r"a positive integer is due here, not `0\.125`"):
        compile_spec(spec, Findings())
