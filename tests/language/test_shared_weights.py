"""`share`: whose weights a layer has, in every place where layers are written."""

from __future__ import annotations

from typing import Any

BASE = """\
segcompile: 1
model: base
input: {channels: 4, size: 16}
defaults: {conv: {kernel: 3, pad: same}}
blocks:
  head: {args: [d: 1], layers: [c: {conv: 4, norm: batch, act: prelu, dilation: d}, s: {conv: 2, kernel: 1}]}
layers:
  - a:  {conv: 4, init: zeros, frozen: yes}
  - b:  {conv: 4, stride: 2, share: a}
  - c:  {conv: 4, share: b}
  - h1: {block: head, from: a}
  - h2: {block: head, from: b, share: h1}
  - f:  {linear: 4, from: c}
  - g:  {linear: 4}
  - h:  {linear: 4, share: g}
outputs: {one: h1, two: h2, three: h}
"""


def owners(bench: Any, body: str) -> dict[str, str]:
    """Node -> the one whose weights it shares."""
    graph = bench.compile(body).graph
    return {node.name: node.weights for node in graph.nodes if node.weights is not None}


def derived(bench: Any, transform: str) -> dict[str, str]:
    bench.write(BASE, "base.yaml")
    return owners(bench, f"segcompile: 1\nmodel: net\nbase: base.yaml\ntransform: [{transform}]\n")


def refused(bench: Any, transform: str) -> list[str]:
    bench.write(BASE, "base.yaml")
    found: list[str] = bench.errors(f"segcompile: 1\nmodel: net\nbase: base.yaml\ntransform: [{transform}]\n")
    return found


HEADS = {"h2.c": "h1.c", "h2.c:norm": "h1.c:norm", "h2.c:act": "h1.c:act", "h2.s": "h1.s"}


def test_a_chain_shares_the_first_ones_and_a_block_all_that_its_layers_have(bench: Any) -> None:
    assert owners(bench, BASE) == {"b": "a", "c": "a", "h": "g", **HEADS}


def test_the_weights_start_and_are_counted_where_they_are(bench: Any) -> None:
    compiled = bench.compile(BASE)
    ops = {name: node.op for name, node in compiled.graph.by_name.items()}
    assert [(ops[name].init.scheme, ops[name].frozen) for name in "abc"] == [("zeros", True), *[("he", False)] * 2]
    counts = {
        name: found.parameter_count for name, found in compiled.facts.items() if name in ("a", "b", "f", "g", "h")
    }
    assert counts == {"a": 148, "b": 0, "f": 1028, "g": 20, "h": 0}
    assert compiled.facts["b"].macs == compiled.facts["a"].macs / 4


def test_a_layer_that_names_itself_has_its_own(bench: Any) -> None:
    body = """
        blocks:
          step: {args: [of: c], layers: [c: {conv: 4, kernel: 1, share: of}]}
        layers:
          - start: {conv: 4, kernel: 1}
          - "turn{i}": {conv: 4, kernel: 1, repeat: 3, share: turn1}
          - for: {n: 1..2}
            layers:
              - "level{n}": [{conv: 4, kernel: 1, share: level1.conv}, {act: relu}]
              - "step{n}": {block: step, of: step1.c}
          - alone: {block: step}
          - last: {conv: 4, kernel: 1, share: above}
    """
    wanted = {"turn2": "turn1", "turn3": "turn1", "level2.conv": "level1.conv", "step2.c": "step1.c", "last": "alone.c"}
    assert owners(bench, body) == wanted


def test_a_name_is_looked_up_in_the_block_first(bench: Any) -> None:
    body = """
        blocks:
          pair: {layers: [a: {conv: 3}, b: {conv: 3, share: a}, c: {conv: 3, share: z}]}
        defaults: {conv: {kernel: 1}}
        layers:
          - z: {conv: 3}
          - a: {conv: 3}
          - p: {block: pair}
          - q: {block: pair, share: p}
    """
    assert owners(bench, body) == {"p.b": "p.a", "p.c": "z", "q.a": "p.a", "q.b": "p.a", "q.c": "z"}


def test_a_row_of_a_table_says_it(bench: Any) -> None:
    body = "table:\n  output channels: [4, 4, 4]\n  convolution: 1x1\n  share: [-, -, layer2]\n"
    assert owners(bench, body) == {"layer3": "layer2"}


def test_who_no_output_needs_leaves_its_weights_to_the_next(bench: Any) -> None:
    body = """
        layers:
          - a: {conv: 4, kernel: 1, init: zeros, from: input}
          - b: {conv: 4, kernel: 1, share: a, from: input}
          - c: {conv: 4, kernel: 1, share: a, from: input}
        outputs: {b: b, c: c}
    """
    assert owners(bench, body) == {"c": "b"}
    assert bench.compile(body).graph.by_name["b"].op.init.scheme == "zeros"


def test_edits_keep_what_is_shared(bench: Any) -> None:
    own = {"b": "a", "c": "a", "h": "g"}
    assert derived(bench, "remove: [a]") == {"c": "b", "h": "g", **HEADS}
    assert derived(bench, "remove: [h1.c]") == {**own, "h2.s": "h1.s"}
    assert derived(bench, "replace: {b: {conv: 4, stride: 2, share: a}}") == {**own, **HEADS}
    assert derived(bench, "replace: {b: {conv: 4, stride: 2}}") == {"c": "a", "h": "g", **HEADS}
    assert derived(bench, "replace: {a: {conv: 4, bias: yes}, c: {conv: 4, share: a}}") == {**own, **HEADS}
    assert derived(bench, 'set: {"h1.c": {norm: none}}') == {
        **own,
        **{k: v for k, v in HEADS.items() if "norm" not in k},
    }
    assert derived(bench, "set: {h2.c: {dilation: 2, norm: {batch: {momentum: 0.1}}}}") == {**own, **HEADS}
    assert derived(bench, 'set: {"h*.c": {norm: {batch: {eps: 1e-3}}}}') == {**own, **HEADS}
    assert derived(bench, 'set: {"h*.c": {norm: {group: 2}}}') == {**own, **HEADS}
    assert derived(bench, "set: {b: {dilation: 2}}, convolutionalize: [f, g, h]") == {**own, **HEADS}
    assert derived(bench, "append: [last: {conv: 4, share: c, from: c}]") == {"b": "a", "c": "a", "last": "a", **HEADS}
    assert derived(bench, "insert: {after: a, layers: [i: {conv: 4, share: a}]}") == {"i": "a", **own, **HEADS}


def test_a_derived_layer_owns_what_started_elsewhere(bench: Any) -> None:
    bench.write(BASE, "base.yaml")
    found = bench.compile("segcompile: 1\nmodel: net\nbase: base.yaml\ntransform: [remove: [a]]\n")
    ops = {name: node.op for name, node in found.graph.by_name.items()}
    assert [(ops[name].init.scheme, ops[name].frozen) for name in "bc"] == [("zeros", True), ("he", False)]


def test_an_edit_of_one_of_them_alone_is_refused(bench: Any) -> None:
    told = "SC503 `h` (linear) shares the weights of `g`, which would be conv"
    assert refused(bench, "convolutionalize: [f, g]") == [told]
    told = "SC503 `b` (conv) shares the weights of `a`, which would be max pool"
    assert refused(bench, "replace: {a: {pool: max, kernel: 1}}") == [told]
    told = "SC503 `h2.c` (batch norm) shares the weights of `h1.c`, which would be group norm"
    assert refused(bench, "set: {h1.c: {norm: {group: 2}}}") == [told]
    told = "SC503 `h2.c` would be group norm, and shares the weights of `h1.c` (batch norm)"
    assert refused(bench, "set: {h2.c: {norm: {group: 2}}}") == [told]
    told = "SC206 `h2.c` has `eps` 0.001, and `h1.c`, whose weights it shares, has 1e-05"
    assert refused(bench, "set: {h2.c: {norm: {batch: {eps: 1e-3}}}}") == [told]
    told = "SC206 `b` has `kernel` 3x3, and `a`, whose weights it shares, has 1x1"
    assert told in refused(bench, "set: {a: {kernel: 1}}")
    told = "SC003 `b` has no attribute `share`"
    assert refused(bench, "set: {b: {share: c}}") == [told]
    told = "SC205 `i` shares the weights of `h1.c`, which is made later"
    assert refused(bench, "insert: {after: a, layers: [i: {conv: 4, share: h1.c}]}") == [told]


def test_how_weights_start_is_set_where_they_are(bench: Any) -> None:
    told = "SC011 `frozen` of `b` belongs to `a`, whose weights these are"
    assert refused(bench, "set: {b: {frozen: no}}") == [told]
    told = "SC011 `init` of `h` belongs to `g`, whose weights these are"
    assert refused(bench, "set: {h: {init: zeros}}") == [told]
    bench.write(BASE, "base.yaml")
    edit = 'set: {"*": {frozen: no, init: xavier}}'
    found = bench.compile(f"segcompile: 1\nmodel: net\nbase: base.yaml\ntransform: [{edit}]\n").graph.by_name
    assert [(found[name].op.init.scheme, found[name].op.frozen) for name in "ab"] == [("xavier", False), ("he", False)]


def test_atrous_dilates_each_of_them_for_itself(bench: Any) -> None:
    bench.write(
        "layers:\n  - a: {conv: 3, kernel: 3, stride: 2, pad: 1}\n  - b: {conv: 3, kernel: 3, share: a}\n", "base.yaml"
    )
    found = bench.compile("segcompile: 1\nmodel: net\nbase: base.yaml\ntransform: [atrous: [a]]\n").graph.by_name
    assert [(found[name].op.dilation, found[name].weights) for name in "ab"] == [((1, 1), None), ((2, 2), "a")]
