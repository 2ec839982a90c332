"""Networks on images of any size: every shape as a function of the size, and which sizes they take."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from segcompile.compiler import Compiled, compile_spec
from segcompile.facts.plainest import on_legal_sizes, plainest
from segcompile.facts.shapes import infer_shapes
from segcompile.facts.size_set import SizeSet, size_set
from segcompile.facts.sizes import AxisSizes, Sizes, find_sizes
from segcompile.network.graph import Graph, Node
from segcompile.ops import Activation, Add, AnySize, Conv, Deconv, Mul, Op, Pool, Shape
from segcompile.show.architecture import rf_json, rf_table
from segcompile.testing.strategies import free_graphs
from segcompile.text.errors import Findings, SegcompileError

RANGE = range(1, 65)


def solved(graph: Graph) -> tuple[dict[str, Shape], Sizes, Findings]:
    findings = Findings()
    shapes = infer_shapes(graph, findings)
    return shapes, find_sizes(graph, shapes, findings), findings


def concrete(graph: Graph, height: int, width: int) -> dict[str, Shape] | None:
    """The shapes at one size; None if something is refused."""
    findings = Findings()
    shapes = infer_shapes(graph, findings, {n: Shape(s.channels, (height, width)) for n, s in graph.inputs.items()})
    return None if findings.has_errors else shapes


def check(graph: Graph) -> None:
    """The sizes along one axis, with a legal one along the other, are legal if nothing is refused; the shapes are those
    of each size, and so are the plainest ones."""
    shapes, sizes, findings = solved(graph)
    assume(not findings.has_errors)
    plain = on_legal_sizes(shapes, sizes)
    height, width = (found.legal for found in sizes if found is not None)
    tall, wide = height.nearest(40)[1], width.nearest(40)[1]
    for size, legal in [((n, wide), height.legal(n)) for n in RANGE] + [((tall, n), width.legal(n)) for n in RANGE]:
        found = concrete(graph, *size)
        if found is not None and not legal and spread_by_chance(graph, shapes, found):
            continue
        assert (found is not None) == legal, (size, str(height), str(width))
        for name, shape in (found or {}).items():
            assert values(shapes[name], size) == values(plain[name], size) == shape.size, (name, size)


def spread_by_chance(graph: Graph, shapes: Mapping[str, Shape], found: Mapping[str, Shape]) -> bool:
    """Whether a sum or product spreads a map that is one pixel at this size, and not at every size: that is the network
    of an image of this size, and not this one."""
    read = [name for node in graph.nodes if isinstance(node.op, Add | Mul) for name in node.inputs]
    return any(1 in found[name].size and found[name].size != shapes[name].size for name in read)


def values(shape: Shape, size: tuple[int, int]) -> tuple[int, ...]:
    return tuple(form if isinstance(form, int) else form.at(n) for form, n in zip(shape.size, size, strict=True))


@settings(max_examples=100)
@given(graph=free_graphs())
def test_shapes_and_legal_sizes_of_any_network_are_those_of_each_size(graph: Graph) -> None:
    check(graph)


@pytest.mark.long
@settings(max_examples=2000, derandomize=False)
@given(graph=free_graphs(most=10))
def test_two_thousand_networks(graph: Graph) -> None:
    check(graph)


# --- networks of papers ----------------------------------------------------------------------------------------------

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 4, size: %s}\nlayers:\n"
ROUND_TRIP = "  - a: {pool: max, kernel: 2}\n  - b: {deconv: 4, kernel: 2, stride: 2}\n"
UNET = """\
segcompile: 1
model: unet
input: {channels: 1, size: SIZE}
defaults: {conv: {kernel: 3, act: relu, pad: PAD}, pool: {kernel: 2, stride: 2}}
blocks:
  double: {args: [w], layers: ["conv{i}": {conv: w, repeat: 2}]}
layers:
  - for: {d: [0, 1, 2, 3]}
    layers:
      - "enc{d}":  {block: double, w: 2**d}
      - "down{d}": {pool: max}
  - bottom: {block: double, w: 16}
  - for: {d: [3, 2, 1, 0]}
    layers:
      - "up{d}":  {deconv: 2**d, kernel: 2, stride: 2}
      - "cat{d}": {concat: ["enc{d}", "up{d}"], align: ALIGN}
      - "dec{d}": {block: double, w: 2**d}
  - logits: {conv: 2, kernel: 1, act: none}
"""
DILATED_FRONT_END = """\
segcompile: 1
model: front_end
input: {channels: 3, size: any}
defaults: {conv: {kernel: 3, act: relu}, pool: {kernel: 2, stride: 2, round: ceil}}
blocks: {stage: {args: [s, n], layers: ["conv{s}_{i}": {conv: 4, repeat: n}]}}
layers:
  - {block: stage, s: 1, n: 2}
  - pool1: {pool: max}
  - {block: stage, s: 2, n: 2}
  - pool2: {pool: max}
  - {block: stage, s: 3, n: 3}
  - pool3: {pool: max}
  - {block: stage, s: 4, n: 3}
  - "conv5_{i}": {conv: 4, dilation: 2, repeat: 3}
  - fc6: {conv: 8, kernel: 7, dilation: 4}
  - fc7: {conv: 8, kernel: 1}
  - final: {conv: 21, kernel: 1, act: none}
claims: {final: {receptive_field: 380, stride: 8, margin: 186, size: {900: 66, 500: 16, 380: 1}}}
"""


def unet(size: str, pad: str, align: str = "none") -> str:
    return UNET.replace("SIZE", size).replace("PAD", pad).replace("ALIGN", align)


def compiled(text: str, folder: Path) -> tuple[Compiled, Findings]:
    (folder / "net.yaml").write_text(text)
    findings = Findings()
    return compile_spec(folder / "net.yaml", findings), findings


def texts(text: str, folder: Path) -> tuple[str, str]:
    """The legal and the exact heights."""
    height = compiled(text, folder)[0].sizes[0]
    assert height is not None
    return str(height.legal), str(height.exact)


def test_dilatednets_front_end_is_exact_at_h_4_mod_8_from_380_on(tmp_path: Path) -> None:
    assert texts(DILATED_FRONT_END, tmp_path) == ("H ≥ 373", "H ≡ 4 (mod 8), H ≥ 380")


def test_a_padded_unet_of_four_levels_takes_multiples_of_16(tmp_path: Path) -> None:
    assert texts(unet("any", "same"), tmp_path) == ("H ≡ 0 (mod 16)", "H ≡ 0 (mod 16)")


def test_the_published_unet_is_exact_at_sizes_like_572(tmp_path: Path) -> None:
    assert texts(unet("any", "0", "center_crop"), tmp_path) == ("H ≥ 188", "H ≡ 12 (mod 16), H ≥ 188")


@pytest.mark.parametrize(
    ("attributes", "legal", "exact"),
    [
        ("kernel: 3", "H ≥ 3", "H ≡ 1 (mod 2), H ≥ 3"),
        ("kernel: 3, pad: same", "H ≥ 1", "H ≡ 1 (mod 2)"),
        ("kernel: 4, pad: 1", "H ≥ 2", "H ≡ 0 (mod 2)"),
        ("kernel: 1", "H ≥ 1", "H ≡ 1 (mod 2)"),
        ("kernel: 2", "H ≥ 2", "H ≡ 0 (mod 2)"),
    ],
)
def test_a_stride_rounds_where_it_leaves_a_rest_of_the_padded_image(
    attributes: str, legal: str, exact: str, tmp_path: Path
) -> None:
    assert texts(HEAD % "any" + f"  - a: {{conv: 4, stride: 2, {attributes}}}\n", tmp_path) == (legal, exact)


def test_a_resnet_is_exact_at_deeplabs_sizes_321_and_513(tmp_path: Path) -> None:
    stages = "".join(
        f"  - a{i}: {{conv: 4, kernel: 3, stride: 2, pad: 1, from: {start}}}\n"
        f"  - s{i}: {{conv: 4, kernel: 1, stride: 2, from: {start}}}\n"
        f"  - b{i}: {{add: [a{i}, s{i}]}}\n"
        for i, start in ((1, "pool"), (2, "b1"), (3, "b2"))
    )
    stem = "  - conv: {conv: 4, kernel: 7, stride: 2, pad: 3}\n  - pool: {pool: max, kernel: 3, stride: 2, pad: 1}\n"
    assert texts(HEAD % "any" + stem + stages, tmp_path) == ("H ≥ 1", "H ≡ 1 (mod 32)")


def test_a_reflection_needs_more_pixels_than_it_shows(tmp_path: Path) -> None:
    layers = "  - p: {pad: [3, 3, 5, 5], mode: reflect}\n  - c: {conv: 4, kernel: 1}\n"
    sizes = compiled(HEAD % "any" + layers, tmp_path)[0].sizes
    assert [str(found.legal) for found in sizes if found is not None] == ["H ≥ 4", "W ≥ 6"]


def test_one_axis_may_be_of_any_size_and_the_other_not(tmp_path: Path) -> None:
    sizes = compiled(HEAD % "[any, 64]" + ROUND_TRIP + "  - c: {add: [b, input]}\n", tmp_path)[0].sizes
    assert [found and str(found.legal) for found in sizes] == ["H ≡ 0 (mod 2)", None]


def test_an_input_of_any_size_that_meets_one_of_64_pixels_has_that_size(tmp_path: Path) -> None:
    text = HEAD.replace("{channels: 4, size: %s}", "{a: {channels: 4, size: any}, b: {channels: 4, size: 64}}")
    with pytest.raises(SegcompileError) as caught:
        compiled(text + "  - c: {add: [a, b]}\n", tmp_path)
    (found,) = caught.value.diagnostics
    assert found.code.code == "SC302" and found.help == "it fits for H = 64 only: give the input that size"


@pytest.mark.parametrize(("size", "expected"), [("[64, 64]", []), ("[65, 64]", ["SC304"]), ("[3, 5]", ["SC304"])])
def test_a_join_that_fits_at_other_sizes_names_them(size: str, expected: list[str], tmp_path: Path) -> None:
    text = HEAD % size + ROUND_TRIP + "  - c: {add: [b, input]}\n"
    try:
        found = compiled(text, tmp_path)[1].diagnostics
    except SegcompileError as error:
        found = list(error.diagnostics)
    assert [one.code.code for one in found] == expected
    if size == "[3, 5]":
        assert found[0].message == (
            "c: 3 is not a height this network takes: H ≡ 0 (mod 2); the nearest are 2 and 4 and "
            "5 is not a width this network takes: W ≡ 0 (mod 2); the nearest are 4 and 6"
        )


# --- claims, tables --------------------------------------------------------------------------------------------------


def test_a_claim_of_any_size_holds_for_every_legal_size(tmp_path: Path) -> None:
    text = unet("any", "same") + "claims: {logits: {size: input}, up0: {size: {512: 512, 500: 500}}}\n"
    found, findings = compiled(text, tmp_path)
    assert [verdict.ok for verdict in found.verdicts] == [True, True, False]
    (undecided,) = findings.diagnostics
    assert (undecided.code.code, undecided.notes) == ("SC406", ("the network does not take that size",))
    assert str(found.facts[found.graph.outputs["output"]].shape) == "2 x H x W"


def test_a_claim_that_holds_for_some_legal_sizes_is_false(tmp_path: Path) -> None:
    found, findings = compiled(HEAD % "any" + ROUND_TRIP + "claims: {b: {size: input}}\n", tmp_path)
    assert [one.message for one in findings.diagnostics] == ["b claims size H x W, computed 2⌊H/2⌋ x 2⌊W/2⌋"]
    assert not found.verdicts[0].ok


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("  - c: {conv: 4, kernel: 3}\n", ["sizes: H ≥ 3, and W alike; no stride rounds"]),
        ("  - c: {conv: 4, kernel: 3, stride: 2}\n",
         ["sizes: H ≥ 3, and W alike; no stride rounds at H ≡ 1 (mod 2), H ≥ 3"]),
        ("  - c: {conv: 4, kernel: 3x5}\n", ["sizes: H ≥ 3; no stride rounds", "sizes: W ≥ 5; no stride rounds"]),
        ("  - c: {deconv: 4, kernel: 2, stride: 2}\n  - d: {conv: 4, kernel: 3, stride: 2}\n",
         ["sizes: H ≥ 2, and W alike; some stride rounds at each of them"]),
    ],
)  # fmt: skip
def test_the_table_says_which_sizes_fit(body: str, expected: list[str], tmp_path: Path) -> None:
    lines = rf_table(compiled(HEAD % "any" + body, tmp_path)[0]).splitlines()
    assert [line for line in lines if line.startswith("sizes")] == expected
    assert "sizes" not in rf_table(compiled(HEAD % "64" + body, tmp_path)[0])


def test_json_says_which_sizes_fit(tmp_path: Path) -> None:
    found = rf_json(compiled(DILATED_FRONT_END, tmp_path)[0], None, [])["sizes"]
    assert json.loads(json.dumps(found))["height"] == {
        "legal": {"text": "H ≥ 373", "modulus": 1, "residues": [0], "least": [373]},
        "exact": {"text": "H ≡ 4 (mod 8), H ≥ 380", "modulus": 8, "residues": [4], "least": [380]},
    }
    assert rf_json(compiled(HEAD % "64" + ROUND_TRIP, tmp_path)[0], None, [])["sizes"] == {}


# --- sets of sizes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        ([1], "H ≥ 1"),
        ([12], "H ≥ 12"),
        ([None], "no H"),
        ([4, 5], "H ≥ 4"),
        ([16, *[None] * 15], "H ≡ 0 (mod 16)"),
        ([32, *[None] * 15], "H ≡ 0 (mod 16), H ≥ 32"),
        ([None, 5, None, 3], "H ≡ 1 (mod 2), H ≥ 3"),
        ([4, 1, 2, None], "H ≡ 0–2 (mod 4)"),
        ([None, 1, 2, 7], "H = 1, 2 or H ≡ 1–3 (mod 4), H ≥ 5"),
        ([10, 101], "H ≥ 100, and below that 10, 12, …"),
    ],
)  # fmt: skip
def test_a_set_of_sizes_is_written_as_congruences(least: list[int | None], expected: str) -> None:
    assert str(size_set("H", least)) == expected


tables = st.integers(1, 12).flatmap(
    lambda modulus: st.tuples(*(st.none() | st.integers(0, 4).map(lambda k, r=r: r + k * modulus or modulus)
                                for r in range(modulus)))
)  # fmt: skip


@settings(max_examples=300)
@given(first=tables, second=tables, size=st.integers(1, 300))
def test_sets_of_sizes_are_what_their_tables_say(
    first: tuple[int | None, ...], second: tuple[int | None, ...], size: int
) -> None:
    def holds(table: tuple[int | None, ...], n: int) -> bool:
        least = table[n % len(table)]
        return least is not None and n >= least

    a, b = size_set("H", first), size_set("H", second)
    assert a.legal(size) == holds(first, size) and (a & b).legal(size) == (holds(first, size) and holds(second, size))
    below = max((n for n in range(1, size + 1) if holds(first, n)), default=None)
    assert a.nearest(size)[0] == below
    assert a.nearest(size)[1] == min((n for n in range(size, size + 200) if holds(first, n)), default=None)
    assert (a == b) == all(holds(first, n) == holds(second, n) for n in range(1, 300))


def read(text: str, size: int) -> bool:
    """Whether a size is one of those that a text names."""
    early = re.match(r"H = ([\d, ]+) or ", text)
    if early and str(size) in early[1].split(", "):
        return True
    start = re.search(r"H ≥ (\d+)", text)
    congruence = re.search(r"H ≡ ([\d–, ]+) \(mod (\d+)\)", text)
    runs = [run.partition("–") for run in congruence[1].split(", ")] if congruence else []
    residue = size % int(congruence[2]) if congruence else 0
    fits = any(int(first) <= residue <= int(last or first) for first, _, last in runs) or not congruence
    return fits and text != "no H" and size >= (int(start[1]) if start else 1)


@settings(max_examples=300)
@given(table=tables)
def test_the_text_of_a_set_names_its_sizes_and_no_others(table: tuple[int | None, ...]) -> None:
    found = size_set("H", table)
    assume("…" not in str(found))
    assert [n for n in range(1, 200) if read(str(found), n)] == [n for n in range(1, 200) if found.legal(n)], str(found)


@pytest.mark.parametrize(
    ("size", "legal", "expected"),
    [
        (AnySize("H") // 2 * 2, [16, *[None] * 15], "H"),
        ((AnySize("H") + 3) // 4, [None, 1, None, None], "⌊H/4⌋+1"),
        (AnySize("H") // 2 * 2, [4, 1, None, None], "2⌊H/2⌋"),
        (AnySize("H") * 3 // 2, [2, None], "⌊3H/2⌋"),
        (AnySize("H") // 2 * 3 // 2, [1], "≈3H/4"),
    ],
)
def test_the_plainest_form_on_legal_sizes(size: AnySize, legal: list[int | None], expected: str) -> None:
    found = plainest(size, SizeSet("H", tuple(legal)))
    assert str(found) == expected and isinstance(found, AnySize)
    assert all(found.at(n) == size.at(n) for n in range(1, 100) if legal[n % len(legal)] is not None)


def test_a_list_of_the_plainest_sizes_keeps_its_tokens() -> None:
    height = AnySize("H")
    sizes = (AxisSizes(SizeSet("H", (2, None)), None),)
    shapes = {"list": Shape(4, (height // 2 * 2,), 3), "map": Shape(4, (height // 2 * 2,))}
    assert on_legal_sizes(shapes, sizes) == {"list": Shape(4, (height,), 3), "map": Shape(4, (height,))}


# --- speed -----------------------------------------------------------------------------------------------------------


def tall(kind: str, size: tuple[Any, Any]) -> Graph:
    """10,000 layers: plain convolutions without padding, or U-Nets of five levels one behind another."""
    nodes: list[Node] = []

    def add(op: Op, *inputs: str) -> str:
        name = f"n{len(nodes)}"
        nodes.append(Node(name, op, inputs, name))
        return name

    conv, last = Conv(channels=4, kernel=(3, 3), pad=("same",) if kind == "unets" else ((0, 0),)), "input"
    while len(nodes) < 10_000:
        if kind == "plain":
            last = add(Activation(kind="relu"), add(conv, last))
            continue
        skips = [last]
        for _ in range(5):
            skips.append(add(Pool(kind="max", kernel=(2, 2)), add(conv, skips[-1])))
        last = skips.pop()
        for skip in reversed(skips):
            last = add(conv, add(Add(), add(Deconv(channels=4, kernel=(2, 2), stride=(2, 2)), last), skip))
    return Graph("net", {"input": Shape(4, size)}, tuple(nodes), {"output": last}).verify()


@pytest.mark.parametrize(("kind", "expected"), [("plain", "H ≥ 10001"), ("unets", "H ≡ 0 (mod 32)")])
def test_10_000_layers_of_any_size_cost_about_as_much_as_of_one(
    nets: SimpleNamespace, kind: str, expected: str
) -> None:
    fixed, free = tall(kind, (32_768, 32_768)), tall(kind, (AnySize("H"), AnySize("W")))
    shapes, findings = infer_shapes(free, (told := Findings())), told
    height = find_sizes(free, shapes, findings)[0]
    assert not findings.has_errors
    assert height is not None and str(height.legal) == expected
    once = nets.work(infer_shapes, fixed, findings)
    assert nets.work(infer_shapes, free, findings) < 4 * once
    assert nets.work(find_sizes, free, shapes, findings) < 8 * once
