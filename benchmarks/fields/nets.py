"""The networks of receptive_field.py: specs of this repository, small ones for this purpose, and drawn graphs.

Every channel count is cut to one, which changes no geometry: whole networks then fit in memory at any size of the
image. A grouped convolution becomes a plain one by that; the net that is about groups keeps two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from segcompile.compiler import Compiled, compile_spec
from segcompile.facts.shapes import infer_shapes
from segcompile.network.graph import Graph, Node
from segcompile.ops import Conv, Deconv, LeakyRelu, Pad, Pool, PRelu
from segcompile.passes.derive_crops import derive_offsets
from segcompile.testing.networks import sized, slim
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings

ROOT = Path(__file__).resolve().parents[2]
VALID = ROOT / "tests/data/valid"
SPECS = Path(__file__).parent / "specs"
MOVES = 2  # that a drawn graph has at least


@dataclass(frozen=True)
class Net:
    """A spec, and the size of the image it is measured on."""

    name: str
    spec: Path
    size: int
    channels: int = 1
    variant: str | None = None

    def compile(self) -> Compiled:
        """The spec as it is written."""
        return compile_spec(self.spec, Findings(), variant=self.variant)

    def graph(self) -> Graph:
        """The network of few channels on an image of that size."""
        graph: Graph = sized(slim(self.compile().graph, self.channels), self.size, self.size)
        return graph


NETS = (
    Net("dilated context, large", ROOT / "specs/dilated_context.yaml", 96, variant="large"),
    Net("three of dilation 2", SPECS / "gridded.yaml", 40),
    Net("U-Net", ROOT / "specs/unet.yaml", 572),
    Net("FCN-32s", VALID / "fcn32s_layers.yaml", 608),
    Net("FCN-8s", VALID / "fcn8s_layers.yaml", 608),
    Net("ASPP, local branches", SPECS / "aspp_local.yaml", 81),
    Net("ResNet-50 trunk", SPECS / "resnet50.yaml", 640),
    Net("DeepLab-ResNet-101", VALID / "deeplab_resnet101.yaml", 1601),
    Net("U-Net, padded to fit", SPECS / "unet_padded.yaml", 123),
    Net("x2 after stride 3", SPECS / "two_thirds.yaml", 48),
    Net("x3/2 three times", SPECS / "three_halves.yaml", 32),
    Net("grouped deconvolution", SPECS / "grouped.yaml", 40, channels=2),
    Net("even kernel, pad same", SPECS / "even_same.yaml", 40),
)


def drawn() -> Iterator[Graph]:
    """Random graphs without end, the same in every run, no two with the same chain of ops, each with at least MOVES
    convolutions, transposed convolutions or poolings. They are drawn small, and enlarged if the tensors still fit.

    What TorchLens has no rule for, or only a bound for the sake of the border, is replaced by what it knows: a PReLU by
    a leaky ReLU, reflected and repeated borders by zeros. Without unpoolings: what those see depends on the image.
    """
    seen = set()
    for number in count():
        for graph in _draw(number):
            chain = tuple(type(node.op) for node in graph.nodes)
            if moves(graph) >= MOVES and chain not in seen and not any(node.op.data_dependent for node in graph.nodes):
                seen.add(chain)
                yield _enlarged(replace(graph, nodes=tuple(map(_known, graph.nodes))))


def _draw(number: int) -> list[Graph]:
    found: list[Graph] = []

    @seed(number)
    @settings(max_examples=20, database=None, deadline=None, phases=(Phase.generate,),
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(graphs(most=10))
    def collect(graph: Graph) -> None:
        found.append(graph)

    collect()
    return found


def moves(graph: Graph) -> int:
    """How many convolutions, transposed convolutions and poolings it has."""
    return sum(isinstance(node.op, Conv | Deconv | Pool) for node in graph.nodes)


def _known(node: Node) -> Node:
    if isinstance(node.op, PRelu):
        return replace(node, op=LeakyRelu(slope=0.25))
    if isinstance(node.op, Conv | Pad):
        return replace(node, op=node.op.model_copy(update={"mode": "zero"}))
    return node


def _enlarged(graph: Graph) -> Graph:
    findings, larger = Findings(), sized(graph, 160, 177)
    shapes = infer_shapes(larger, findings)
    if not findings.has_errors:
        derive_offsets(larger, shapes, findings)
    return graph if findings.has_errors else larger


def only(graph: Graph, name: str) -> Graph:
    """The part of a graph that one tensor depends on, with that tensor as its output."""
    needed = graph.ancestors([name])
    nodes = tuple(node for node in graph.nodes if node.name in needed)
    return replace(graph, nodes=nodes, outputs={"output": name})
