"""`show --flat`: the network and what its spec says besides, which is read as the same again."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from segcompile.checks.stages import frozen_nodes
from segcompile.compiler import Compiled, compile_spec
from segcompile.diff.pairing import isomorphism
from segcompile.language.derive import variants_of
from segcompile.library import bundled, locate
from segcompile.network.flat import flat_names, flattened
from segcompile.network.graph import Graph
from segcompile.network.training import Loss, Regime
from segcompile.show.flat import flat_spec
from segcompile.text.errors import Findings, SegcompileError

ZOO = Path(__file__).parents[3] / "shared" / "reference" / "zoo"
IN_SHORT = ("dilated_context", "dilated8_voc", "fcn16s", "unet")

SPEC = """\
segcompile: 1
model: small
variants: [A, b]
about: "a: b # c\\nd"
cite: {arxiv: "1511.07122", doi: 10.1007/978}
params: {W: {A: 8, b: 4}}
input: {color: {channels: 3, size: [16, 32]}, depth: {channels: W, size: [16, 32]}}
defaults: {conv: {kernel: 3, pad: same, norm: {batch: {eps: 1e-3}}, act: relu}}
blocks:
  pair: {args: [w], layers: [c1: {conv: w}, "c{2}": {conv: w, act: {leaky_relu: 0.25}}]}
layers:
  - enc:   {block: pair, w: W}
  - down:  {pool: max, kernel: 2, act: elu}
  - mid:   {conv: W, init: {normal: 0.01}}
  - up:    {unpool: down}
  - cat:   {concat: [up, depth]}
  - enc_c1: {conv: 2, pad: 1x2, norm: none, act: none, bias: no}
  - score: {crop: color}
  - low:   {conv: 2, pad: [0, 1, 2, 3], norm: lrn, from: cat}
outputs: {main: score, aux: low}
claims:
  enc:        {receptive_field: 5, size: [16, 32]}
  down:       {kernel: 2, stride: 2, margin: 2, size: {32: 16, 16x64: [8, 32]}}
  score:      {size: color, offset: [0, 1], channels: 3}
  count:      {pool: 1, conv+unpool: 6}
data:
  classes: {main: [sky, {"a, b": "#FF0000"}], aux: [sky, ground]}
  map: {main: {W: sky, "#FF0000": 255}, aux: {3: 1}}
training:
  loss: [{cross_entropy: {ignore: [class:1, 255], reduction: sum, keep: 0.5}}, {dice: {at: enc_c1}}]
  heads: {main: 1, aux: {weight: 0.5, loss: {dice: W}}}
  optimizer: {adamw: {weight_decay: 0.01}}
  schedule: {step: {every: 50*W, gamma: 0.5}}
  input_padding: {edge: [2, 3]}
  stages:
    - first:  {freeze: [enc, low], schedule: fixed, lr: 1e-5, loss: {cross_entropy: {keep: 0.25}}}
    - second: {train: ["*.c1", "e*"], optimizer: {sgd: {momentum: 0.5}}, batch: W, steps: 7}
"""


def compiled(path: Path, variant: str | None = None) -> tuple[Compiled, Findings]:
    findings = Findings()
    return compile_spec(path, findings, variant=variant), findings


def network(graph: Graph) -> object:
    """All that a flat network is, but for its model's name and where it is written."""
    nodes = [(node.name, node.op, node.inputs, node.layer, node.role, node.weights) for node in graph.nodes]
    return graph.inputs, nodes, graph.outputs


def regimes(found: Compiled) -> list[object]:
    """What each stage trains, and how, by the names of the flat network; the section's regime first."""
    names, training = flat_names(found.graph), found.spec.training

    def flat(losses: tuple[Loss, ...]) -> list[object]:
        graph = found.graph
        at = [names[graph.layer_of(graph.names[loss.at.text])] if loss.at is not None else "" for loss in losses]
        return [*zip(at, (replace(loss, at=None) for loss in losses), strict=True)]

    own = [getattr(training, each.name) for each in fields(Regime)] + [training.double_bias, training.padding]
    heads = [(head.name, head.weight, flat(head.losses)) for head in training.heads]
    own += [training.padding_mode, flat(training.losses), heads]
    stages = [
        (
            stage.name,
            [getattr(stage.regime, each.name) for each in fields(Regime)],
            flat(stage.losses),
            {names[found.graph.layer_of(node)] for node in frozen_nodes(stage, found.graph, found.facts)},
        )
        for stage in training.stages
    ]
    return [own, *stages]


def held(found: Compiled) -> set[object]:
    """The claims that hold, by the names of the flat network."""
    names, graph = flat_names(found.graph), found.graph
    layer = {id(one): names[graph.layer_of(one.claim.result)] if one.claim.result else None for one in found.verdicts}
    return {(layer[id(one)], one.what, one.claimed) for one in found.verdicts if one.ok}


def assert_read_again(path: Path, variant: str | None, folder: Path) -> Compiled:
    """A spec means what its flat spec means, which does not change if it is written flat itself."""
    own, _ = compiled(path, variant)
    text = flat_spec(own)
    (folder / "flat.yaml").write_text(text)
    again, findings = compiled(folder / "flat.yaml")
    assert not findings.has_errors
    assert network(again.graph) == network(flattened(own.graph))
    assert (again.document.about, regimes(again), held(again)) == (own.document.about, regimes(own), held(own))
    assert again.spec.data.heads == own.spec.data.heads
    assert flat_spec(again) == text
    return again


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in IN_SHORT else pytest.mark.long) for name in sorted(bundled())]
)
def test_the_flat_spec_of_a_bundled_one_means_the_same(name: str, tmp_path: Path) -> None:
    for variant in variants_of(bundled()[name], locate) or (None,):
        assert_read_again(bundled()[name], variant, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("path", sorted(ZOO.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_flat_spec_of_a_network_of_the_zoo_means_the_same(path: Path, tmp_path: Path) -> None:
    for variant in variants_of(path, locate) or (None,):
        try:
            compiled(path, variant)
        except SegcompileError:
            pytest.skip("written for an earlier meaning of `input`")
        assert_read_again(path, variant, tmp_path)


SHARED = """\
segcompile: 1
model: shared
input: {channels: 4, size: 16}
blocks:
  head:
    layers: [c: {conv: 4, kernel: 3, pad: same, norm: batch, act: relu, drop: 0.1}, s: {conv: 4, kernel: 1, share: z}]
layers:
  - z:  {conv: 4, kernel: 1}
  - h1: {block: head}
  - h2: {block: head, share: h1}
  - p:  {act: prelu, share: q}
claims: {h1.c: {parameters: 156, receptive_field: 3}, h2.c: {kernel: 3}, count: {conv: 5}}
training: {stages: [one: {train: h1.c}, two: {freeze: h2}]}
"""


def test_what_a_layer_carries_of_another_is_a_layer_of_its_own(tmp_path: Path) -> None:
    """Claims of a layer that becomes several go, and stages train all of these."""
    path = tmp_path / "net.yaml"
    path.write_text(SHARED.replace("  - p:  ", "  - q:  {act: prelu}\n  - p:  "))
    own, _ = compiled(path)
    text = flat_spec(own)
    (tmp_path / "flat.yaml").write_text(text)
    again, findings = compiled(tmp_path / "flat.yaml")
    assert not findings.has_errors and flat_spec(again) == text
    assert network(again.graph) == network(flattened(own.graph))
    assert isomorphism(own.graph, again.graph) is not None
    assert text.splitlines()[4:] == [
        "  - z:         {conv: 4, kernel: 1}",
        "  - h1_c_conv: {conv: 4, kernel: 3, pad: 1}",
        "  - h1_c:      {norm: batch, act: relu, drop: 0.1}",
        "  - h1_s:      {conv: 4, kernel: 1, share: z}",
        "  - h2_c_conv: {conv: 4, kernel: 3, pad: 1, share: h1_c_conv}",
        "  - h2_c:      {norm: batch, share: h1_c, act: relu, drop: 0.1}",
        "  - h2_s:      {conv: 4, kernel: 1, share: z}",
        "  - q:         {act: prelu}",
        "  - p:         {act: prelu, share: q}",
        "claims:",
        "  h1_c: {receptive_field: 3}",
        "training:",
        "  stages:",
        "    - one: {train: [h1_c_conv, h1_c]}",
        '    - two: {freeze: "h2_*"}',
    ]


FLAT = """\
segcompile: 1
model: small_a
about: "a: b # c\\nd"
cite: {arxiv: "1511.07122", doi: "10.1007/978"}
input: {color: {channels: 3, size: [16, 32]}, depth: {channels: 8, size: [16, 32]}}
layers:
  - enc_c1:   {conv: 8, kernel: 3, pad: 1, norm: {batch: {eps: 0.001}}, act: relu}
  - enc_c2:   {conv: 8, kernel: 3, pad: 1, norm: {batch: {eps: 0.001}}, act: {leaky_relu: 0.25}}
  - down:     {pool: max, kernel: 2, act: elu}
  - mid:      {conv: 8, kernel: 3, pad: 1, init: {normal: 0.01}, norm: {batch: {eps: 0.001}}, act: relu}
  - up:       {unpool: down}
  - cat:      {concat: [up, depth]}
  - enc_c1_2: {conv: 2, kernel: 3, pad: [1, 1, 2, 2], bias: no}
  - score:    {crop: color, offset: [0, 1]}
  - low:      {conv: 2, kernel: 3, pad: [0, 1, 2, 3], from: cat, norm: lrn, act: relu}
outputs: {main: score, aux: low}
data:
  classes: {main: [sky, {"a, b": "#ff0000"}], aux: [sky, ground]}
  map: {main: {8: sky, "#ff0000": 255}, aux: {3: ground}}
claims:
  enc_c2: {receptive_field: 5, size: [16, 32]}
  down: {kernel: 2, stride: 2, margin: 2, size: {32: 16, 16x64: [8, 32]}}
  score: {size: [16, 32], offset: [0, 1]}
  count: {pool: 1, conv+unpool: 6}
training:
  loss: [{cross_entropy: {ignore: [class:1, 255], reduction: sum, keep: 0.5}}, {dice: {at: enc_c1_2}}]
  heads: {main: 1, aux: {weight: 0.5, loss: {dice: 8}}}
  optimizer: {adamw: {weight_decay: 0.01}}
  schedule: {step: {every: 400, gamma: 0.5}}
  input_padding: {edge: [2, 3]}
  stages:
    - first: {freeze: [enc_c1, enc_c2, low], loss: {cross_entropy: {keep: 0.25}}, schedule: fixed, lr: 1e-05}
    - second: {train: ["*_c1", "e*"], optimizer: {sgd: {momentum: 0.5}}, steps: 7}
"""


def test_the_whole_text_of_a_flat_spec(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    found, findings = compiled(tmp_path / "small.yaml", "A")
    assert [told.message for told in findings.diagnostics] == ["score claims channels 3, computed 2"]
    assert flat_spec(found) == FLAT
    for variant in ("A", "b"):
        assert_read_again(tmp_path / "small.yaml", variant, tmp_path)


def test_a_norm_that_an_edit_put_behind_an_activation_stays_behind_it(tmp_path: Path) -> None:
    head = "segcompile: 1\nmodel: {}\n"
    (tmp_path / "a.yaml").write_text(
        head.format("a") + "input: {channels: 3, size: 8}\n"
        "layers: [c: {conv: 4, kernel: 3}, r_act: {act: elu}, r: {act: relu}, d: {conv: 2, kernel: 1, from: r_act}]\n"
        "outputs: {r: r, d: d}\n"
    )
    (tmp_path / "b.yaml").write_text(
        head.format("b") + "base: a.yaml\ntransform: [set: {r: {norm: batch, drop: 0.5}}]\n"
    )
    again = assert_read_again(tmp_path / "b.yaml", None, tmp_path)
    assert [node.name for node in again.graph.nodes] == ["c", "r_act", "r_act_2", "r", "r:drop", "d"]
    assert again.graph.by_name["r"].inputs == ("r_act_2",)


def test_names_that_are_long_or_mean_something_else_in_a_list_are_others(tmp_path: Path) -> None:
    long = 99 * "n"
    (tmp_path / "net.yaml").write_text(
        "segcompile: 1\nmodel: " + 64 * "m" + "\nvariants: [Vv]\n"
        "input: {channels: 3, size: any}\nlayers:\n  - for: {x: [block, use, use_2]}\n"
        '    layers: ["{x}": {conv: 4, kernel: 3, norm: none}]\n'
        f"  - {long}: [{long}: {{act: relu}}]\n  - {long}_{long}: {{add: [use, use_2, block], align: center_crop}}\n"
    )
    again = assert_read_again(tmp_path / "net.yaml", "Vv", tmp_path)
    assert [*again.graph.layers][:3] == ["block_2", "use_2", "use_2_2"]
    assert again.graph.model == 64 * "m"
