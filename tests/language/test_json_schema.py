"""An editor that follows the JSON Schema accepts what the compiler reads, and marks what is misspelled."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis.strategies import randoms
from ruamel.yaml import YAML

from segcompile.language.claims import OF_LAYERS, OF_NETWORKS
from segcompile.language.json_schema import spec_schema
from segcompile.language.write import write_spec
from segcompile.network.graph import Graph
from segcompile.testing.strategies import graphs

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"
ZOO = ROOT.parent / "shared/reference/zoo"
SCHEMA = json.loads(json.dumps(spec_schema()))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
FOLDERS = (ROOT / "specs", DATA / "valid", DATA / "cases/language", DATA / "cases/verify", DATA / "zoo", ZOO)
VALID = [path for folder in FOLDERS for path in sorted(folder.glob("*.yaml"))]
ELSEWHERE = {"SC003_in_a_base", "SC003_in_a_used_spec"}  # the mistake is in another file
OF_ANOTHER_OP = {"SC003_below_an_edit"}  # which layers an edit means, a schema cannot know
OWN_NAMES = {"SC115_classes"}  # nor which classes a spec names

# Every key and every word of the language; of attributes, those that have words.
SECTIONS = """
segcompile: 1
model: net
about: a network
cite: {arxiv: 1511.07122, doi: 10.1007/978, table: 1, url: "https://a.b"}
params: {C: 21, W: 2C}
input: {image: {channels: 3, size: any}, depth: {channels: 1, size: 300x500}}
defaults:
  conv: {kernel: 3, pad: same, norm: {batch: {eps: 1e-3}}, act: relu, init: {identity: {groups: C, std: 0.1}}}
  norm: {eps: 1e-4}
  pool: {round: ceil, drop: 0.1}
blocks:
  double:
    args: [w]
    accept: {SC407: network}
    layers: ["c{i}": {conv: w, repeat: 2, accept: {SC407: network}}, {act: {leaky_relu: 0.1}}]
init: {normal: 0.01}
accept: {SC311: network, SC407: network}
base: unet.yaml
claims:
  stem: {receptive_field: 1x7, stride: [1/4, 0.5], margin: 3/2, size: {900: 66}, offset: 19, channels: C}
  tail: {size: input, kernel: 2*stride, dilation: 1, parameters: 10}
  score: none
  parameters: 134489044
  weights: 3
  count: {conv+deconv: 23}
data:
  classes: {score: [road, {sky: "#4682B4"}], tail: [up]}
  ignore: [255, road, "class:0"]
  map: {254: 1, "#800000": sky, V: V-1}
training:
  loss:
    - cross_entropy: {ignore: [255, "class:0"], reduction: sum, keep: 0.5, weight: 1, at: front.final}
    - cross_entropy: {class_weights: [1, 0.5]}
    - {dice: {weight: 0.5, class_weights: balanced}}
    - {dice: 0.5}
    - dice
  heads: {score: 1, tail: {weight: 0.4, loss: [{cross_entropy: {at: stem}}]}}
  optimizer: {sgd: {momentum: 0.9, weight_decay: 5e-4}}
  schedule: {step: {every: 1000, gamma: 0.1}}
  lr: 0.01
  batch: 8
  steps: 1000
  double_bias: yes
  input_padding: {reflect: [186, 1]}
  stages:
    - first: {train: "front.*", freeze: [a, b], lr: 1e-3, schedule: {poly: {power: 0.9}}, optimizer: adamw}
"""
LAYERS = """
segcompile: 1
model: net
input: {channels: 3, size: any}
layers:
  - stem: {conv: W, kernel: 1x7, stride: [1, 2], dilation: 1, norm: none, act: {leaky_relu: {slope: 0.1}}, drop: 0.5}
  - {pool: max, kernel: 2}
  - {block: double, w: 64}
  - context: {use: dilated_context.yaml, C: W}
  - for: {n: [1, 2], d: [2, 4]}
    layers: ["d{n}": {conv: W, dilation: d, pad: [1, 2, 3, 4]}]
  - join:
      add:
        - stem
        - b: {conv: W, mode: reflect, bias: no}
        - [{pool: global_avg}, {resize: stem, mode: nearest, align_corners: yes}]
        - {for: {r: [6]}, layers: ["a{r}": {conv: 3, frozen: yes}]}
      weights: [1, 0.5, 0.5, 1]
      align: center_crop
      drop: 0.1
  - tail: [{norm: {group: 32}, act: prelu}, {drop: 0.5}, {softmax: channels}]
outputs: {score: tail}
"""
DERIVED = """
segcompile: 1
model: net
base: unet.yaml
variant: large
input: {channels: 3}
transform:
  - convolutionalize: [fc6, fc7]
  - remove: fc8
  - remove_stride: [pool4]
  - atrous: [pool5]
  - set: {"c*": {pad: 0, conv: 64, act: none, norm: batch}, pool5: {pool: avg, round: floor}}
  - replace: {pool5: {conv: 512, kernel: 3}, pool4: [{conv: 3, bias: yes}]}
  - append: [score: {conv: K, kernel: 1, init: zeros}]
  - insert: {after: pool3, layers: [{act: elu}]}
  - insert: {before: pool3, layers: [{pad: 1, mode: edge}]}
  - for: {i: 1..3, w: [8, 16, 32]}
    edits:
      - set: {"c{i}": {dilation: 2**i, mode: reflect}}
      - for: {j: [1]}
        edits: [remove: ["x{i}", {for: {d: 1..i}, name: "y{d}"}], atrous: [{for: {d: [2]}, name: "p{d}"}]]
outputs:
  - score: a
  - for: {i: 1..3}
    outputs: {"side{i}": "side{i}"}
claims:
  - {score: {size: input}, weights: 3}
  - for: {i: 1..3}
    claims: [{"c{i}": {stride: 2**i}}, {for: {j: [1]}, claims: {"d{i}_{j}": {channels: 3}}}]
"""
TABLE = """
segcompile: 1
model: net
input: {channels: 3, size: 128}
table:
  layer: [1, 2, c]
  op: [conv, pool max, avg pool]
  output channels: [64, -, -]
  convolution: [3x3, 2x2, 2]
  dilation: [1, -, 2C]
  pad: same
  round: [-, ceil, floor]
  truncation: [yes, -, leaky_relu]
  main: [1, 2, [a, stem]]
  norm: [batch, none, {group: {groups: 2}}]
  from: [-, -, layer1]
  receptive field: [3, 5, 6]
  margin: [3/2, -, -]
"""

VARIED = """
segcompile: 1
model: net
variants: [small, big]
input: {channels: 3, size: {small: 4, big: 8}}
layers:
  small: [a: {conv: 8, kernel: 1}]
  big: [a: {conv: {small: 1, big: 2}, kernel: 3}]
cite: {small: {doi: a}, big: {doi: b}}
"""
NAMES = {
    "net", "network", "a", "image", "depth", "double", "w", "stem", "context", "n", "d", "i", "join", "b", "r", "tail",
    "first", "unet", "large", "c", "score", "front", "output", "road", "sky", "up",
    "j", "x", "y", "p", "side",
}  # fmt: skip
MAY_BE_NAMES = {"same", "any", "input"}  # where an expression or a layer is due as well
WORD = re.compile(r"(?<![\w.*/:-])[a-z][a-z_]*(?![\w.*]|://)")  # no part of a name, a number or an expression


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def marked(text: str) -> list[str]:
    """What is wrong with a spec, as an editor says it."""
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in VALIDATOR.iter_errors(parsed(text))]


def typos(text: str) -> Iterator[str]:
    """The text with one word of the language misspelled, for each of its words."""
    for match in WORD.finditer(text):
        value = not text[match.end() :].startswith(":")
        if match[0] not in NAMES and not (match[0] in MAY_BE_NAMES and value):
            yield f"{text[: match.end()]}_q{text[match.end() :]}"


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_spec_that_compiles_is_valid(path: Path) -> None:
    assert marked(path.read_text()) == []


@settings(max_examples=30)
@given(graphs(), randoms())
def test_a_random_network_is_valid_and_a_typo_in_it_is_not(graph: Graph, random: Random) -> None:
    text = write_spec(graph)
    assert marked(text) == []
    assert marked(random.choice([*typos(text)])) != []


@pytest.mark.parametrize("text", [SECTIONS, LAYERS, DERIVED, TABLE], ids=["sections", "layers", "derived", "table"])
def test_every_typo_is_marked(text: str) -> None:
    assert marked(text) == []
    assert [typo for typo in typos(text) if VALIDATOR.is_valid(parsed(typo))] == []


def test_in_a_loop_over_words_a_variable_may_stand_for_a_word() -> None:
    head = "segcompile: 1\nmodel: net\nbase: unet\n"
    edit = f"{head}transform: [{{for: {{i: 1..2, a: [X, Y]}}, edits: [set: {{'c{{i}}': {{act: a}}}}]}}]"
    layer = "transform: [append: [{for: {i: 1..2, a: [X, Y]}, layers: ['c{i}': {conv: 3, act: a}]}]]"
    for text in (edit, head + layer):
        assert marked(text.replace("X", "relu").replace("Y", "silu")) == []
        assert marked(text.replace("X", "1").replace("Y", "2")) != []
        assert marked(text.replace("act", "atc")) != []


def test_inside_a_block_an_argument_may_stand_for_a_word_a_number_or_a_list() -> None:
    block = "blocks: {b: {args: [w, a, p], layers: [{conv: w, kernel: 3, KEY: VALUE}]}}\n"
    for key, value in (("act", "a"), ("pad", "p"), ("bias", "a"), ("drop", "a"), ("mode", "a"), ("norm", "a")):
        text = block.replace("KEY", key).replace("VALUE", value)
        head = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 8}\n"
        assert marked(head + text + "layers: [{block: b, w: 8, a: relu, p: [1, 2]}]") == [], key
        outside = text.partition("layers: ")[2].partition("]")[0]
        assert key in ("drop", "pad") or marked(f"{head}layers: {outside.replace('conv: w', 'conv: 8')}]") != [], key
        assert marked(head + text.replace(f"{key}:", f"{key}_q:") + "layers: [{block: b}]") != [], key


def test_of_a_spec_with_variants_the_sections_are_known() -> None:
    assert marked(VARIED) == []
    assert not VALIDATOR.is_valid(parsed(VARIED.replace("cite", "city")))


INVALID = [path for path in sorted((DATA / "invalid").glob("*.yaml")) if re.match("SC(003|109|115)", path.stem)]


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_what_the_compiler_calls_a_wrong_word_is_marked(path: Path) -> None:
    assert bool(marked(path.read_text())) == (path.stem not in ELSEWHERE | OF_ANOTHER_OP | OWN_NAMES)


def test_the_schema_has_every_claim() -> None:
    assert [*SCHEMA["$defs"]["claimed"]["properties"]] == [*OF_LAYERS]
    assert [*SCHEMA["$defs"]["claims"]["else"]["else"]["properties"]] == [*OF_NETWORKS]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("training: {lr: X}", 0),
        ("training: {loss: {dice: X}}", 0),
        ("layers: [{dropout: X}]", 1),
        ("layers: [{norm: {batch: {eps: X}}}]", 0),
    ],
)
def test_numbers_have_the_limits_of_the_models(text: str, number: int) -> None:
    whole = {"segcompile": 1, "model": "net", "input": {"channels": 3, "size": 8}, "layers": [{"act": "relu"}]}
    assert VALIDATOR.is_valid(whole | parsed(text.replace("X", "0.5")))
    assert not VALIDATOR.is_valid(whole | parsed(text.replace("X", str(number))))


def test_every_key_is_described() -> None:
    def bare(schema: Any, key: str) -> Iterator[str]:
        if isinstance(schema, list):
            for one in schema:
                yield from bare(one, key)
        elif isinstance(schema, dict):
            for name, value in schema.get("properties", {}).items():
                if "description" not in described(value) and value != {"not": {}}:
                    yield f"{key} {name}"
            for name, value in schema.items():
                yield from bare(value, f"{key} {name}")

    def described(value: dict[str, Any]) -> dict[str, Any]:
        found = SCHEMA["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else {}
        return {**found, **value}

    strict = {"else": SCHEMA["else"], **SCHEMA["$defs"]}
    assert [*bare(strict, "")] == []


def test_the_schema_does_not_depend_on_the_hash_seed() -> None:
    command = [sys.executable, "-m", "segcompile", "schema"]
    first, second = (
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    )
    assert first == second
    assert json.loads(first) == SCHEMA
