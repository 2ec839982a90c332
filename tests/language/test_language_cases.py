"""The small specs of shared/cases/language that came out wrong, and their neighbours."""

from __future__ import annotations

from pathlib import Path

import pytest

from segcompile.compiler import Compiled, compile_spec
from segcompile.text.errors import Findings

from .conftest import Workbench

CASES = Path(__file__).parents[1] / "data" / "cases" / "language"


def case(name: str) -> tuple[Compiled, list[str]]:
    """A case's network, and `code help` of what is said of it."""
    findings = Findings()
    compiled = compile_spec(CASES / f"{name}.yaml", findings)
    return compiled, [f"{found.code.code} {found.help}" for found in findings.diagnostics]


def channels(compiled: Compiled, layer: str) -> int:
    return compiled.facts[compiled.graph.layers[layer][-1].name].shape.channels


# --- input -----------------------------------------------------------------------------------------------------------


def test_bug_input_names_only_and_bug_input_with_branch_have_one_meaning() -> None:
    names_only, said = case("bug_input_names_only")
    assert channels(names_only, "j") == 3 + 8 and said == []
    with_branch, said = case("bug_input_with_branch")
    assert channels(with_branch, "j") == 3 + 8 + 4
    assert said == []


@pytest.mark.parametrize(
    ("layers", "reads"),
    {
        "[a: {conv: 8}, q: [{conv: 8}, last: {add: [input, {conv: 3}]}]]": "input",
        "[a: {conv: 8}, q: [{conv: 8, from: input}]]": "input",
        "[a: {conv: 8}, q: {concat: [[{conv: 3}, {add: [input, {conv: 3}]}], a]}]": "input",
        "[a: {conv: 8}, b: {block: one}]": "a",
        "[a: {conv: 8}, q: [{conv: 5}, b: {block: one}]]": "q.conv",
        "[a: {conv: 8}, {block: one}]": "a",
        "[a: {conv: 8}, b: {block: two}]": "a",
        "[a: {conv: 8}, q: [{conv: 5}, b: {block: two}]]": "q.conv",
    }.items(),
)
def test_input_is_what_enters_the_network_or_block_wherever_it_is_written(
    bench: Workbench, layers: str, reads: str
) -> None:
    head = "defaults: {conv: {kernel: 1}}\nblocks:\n  one: {layers: [x: {conv: 4}, y: {concat: [input, x]}]}\n"
    head += "  two: {layers: [x: {conv: 4}, y: {concat: [input, {conv: 3}]}]}\n"
    graph = bench.compile(f"segcompile: 1\nmodel: net\ninput: {{channels: 3, size: 8}}\n{head}layers: {layers}").graph
    *_, join = [node for node in graph.nodes if node.op.spelling in ("add", "concat")] or graph.nodes
    last = join if join.op.spelling != "concat" or "y" in join.name else graph.nodes[-2]
    assert last.inputs[0] == reads


def test_an_edit_inside_a_chain_reads_the_same_input(bench: Workbench) -> None:
    base = "layers: [a: {conv: 8, kernel: 1}, q: [c: {conv: 8, kernel: 1}, d: {conv: 5, kernel: 1}]]"
    bench.write(base, "base.yaml")
    edit = "transform: [replace: {q.d: {conv: 5, kernel: 1, from: input}}]"
    graph = bench.compile(f"segcompile: 1\nmodel: net\nbase: base.yaml\n{edit}").graph
    assert graph.by_name["q.d"].inputs == ("input",)


# --- names -----------------------------------------------------------------------------------------------------------


def test_bug_shadow_resizes_to_the_layer_that_was_given_the_name() -> None:
    compiled, said = case("bug_shadow")
    assert said == []
    assert compiled.graph.by_name["gate.resize"].inputs == ("gate.conv:act", "conv")


def test_a_layer_without_a_name_is_found_where_none_was_given_it(bench: Workbench) -> None:
    layers = "layers: [a: {conv: 3, kernel: 1}, q: [{conv: 4, kernel: 1}, {conv: 5, kernel: 1}, {concat: [conv, a]}]]"
    assert bench.compile(layers).graph.by_name["q.concat"].inputs == ("q.conv", "a")
    named = layers.replace("[{conv: 4", "[conv: {conv: 4").replace("a: {conv: 3", "conv: {conv: 3").replace(", a]", "]")
    graph = bench.compile(named.replace("[conv]", "[conv, conv2]")).graph
    assert graph.by_name["q.concat"].inputs == ("q.conv", "q.conv2")  # a name given further in comes first


@pytest.mark.parametrize("word", ["scale", "conv", "pool", "resize", "norm", "act", "drop", "linear", "crop", "pad"])
def test_bug_opname_chain_a_chain_may_be_called_like_an_op(bench: Workbench, word: str) -> None:
    case("bug_opname_chain")
    compiled = bench.compile(f"layers: [{word}: [{{conv: 8, kernel: 3}}, {{conv: 3, kernel: 1}}]]")
    assert list(compiled.graph.layers) == [f"{word}.conv", f"{word}.conv2"]


def test_lists_that_are_an_ops_own_are_read_as_before(bench: Workbench) -> None:
    assert bench.shapes("layers: [{pad: [1, 2, 3, 0]}, {resize: [2, 1]}]") == {
        "pad": "3 x 67 x 67", "resize": "3 x 134 x 67"
    }  # fmt: skip
    assert bench.errors("layers: [{scale: [1, 2]}]") == ["SC004 a number is due here, not a list of 2"]


# --- joins -----------------------------------------------------------------------------------------------------------


def test_bug_same_names_the_deconv_and_what_to_write(bench: Workbench) -> None:
    _, said = case("bug_same")
    assert said == [
        "SC311 `up` (3x3/2) with `pad: 1, output_pad: 1` keeps its size and lies over the other map"
    ]  # fmt: skip


@pytest.mark.parametrize(("kernel", "stride", "said"), [
    (3, 2, "pad: 1, output_pad: 1"), (5, 2, "pad: 2, output_pad: 1"), (7, 2, "pad: 3, output_pad: 1"),
    (3, 3, "pad: 1, output_pad: 2"), (5, 3, "pad: 2, output_pad: 2"), (5, 4, "pad: 2, output_pad: 3"),
])  # fmt: skip
def test_what_is_to_be_written_keeps_the_size_and_ends_the_warning(
    bench: Workbench, kernel: int, stride: int, said: str
) -> None:
    def found(pad: str) -> list[str | None]:
        layers = f"layers: [down: {{conv: 3, stride: {stride}}}, up: {{deconv: 3, stride: {stride}{pad}}}, "
        defaults = f"defaults: {{conv: {{kernel: {kernel}, pad: same}}, deconv: {{kernel: {kernel}, pad: same}}}}\n"
        text = f"{defaults}{layers}sum: {{add: [input, up]}}]"
        head = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 60}\n"
        return [one.help for one in bench.findings(head + text)]

    (help,) = found("")
    assert help is not None and f"with `{said}` keeps its size" in help
    assert found(f", {said}") == []


def test_bug_se_help_is_spread_and_bug_center_broadcast_leads_to_that(bench: Workbench) -> None:
    text = (CASES / "bug_se_help.yaml").read_text()
    assert bench.findings(text) == [] and bench.shapes(text)["m"] == "16 x 32 x 32"
    (found,) = bench.findings((CASES / "bug_center_broadcast.yaml").read_text())
    assert found.code.code == "SC313"
    assert found.help == "without `align`, its one pixel is spread over the other map"


@pytest.mark.parametrize("join", ["concat", "add", "mul"])
@pytest.mark.parametrize("align", ["center_crop", "pad"])
@pytest.mark.parametrize("size", ["9", "any"])
def test_a_map_of_one_pixel_is_not_aligned(bench: Workbench, join: str, align: str, size: str) -> None:
    text = f"segcompile: 1\nmodel: net\ninput: {{channels: 3, size: {size}}}\n"
    text += f"layers: [g: {{pool: global_avg}}, j: {{{join}: [g, input], align: {align}}}]"
    (found,) = bench.findings(text)
    help = "`resize: input` behind `g` spreads" if join == "concat" else "its one pixel is spread over the other map"
    assert found.code.code == "SC313" and found.help is not None and help in found.help
    without = bench.findings(text.replace(f", align: {align}", ""))
    assert [one.code.code for one in without] == (["SC302"] if join == "concat" else [])


def test_a_parameter_called_stride_is_hidden_by_a_stride_alone(bench: Workbench) -> None:
    layers = (
        "layers: [a: {conv: 8, kernel: stride}, b: {conv: 8, kernel: stride, stride: 2}, {conv: 8, kernel: stride}]"
    )
    assert bench.shapes(f"params: {{stride: 3}}\n{layers}") == {
        "a": "8 x 62 x 62", "b": "8 x 31 x 31", "conv": "8 x 29 x 29"
    }  # fmt: skip
