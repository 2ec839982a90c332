"""Blocks, loops, branches and used specs: what their layers are called, and what a name means inside them."""

from __future__ import annotations

from typing import Any

import pytest

from segcompile.language import ledger


def test_a_named_block_holds_its_layers_and_means_the_last(bench: Any) -> None:
    text = """
    blocks: {double: {args: [w], layers: ["c{i}": {conv: w, kernel: 3, repeat: 2}]}}
    layers:
      - enc: {block: double, w: 8}
      - s: {add: [enc, enc.c2]}
      - d: {conv: 4, kernel: 1, from: enc.c1}
      - all: {concat: [s, d], align: pad}
    """
    assert list(bench.shapes(text)) == ["enc.c1", "enc.c2", "s", "d", "all"]


def test_a_block_without_a_name_joins_the_scope(bench: Any) -> None:
    text = """
    blocks: {stage: {args: [s, w], layers: ["conv{s}": {conv: w, kernel: 3}, "pool{s}": {pool: max, kernel: 2}]}}
    layers: [{block: stage, s: 1, w: 8}, {block: stage, s: 2, w: 16}]
    claims: {pool2: {channels: 16, stride: 4}}
    """
    assert list(bench.shapes(text)) == ["conv1", "pool1", "conv2", "pool2"]


def test_input_in_a_block_is_what_enters_it(bench: Any) -> None:
    text = """
    blocks: {res: {args: [], layers: [c: {conv: 3, kernel: 3, pad: same}, sum: {add: [c, input]}]}}
    layers: ["r{i}": {block: res, repeat: 3}]
    claims: {r3: {receptive_field: 7}}
    """
    graph = bench.compile(text).graph
    assert graph.layers["r2.sum"][0].inputs == ("r2.c", "r1.sum")
    assert graph.layers["r1.sum"][0].inputs == ("r1.c", "input")


def test_arguments_may_be_names_and_fill_names(bench: Any) -> None:
    text = """
    params: {K: 2}
    blocks:
      skip:
        args: [tap, up]
        layers:
          - "{up}":         {deconv: K, kernel: 2, stride: 2}
          - "score_{tap}":  {conv: K, kernel: 1, from: tap}
          - "fuse_{tap}":   {add: [up, "score_{tap}"]}
    layers:
      - p3: {pool: max, kernel: 2}
      - p4: {pool: max, kernel: 2}
      - score: {conv: K, kernel: 1}
      - {block: skip, tap: p3, up: up2}
    """
    assert list(bench.shapes(text))[-3:] == ["up2", "score_p3", "fuse_p3"]


def test_an_argument_is_handed_on_to_an_inner_block(bench: Any) -> None:
    text = """
    blocks:
      one: {args: [w, at], layers: [c: {conv: w, kernel: 1, from: at}]}
      two: {args: [w, at], layers: [inner: {block: one, w: 2w, at: at}]}
    layers: [stem: {conv: 4, kernel: 1}, b: {block: two, w: 4, at: stem}]
    """
    assert bench.shapes(text)["b.inner.c"] == "8 x 64 x 64"


def test_a_layer_that_is_passed_is_the_callers_whatever_the_block_calls_its_own(bench: Any) -> None:
    text = """
    blocks:
      skip: {args: [from_there], layers: [stem: {conv: 3, kernel: 1}, sum: {add: [stem, from_there]}]}
      outer: {layers: [body: {conv: 3, kernel: 1}, stem: {conv: 3, kernel: 1}, s: {block: skip, from_there: input}]}
    layers:
      - stem:  {conv: 3, kernel: 1}
      - one:   {block: skip, from_there: stem}
      - body:  {conv: 3, kernel: 1}
      - two:   {block: outer}
      - three: {block: skip, from_there: two.stem}
    """
    layers = bench.compile(text).graph.layers
    assert layers["one.sum"][0].inputs == ("one.stem", "stem")
    assert layers["two.s.sum"][0].inputs == ("two.s.stem", "body")
    assert layers["three.sum"][0].inputs == ("three.stem", "two.stem")


def test_an_argument_that_names_no_layer_of_the_caller_is_one_of_the_block(bench: Any) -> None:
    text = """
    blocks:
      pick:
        args: [end]
        layers: [a: {conv: 3, kernel: 1}, b: {conv: 4, kernel: 1}, c: {conv: 5, kernel: 1, from: end}]
    layers: [p: {block: pick, end: a}]
    """
    assert bench.compile(text).graph.layers["p.c"][0].inputs == ("p.a",)


def test_a_block_does_not_see_its_callers_variables(bench: Any) -> None:
    text = """
    blocks: {b: {args: [], layers: [c: {conv: d, kernel: 1}]}}
    layers: [{for: {d: [1, 2]}, layers: ["x{d}": {block: b}]}]
    """
    assert bench.errors(text) == ["SC101 `d` is not a parameter here"]


def test_a_bare_name_is_looked_up_inside_first_then_outwards(bench: Any) -> None:
    text = """
    blocks: {b: {args: [], layers: [a: {conv: 5, kernel: 1}, s: {concat: [a, z]}]}}
    layers: [a: {conv: 3, kernel: 1}, z: {conv: 2, kernel: 1}, x: {block: b}]
    """
    assert bench.shapes(text)["x.s"] == "7 x 64 x 64"


def test_names_take_expressions_in_braces(bench: Any) -> None:
    text = """
    params: {n: 3}
    layers:
      - "c{2*i+n}_{n}": {conv: 2i, kernel: 1, repeat: 2}
    """
    assert bench.shapes(text) == {"c5_3": "2 x 64 x 64", "c7_3": "4 x 64 x 64"}


def test_the_variables_of_a_for_run_side_by_side(bench: Any) -> None:
    text = """
    layers:
      - for: {d: [1, 2, 4], w: [8, 16, 32]}
        layers: ["c{d}": {conv: w, kernel: 3, dilation: d, pad: same}]
    """
    assert bench.shapes(text)["c4"] == "32 x 64 x 64"


def test_a_for_runs_over_names_as_well(bench: Any) -> None:
    text = """
    layers:
      - a: {conv: 4, kernel: 3, pad: same}
      - b: {conv: 4, kernel: 3, pad: same}
      - all:
          concat:
            - for: {tap: [a, b]}
              layers: ["{tap}_s": {conv: 2, kernel: 1, from: tap}]
    """
    assert list(bench.shapes(text)) == ["a", "b", "all.a_s", "all.b_s", "all"]


def test_loops_nest(bench: Any) -> None:
    text = """
    layers:
      - for: {a: [1, 2]}
        layers:
          - for: {b: [1, 2]}
            layers: ["c{a}{b}_{i}": {conv: 1, kernel: 1, repeat: a*b}]
    """
    assert len(bench.shapes(text)) == 9


def test_branches_start_from_what_enters_the_join(bench: Any) -> None:
    text = """
    layers:
      - stem: {conv: 8, kernel: 3, pad: same}
      - aspp:
          concat:
            - stem
            - b0: {conv: 4, kernel: 1}
            - for: {r: [6, 12]}
              layers: ["b{r}": {conv: 4, kernel: 3, dilation: r, pad: same}]
            - image: [{pool: global_avg}, {conv: 2, kernel: 1}, {resize: input}]
            - [{conv: 1, kernel: 1}, deep: {conv: 3, kernel: 1}]
            - {conv: 5, kernel: 1}
      - again: {conv: 1, kernel: 1, from: aspp.image}
      - s: {add: [again, again]}
    outputs: {main: aspp, side: s}
    claims: {aspp: {channels: 8 + 4 + 4 + 4 + 2 + 3 + 5}, aspp.image.resize: {channels: 2}}
    """
    compiled = bench.compile(text)
    assert [name for name in compiled.graph.layers if name.startswith("aspp.")] == [
        "aspp.b0", "aspp.b6", "aspp.b12", "aspp.image.pool", "aspp.image.conv", "aspp.image.resize",
        "aspp.conv", "aspp.deep", "aspp.conv2",
    ]  # fmt: skip
    assert compiled.graph.layers["aspp.b6"][0].inputs == ("stem",)


def test_chains_and_joins_nest(bench: Any) -> None:
    text = """
    layers:
      - chain: [one: {conv: 4, kernel: 1}, both: {add: [{conv: 4, kernel: 1}, one]}, {act: relu}]
      - out: {concat: [chain, {conv: 1, kernel: 1}]}
    """
    shapes = bench.shapes(text)
    assert list(shapes) == ["chain.one", "chain.both.conv", "chain.both", "chain.act", "out.conv", "out"]
    assert bench.compile(text).graph.layers["chain.both"][0].inputs == ("chain.both.conv", "chain.one")


CONTEXT = """
segcompile: 1
model: context
params: {C: 4, D: 2}
input: {image: {channels: C, size: any}}
variants: [basic, large]
layers:
  - a: {conv: {basic: C, large: 2C}, kernel: 3, dilation: D, pad: same}
  - b: {conv: C, kernel: 3, from: image, pad: same}
  - c: {concat: [a, b]}
claims: {a: {dilation: 2}, c: {size: image}}
"""


def test_a_spec_is_a_layer_whose_inside_can_be_read(bench: Any) -> None:
    bench.write(CONTEXT, "context.yaml")
    text = """
    params: {K: 2}
    layers:
      - stem: {conv: 2K, kernel: 1}
      - ctx: {use: context.yaml, variant: large, C: 2K}
      - tap: {conv: 1, kernel: 1, from: ctx.a}
      - both: {concat: [ctx, tap]}
    claims: {ctx.a: {channels: 8}, ctx: {channels: 12}, both: {channels: 13}}
    """
    assert list(bench.shapes(text)) == ["stem", "ctx.a", "ctx.b", "ctx.c", "tap", "both"]


def test_a_used_spec_does_not_see_the_layers_around_it(bench: Any) -> None:
    bench.write(CONTEXT.replace("from: image", "from: stem"), "context.yaml")
    text = "layers: [stem: {conv: 4, kernel: 1}, ctx: {use: context.yaml, variant: basic}]"
    assert bench.errors(text) == ["SC102 there is no layer `stem`"]


def test_a_used_spec_keeps_its_own_claims_with_the_parameters_it_got(bench: Any) -> None:
    bench.write(CONTEXT, "context.yaml")
    text = "layers: [stem: {conv: 4, kernel: 1}, ctx: {use: context.yaml, variant: basic, D: 3}]"
    assert bench.errors(text) == ["SC411 a claims dilation 2, computed 3"]


def test_a_used_spec_gets_the_channels_it_asks_for(bench: Any) -> None:
    bench.write(CONTEXT, "context.yaml")
    text = "layers: [stem: {conv: 5, kernel: 1}, ctx: {use: context.yaml, variant: basic}]"
    assert bench.errors(text) == ["SC301 `context_basic` takes 4 channels, and `stem` has 5"]


def test_defaults_and_blocks_of_a_used_spec_are_its_own(bench: Any) -> None:
    bench.write(
        "defaults: {conv: {kernel: 3}}\nblocks: {b: {args: [], layers: [x: {conv: 3}]}}\nlayers: [b: {block: b}]",
        "inner.yaml",
    )
    text = "defaults: {conv: {kernel: 1, pad: 1}}\nlayers: [a: {conv: 3}, u: {use: inner.yaml}, c: {conv: 3}]"
    assert bench.shapes(text) == {"a": "3 x 66 x 66", "u.b.x": "3 x 64 x 64", "c": "3 x 66 x 66"}


def test_used_specs_nest_and_are_used_twice(bench: Any) -> None:
    bench.write("layers: [c: {conv: 3, kernel: 3}]", "one.yaml")
    bench.write("layers: [x: {use: one.yaml}, y: {use: one.yaml}]", "two.yaml")
    text = "layers: [p: {use: two.yaml}, q: {use: two.yaml}]\nclaims: {q.y.c: {receptive_field: 9}, q: {size: 56}}"
    assert list(bench.shapes(text)) == ["p.x.c", "p.y.c", "q.x.c", "q.y.c"]


def test_a_bundled_spec_is_found_by_its_name(bench: Any) -> None:
    text = "layers: [s: {conv: 21, kernel: 1}, ctx: {use: dilated_basic}]"
    assert bench.compile(text).graph.layers["ctx.layer8"][0].op.channels == 21


def test_scopes_carry_the_title_and_the_integers_they_were_made_with(bench: Any) -> None:
    text = """
    blocks: {b: {args: [w, at], layers: [c: {conv: w, kernel: 1, from: at}]}}
    layers: [s: {conv: 3, kernel: 1}, x: {block: b, w: 8, at: s}, j: {concat: [s, k: {conv: 1, kernel: 1}]}]
    outputs: {a: x, b: j}
    """
    scopes = bench.compile(text).graph.scopes
    assert [(scope.name, scope.title, dict(scope.arguments)) for scope in scopes] == [
        ("x", "b", {"w": 8}),
        ("j", "j", {}),
    ]


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("layers: [a: {conv: 3, kernel: 1, from: a}]", ["SC201 `a` depends on itself: a -> a"]),
        ("layers: [a: [{conv: 3, kernel: 1, from: a}]]", ["SC201 `a` depends on itself: a.conv -> a.conv"]),
        (
            "layers: [a: {add: [{conv: 3, kernel: 1, from: a}, input]}]",
            ["SC201 `a` depends on itself: a -> a.conv -> a"],
        ),
        (
            "layers: [a: {conv: 3, kernel: 1, from: b}, b: {conv: 3, kernel: 1}, c: {conv: 3, kernel: 1, from: d}, "
            "d: {conv: 3, kernel: 1}]",
            ["SC201 `b` depends on itself: b -> a -> b", "SC201 `d` depends on itself: d -> c -> d"],
        ),
        (
            "layers: [a: {conv: 3, kernel: 1, from: b}, b: {conv: 3, kernel: 1, from: input}]",
            ["SC205 `b` is made later than it is used"],
        ),
        (
            "layers: [a: {resize: b}, b: {conv: 3, kernel: 1, from: input}]",
            ["SC205 `b` is made later than it is used"],
        ),
        (
            "blocks: {b: {args: [], layers: [c: {conv: 3, kernel: 1, from: x}]}}\nlayers: [x: {block: b}]",
            ["SC201 `x` depends on itself: x.c -> x.c"],
        ),
        (
            "blocks: {b: {args: [], layers: [c: {block: b}]}}\nlayers: [{block: b}]",
            ["SC108 block `b` contains itself: b -> b"],
        ),
        ("layers: [u: {use: net.yaml}]", ["SC108 `net.yaml` contains itself through `use`"]),
        ("layers: [u: {use: .}]", ["SC501 `.` is a directory, not a spec to use"]),
        ("layers: [u: {use: ''}]", ["SC501 there is no spec `` to use"]),
        ("layers: [u: {use: [a]}]", ["SC004 `use` takes a name, not a list"]),
    ],
)  # fmt: skip
def test_what_reads_itself_or_what_comes_later_is_refused(bench: Any, text: str, errors: list[str]) -> None:
    assert bench.errors(text) == errors


def test_an_absurdly_long_name_of_a_file_is_not_found(bench: Any) -> None:
    (error,) = bench.errors(f"layers: [u: {{use: {'x' * 5000}}}]")
    assert error.startswith("SC501")


def test_blocks_nest_only_so_deep(bench: Any) -> None:
    blocks = "".join(f"  b{i}: {{args: [], layers: [x: {{block: b{i + 1}}}]}}\n" for i in range(1000))
    text = f"blocks:\n{blocks}  b1000: {{args: [], layers: [x: {{conv: 3, kernel: 1}}]}}\nlayers: [a: {{block: b0}}]"
    assert [error[:5] for error in bench.errors(text)] == ["SC111"]


def test_layers_are_counted_over_the_whole_spec(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_LAYERS", 20)
    text = """
    blocks: {b: {args: [], layers: ["c{i}": {conv: 3, kernel: 1, repeat: 10}]}}
    layers:
      - "x{i}": {block: b, repeat: 2}
    """
    assert len(bench.shapes(text)) == 20
    assert bench.errors(f"{text}  - d: {{act: relu}}\n") == ["SC111 the spec expands to more than 20 layers"]


def test_calls_that_double_at_each_depth_end(bench: Any) -> None:
    blocks = "".join(f"  b{i}: {{args: [], layers: [{{block: b{i + 1}}}, {{block: b{i + 1}}}]}}\n" for i in range(30))
    text = f"blocks:\n{blocks}  b30: {{args: [], layers: []}}\nlayers: [{{block: b0}}]"
    assert [error[:5] for error in bench.errors(text)] == ["SC111"]
