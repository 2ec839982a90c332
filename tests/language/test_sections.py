"""Parameters, inputs, outputs, claims, tables, variants and bases."""

from __future__ import annotations

from typing import Any

import pytest

from segcompile.language.training import read_training

TABLE = """
params: {{C: 21}}
table:
  layer:            [1, 2, pool, 3]
  op:               [conv, conv, max pool, conv]
  convolution:      [3x3, 3, 2, 1]
  dilation:         [1, 2, -, -]
  {rows}
  output channels:  [C, 2C, -, C]
"""


def test_a_papers_table_says_the_layers(bench: Any) -> None:
    text = TABLE.format(rows="truncation: [yes, no, '-', relu6]\n  pad: [same, 0, '-', '-']".replace("'-'", "-"))
    graph = bench.compile(text).spec.graph
    assert list(graph.layers) == ["layer1", "layer2", "pool", "layer3"]
    assert [node.op.title for node in graph.nodes] == ["conv", "relu", "conv", "max pool", "conv", "relu6"]
    assert graph.layers["layer1"][0].op.pad == ("same", "same")


def test_a_scalar_row_serves_every_column(bench: Any) -> None:
    text = "table: {kernel: 3, pad: same, act: relu, channels: [4, 8]}"
    assert bench.shapes(text) == {"layer1": "4 x 64 x 64", "layer2": "8 x 64 x 64"}


def test_a_table_row_claims_cell_by_cell(bench: Any) -> None:
    text = "table: {kernel: 3, channels: [4, 8], receptive field: [3, -], size: [-, 60], margin: [1, 2]}"
    assert len(bench.compile(text).verdicts) == 4
    assert bench.errors(text.replace("60", "61")) == ["SC403 layer2 claims size 61, computed 60"]


def test_a_table_may_read_other_layers(bench: Any) -> None:
    text = """
    table:
      layer:    [a, b, c]
      op:       [conv, conv, concat]
      kernel:   [3, 3, -]
      channels: [4, 8, [a, b]]
      from:     [-, input, -]
    """
    assert bench.shapes(text)["c"] == "12 x 62 x 62"


def test_parameters_read_those_above_them_and_can_be_overridden(bench: Any) -> None:
    text = "params: {C: 4, D: 2C}\nlayers: [a: {conv: D, kernel: 1}]"
    assert bench.shapes(text)["a"] == "8 x 64 x 64"
    assert bench.shapes(text, overrides={"C": 5})["a"] == "10 x 64 x 64"
    assert bench.errors(text, overrides={"X": 5}) == ["SC101 `net` has no parameter `X`"]


@pytest.mark.parametrize(
    ("size", "shape"),
    [("[32, 16]", "1 x 32 x 16"), ("any", "1 x H x W"), ("[any, 16]", "1 x H x 16"), ("2**5", "1 x 32 x 32")],
)
def test_an_input_has_these_sizes(bench: Any, size: str, shape: str) -> None:
    text = f"segcompile: 1\nmodel: net\ninput: {{channels: 1, size: {size}}}\nlayers: [a: {{conv: 1, kernel: 1}}]"
    assert bench.shapes(text)["a"] == shape


def test_several_inputs_are_read_by_name(bench: Any) -> None:
    text = """
    segcompile: 1
    model: net
    input: {color: {channels: 3, size: 8}, depth: {channels: 1, size: 8}}
    layers:
      - a: {conv: 4, kernel: 1, from: color}
      - b: {conv: 4, kernel: 1, from: depth}
      - s: {add: [a, b]}
    claims: {s: {size: depth}}
    """
    assert list(bench.compile(text).graph.inputs) == ["color", "depth"]
    assert bench.errors(text.replace("[a, b]", "[a, input]")) == ["SC102 there is no layer `input`"]


def test_several_heads(bench: Any) -> None:
    text = "layers: [a: {conv: 4, kernel: 1}, b: {conv: 5, kernel: 1, from: a}]\noutputs: {main: b, side: a}"
    assert bench.compile(text).graph.outputs == {"main": "b", "side": "a"}


NETWORK = """
layers:
  - a: {{conv: 8, kernel: 3, stride: 2, pad: 1}}
  - up: {{deconv: 8, kernel: 3, stride: 2}}
  - c: {{crop: input}}
  - fine: {{deconv: 1, kernel: 2, stride: 2}}
claims: {{{claim}}}
"""


@pytest.mark.parametrize(
    "claim",
    [
        "a: {receptive_field: 3, stride: 2, size: 32, channels: 2*4, kernel: 3x3, dilation: 1}",
        "a: {receptive_field: [3, 3], size: [32, 32], parameters: 224}",
        "up: {stride: 1, size: 65}, fine: {stride: 1/2}",
        "a: {margin: 1/2}, fine: {stride: 0.5, margin: 2.25}, up: {stride: [2/2, 3 / (1+2)]}",
        "a: {kernel: 2*stride-1, receptive_field: stride+1, margin: 1/stride}, up: {kernel: stride + 1}",
        "a: {size: {64: 32, 33: 17, 32x16: [16, 8]}}",
        "c: {size: input, offset: 1}",
        "output: {size: 2*64, channels: 1}",
        "parameters: 224 + 584 + 33, weights: 216 + 576 + 32",
        "a: {macs: 32*32*8*27}, c: {macs: 0}, macs: 221184 + 32*32*8*8*9 + 64*64*8*4",
        "count: {conv+deconv: 3, conv: 1, crop: 1}",
    ],
)
def test_a_true_claim_holds(bench: Any, claim: str) -> None:
    assert bench.compile(NETWORK.format(claim=claim)).verdicts


@pytest.mark.parametrize(
    ("layer", "claim"),
    [
        ("{pool: max, kernel: 2x3}", "{kernel: stride}"),
        ("{pool: max, kernel: 3, stride: 2}", "{kernel: stride+1}"),
        ("{deconv: 1, kernel: 2*stride, stride: 2x4}", "{kernel: 2*stride, stride: [1/stride, 1/stride]}"),
        ("[{conv: 1, kernel: 1}, {conv: 1, kernel: 4, stride: 2}]", "{kernel: 2*stride}"),
    ],
)
def test_stride_in_a_claim_is_that_of_the_layers_own_op(bench: Any, layer: str, claim: str) -> None:
    assert bench.compile(f"layers: [x: {layer}]\nclaims: {{x: {claim}}}").verdicts


@pytest.mark.parametrize(
    ("claim", "error"),
    [
        ("a: {receptive_field: 5}", "SC401 a claims 5, computed 3"),
        ("a: {stride: 1}", "SC402 a claims stride 1, computed 2"),
        ("fine: {stride: 1/4}", "SC402 fine claims stride 1/4, computed 1/2"),
        ("a: {size: 31}", "SC403 a claims size 31, computed 32"),
        ("a: {size: [32, 31]}", "SC403 a claims size 32x31, computed 32"),
        ("a: {size: {33: 16}}", "SC403 a claims size at 33: 16, computed 17"),
        ("a: {size: input}", "SC403 a claims size 64, computed 32"),
        ("a: {channels: 9}", "SC403 a claims channels 9, computed 8"),
        ("a: {kernel: 1}", "SC411 a claims kernel 1, computed 3"),
        ("a: {dilation: 2}", "SC411 a claims dilation 2, computed 1"),
        ("a: {margin: 3}", "SC412 a claims margin 3, computed 1/2"),
        ("a: {margin: 1.5}", "SC412 a claims margin 3/2, computed 1/2"),
        ("a: {margin: 3//2}", "SC412 a claims margin 1, computed 1/2"),
        ("fine: {kernel: stride+1}", "SC411 fine claims kernel 3, computed 2"),
        ("c: {offset: stride}", "SC101 `stride` is not a parameter here"),
        ("c: {offset: 7}", "SC404 c claims offset 7, computed 1"),
        ("a: {parameters: 1}", "SC405 a claims parameters 1, computed 224"),
        ("a: {macs: 1}", "SC405 a claims macs 1, computed 221184"),
        ("macs: 1", "SC405 net claims macs 1, computed 942080"),
        ("parameters: 1", "SC405 net claims parameters 1, computed 841"),
        ("weights: 1", "SC405 net claims weights 1, computed 824"),
        ("count: {conv: 3}", "SC405 net claims count of conv: 3, computed 1"),
        ("output: {channels: 9}", "SC403 output claims channels 9, computed 1"),
    ],
)
def test_a_false_claim_does_not(bench: Any, claim: str, error: str) -> None:
    assert bench.errors(NETWORK.format(claim=claim)) == [error]


@pytest.mark.parametrize(
    ("schedule", "fields"),
    [
        ("fixed", {"schedule": "fixed"}),
        ("poly", {"schedule": "poly", "power": 0.9}),
        ("{poly: 0.8}", {"schedule": "poly", "power": 0.8}),
        ("{poly: {power: 0.8}}", {"schedule": "poly", "power": 0.8}),
        ("{step: 50}", {"schedule": "step", "step_size": 50, "gamma": 0.1}),
        ("{step: {every: 50, gamma: 0.5}}", {"schedule": "step", "step_size": 50, "gamma": 0.5}),
    ],
)
def test_a_schedule_says_its_option_by_name_or_alone(bench: Any, schedule: str, fields: dict[str, object]) -> None:
    compiled = bench.compile(f"layers: [a: {{conv: 8, kernel: 3}}]\ntraining: {{schedule: {schedule}}}")
    training = read_training(compiled.document, compiled.spec.values, 2, [])
    assert {name: getattr(training, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("schedule", "error"),
    [
        ("{poly: {gamma: 0.5}}", "SC003 there is no option `gamma` here"),
        ("{step: {power: 0.5}}", "SC003 there is no option `power` here"),
        ("{fixed: {every: 5}}", "SC004 a fixed rate takes no value"),
        ("{poly: [0.5]}", "SC004 a number is due here, not a list of 1"),
    ],
)
def test_a_schedule_has_no_other_option(bench: Any, schedule: str, error: str) -> None:
    assert bench.errors(f"layers: [a: {{conv: 8, kernel: 3}}]\ntraining: {{schedule: {schedule}}}") == [error]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("optimizer: {sgd: {momentum: 1}}", "SC105 a momentum is at least 0 and below 1, not `1`"),
        ("optimizer: {adamw: {momentum: -0.5}}", "SC105 a momentum is at least 0 and below 1, not `-0.5`"),
        ("optimizer: {sgd: {weight_decay: -1e-4}}", "SC105 a number from 0 on is due here, not `-1e-4`"),
        ("schedule: {poly: -1}", "SC105 a number from 0 on is due here, not `-1`"),
        ("schedule: {step: {every: 5, gamma: -0.1}}", "SC105 a number from 0 on is due here, not `-0.1`"),
    ],
)
def test_no_number_that_an_optimizer_would_refuse_reaches_it(bench: Any, line: str, error: str) -> None:
    assert bench.errors(f"layers: [a: {{conv: 8, kernel: 3}}]\ntraining: {{{line}}}") == [error]


VARIANTS = """
params: {{C: {{small: 4, big: 8}}}}
variants: [small, big]
layers:
  small:
    - a: {{conv: C, kernel: 1}}
  big:
    - a: {{conv: C, kernel: {{small: 1, big: 3}}}}
claims: {{a: {{channels: {{small: 4, big: 8}}}}}}
""".replace("{{", "{").replace("}}", "}")


def test_any_value_may_differ_by_variant(bench: Any) -> None:
    assert bench.shapes(VARIANTS, variant="small") == {"a": "4 x 64 x 64"}
    assert bench.shapes(VARIANTS, variant="big") == {"a": "8 x 62 x 62"}
    assert bench.errors(VARIANTS) == ["SC110 the spec has variants, and none is chosen"]
    assert bench.errors(VARIANTS, variant="huge") == ["SC110 there is no variant `huge`; it has small, big"]


BASE = """
segcompile: 1
model: base
about: the base
params: {C: 4, K: 2}
input: {channels: 3, size: 64}
defaults: {conv: {kernel: 3, pad: same}}
variants: [one, two]
layers:
  - a: {conv: {one: C, two: 2C}}
  - b: {conv: K}
claims: {a: {size: 64}, b: {channels: K}, weights: {one: 180, two: 360}}
"""


def derived(own: str) -> str:
    return f"segcompile: 1\nmodel: net\nbase: base.yaml\n{own}"


def test_a_derived_spec_chooses_the_variant_and_overrides_parameters_input_and_defaults(bench: Any) -> None:
    bench.write(BASE, "base.yaml")
    own = "variant: two\nparams: {K: 5}\ninput: {size: 32}\ndefaults: {conv: {pad: 0}}\n"
    own += "claims: {a: {size: 30}, weights: 576}"
    assert bench.shapes(derived(own)) == {"a": "8 x 30 x 30", "b": "5 x 28 x 28"}


def test_the_claims_of_the_base_hold_for_what_is_derived_unless_it_says_otherwise(bench: Any) -> None:
    bench.write(BASE, "base.yaml")
    assert bench.errors(derived("variant: one\ndefaults: {conv: {pad: 0}}")) == ["SC403 a claims size 64, computed 62"]


def test_a_derived_spec_may_leave_the_variant_open_or_have_its_own(bench: Any) -> None:
    bench.write(BASE, "base.yaml")
    assert bench.shapes(derived(""), variant="two")["a"] == "8 x 64 x 64"
    own = "variants: [s, l]\nvariant: {s: one, l: two}"
    assert bench.shapes(derived(own), variant="l")["a"] == "8 x 64 x 64"
    assert bench.errors(derived("variant: one"), variant="two") == [
        "SC110 there is no variant `two`: this spec is variant `one` of its base"
    ]


def test_a_base_may_have_a_base(bench: Any) -> None:
    bench.write(BASE, "base.yaml")
    bench.write(
        "segcompile: 1\nmodel: middle\nbase: base.yaml\nvariant: one\nparams: {C: 6}\nclaims: {weights: 270}",
        "middle.yaml",
    )
    text = "segcompile: 1\nmodel: net\nbase: middle.yaml\nparams: {K: 3}\nclaims: {weights: 324}"
    assert bench.shapes(text) == {"a": "6 x 64 x 64", "b": "3 x 64 x 64"}


def test_a_derived_spec_has_a_name_of_its_own(bench: Any) -> None:
    bench.write(BASE, "base.yaml")
    assert bench.errors("segcompile: 1\nbase: base.yaml\nvariant: one") == ["SC012 `model` is missing"]


def test_a_derived_spec_has_no_layers_of_its_own(bench: Any) -> None:
    bench.write(BASE, "base.yaml")
    assert bench.errors(derived("variant: one\nlayers: []")) == ["SC011 a spec has a `base` or `layers`, not both"]


RESIDUAL = """
segcompile: 1
model: residual_example
input: {channels: 64, size: 56}
defaults: {conv: {kernel: 3, pad: same, bias: no, norm: {batch: {eps: 1e-5}}, act: relu}}
blocks:
  residual:
    args: [w]
    layers:
      - c1:  {conv: w}
      - c2:  {conv: w, act: none}
      - sum: {add: [c2, input], act: relu}
layers:
  - "res{i}": {block: residual, w: 64, repeat: 3}
  - logits:   {conv: 21, kernel: 1, norm: none, act: none, bias: yes}
claims: {res3: {receptive_field: 13}}
"""

VGG16 = """
segcompile: 1
model: vgg16
params: {K: 1000}
input: {channels: 3, size: 224}
defaults:
  conv: {kernel: 3, pad: 1, act: relu}
  pool: {kernel: 2, stride: 2, round: ceil}
blocks:
  stage:
    args: [s, n, w]
    layers:
      - "conv{s}_{i}": {conv: w, repeat: n}
      - "pool{s}":     {pool: max}
layers:
  - {block: stage, s: 1, n: 2, w: 64}
  - {block: stage, s: 2, n: 2, w: 128}
  - {block: stage, s: 3, n: 3, w: 256}
  - {block: stage, s: 4, n: 3, w: 512}
  - {block: stage, s: 5, n: 3, w: 512}
  - fc6: {linear: 4096, act: relu, drop: 0.5}
  - fc7: {linear: 4096, act: relu, drop: 0.5}
  - fc8: {linear: K}
claims: {pool5: {size: 7, stride: 32, receptive_field: 212}, parameters: 138357544}
"""


@pytest.mark.parametrize("text", [RESIDUAL, VGG16], ids=["residual_example", "vgg16"])
def test_a_published_network_keeps_its_claims(bench: Any, text: str) -> None:
    assert bench.compile(text).verdicts


def test_a_derived_spec_cites_its_own_paper_and_no_table_of_another(bench: Any) -> None:
    bench.write("cite: {arxiv: 1512.03385, table: 1}\nlayers: [a: {conv: 4, kernel: 3}]", "base.yaml")
    own = bench.compile("segcompile: 1\nmodel: net\nbase: base.yaml\ncite: {arxiv: 1901.02446}")
    assert [*own.document.section("cite").entries] == ["arxiv"]
    assert [*bench.compile("segcompile: 1\nmodel: net\nbase: base.yaml").document.section("cite").entries] == [
        "arxiv",
        "table",
    ]
