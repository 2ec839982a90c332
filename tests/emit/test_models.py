"""Emitted models compute what the spec says, whatever its layers are called and however it is cut into scopes."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segcompile.network.graph import Graph, Node
from segcompile.ops import Resize, Shape

CASES = Path(__file__).parents[1] / "data" / "cases"
HEAD = (
    "segcompile: 1\nmodel: net\ninput: {channels: 4, size: 16}\ndefaults: {conv: {kernel: 3, pad: same, act: relu}}\n"
)


def built(nets: SimpleNamespace, folder: Path, text: str):
    path = folder / "net.yaml"
    path.write_text(text if text.startswith("segcompile") else HEAD + text)
    return nets.emitted(nets.compiled(path).graph)


def flat(graph: Graph) -> Graph:
    """The same network without scopes: every layer on the model itself, under a plain name."""
    names = {node.name: node.name.replace(".", "_") for node in graph.nodes} | {name: name for name in graph.inputs}
    nodes = tuple(
        Node(
            names[node.name],
            node.op,
            tuple(names[name] for name in node.inputs),
            node.layer.replace(".", "_"),
            role=node.role,
        )
        for node in graph.nodes
    )
    return Graph(graph.model, graph.inputs, nodes, {head: names[name] for head, name in graph.outputs.items()})


def check_against_flat(nets: SimpleNamespace, net) -> None:
    """The model equals the one written flat, with the weights copied in the order of the analysis."""
    import torch

    plain = nets.emitted(flat(net.graph))
    ours, theirs = dict(net.model.named_parameters()), dict(plain.model.named_parameters())
    assert len(ours) == len(theirs)
    buffers = dict(net.model.named_buffers())
    order = [node for node in net.graph.nodes if net.facts[node.name].parameters]
    from segcompile_torch.rules import TORCH

    from segcompile.emit import view_model

    inputs = {name: name for name in net.graph.inputs}
    paths = view_model(net.graph, net.facts, "Net", inputs, TORCH).paths
    flat_paths = view_model(plain.graph, plain.facts, "Net", inputs, TORCH).paths
    with torch.no_grad():
        for node in order:
            for parameter in net.facts[node.name].parameters:
                here = ours[f"{paths[node.name]}.{parameter.name}"]
                here.copy_(torch.randn_like(here) * 0.3)
                assert tuple(here.shape) == parameter.shape or here.numel() == parameter.count
                theirs[f"{flat_paths[node.name.replace('.', '_')]}.{parameter.name}"].copy_(here)
    assert buffers.keys() == dict(net.model.named_buffers()).keys()
    found, wanted = net.outputs(), plain.outputs()
    assert found.keys() == wanted.keys()
    for head in found:
        assert found[head].equal(wanted[head]), f"{head}\n{net.source}\n{plain.source}"


SCOPED = {
    "a join inside a repeated block": """
blocks:
  residual: {args: [w], layers: [c1: {conv: w}, c2: {conv: w, act: none}, sum: {add: [c2, input], act: relu}]}
layers:
  - "res{i}": {block: residual, w: 4, repeat: 3}
  - head: {conv: 2, act: none}
""",
    "a layer inside a scope is read from outside": """
blocks:
  pair: {args: [w], layers: [conv1: {conv: w}, conv2: {conv: w}]}
layers:
  - enc0: {block: pair, w: 4}
  - enc1: {block: pair, w: 6}
  - both: {concat: [enc0.conv1, enc1.conv1, enc1]}
  - head: {conv: 2, act: none}
""",
    "a scope reads what another one made inside": """
blocks:
  pair: {args: [w, tap], layers: [conv1: {conv: w}, mix: {concat: [conv1, tap]}, conv2: {conv: w}]}
layers:
  - stem: {conv: 4}
  - a: {block: pair, w: 4, tap: stem}
  - b: {block: pair, w: 6, tap: a.conv1}
  - head: {conv: 2, act: none}
""",
    "blocks that differ in kernels and padding": """
blocks:
  plain: {args: [k, p], layers: [c1: {conv: 4, kernel: k, pad: p}, c2: {conv: 4, norm: batch, act: prelu}]}
layers:
  - a: {block: plain, k: 3, p: 1}
  - b: {block: plain, k: 1, p: 0}
  - head: {conv: 2, act: none}
""",
    "kernels that are pairs": """
blocks:
  thin: {args: [h, w], layers: [c1: {conv: 4, kernel: [h, w], pad: same}]}
layers:
  - a: {block: thin, h: 1, w: 3}
  - b: {block: thin, h: 3, w: 1}
  - head: {conv: 2, act: none}
""",
    "branches inside a block": """
blocks:
  split:
    args: [w]
    layers:
      - mix:
          concat:
            - b1: {conv: w, kernel: 1}
            - b2: [{conv: w}, {conv: w, dilation: 2}]
            - pooled: [{pool: global_avg}, {conv: w, kernel: 1}, {resize: input}]
      - out: {conv: w, norm: batch}
layers:
  - one: {block: split, w: 4}
  - two: {block: split, w: 6}
  - head: {conv: 2, act: none}
""",
    "a scaled sum": """
layers:
  - a: {conv: 4}
  - b: {conv: 4}
  - sum: {add: [a, b], weights: [0.5, -0.123456789]}
  - scaled: {scale: 0.333333333333}
  - head: {mul: [scaled, a]}
""",
    "encoders and decoders that share the switches of their pools": """
blocks:
  enc: {args: [w], layers: [a: {conv: w}, b: {conv: w}, pool: {pool: max, kernel: 2}]}
  dec: {args: [w, p], layers: [up: {unpool: p}, a: {conv: w}]}
layers:
  - enc1: {block: enc, w: 4}
  - enc2: {block: enc, w: 6}
  - enc3: {block: enc, w: 8}
  - dec3: {block: dec, p: enc3, w: 6}
  - dec2: {block: dec, p: enc2, w: 4}
  - dec1: {block: dec, p: enc1, w: 4}
  - head: {conv: 2, act: none}
""",
    "a pool that carries something, is read twice and undone twice, in a block and outside": """
blocks:
  down: {args: [w], layers: [c: {conv: w}, p: {pool: max, kernel: 2, norm: batch, act: elu, drop: 0.5}, d: {conv: w}]}
layers:
  - a: {block: down, w: 4}
  - b: {add: [a, a.p]}
  - image: {unpool: a.p}
  - first: {pool: max, kernel: 2, from: input}
  - again: {unpool: a.p}
  - other: {unpool: first, from: first}
  - head: {add: [image, again, other, input]}
""",
    "a pool of which only the places of its maxima are read": """
layers:
  - a: {conv: 4}
  - p: {pool: max, kernel: [2, 3], stride: 3}
  - half: {pool: avg, kernel: [2, 3], stride: 3, from: a}
  - up: {unpool: p, from: half}
""",
    "a pool undone inside the block that pools, under a pool of the same name": """
blocks:
  hourglass: {args: [w], layers: [c: {conv: w}, p: {pool: max, kernel: 2}, i: {conv: w}, u: {unpool: p}]}
layers:
  - p: {pool: max, kernel: 2}
  - one: {block: hourglass, w: 4}
  - two: {block: hourglass, w: 4}
  - u: {unpool: p}
""",
    "nested blocks": """
blocks:
  inner: {args: [w], layers: [c: {conv: w}, d: {conv: w}]}
  outer:
    args: [w]
    layers: [first: {block: inner, w: w}, second: {block: inner, w: 2w}, join: {concat: [first, second]}]
layers:
  - x1: {block: outer, w: 3}
  - x2: {block: outer, w: 5}
  - head: {conv: 2, act: none}
""",
    "a shortcut where the channels change": """
blocks:
  unit:
    args: [w, s: 1]
    layers:
      - a: {conv: w, stride: s, drop: 0.1}
      - b: {conv: w, act: none}
      - way: {conv: w, stride: s, from: input, repeat: "channels != w"}
      - out: {add: [b, above], act: relu}
layers:
  - x1: {block: unit, w: 5}
  - x2: {block: unit, w: 5}
  - x3: {block: unit, w: 3, s: 2}
  - x4: {block: unit, w: 3}
""",
    "a U of rows": """
blocks:
  low:  {layers: [p: {pool: max, kernel: 2}, c: {conv: channels}]}
  high: {args: [skip], layers: [up: {resize: skip}, both: {concat: [up, skip]}, c: {conv: 4}]}
  u:
    args: [L]
    layers:
      - en1: {conv: 3}
      - {for: {n: 2..L}, layers: ["en{n}": {block: low}]}
      - bottom: {conv: 4}
      - {for: {n: L..1 by -1}, layers: ["de{n}": {block: high, skip: "en{n}"}]}
layers:
  - one: {block: u, L: 4}
  - two: {block: u, L: 3}
""",
    "repeats of several counts": """
blocks:
  grow:  {layers: [c: {conv: 3}, out: {concat: [input, c]}]}
  stage: {args: [n], layers: ["unit{i}": {block: grow, repeat: n}]}
layers:
  - one: {block: stage, n: 3}
  - two: {block: stage, n: 4}
  - "unit{i}": {block: grow, repeat: 3}
  - end: {conv: 5}
  - out: {concat: [unit3, end]}
""",
}


@pytest.mark.parametrize("case", SCOPED)
def test_a_model_with_scopes_equals_the_same_model_written_flat(
    nets: SimpleNamespace, tmp_path: Path, case: str
) -> None:
    check_against_flat(nets, built(nets, tmp_path, SCOPED[case]))


@pytest.mark.parametrize("spec", ["unet.yaml", "aspp.yaml", "blue_marble.yaml"])
def test_a_papers_model_equals_the_same_model_written_flat(nets: SimpleNamespace, spec: str) -> None:
    graph = nets.slim(nets.compiled(spec).graph)
    size = {"unet.yaml": 204, "aspp.yaml": 33, "blue_marble.yaml": 40}[spec]
    check_against_flat(nets, nets.emitted(nets.sized(graph, size, size)))


def test_scopes_that_differ_in_numbers_share_a_class_and_others_do_not(nets: SimpleNamespace, tmp_path: Path) -> None:
    shared = built(nets, tmp_path, SCOPED["nested blocks"]).source
    assert shared.count("(nn.Module)") == 3
    others = SCOPED["blocks that differ in kernels and padding"]
    assert built(nets, tmp_path, others).source.count("(nn.Module)") == 2
    unlike = others.replace("k, p]", "k, p, a: relu]").replace("pad: p}", "pad: p, act: a}")
    assert unlike.count("a}") == 1
    unlike = unlike.replace("k: 1, p: 0", "k: 1, p: 0, a: elu")
    assert built(nets, tmp_path, unlike).source.count("(nn.Module)") == 3


def test_bug_duplicate_class_of_language_is_one_class_whatever_is_read_of_each_use(
    nets: SimpleNamespace, tmp_path: Path
) -> None:
    net = built(nets, tmp_path, (CASES / "language" / "bug_duplicate_class.yaml").read_text())
    assert net.source.count("class Pair(") == 1 and net.source.count("(nn.Module)") == 3
    assert "_, x = self.p2(f0, x)" in net.source  # only the first use's inner layer is read
    assert '"""`q1` and `q2` of the spec. Sizes in comments: `q1`."""\n' in net.source and "self.q2 = Q()" in net.source
    check_against_flat(nets, net)


def test_scopes_of_other_names_share_a_class(nets: SimpleNamespace, tmp_path: Path) -> None:
    text = """
layers:
  - left:  [{conv: 4}, {conv: 4}]
  - head:  {conv: 4}
  - right: [{conv: 2}, {conv: 2}]
"""
    net = built(nets, tmp_path, text)
    assert "self.right = Left(2)" in net.source and '"""`left` and `right` of the spec.' in net.source
    check_against_flat(nets, net)


def test_a_block_at_two_depths_is_one_class(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = built(
        nets,
        tmp_path,
        """
blocks:
  pair: {args: [w], layers: [c: {conv: w}, d: {conv: w}]}
  outer: {args: [w], layers: [first: {block: pair, w: w}, second: {conv: w}]}
layers:
  - shallow: {block: pair, w: 6}
  - deep: {block: outer, w: 5}
  - head: {conv: 2, act: none}
""",
    )
    assert net.source.count("class Pair") == 1 and net.source.count("(nn.Module)") == 3
    check_against_flat(nets, net)


def test_a_shared_class_shows_the_sizes_of_its_first_use(nets: SimpleNamespace, tmp_path: Path) -> None:
    source = built(nets, tmp_path, SCOPED["nested blocks"]).source
    assert '"""`inner` of the spec. Sizes in comments: `x1.first`."""\n' in source
    assert re.search(r"x = F.relu\(self.c\(x\)\) +# \(B, 3, 16, 16\)   stride 1   rf 3\n", source)
    assert source.count("# fmt: off\nclass ") == 1  # comments under one another, in all classes


def test_a_used_spec_is_described_in_its_own_words(nets: SimpleNamespace) -> None:
    source = nets.emitted(nets.compiled("blue_marble.yaml").graph).source
    assert 'class DilatedContextBasic(nn.Module):\n    """Context network of Yu & Koltun (2016)."""\n' in source


@pytest.mark.parametrize("size", [("16", "a 16 x 16 input"), ("8", "an 8 x 8 input"), ("any", "an H x W input")])
def test_the_header_says_for_which_input_the_sizes_hold(
    nets: SimpleNamespace, tmp_path: Path, size: tuple[str, str]
) -> None:
    source = built(nets, tmp_path, HEAD.replace("size: 16", f"size: {size[0]}") + "layers:\n  - a: {conv: 2}\n").source
    assert f"Sizes in comments are for {size[1]};" in source


NAMES = [
    "train", "forward", "x", "y", "self_", "conv1_norm", "conv1", "torch", "F", "nn", "Tensor", "crop", "center_crop",
    "parameters", "modules", "module", "type", "half", "_modules", "__init__", "_x", "image", "features", "super",
    "dict", "match", "case", "print", "training", "T_destination", "xpu", "call_super_init", "dump_patches",
    "reset_parameters",
]  # fmt: skip


def test_any_name_of_a_layer_gives_a_working_model(nets: SimpleNamespace, tmp_path: Path) -> None:
    layers = "".join(f"  - {name}: {{conv: 4, norm: batch}}\n" for name in NAMES)
    cut = "  - cut: {crop: input, from: torch, offset: 0}\n"
    joined = f"  - join: {{concat: [{', '.join(NAMES)}, cut]}}\n  - end: {{add: [join, join]}}\n"
    net = built(nets, tmp_path, f"layers:\n{layers}{cut}{joined}")
    check_against_flat(nets, net)
    assert net.model.train().training and not net.model.eval().training


@pytest.mark.parametrize("name", ["self", "nn", "class_", "w", "Wide", "torch", "in_channels"])
def test_any_name_of_a_blocks_argument_gives_a_working_model(nets: SimpleNamespace, tmp_path: Path, name: str) -> None:
    text = f"""
blocks:
  wide: {{args: [{name}], layers: [c: {{conv: "{name}"}}, d: {{conv: "2*{name}"}}]}}
layers:
  - one: {{block: wide, {name}: 3}}
  - two: {{block: wide, {name}: 5}}
"""
    check_against_flat(nets, built(nets, tmp_path, text))


@pytest.mark.parametrize("block", ["tensor", "f", "none", "true", "net", "module", "sequential", "_", "a_b"])
def test_any_name_of_a_block_gives_a_working_model(nets: SimpleNamespace, tmp_path: Path, block: str) -> None:
    text = f"""
blocks:
  "{block}": {{args: [w], layers: [c: {{conv: w}}, d: {{conv: w, act: none}}]}}
layers:
  - one: {{block: "{block}", w: 3}}
  - two: {{block: "{block}", w: 5}}
"""
    check_against_flat(nets, built(nets, tmp_path, text))


def test_several_outputs_are_a_dict_and_several_inputs_arguments(nets: SimpleNamespace, tmp_path: Path) -> None:
    text = """segcompile: 1
model: net
input: {x: {channels: 3, size: 16}, self: {channels: 2, size: 16}, torch: {channels: 1, size: 16}}
defaults: {conv: {kernel: 3, pad: same}}
layers:
  - a: {conv: 4, from: x}
  - b: {conv: 4, from: self}
  - c: {conv: 4, from: torch}
  - sum: {add: [a, b, c]}
  - late: {concat: [sum, x]}
outputs: {main: late, aux: a, again: a}
"""
    net = built(nets, tmp_path, text)
    found = net.outputs()
    assert list(found) == ["main", "aux", "again"] and found["aux"].equal(found["again"])
    check_against_flat(nets, net)


def test_an_input_read_late_is_not_overwritten(nets: SimpleNamespace, tmp_path: Path) -> None:
    text = "layers:\n  - features: {conv: 4}\n  - a: {conv: 4}\n  - b: {add: [features, a]}\n"
    text += "  - c: {concat: [b, input, features]}\n"
    check_against_flat(nets, built(nets, tmp_path, text))


def test_a_model_called_f_or_tensor_is_a_module(nets: SimpleNamespace, tmp_path: Path) -> None:
    from segcompile_torch import BACKEND

    from segcompile.build import request_for

    for name in ("f", "tensor", "none", "true"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(HEAD.replace("model: net", f"model: {name}") + "layers:\n  - a: {conv: 2}\n")
        source = BACKEND.emit(request_for(nets.compiled(path), path)).files["model.py"]
        module = nets.load(source)
        assert getattr(module, f"{name.capitalize()}Net")()


def test_a_framework_without_switches_finds_the_maxima_anew_in_what_was_pooled(
    nets: SimpleNamespace, tmp_path: Path
) -> None:
    from segcompile.emit import Code, Rule, Rules, view_model

    net = built(
        nets, tmp_path, "layers:\n  - a: {conv: 4}\n  - p: {pool: max, kernel: 2, drop: 0.5}\n  - u: {unpool: p}\n"
    )
    rule = Rule(lambda op, member, inputs, *_: Code(f"{op.spelling}({', '.join(inputs)})"))
    rules = Rules({type(node.op): rule for node in net.graph.nodes})
    statements = view_model(net.graph, net.facts, "Net", {"input": "image"}, rules).model.statements
    assert [(line.target, line.code) for line in statements] == [
        ("a", "act(conv(image))"), ("x", "dropout(pool(a))"), ("x", "unpool(x, a)"),
    ]  # fmt: skip


def test_a_models_needs_are_those_of_the_code_of_all_its_scopes(nets: SimpleNamespace, tmp_path: Path) -> None:
    from segcompile.emit import Call, Code, Rule, Rules, view_model
    from segcompile.ops import Activation, Conv, Pool, Softmax

    text = "blocks: {b: {layers: [c: {conv: 4, kernel: 1}, d: {conv: 4, kernel: 1, act: none}]}}\nlayers:\n"
    net = built(nets, tmp_path, text + "  - a: {block: b}\n  - p: {pool: max, kernel: 2}\n")
    table = {
        Conv: Rule(lambda op, member, *_: Code(f"{member}()"), lambda op, shapes: Call("Conv", (), (), (), {"Conv"})),
        Activation: Rule(lambda *_: Code("relu()", {"relu", "np"})),
        Pool: Rule(lambda *_: Code("pool()")),
        Softmax: Rule(lambda *_: Code("softmax()", {"softmax"})),  # of no node
    }
    view = view_model(net.graph, net.facts, "Net", {"input": "image"}, Rules(table))
    assert len(view.classes) == 2
    assert view.needs == {"Conv", "relu", "np"}


@pytest.mark.parametrize("align", ["center_crop", "pad"])
def test_a_join_of_equal_maps_needs_no_function_that_crops_or_pads(
    nets: SimpleNamespace, tmp_path: Path, align: str
) -> None:
    for pad, defined in ((0, True), (1, False)):
        layers = f"layers:\n  - a: {{conv: 4, pad: {pad}}}\n  - b: {{conv: 4, from: input}}\n"
        net = built(nets, tmp_path, f"{layers}  - c: {{add: [a, b], align: {align}}}\n")
        assert ("def center_" in net.source) == defined, net.source


@pytest.mark.parametrize(("have", "want"), [(9, 41), (14, 46), (62, 14), (56, 46), (6, 74), (5, 205), (8, 32)])
def test_nearest_neighbours_are_those_of_whole_numbers(nets: SimpleNamespace, have: int, want: int) -> None:
    image = Shape(1, (have, have))
    nodes = (Node("up", Resize(mode="nearest"), ("image", "size"), "up"),)
    graph = Graph("net", {"image": image, "size": Shape(1, (want, want))}, nodes, {"output": "up"}).verify()
    net = nets.emitted(graph)
    value, size = net.inputs()
    (found,) = net.outputs(value, size).values()
    rows = [p * have // want for p in range(want)]
    assert found.equal(value[:, :, rows][:, :, :, rows])
    assert ("return F.interpolate(" in net.source) == (want % have == 0 and (want // have).bit_count() == 1)


def joined(nets: SimpleNamespace, folder: Path, count: int, join: str) -> Any:
    """A network that ends in a join, `add: {names}`, of so many convolutions of long names."""
    names = [f"a_layer_of_long_name_{index}" for index in range(count)]
    layers = [f"  - {name}: {{conv: 2, kernel: 1, from: input}}" for name in names]
    last = f"  - last: {{{join.format(names=', '.join(names))}}}"
    text = "\n".join(["segcompile: 1", "model: net", "input: {channels: 2, size: 8}", "layers:", *layers, last, ""])
    return built(nets, folder, text)


def test_a_sum_that_is_too_long_for_a_line_is_broken_before_its_signs(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = joined(nets, tmp_path, 6, "add: [{names}], weights: [1, -0.5, 1, 1, 1, 1]")
    assert net.outputs()["output"].shape == (1, 2, 8, 8)
    assert BROKEN_SUM in net.source, net.source


def test_a_list_that_is_too_long_for_a_line_is_broken_between_its_maps(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = joined(nets, tmp_path, 6, "concat: [{names}]")
    assert net.outputs()["output"].shape == (1, 12, 8, 8)
    assert BROKEN_LIST in net.source, net.source


BROKEN_LIST = """
        return torch.cat([
            a_layer_of_long_name_0, a_layer_of_long_name_1, a_layer_of_long_name_2, a_layer_of_long_name_3,
            a_layer_of_long_name_4, x], 1)                           # (B, 12, 8, 8)   stride 1   rf 1
"""
BROKEN_SUM = """
        x = (
            1 * a_layer_of_long_name_0 + -0.5 * a_layer_of_long_name_1 + 1 * a_layer_of_long_name_2
            + 1 * a_layer_of_long_name_3 + 1 * a_layer_of_long_name_4 + 1 * x)
"""
