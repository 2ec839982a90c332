"""Strides: where fields are known, those of the fields; behind whole-image ops, those of the network without them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import Phase, given, settings

from segcompile.compiler import analyse_graph
from segcompile.network.graph import Graph
from segcompile.ops import GlobalPool, GroupNorm, InstanceNorm, Scale
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings


@settings(max_examples=40, phases=(Phase.explicit, Phase.generate))
@given(graph=graphs(most=10))
def test_strides_behind_instance_norms_are_those_without_them(graph: Graph) -> None:
    check_strides(graph)


@pytest.mark.long
@settings(max_examples=1000, derandomize=False, phases=(Phase.explicit, Phase.generate))
@given(graph=graphs(most=10))
def test_strides_of_a_thousand_graphs_are_those_without_instance_norms(graph: Graph) -> None:
    check_strides(graph)


def check_strides(graph: Graph) -> None:
    plain = tuple(
        replace(node, op=Scale(factor=1.0)) if isinstance(node.op, InstanceNorm | GroupNorm) else node
        for node in graph.nodes
    )
    found = analyse_graph(graph, Findings()).facts
    without = analyse_graph(replace(graph, nodes=plain), Findings()).facts
    for name, fact in found.items():
        for axis in (0, 1):
            other = without[name].stride[axis]
            if other != fact.stride[axis]:  # it is not known behind one pixel for the image, or where paths differ
                assert fact.stride[axis] is None and (
                    any(isinstance(node.op, GlobalPool) for node in graph.nodes)
                    or len(without[name].maps[axis].every) > 1
                ), name


def test_a_norm_over_paths_that_differ_has_no_stride_and_what_is_joined_with_it_has_none(
    nets: SimpleNamespace, tmp_path: Path
) -> None:
    layers = """
  - half:   {conv: 4, kernel: 3, stride: 2, pad: 1}
  - apart:  {concat: [half, input], align: center_crop}
  - normed: {norm: instance}
  - joined: {concat: [normed, half]}
"""
    found = facts(nets, tmp_path, layers, "32")
    assert found["half"] == (2, 2)
    assert found["apart"] == found["normed"] == found["joined"] == (None, None)


def facts(nets: SimpleNamespace, folder: Path, layers: str, size: str) -> dict[str, tuple[Fraction | None, ...]]:
    path = folder / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 4, size: {size}}}\nlayers:\n{layers}")
    return {name: fact.stride for name, fact in nets.compiled(path).facts.items()}


WHOLE = """
  - a: {conv: 4, kernel: 3, stride: 2, pad: 1, norm: instance}
  - b: {conv: 4, kernel: 3, stride: [2, 1], pad: 1, norm: {group: {groups: 2}}}
  - c: {deconv: 4, kernel: 2, stride: 2}
  - g: {pool: global_avg}
  - r: {resize: input}
claims: {c: {stride: [2, 1]}, b: {stride: [4, 2]}}
"""


def test_a_claim_on_a_stride_behind_an_instance_norm_is_decided(nets: SimpleNamespace, tmp_path: Path) -> None:
    found = facts(nets, tmp_path, WHOLE, "64")
    assert (found["b"], found["c"], found["g"], found["r"]) == ((4, 2), (2, 1), (None, None), (None, None))


def test_a_stride_behind_the_whole_image_joined_with_another_is_none(nets: SimpleNamespace, tmp_path: Path) -> None:
    """The field is that of the pooled path and the whole image; the other path has a stride of one."""
    layers = """
  - p: {pool: max, kernel: 1, stride: [1, 2]}
  - u: {unpool: p}
  - n: {norm: instance}
  - s: {add: [n, p], align: center_crop}
"""
    found = facts(nets, tmp_path, layers, "16")
    assert (found["n"], found["s"]) == ((1, 1), (1, None))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_branches_of_unequal_stride_have_none(nets: SimpleNamespace, tmp_path: Path, norm: str) -> None:
    layers = f"""
  - n: {{norm: {norm}}}
  - a: {{conv: 4, kernel: 3, stride: 2, pad: 1}}
  - b: {{crop: a, from: n, offset: 0}}
  - s: {{add: [a, b]}}
"""
    assert facts(nets, tmp_path, layers, "64")["s"] == (None, None)
