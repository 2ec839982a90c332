"""`segcompile sizes`: which images a network takes, which layers decide it, and what is lost at one size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings

from segcompile.cli import cli
from segcompile.compiler import analyse_graph, compile_spec, find_spec
from segcompile.facts.shapes import infer_shapes, of_any_size
from segcompile.facts.size_causes import rounded, size_causes
from segcompile.facts.size_set import SizeSet
from segcompile.network.graph import Graph
from segcompile.testing.networks import sized
from segcompile.testing.strategies import free_graphs
from segcompile.text.errors import Findings, SegcompileError

HEAD = "segcompile: 1\nmodel: net\ninput: {input}\nlayers:\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["sizes", *arguments], standalone_mode=False)


def test_each_layer_that_decides_is_named_and_one_size_is_looked_at() -> None:
    assert run("enet", "--at", "512x509").output == (
        "enet takes\n"
        "  H ≡ 0, 7 (mod 8), and W alike\n"
        "    bottleneck4_0.out  add: H ≡ 0–2, 7 (mod 8)\n"
        "    bottleneck5_0.out  add: H ≡ 0, 3 (mod 4)\n"
        "  no stride rounds at H ≡ 7 (mod 8), and W alike\n"
        "    initial.conv  conv: H ≡ 1 (mod 2)\n"
        "\n"
        "image of 512 x 509\n"
        "  H = 512 is taken, and strides round; none does at 511 (crop 1) or 519 (pad 7)\n"
        "  W = 509 is not taken; 504 (crop 5) or 511 (pad 2)\n"
    )


def test_what_strides_leave_out_and_read_beyond_the_map_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        HEAD.format(input="{channels: 2, size: [12, 12]}")
        + "  - conv: {conv: 3, kernel: 3, stride: 4}\n  - padded: {conv: 3, kernel: 3, stride: 2, pad: 1}\n"
        "  - pool: {pool: max, kernel: 2, round: ceil}\n"
    )
    assert run(str(path), "--at", "15x17").output == (
        "net takes\n"
        "  H ≥ 3, and W alike\n"
        "    conv  conv: H ≥ 3\n"
        "  no stride rounds at H ≡ 11 (mod 16), and W alike\n"
        "    conv    conv: H ≡ 3 (mod 4)\n"
        "    padded  conv: H ≡ 3–6 (mod 8)\n"
        "    pool    max pool: H ≡ 0–2, 11–15 (mod 16)\n"
        "\n"
        "image of 15 x 17\n"
        "  H = 15 is taken, and strides round; none does at 11 (crop 4) or 27 (pad 12)\n"
        "    padded leaves out 1 of the padding behind its 4 rows\n"
        "  W = 17 is taken, and strides round; none does at 11 (crop 6) or 27 (pad 10)\n"
        "    conv leaves out 2 of its 17 columns\n"
        "    padded leaves out 1 of the padding behind its 4 columns\n"
    )


def test_of_a_network_with_a_vector_one_size_is_taken() -> None:
    result = run("vgg16")
    assert isinstance(result.exception, SegcompileError)
    (found,) = result.exception.diagnostics
    assert found.code.code == "SC310" and found.help == "make it a convolution"
    assert found.notes == ("the spec gives it 224 x 224, and it takes that size alone",)


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ("500x", "`500x` is no size such as 500x375"),
        ("0x5", "`0x5` is no size such as 500x375"),
        ("5x5x5", "`5x5x5` has 3 axes, and the network's images have 2"),
    ],
)
def test_a_size_that_is_none_is_refused(size: str, told: str) -> None:
    assert str(run("aspp", "--at", size).exception) == told


def test_the_exit_status_and_the_data_say_whether_a_size_is_taken() -> None:
    assert run("unet", "--at", "100").return_value == 1
    found = json.loads(run("unet", "--at", "572x500", "--format", "json").output)
    height = found["axes"]["height"]
    assert height["legal"] == {"text": "H ≥ 188", "modulus": 1, "residues": [0], "least": [188]}
    assert [cause["layer"] for cause in height["rounds"]] == ["down0", "down1", "down2", "down3"]
    assert found["at"]["width"]["nearest_exact"] == [492, 508] and found["at"]["height"]["exact"]
    assert found["at"]["rounded"] == [
        {"layer": "down3", "axis": "width", "size": 55, "lost": 1, "padding": 0, "beyond": 0}
    ]


def test_the_sizes_are_those_of_any_size_whatever_the_spec_gives() -> None:
    assert run("segnet").output == run("segnet", "--set", "K=3").output != run("unet").output


@settings(max_examples=25)
@given(graph=free_graphs())
def test_the_layers_that_decide_leave_the_sizes_and_each_of_them_takes_some_away(graph: Graph) -> None:
    findings = Findings()
    try:
        found = analyse_graph(graph, findings)
    except SegcompileError:
        return
    for axis, causes in zip(found.sizes, size_causes(found.graph, found.sizes), strict=True):
        if axis is None or causes is None:
            continue
        for asked, among, whole in (
            (causes.legal, SizeSet(axis.legal.symbol), axis.legal),
            (causes.exact, axis.legal, axis.exact or axis.legal),
        ):
            parts = [sizes for _, sizes in asked]
            assert _met(parts, among) == whole
            assert all(_met(parts[:n] + parts[n + 1 :], among) != whole for n in range(len(parts)))


def _met(parts: list[SizeSet], among: SizeSet) -> SizeSet:
    for part in parts:
        among &= part
    return among


@settings(max_examples=25)
@given(graph=free_graphs())
def test_strides_round_where_they_are_said_to(graph: Graph) -> None:
    try:
        found = analyse_graph(graph, Findings())
    except SegcompileError:
        return
    for size in range(1, 30):
        legal = [axis is None or axis.legal.legal(size) for axis in found.sizes]
        if all(legal) and all(axis is not None for axis in found.sizes):
            told = {each.axis for each in rounded(found.graph, [size] * found.graph.rank)}
            for number, axis in enumerate(found.sizes):
                if axis is not None and axis.exact is not None:
                    assert (number in told) != axis.exact.legal(size)


def test_what_is_lost_is_what_no_window_reads() -> None:
    """Against the last pixel that each layer's last window reads."""
    for name in ("unet", "fcn8s", "resnet18"):
        graph = compile_spec(find_spec(name), Findings()).graph
        anywhere = of_any_size(graph)
        for size in range(224, 240):
            shapes = infer_shapes(sized(graph, size, size), Findings())
            told = {(each.node.name, each.axis): each for each in rounded(anywhere, (size, size))}
            for node in graph.nodes:
                if node.op.sliding is None or node.op.sliding.transposed or node.name not in shapes:
                    continue
                (have, want) = (shapes[each].size[0] for each in (node.inputs[0], node.name))
                window = node.op.window_on(0, [have], 0)
                assert window is not None and isinstance(have, int) and isinstance(want, int)
                last = window.stride * (want - 1) + window.reach - window.offset
                each = told.get((node.name, 0))
                if window.stride > 1:
                    assert max(0, have - 1 - last) == (each.lost if each else 0)
                    assert max(0, last - (have - 1) - node.op.pads(0)[1]) == (each.beyond if each else 0)
