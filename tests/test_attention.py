"""Published modules of attention, as their papers have them, against the equations in NumPy; what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segcompile.backend import load_backend, run_backend
from segcompile.build import request_for
from segcompile.compiler import Compiled, compile_spec
from segcompile.testing import reference
from segcompile.text.errors import Findings, SegcompileError

HEAD = "segcompile: 1\nmodel: net\n"
FORMER = """
input: {channels: 3, size: any}
blocks:
  layer:
    args: [heads, reduce, width: channels]
    layers:
      - norm1: {norm: layer, from: input}
      - attn:  {attention: heads, reduce: reduce}
      - mid:   {add: [input, attn]}
      - norm2: {norm: layer}
      - fc1:   {conv: 4*width, kernel: 1}
      - dw:    {conv: channels, kernel: 3, pad: same, groups: channels, act: gelu}
      - fc2:   {conv: width, kernel: 1}
      - out:   {add: [mid, fc2]}
layers:
  - embed:  {conv: 8, kernel: 7, stride: 4, pad: 3, norm: layer}
  - b1:     {block: layer, heads: 1, reduce: 2}
  - deep:   {conv: 16, kernel: 3, stride: 2, pad: 1, norm: layer}
  - b2:     {block: layer, heads: 2, reduce: 1}
  - score:  {conv: 5, kernel: 1}
"""
DANET = """
input: {channels: 6, size: [5, 4]}
layers:
  - query:  {conv: 2, kernel: 1}
  - key:    {conv: 2, kernel: 1, from: input}
  - value:  {conv: 6, kernel: 1, from: input}
  - pam:    {attention: 1, from: query, keys: key, values: value, scale: 1}
  - pairs:  {attention: 1, from: query, keys: key, values: value, scale: 1, over: pairs}
  - turned: {reinterpret: channels_last, from: value}
  - scores: {matmul: [input, input], over: positions}
  - shares: {softmax: channels}
  - cam:    {matmul: [shares, input], over: channels}
outputs: {pam: pam, pairs: pairs, turned: turned, cam: cam}
"""
OCRNET = """
input: {channels: 6, size: [5, 4]}
layers:
  - regions: {conv: 3, kernel: 1}
  - where:   {softmax: positions}
  - objects: {matmul: [where, input], over: positions}
  - query:   {conv: 4, kernel: 1, from: input}
  - key:     {conv: 4, kernel: 1, from: objects}
  - value:   {conv: 8, kernel: 1, from: objects}
  - context: {attention: 1, from: query, keys: key, values: value}
outputs: {objects: objects, output: context}
"""


def compiled(tmp_path: Path, text: str) -> Compiled:
    spec, findings = tmp_path / "net.yaml", Findings()
    spec.write_text(HEAD + text)
    found = compile_spec(spec, findings, name="net.yaml")
    assert findings.diagnostics == []
    return found


def traced(found: Compiled) -> dict[str, np.ndarray]:
    """The reference's value of every layer, of random weights and one image; channels by positions."""
    rng = np.random.default_rng(0)
    weights = {
        name: {each.name: rng.normal(size=each.shape) for each in fact.parameters} for name, fact in found.facts.items()
    }
    values = reference.trace(found.graph, weights, {"input": rng.normal(size=(1, 6, 5, 4))})
    return {name: value[0].reshape(value.shape[1], -1) for name, value in values.items()}


def softmax(scores: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def test_danet_s_two_modules_are_their_equations(tmp_path: Path) -> None:
    x = traced(compiled(tmp_path, DANET))
    share = softmax(x["query"].T @ x["key"], 1)  # Fu et al. (2019), equation 1: s_ji, of position i for j
    np.testing.assert_allclose(x["pam"], x["value"] @ share.T, rtol=1e-12)
    share = softmax((x["query"].T @ x["key"]).reshape(1, -1), 1).reshape(20, 20)  # Fan et al. (2020): of all pairs
    np.testing.assert_allclose(x["pairs"], x["value"] @ share.T, rtol=1e-12)
    np.testing.assert_array_equal(x["turned"], x["value"].T.reshape(6, 20))
    share = softmax(x["input"] @ x["input"].T, 1)  # equation 3: x_ji, of channel i for j
    np.testing.assert_allclose(x["cam"], share @ x["input"], rtol=1e-12)


def test_ocrnet_s_object_regions_and_their_context_are_its_equations(tmp_path: Path) -> None:
    found = compiled(tmp_path, OCRNET)
    x = traced(found)
    where = softmax(x["regions"], 1)
    np.testing.assert_allclose(x["objects"], x["input"] @ where.T, rtol=1e-12)
    share = softmax(x["query"].T @ x["key"] / 2, 1)
    np.testing.assert_allclose(x["context"], x["value"] @ share.T, rtol=1e-12)
    assert str(found.facts["objects"].shape) == "6 x (3)"
    assert str(found.facts["context"].shape) == "8 x 5 x 4"


def test_a_segformer_of_any_size_has_its_authors_weights_and_keeps_its_grid(tmp_path: Path) -> None:
    found = compiled(tmp_path, FORMER)
    names = {each.name: each.shape for each in found.facts["b1.attn"].parameters}
    assert names["sr.weight"] == (8, 8, 2, 2) and names["kv.weight"] == (16, 8) and names["q.weight"] == (8, 8)
    assert {"norm.weight", "norm.bias", "proj.weight", "proj.bias", "kv.bias", "q.bias", "sr.bias"} < {*names}
    deep = found.facts["score"]
    assert deep.stride == (8, 8) and all(field.whole for field in deep.fields)
    assert found.sizes[0] is not None and found.sizes[0].legal.nearest(1)[1] == 5  # two cells for the reduction
    spec = tmp_path / "net.yaml"
    for backend, code in (("torch", "self.attn(y, y)"), ("jax", "self.attn(y, y)")):
        assert code in run_backend(load_backend(backend), request_for(found, spec)).files["model.py"]


def test_attention_costs_its_projections_and_both_products(tmp_path: Path) -> None:
    layers = "layers: [a: {attention: 2}, b: {attention: 2, reduce: 2}]\n"
    found = compiled(tmp_path, f"input: {{channels: 8, size: [6, 4]}}\n{layers}")
    assert found.facts["a"].macs == 24 * 4 * 8 * 8 + 2 * 24 * 24 * 8
    assert found.facts["b"].macs == 6 * 8 * 8 * 4 + 24 * 2 * 8 * 8 + 6 * 2 * 8 * 8 + 2 * 24 * 6 * 8


REFUSED = {  # layers, code, and where it points
    "heads": (["a: {attention: 3}"], "SC308", "3"),
    "reduce": (["a: {attention: 2, reduce: 9}"], "SC303", "9"),
    "bias_of_nothing": (["a: {attention: 2, keys: input, values: input, bias: no}"], "SC315", "no"),
    "pairs_of_projections": (["a: {attention: 2, over: pairs}"], "SC315", "pairs"),
    "list_reinterpreted": (["t: {token: 1}", "a: {reinterpret: channels_last}"], "SC316", "a"),
    "kernels_of_a_list": (["t: {token: 1}", "a: {conv: 4, kernel: 3}"], "SC316", "a"),
    "no_list": (["a: {map: positions}"], "SC316", "a"),
    "tokens": (["t: {token: 1}", "a: {tokens: [0, 2]}"], "SC315", "["),
    "list_and_map": (["t: {token: 1}", "a: {add: [t, input]}"], "SC316", "a"),
    "map_for_tokens": (["a: {matmul: [input, input], over: channels}"], "SC316", "channels"),
    "start": (["a: {position: learned, size: 4, init: he}"], "SC315", "he"),
    "one_cell": (["p: {pool: global_avg}", "a: {softmax: positions}"], "SC319", "positions"),
    "values_alone": (["a: {attention: 2, values: input}"], "SC012", "values"),
    "flattened_list": (["t: {token: 1}", "a: {linear: 3}"], "SC316", "a"),
    "token_of_a_map": (["a: {map: {token: 0}}"], "SC316", "a"),
    "token_beyond": (["t: {token: 2}", "a: {map: {token: 2}}"], "SC315", "2"),
    "three_factors": (["a: {matmul: [input, input, input], over: positions}"], "SC204", "["),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused_where_it_is_written(name: str, tmp_path: Path) -> None:
    layers, code, at = REFUSED[name]
    spec = tmp_path / "net.yaml"
    lines = "".join(f"  - {layer}\n" for layer in layers)
    spec.write_text(f"{HEAD}input: {{channels: 8, size: [6, 4]}}\nlayers:\n{lines}")
    with pytest.raises(SegcompileError) as caught:
        compile_spec(spec, Findings(), name="net.yaml")
    (found,) = caught.value.diagnostics
    assert found.code.code == code and found.span is not None
    line = spec.read_text().splitlines()[found.span.line - 1]
    assert line[found.span.column - 1 :][: found.span.length] == at


def test_a_map_is_laid_out_as_what_its_list_was_made_of_at_any_size(tmp_path: Path) -> None:
    layers = (
        "layers: [patches: {conv: 4, kernel: 2, stride: 2}, list: {token: 1}, a: {attention: 2}, m: {map: positions}]"
    )
    found = compiled(tmp_path, f"input: {{channels: 3, size: any}}\n{layers}\n")
    shape = found.facts["m"].shape
    assert shape == found.facts["patches"].shape and str(shape) == "4 x ⌊H/2⌋ x ⌊W/2⌋"
    for backend, code in (
        ("torch", "x[:, :, 1:].unflatten(2, patches.shape[2:])"),
        ("jax", "x[:, 1:].reshape(*patches.shape[:-1], -1)"),
    ):
        assert code in run_backend(load_backend(backend), request_for(found, tmp_path / "net.yaml")).files["model.py"]


READOUT = """
input: {channels: 6, size: [5, 4]}
layers:
  - list:  {token: 2}
  - attn:  {attention: 2}
  - head:  [{tokens: [0, 1]}, {linear: 3, act: relu}]
  - pixel: {map: {token: 1}, from: attn}
  - grid:  {map: positions, from: attn}
  - read:  {concat: [grid, [{resize: grid, from: pixel}]]}
  - mixed: {mul: [grid, pixel]}
outputs: {head: head, read: read, mixed: mixed}
"""


def test_a_token_is_classified_and_is_read_beside_every_position(tmp_path: Path) -> None:
    found = compiled(tmp_path, READOUT)
    x = traced(found)
    one = x["attn"][:, 1:2]
    assert x["pixel"].shape == (6, 1) and np.array_equal(x["pixel"], one)
    np.testing.assert_allclose(x["read"], np.concatenate([x["grid"], one.repeat(20, 1)]), rtol=1e-12)
    np.testing.assert_allclose(x["mixed"], x["grid"] * one, rtol=1e-12)
    weight, bias = found.facts["head.linear"].parameters
    assert weight.shape == (3, 6) and bias.shape == (3,) and str(found.facts["head.linear"].shape) == "3"
    for backend, lines in (
        ("torch", ("x[:, :, :1]", "self.linear(torch.flatten(x, 1))", "attn[:, :, 1, None, None]")),
        ("jax", ("x[:, :1]", "self.linear(flatten(x))", "attn[:, None, 1:2]")),
    ):
        code = run_backend(load_backend(backend), request_for(found, tmp_path / "net.yaml")).files["model.py"]
        assert [line for line in lines if line not in code] == []


def test_rf_says_that_vectors_of_positions_are_interpolated(tmp_path: Path) -> None:
    from segcompile.show.architecture import rf_table

    text = "input: {channels: 4, size: [6, 4]}\nlayers: [p: {position: learned, size: [6, SIZE]}]\n"
    told = [rf_table(compiled(tmp_path, text.replace("SIZE", size))) for size in ("4", "5")]
    assert ["interpolated" in each for each in told] == [False, True]
    assert "p: the vectors of 6 x 5 positions are interpolated to 6 x 4" in told[1]
