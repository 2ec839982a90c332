"""Signals and volumes in a spec: what is said once holds along every axis; a list has an entry an axis."""

from __future__ import annotations

import pytest

from segcompile.facts.facts import shapes_in
from segcompile.language.write import write_spec
from segcompile.ops import AnySize

from .conftest import Workbench

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 4, size: SIZE}\n"


def spec(size: str, *layers: str, more: str = "") -> str:
    return HEAD.replace("SIZE", size) + more + "layers:\n" + "".join(f"  - {layer}\n" for layer in layers)


@pytest.mark.parametrize(
    ("size", "read"),
    {
        "[16000]": (16000,), "[any]": ("L",), "512": (512, 512), "any": ("H", "W"), "[any, 64]": ("H", 64),
        "64x32x16": (64, 32, 16), "[64, 32, 16]": (64, 32, 16), "[any, any, any]": ("D", "H", "W"),
    }.items(),
)  # fmt: skip
def test_the_size_says_how_many_axes_there_are(bench: Workbench, size: str, read: tuple[int | str, ...]) -> None:
    (shape,) = bench.compile(spec(size, "c: {conv: 4, kernel: 1}")).graph.inputs.values()
    assert tuple(each.symbol if isinstance(each, AnySize) else each for each in shape.size) == read


@pytest.mark.parametrize(
    ("size", "layer", "said"),
    [
        ("[40]", "{conv: 4, kernel: 3, stride: 2, pad: 1}", {"kernel": (3,), "stride": (2,), "pad": ((1, 1),)}),
        ("[40]", "{conv: 4, kernel: [3], pad: [[2, 0]]}", {"kernel": (3,), "pad": ((2, 0),)}),
        ("[9, 9, 9]", "{conv: 4, kernel: 3, pad: same}", {"kernel": (3, 3, 3), "pad": ((1, 1),) * 3}),
        ("[9, 9, 9]", "{conv: 4, kernel: 1x3x5, pad: [0, 1, 2]}", {"pad": ((0, 0), (1, 1), (2, 2))}),
        ("[9, 9, 9]", "{deconv: 4, stride: [1, 2, 3], kernel: 2*stride}", {"kernel": (2, 4, 6)}),
        ("[9, 9, 9]", "{deconv: 4, stride: [1, 2, 3], kernel: [stride, 2*stride, stride]}", {"kernel": (1, 4, 3)}),
        ("9", "{conv: 4, kernel: 3, pad: [[1, 2], [0, 1]]}", {"pad": ((1, 2), (0, 1))}),
        ("[9, 9, 9]", "{pool: max, kernel: 2}", {"kernel": (2, 2, 2), "stride": None}),
        ("[9, 9, 9]", "{resize: [2, 1, 1]}", {"factor": (2, 1, 1)}),
        ("[9]", "{pad: [[3, 1]], mode: edge}", {"amount": ((3, 1),)}),
    ],
)  # fmt: skip
def test_an_attribute_has_an_entry_an_axis(bench: Workbench, size: str, layer: str, said: dict[str, object]) -> None:
    (node,) = bench.compile(spec(size, f"a: {layer}")).graph.nodes
    assert {name: getattr(node.op, name) for name in said} == said


@pytest.mark.parametrize(
    ("size", "layer", "told"),
    [
        ("[40]", "conv: 4, kernel: [3, 3]",
         "a positive integer or [length] is due here, not a list of 2"),
        ("[9, 9, 9]", "conv: 4, kernel: 3x3",
         "a positive integer, `3x3x3` or [depth, height, width] is due here, not `3x3`"),
        ("[9, 9, 9]", "conv: 4, kernel: 3, pad: [1, 1, 1, 1]",
         "`same`, `causal`, a non-negative integer, [depth, height, width] or [[before, after], ...] is due here, "
         "not a list of 4"),
        ("[40]", "conv: 4, kernel: 3, pad: [1, 2]",
         "`same`, `causal`, a non-negative integer, [length] or [[before, after], ...] is due here, not a list of 2"),
        ("9", "conv: 4, kernel: [3, 3, 3]",
         "a positive integer, `3x3` or [height, width] is due here, not a list of 3"),
        ("9", "conv: 4, kernel: 3, pad: [[1, 1]]",
         "`same`, `causal`, a non-negative integer, [height, width] or [top, bottom, left, right] is due here, "
         "not a list of 1"),
    ],
)  # fmt: skip
def test_another_number_of_entries_is_told(bench: Workbench, size: str, layer: str, told: str) -> None:
    assert bench.errors(spec(size, f"a: {{{layer}}}")) == [f"SC004 {told}"]


def test_inputs_of_unequal_numbers_of_axes_are_told(bench: Workbench) -> None:
    text = spec("8", "a: {conv: 4, kernel: 1}").replace(
        "{channels: 4, size: 8}", "{x: {channels: 4, size: 8}, y: {channels: 4, size: [8]}}"
    )
    (found,) = bench.findings(text)
    assert (found.message, found.help) == (
        "a size of 2 axes is due here, as the input above has, and not of 1",
        "one number an axis: `[height, width]`",
    )


def test_claims_are_read_along_every_axis(bench: Workbench) -> None:
    claims = "claims: {a: {receptive_field: 1x3x5, stride: [1, 2, 1], size: {20: 20x10x20}, kernel: [1, 3, 5]}}\n"
    text = spec("[8, 8, 8]", "a: {conv: 4, kernel: 1x3x5, stride: [1, 2, 1], pad: same}", more=claims)
    assert [verdict.ok for verdict in bench.compile(text).verdicts] == [True] * 4


@pytest.mark.parametrize("size", ["[40]", "[any]", "[12, 16, 20]", "[any, any, any]"])
def test_a_written_network_is_read_as_itself(bench: Workbench, size: str) -> None:
    layers = ["a: {conv: 8, kernel: 3, pad: same, dilation: 2}", "p: {pool: max, kernel: 2}",
              "u: {deconv: 8, kernel: 2, stride: 2}", "n: {conv: 8, kernel: 1, norm: instance}"]  # fmt: skip
    graph = bench.compile(spec(size, *layers)).graph
    again = bench.compile(write_spec(graph))
    assert [node.op for node in again.graph.nodes] == [node.op for node in graph.nodes]
    assert again.graph.inputs == graph.inputs and shapes_in(again.graph, again.facts)


def test_edits_work_along_every_axis(bench: Workbench) -> None:
    layers = ["p: {pool: max, kernel: [1, 2, 2]}", "c: {conv: 4, kernel: 3, pad: 1}", "f: {linear: 5}"]
    bench.write(spec("[8, 12, 16]", *layers), "base.yaml")
    edits = "[convolutionalize: [f], atrous: [p], set: {c: {kernel: [1, 3, 3], pad: same}}]"
    ops = [
        node.op
        for node in bench.compile(f"segcompile: 1\nmodel: net\nbase: base.yaml\ntransform: {edits}\n").graph.nodes
    ]
    assert [(op.kernel, op.stride, op.dilation) for op in ops] == [
        ((1, 2, 2), (1, 1, 1), (1, 1, 1)), ((1, 3, 3), (1, 1, 1), (1, 2, 2)), ((8, 6, 8), (1, 1, 1), (1, 2, 2)),
    ]  # fmt: skip


def test_a_derived_spec_has_as_many_axes_as_its_base(bench: Workbench) -> None:
    bench.write(spec("16", "c: {conv: 4, kernel: 3}"), "base.yaml")
    text = "segcompile: 1\nmodel: net\nbase: base.yaml\ninput: {size: [16, 16, 16]}\n"
    assert bench.errors(text) == ["SC004 a size of 2 axes is due here, as its base has, and not of 3"]


def test_a_used_spec_has_as_many_axes_as_the_one_that_uses_it(bench: Workbench) -> None:
    bench.write(spec("16", "c: {conv: 4, kernel: 3}"), "other.yaml")
    text = spec("[16, 16, 16]", "a: {use: other.yaml}")
    assert bench.errors(text) == ["SC204 `other.yaml` is for maps of 2 axes, and those here have 3"]
