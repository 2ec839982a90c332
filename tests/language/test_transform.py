"""Derived networks: what each edit makes of the layers, and that it computes what it should."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from segcompile.compiler import Compiled
from segcompile.facts.facts import NodeFacts
from segcompile.library import bundled
from segcompile.network.graph import Graph, Node
from segcompile.testing.networks import request_of, slim
from segcompile.testing.parameters import by_node, drawn
from segcompile.testing.reference import run
from segcompile.weights.parameters import tensors

from .conftest import Workbench

DATA = Path(__file__).parents[1] / "data" / "valid"
BASE = """
segcompile: 1
model: classifier
params: {K: 5}
input: {channels: 2, size: 20}
defaults: {conv: {kernel: 3, act: relu}, pool: {kernel: 2, stride: 2}}
blocks: {pair: {args: [w], layers: ["c{i}": {conv: w, repeat: 2}]}}
layers:
  - first:  {block: pair, w: 4}
  - pool1:  {pool: max}
  - down:   {conv: 6, stride: 2}
  - fc6:    {linear: 7, act: relu, drop: 0.5}
  - fc7:    {linear: K}
"""


def derived(bench: Workbench, edits: str, more: str = "", base: str = BASE) -> str:
    """A spec derived from `base` by a list of edits."""
    bench.write(base, "base.yaml")
    return f"segcompile: 1\nmodel: net\nbase: base.yaml\n{more}\ntransform: {edits}\n"


def layers(compiled: Compiled) -> list[str]:
    return list(compiled.graph.layers)


def op(compiled: Compiled, layer: str) -> object:
    return compiled.graph.layers[layer][0].op


# --- against networks written out by hand


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s"])
def test_the_papers_networks_are_those_written_out_as_layers(nets: SimpleNamespace, name: str) -> None:
    found, written = nets.compiled(bundled()[name]).graph, nets.compiled(DATA / f"{name}_layers.yaml").graph
    assert [(node.op, node.inputs) for node in found.nodes] == [(node.op, node.inputs) for node in written.nodes]


# --- one edit at a time


def test_remove_joins_what_was_before_to_what_comes_after(bench: Workbench) -> None:
    compiled = bench.compile(derived(bench, "[remove: [pool1, fc7]]"))
    assert layers(compiled) == ["first.c1", "first.c2", "down", "fc6"]
    assert compiled.graph.layers["down"][0].inputs == ("first.c2:act",)
    assert list(compiled.graph.outputs.values()) == ["fc6:drop"]


def test_a_block_is_selected_by_its_name_and_a_pattern_by_stars(bench: Workbench) -> None:
    assert layers(bench.compile(derived(bench, "[remove: first]"))) == ["pool1", "down", "fc6", "fc7"]
    assert layers(bench.compile(derived(bench, '[remove: ["f*c?"]]'))) == ["pool1", "down"]


def test_append_reads_the_last_layer_and_knows_all_names(bench: Workbench) -> None:
    edits = "[{remove: [fc6, fc7]}, {append: [score: {conv: K, kernel: 1}, up: {resize: first.c1}]}]"
    compiled = bench.compile(derived(bench, edits))
    assert layers(compiled)[-2:] == ["score", "up"]
    assert compiled.graph.layers["score"][0].inputs == ("down:act",)


def test_insert_after_is_read_by_all_who_read_the_layer(bench: Workbench) -> None:
    compiled = bench.compile(derived(bench, "[insert: {after: pool1, layers: [half: {scale: 0.5}, soft: {act: elu}]}]"))
    assert layers(compiled)[2:5] == ["pool1", "half", "soft"]
    assert compiled.graph.layers["down"][0].inputs == ("soft",)


def test_insert_after_a_block_or_a_join_of_branches_reads_its_result(bench: Workbench) -> None:
    base = BASE.replace(
        "  - down:", "  - sum:    {add: [[a: {conv: 4, kernel: 1}], [b: {conv: 4, kernel: 1}]]}\n  - down:"
    )
    edits = "[insert: {after: first, layers: [half: {scale: 0.5}]}, insert: {after: sum, layers: [soft: {act: elu}]}]"
    compiled = bench.compile(derived(bench, edits, base=base))
    assert layers(compiled)[:8] == ["first.c1", "first.c2", "half", "pool1", "sum.a", "sum.b", "sum", "soft"]
    reads = {name: nodes[0].inputs for name, nodes in compiled.graph.layers.items()}
    assert (reads["half"], reads["pool1"]) == (("first.c2:act",), ("half",))
    assert (reads["soft"], reads["down"]) == (("sum",), ("soft",))


def test_insert_before_is_read_by_that_layer_alone(bench: Workbench) -> None:
    compiled = bench.compile(derived(bench, "[insert: {before: down, layers: [half: {scale: 0.5}]}]"))
    assert layers(compiled)[3:5] == ["half", "down"]
    assert compiled.graph.layers["down"][0].inputs == ("half",)


def test_insert_at_the_end_is_the_output(bench: Workbench) -> None:
    compiled = bench.compile(derived(bench, "[insert: {after: fc7, layers: [half: {scale: 0.5}]}]"))
    assert list(compiled.graph.outputs.values()) == ["half"]


def test_replace_keeps_the_name_and_the_place(bench: Workbench) -> None:
    compiled = bench.compile(derived(bench, "[replace: {pool1: {conv: 4, kernel: 2, stride: 2, act: none}}]"))
    assert layers(compiled) == ["first.c1", "first.c2", "pool1", "down", "fc6", "fc7"]
    assert op(compiled, "pool1").stride == (2, 2)  # type: ignore[attr-defined]


def test_replace_inside_a_block(bench: Workbench) -> None:
    compiled = bench.compile(derived(bench, "[replace: {first.c2: {conv: 9, kernel: 1, act: none}}]"))
    assert layers(compiled)[:3] == ["first.c1", "first.c2", "pool1"]
    assert op(compiled, "first.c2").channels == 9  # type: ignore[attr-defined]


def test_replace_puts_another_block_in_the_place_of_one(bench: Workbench) -> None:
    triple = "blocks: {triple: {args: [w], layers: ['d{i}': {conv: w, repeat: 3}]}}"
    compiled = bench.compile(derived(bench, "[replace: {first: {block: triple, w: 8}}]", triple))
    assert layers(compiled)[:4] == ["first.d1", "first.d2", "first.d3", "pool1"]
    assert compiled.graph.layers["pool1"][0].inputs == ("first.d3:act",)
    assert [(scope.name, scope.title) for scope in compiled.graph.scopes] == [("first", "triple")]


def test_replace_puts_a_layer_in_the_place_of_a_block_and_a_block_in_that_of_a_layer(bench: Workbench) -> None:
    edits = "[replace: {first: {conv: 3}}, replace: {down: {block: pair, w: 6}}]"
    compiled = bench.compile(derived(bench, edits))
    assert layers(compiled) == ["first", "pool1", "down.c1", "down.c2", "fc6", "fc7"]
    assert compiled.graph.layers["fc6"][0].inputs == ("down.c2:act",)


def test_replace_puts_another_derived_spec_in_the_place_of_a_used_one(bench: Workbench) -> None:
    """The first one asks for nothing any more: neither its channels nor its weights."""
    pair = "[a: {conv: 3, kernel: 1}, b: {conv: 3, kernel: 1}]"
    head = f"segcompile: 1\nmodel: head\ninput: {{channels: 6, size: 4}}\nlayers: {pair}\n"
    bench.write(head, "head.yaml")
    bench.write("segcompile: 1\nmodel: short\nbase: head.yaml\ntransform: [remove: [b]]\n", "short.yaml")
    base = BASE.replace(
        "  - fc6:    {linear: 7, act: relu, drop: 0.5}\n  - fc7:    {linear: K}\n", "  - head: {use: head.yaml}\n"
    )
    compiled = bench.compile(derived(bench, "[replace: {head: {use: short.yaml}}]", base=base))
    assert layers(compiled) == ["first.c1", "first.c2", "pool1", "down", "head.a"]
    assert [use.call.document.model for use in compiled.spec.uses] == ["short"]
    assert [scope.title for scope in compiled.graph.scopes] == ["pair", "short"]


def test_what_is_removed_whole_leaves_its_name(bench: Workbench) -> None:
    compiled = bench.compile(derived(bench, "[remove: first, append: [first: {linear: 2}]]"))
    assert layers(compiled) == ["pool1", "down", "fc6", "fc7", "first"]
    assert compiled.graph.scopes == ()


def test_replace_refuses_what_is_read_inside(bench: Workbench) -> None:
    """A tap in the middle of a block: which of the new block's layers should it read?"""
    base = BASE.replace("  - fc6:", "  - tap:    {conv: 6, from: first.c1, stride: 4}\n  - fc6:")
    found = bench.errors(derived(bench, "[replace: {first: {conv: 3}}]", base=base))
    assert found == ["SC503 `tap` reads `first.c1`, which would go"]


NESTED = """
segcompile: 1
model: nested
input: {channels: 3, size: 16}
defaults: {conv: {kernel: 3, pad: 1}}
blocks:
  pair: {args: [w], layers: [c1: {conv: w}, c2: {conv: w}]}
  residual: {args: [w], layers: [c1: {conv: w}, c2: {conv: w}, sum: {add: [c2, input]}]}
  decode: {args: [w, skip], layers: [lat: {conv: w, from: skip}, up: {conv: w, from: input}, sum: {add: [lat, up]}]}
layers:
  - stem: {conv: 6}
  - res:  {block: residual, w: 6}
  - dec:  {block: decode, w: 8, skip: stem}
  - head: {use: head.yaml}
  - join: {concat: [[b1: {conv: 2, from: stem}], [b2: {conv: 2}]]}
"""
HEAD = "segcompile: 1\nmodel: head\ninput: {data: {channels: 8, size: 8}}\nlayers: [a: {conv: 8, kernel: 1}]\n"


@pytest.fixture
def nested(bench: Workbench) -> Callable[[str], dict[str, tuple[str, ...]]]:
    """What each layer reads, after edits of NESTED."""
    bench.write(HEAD, "head.yaml")

    def reads(edits: str) -> dict[str, tuple[str, ...]]:
        found = bench.compile(derived(bench, edits, base=NESTED)).graph.layers
        return {name: nodes[0].inputs for name, nodes in found.items()}

    return reads


Reads = Callable[[str], dict[str, tuple[str, ...]]]


@pytest.mark.parametrize("name", ["dec", "join"])
def test_what_replaces_a_scope_reads_what_enters_it_and_not_what_its_first_layer_reads(
    name: str, nested: Reads
) -> None:
    entering = {"dec": "res.sum", "join": "head.a"}
    assert nested(f"[replace: {{{name}: {{conv: 8}}}}]")[name] == (entering[name],)
    edits = f"[insert: {{after: {entering[name]}, layers: [soft: {{act: elu}}]}}, replace: {{{name}: {{conv: 8}}}}]"
    assert nested(edits)[name] == ("soft",)


def test_what_replaces_a_layer_in_a_scope_means_by_input_what_enters_that(nested: Reads) -> None:
    assert nested("[replace: {res.sum: {add: [input, c2]}}]")["res.sum"] == ("stem", "res.c2")
    assert nested("[replace: {stem: {block: pair, w: 6}}, replace: {res.sum: {add: [c2, input]}}]")["res.sum"] == (
        "res.c2", "stem.c2",
    )  # fmt: skip
    assert nested("[insert: {after: head.a, layers: [x: {conv: 8, from: head.data}]}]")["x"] == ("dec.sum",)


def test_the_name_of_a_scope_follows_its_end(nested: Reads) -> None:
    edits = "[replace: {dec.sum: {block: pair, w: 8}}, insert: {after: dec, layers: [x: {act: relu}]}]"
    assert nested(edits)["x"] == ("dec.sum.c2",) and nested(edits)["head.a"] == ("x",)
    edits = "[replace: {res.sum: {conv: 6}}, append: [x: {conv: 2, from: res}], replace: {x: {conv: 3}}]"
    assert nested(edits)["x"] == ("res.sum",)
    assert nested("[replace: {dec.sum: {conv: 8}}, replace: {dec: {conv: 8}}]")["head.a"] == ("dec",)


def test_what_enters_a_used_spec_is_checked_where_it_was_edited(bench: Workbench) -> None:
    bench.write(HEAD, "head.yaml")
    edits = "[insert: {after: dec, layers: [x: {conv: 7}]}]"
    assert bench.errors(derived(bench, edits, base=NESTED)) == ["SC301 `head` takes 8 channels, and `x` has 7"]
    edits = "[replace: {dec: {conv: 7}}, insert: {after: dec, layers: [x: {conv: 8}]}]"
    assert bench.errors(derived(bench, edits, base=NESTED)) == []


def test_a_residual_block_is_removed_and_a_join_of_two_is_not(nested: Reads, bench: Workbench) -> None:
    assert nested("[remove: [res]]")["dec.up"] == ("stem",)
    found = bench.errors(derived(bench, "[remove: [dec]]", base=NESTED))
    assert found == ["SC503 `dec.sum` joins dec.lat and dec.up, and `head.a` reads it"]
    found = bench.errors(derived(bench, "[remove: [dec.sum, head.a]]", base=NESTED))
    assert found == ["SC503 `dec.sum` joins dec.lat and dec.up, and `join.b2` reads it"]


TWO = """
segcompile: 1
model: two
input: {channels: 3, size: 16}
defaults: {conv: {kernel: 3, pad: 1}}
layers:
  - a:   {conv: 4}
  - b:   {conv: 4, from: input}
  - sum: {add: [a, b]}
"""


def test_a_join_at_the_end_is_removed_where_it_is_said_what_the_network_ends_with(bench: Workbench) -> None:
    edits = "[remove: [sum], append: [{for: {c: [1, 2]}, layers: ['c{c}': {conv: c}]}]]"
    found = bench.errors(derived(bench, edits, base=TWO))
    assert found == ["SC503 `sum` joins a and b, and `c1` reads it"]
    edits = "[remove: [sum], append: [sum: {concat: [a, b]}, c: {conv: 2}]]"
    assert bench.compile(derived(bench, edits, base=TWO)).graph.layers["c"][0].inputs == ("sum",)
    outputs = bench.compile(derived(bench, "[remove: [sum]]", "outputs: {one: a, two: b}", base=TWO)).graph.outputs
    assert outputs == {"one": "a", "two": "b"}


@pytest.mark.parametrize(
    "layer",
    [
        "side: [{conv: 5, kernel: 1, from: a}, {act: elu}]",
        "side: {add: [[{act: elu, from: a}], [{act: relu, from: b}]]}",
    ],
)
def test_behind_a_join_that_is_gone_a_chain_or_a_join_of_branches_starts_from_a_layer(
    bench: Workbench, layer: str
) -> None:
    compiled = bench.compile(derived(bench, f"[remove: [sum], append: [{layer}]]", base=TWO))
    assert next(iter(compiled.graph.outputs.values())).startswith("side")


def test_an_output_of_the_base_follows_what_is_inserted_after_it(bench: Workbench) -> None:
    base = f"{TWO}outputs: {{main: sum, aux: a}}\n"

    def outputs(edits: str, own: str = "") -> dict[str, str]:
        return dict(bench.compile(derived(bench, edits, own, base=base)).graph.outputs)

    insert = "insert: {after: sum, layers: [x: {conv: 5}, y: {conv: 6}]}"
    assert outputs(f"[{insert}]") == {"main": "y", "aux": "a"}
    assert outputs(f"[{insert}, insert: {{after: y, layers: [z: {{conv: 5}}]}}]") == {"main": "z", "aux": "a"}
    assert outputs(f"[{insert}, remove: [y]]") == {"main": "x", "aux": "a"}
    assert outputs(f"[{insert}, remove: [x, y]]") == {"main": "sum", "aux": "a"}
    assert outputs(f"[{insert}]", "outputs: {main: sum, deep: y}") == {"main": "sum", "deep": "y"}
    bench.write(derived(bench, f"[{insert}]", base=base).replace("model: net", "model: mid"), "mid.yaml")
    text = "segcompile: 1\nmodel: net\nbase: mid.yaml\ntransform: [insert: {after: y, layers: [z: {conv: 5}]}]\n"
    assert bench.compile(text).graph.outputs == {"main": "z", "aux": "a"}


def test_an_output_of_a_scope_follows_what_is_inserted_after_it_also_where_the_scope_is_another(
    bench: Workbench,
) -> None:
    head = (
        "segcompile: 1\nmodel: head\ninput: {channels: 4, size: 16}\nlayers: [a: {conv: 4, kernel: 1}, b: {act: elu}]"
    )
    bench.write(f"{head}\noutputs: {{main: a}}\n", "head.yaml")
    edits = "[insert: {after: a, layers: [c: {conv: 4, kernel: 1}]}]"
    bench.write(f"segcompile: 1\nmodel: more\nbase: head.yaml\ntransform: {edits}\n", "more.yaml")
    blocks = "blocks: {res: {layers: [c: {conv: 4}, sum: {add: [c, input]}]}}"
    base = f"{TWO}  - res: {{block: res}}\n  - h: {{use: more.yaml}}\n{blocks}\noutputs: {{main: h, aux: res}}\n"

    def outputs(edits: str) -> dict[str, str]:
        return dict(bench.compile(derived(bench, edits, base=base)).graph.outputs)

    insert = "insert: {after: h, layers: [x: {conv: 5}]}"
    assert outputs("[]") == {"main": "h.c", "aux": "res.sum"}
    assert outputs(f"[{insert}]") == outputs(f"[{insert}, remove: [h.c]]") == {"main": "x", "aux": "res.sum"}
    assert outputs(f"[{insert}, replace: {{h: {{use: head.yaml}}}}]") == {"main": "x", "aux": "res.sum"}
    assert outputs("[replace: {h: {use: head.yaml}}]") == {"main": "h.a", "aux": "res.sum"}
    found = bench.errors(derived(bench, "[replace: {h: {conv: 4, from: sum}}, remove: [res.sum]]", base=base))
    assert found == ["SC503 `res.sum` is the output `aux`"]


def test_what_is_inserted_after_a_pool_is_not_unpooled(bench: Workbench) -> None:
    base = TWO.replace("b:   {conv: 4, from: input}", "p:   {pool: max, kernel: 2}\n  - b:   {unpool: p}")
    compiled = bench.compile(derived(bench, "[insert: {after: p, layers: [c: {conv: 4}]}]", base=base))
    assert compiled.graph.layers["b"][0].inputs == ("c", "p", "a")
    chain = bench.compile(derived(bench, "[replace: {p: [{act: elu}, {pool: max, kernel: 4}]}]", base=base))
    assert chain.graph.layers["b"][0].inputs == ("p.pool", "p.pool", "p.act")
    assert bench.errors(derived(bench, "[remove: [p]]", base=base)) == ["SC503 `b` undoes `p`, which would go"]
    assert layers(bench.compile(derived(bench, "[remove: [p, b]]", base=base))) == ["a", "sum"]


def test_a_kernel_is_inferred_from_the_base_s_own_parameters(bench: Workbench) -> None:
    """The weights are of the size that the base says, whatever the image of the derived network."""
    base = BASE.replace("{K: 5}", "{K: 5, S: 20, C: 2}").replace("{channels: 2, size: 20}", "{channels: C, size: S}")
    for more in ("params: {S: 40, C: 3}", "input: {size: 40}"):
        compiled = bench.compile(derived(bench, "[convolutionalize: [fc6, fc7]]", more, base=base))
        assert op(compiled, "fc6").kernel == (3, 3)  # type: ignore[attr-defined]
        assert str(compiled.facts["fc7"].shape) == "5 x 6 x 6"


def test_a_block_without_its_end_is_not_replaced(bench: Workbench) -> None:
    bench.write(HEAD, "head.yaml")
    split = NESTED.replace("c2: {conv: w}]", "c2: {conv: w, from: input}]").replace("block: residual", "block: pair")
    edits = "[remove: [res.c2], replace: {res: {conv: 6}}]"
    assert bench.errors(derived(bench, edits, base=split)) == ["SC503 `res` has no result: its end was removed"]


@pytest.mark.parametrize("name", ["vgg16", "googlenet", "unet", "aspp", "dilated8_voc", "blue_marble"])
def test_a_layer_replaced_by_itself_is_the_same_network(name: str, bench: Workbench, nets: SimpleNamespace) -> None:
    """Whatever it is: a layer, a block with taps, a used spec, a join of branches."""
    path = bundled()[name]
    before = nets.compiled(path).graph
    for item in YAML(typ="safe").load(path.read_text(encoding="utf-8"))["layers"]:
        for layer, body in item.items() if len(item) == 1 and "for" not in item else ():
            text = f"segcompile: 1\nmodel: net\nbase: {name}\ntransform: [replace: {{{layer}: {json.dumps(body)}}}]\n"
            after = bench.compile(text.replace("false", "no").replace("true", "yes")).graph
            assert {node.name: (node.op, node.inputs) for node in after.nodes} == {
                node.name: (node.op, node.inputs) for node in before.nodes
            }
            assert {scope.name: scope.title for scope in after.scopes} == {s.name: s.title for s in before.scopes}


def test_set_changes_what_it_says_and_nothing_else(bench: Workbench) -> None:
    edits = '[set: {"first.*": {pad: 1, act: none}, fc6: {linear: 8, drop: none, norm: none}, pool1: {pool: avg}}]'
    compiled = bench.compile(derived(bench, edits))
    first = compiled.graph.layers["first.c1"]
    assert len(first) == 1
    assert first[0].op.pad == ((1, 1), (1, 1))
    assert [node.role for node in compiled.graph.layers["fc6"]] == ["main", "act"]
    assert (op(compiled, "fc6").features, op(compiled, "pool1").kind) == (8, "avg")  # type: ignore[attr-defined]


def test_edits_are_done_in_their_order_and_those_of_the_base_first(bench: Workbench) -> None:
    bench.write(BASE, "base.yaml")
    edits = "[{remove: [fc7]}, {append: [a: {scale: 2.0}]}]"
    bench.write(f"segcompile: 1\nmodel: mid\nbase: base.yaml\ntransform: {edits}\n", "mid.yaml")
    compiled = bench.compile("segcompile: 1\nmodel: net\nbase: mid.yaml\ntransform: [append: [b: {scale: 3.0}]]\n")
    assert layers(compiled)[-3:] == ["fc6", "a", "b"]


def test_a_derived_spec_can_be_used_and_is_edited_inside(bench: Workbench) -> None:
    bench.write(BASE, "base.yaml")
    edits = "[{convolutionalize: [fc6, fc7]}, {remove_stride: [down]}]"
    bench.write(
        f"segcompile: 1\nmodel: dense\nbase: base.yaml\ninput: {{size: 40}}\ntransform: {edits}\n", "dense.yaml"
    )
    compiled = bench.compile(
        "segcompile: 1\nmodel: net\ninput: {channels: 2, size: 40}\n"
        "layers:\n  - front: {use: dense.yaml, K: 3}\n  - tail: {conv: 4, kernel: 1}\n"
    )
    assert op(compiled, "front.fc6").dilation == (2, 2)  # type: ignore[attr-defined]
    assert op(compiled, "front.fc7").channels == 3  # type: ignore[attr-defined]


def test_the_claims_of_the_base_stay_behind(bench: Workbench) -> None:
    compiled = bench.compile(derived(bench, "[remove: [fc7]]", base=BASE + "claims: {fc7: {channels: 5}}\n"))
    assert compiled.verdicts == ()


# --- what they compute


Values = dict[str, dict[str, np.ndarray]]


def weights(graph: Graph) -> Values:
    request = request_of(graph)
    wanted = list(tensors(request.graph, request.facts))
    return {name: dict(found) for name, found in by_node(wanted, drawn(wanted, seed=7)).items()}


def output(graph: Graph, values: Mapping[str, Mapping[str, np.ndarray]], image: np.ndarray) -> np.ndarray:
    double = {name: {key: value.astype(float) for key, value in found.items()} for name, found in values.items()}
    (found,) = run(graph, double, {"input": image}).values()
    return found


def test_a_convolutionalized_classifier_is_the_classifier(bench: Workbench) -> None:
    classifier = bench.compile(BASE).graph
    convolutional = bench.compile(derived(bench, "[convolutionalize: [fc6, fc7]]")).graph
    values = weights(classifier)
    shaped = {name: dict(found) for name, found in values.items()}
    for name, size in (("fc6", 3), ("fc7", 1)):
        weight = values[name]["weight"]
        shaped[name]["weight"] = weight.reshape(len(weight), -1, size, size)
    image = np.random.default_rng(1).standard_normal((2, 2, 20, 20))
    found = output(convolutional, shaped, image)
    assert found.shape == (2, 5, 1, 1)
    np.testing.assert_allclose(found[:, :, 0, 0], output(classifier, values, image), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "linear", "size"),
    [("vgg16", "fc6, fc7, fc8", 224), ("alexnet", "fc6, fc7, fc8", 227), ("googlenet", "classifier", 224)],
)
def test_the_papers_classifiers_convolutionalized_are_the_classifiers(
    bench: Workbench, nets: SimpleNamespace, name: str, linear: str, size: int
) -> None:
    classifier = slim(nets.compiled(bundled()[name]).graph)
    edits = f"[{{convolutionalize: [{linear}]}}]"
    spec = f"segcompile: 1\nmodel: net\nbase: {name}.yaml\nparams: {{K: 1000}}\ntransform: {edits}\n"
    convolutional = slim(bench.compile(spec).graph)
    values = weights(classifier)
    shapes = {node.name: found.parameters for node, found in each_fact(convolutional)}
    shaped = {
        name: {each.name: found[each.name].reshape(each.shape) for each in shapes[name]}
        for name, found in values.items()
    }
    image = np.random.default_rng(1).standard_normal((1, 2, size, size))
    expected = output(classifier, values, image)
    np.testing.assert_allclose(output(convolutional, shaped, image)[:, :, 0, 0], expected, rtol=1e-9, atol=1e-12)


def each_fact(graph: Graph) -> Iterator[tuple[Node, NodeFacts]]:
    request = request_of(graph)
    return ((node, request.facts[node.name]) for node in request.graph.nodes)


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """A chain of convolutions and pools without padding, and those that have a stride."""
    lines, strided = [], []
    for index in range(draw(st.integers(1, 4))):
        kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        kind = draw(st.sampled_from(["conv: 2", "pool: max"]))
        dilation = draw(st.integers(1, 2))
        rest = ", act: relu" if kind == "conv: 2" else ""
        lines.append(f"l{index}: {{{kind}, kernel: {kernel}, stride: {stride}, dilation: {dilation}{rest}}}")
        strided += [f"l{index}"] if stride > 1 else []
    return lines, strided


@settings(max_examples=30)
@given(chains(), st.data())
def test_a_trous_gives_what_the_network_gives_at_every_shift(
    tmp_path_factory: pytest.TempPathFactory, chain: tuple[list[str], list[str]], data: st.DataObject
) -> None:
    lines, strided = chain
    if not strided:
        return
    bench = Workbench(tmp_path_factory.mktemp("chain"))
    base = "segcompile: 1\nmodel: base\ninput: {channels: 1, size: 160}\nlayers:\n" + "".join(
        f"  - {x}\n" for x in lines
    )
    dense = bench.compile(derived(bench, f"[atrous: [{', '.join(strided)}]]", base=base))
    strides = [int(line.partition("stride: ")[2][0]) for line in lines]
    step = int(np.prod(strides))
    strided_graph, values = bench.compile(base).graph, weights(dense.graph)
    image = np.random.default_rng(2).standard_normal((1, 1, 160, 160))
    everywhere = output(dense.graph, values, image)
    down, right = data.draw(st.integers(0, step - 1)), data.draw(st.integers(0, step - 1))
    shifted = output(strided_graph, values, image[:, :, down:, right:])
    expected = everywhere[:, :, down::step, right::step]
    height, width = (min(a, b) for a, b in zip(shifted.shape[2:], expected.shape[2:], strict=True))
    assert height * width > 0
    np.testing.assert_allclose(shifted[:, :, :height, :width], expected[:, :, :height, :width], rtol=1e-9, atol=1e-12)


def test_remove_stride_lets_pools_go_and_keeps_the_rest_of_a_trous(bench: Workbench) -> None:
    head = "[{convolutionalize: [fc6, fc7]}, "
    whole = bench.compile(derived(bench, f"{head}{{remove_stride: [pool1, down]}}]", "input: {size: 40}"))
    steps = bench.compile(derived(bench, f"{head}{{atrous: [pool1, down]}}, {{remove: [pool1]}}]", "input: {size: 40}"))
    assert [(node.name, node.op, node.inputs) for node in whole.graph.nodes] == [
        (node.name, node.op, node.inputs) for node in steps.graph.nodes
    ]
    assert op(whole, "fc6").dilation == (4, 4)  # type: ignore[attr-defined]


def test_padding_is_dilated_with_the_kernel(bench: Workbench) -> None:
    base = """
segcompile: 1
model: b
input: {channels: 1, size: 33}
layers:
  - a: {conv: 1, kernel: 3, stride: 2, pad: 1}
  - b: {conv: 1, kernel: 3, pad: same}
  - c: {pool: max, kernel: 3, stride: 1, pad: 1}
  - p: {pad: 2}
"""
    compiled = bench.compile(derived(bench, "[atrous: [a]]", base=base))
    values = weights(compiled.graph)
    image = np.random.default_rng(3).standard_normal((1, 1, 33, 33))
    sparse = output(bench.compile(base).graph, values, image)
    np.testing.assert_allclose(output(compiled.graph, values, image)[:, :, ::2, ::2], sparse, rtol=1e-9)


@pytest.mark.parametrize(
    "edits",
    [
        "append: [fd: {linear: 5}]",
        "insert: {after: pool1, layers: [fc7: {act: relu}, x: {act: elu}]}",
        "append: [x: {act: elu}], insert: {after: pool1, layers: [{act: relu}, x: {act: elu}]}",
        "insert: {before: down, layers: [down: {scale: 2.0}]}",
    ],
)
def test_names_that_are_taken_are_no_layers_behind_an_edit_that_failed(edits: str, bench: Workbench) -> None:
    """What would be said of them is muted."""
    assert bench.errors(derived(bench, f"[remove: [fc9], {edits}]")) == ["SC502 no layer matches `fc9`"]


def test_what_is_replaced_is_not_read_by_the_name_of_its_scope(bench: Workbench) -> None:
    found = bench.errors(derived(bench, "[replace: {first.c2: {conv: 4, from: first}}]"))
    assert found == ["SC102 there is no layer `first`"]
