"""JAX models compute what their PyTorch siblings compute, in float64 to 1e-9: values, and gradients to all weights.

All of it is long, but that float64 stays where it is asked for: the short tests hold both against the kit's reference.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from segcompile.language.derive import variants_of
from segcompile.library import locate
from segcompile.network.graph import Graph
from segcompile.ops import ALL_OPS, AxialAttention, Conv, Op
from segcompile.testing.op_graphs import op_graphs
from segcompile.testing.strategies import graph_of, graphs
from segcompile.text.errors import SegcompileError

VALID = Path(__file__).parents[2] / "data/valid"
SIDES = {1: (4, 12), 2: (4, 9), 3: (3, 6)}  # of an image, by its rank: the least and the most pixels
GRAPHS = {rank: op_graphs(st.tuples(*[st.integers(*sides)] * rank), rank) for rank, sides in SIDES.items()}
RANKS = pytest.mark.parametrize("rank", SIDES)
Build = Callable[[Graph], Any]


def test_the_sweep_knows_every_op() -> None:
    others = {*ALL_OPS} - {AxialAttention}  # which is of images
    assert [set(graphs) for graphs in GRAPHS.values()] == [others, {*ALL_OPS}, others]


@pytest.mark.long
@pytest.mark.parametrize(
    ("rank", "op"),
    [pytest.param(rank, op, id=f"{op.__name__}-{rank}") for rank, graphs in GRAPHS.items() for op in graphs],
)
def test_an_op_with_any_attributes(siblings: Build, op: type[Op], rank: int) -> None:
    @settings(max_examples=60 if rank == 2 else 20)
    @given(graph=GRAPHS[rank][op])
    def check(graph: Graph) -> None:
        try:
            pair = siblings(graph)
        except SegcompileError:
            assume(False)
        pair.check(gradients=True)

    check()


def test_float64_stays_inside_the_runner(siblings: Build) -> None:
    import jax.numpy as jnp

    siblings(graph_of(Conv(channels=2, kernel=(3, 3)), (5, 5))).check(gradients=True)
    assert jnp.zeros(()).dtype == jnp.float32


SPECS = sorted((Path(__file__).parents[3] / "specs").glob("*.yaml"))
SIZES = {  # where the paper's takes too long
    "attention_unet": 48, "deeplabv3_r101": 65, "denseaspp121": 64, "dilated_basic": 40, "dilated_context": 40,
    "dilated_large": 40, "drn_a50": 64, "effnet_b0_unet": 64, "enet": 40, "erfnet": 40, "espnetv2": 64,
    "fcdensenet103": 64, "hed": 48, "hrnet": 64, "hrnet_w18": 64, "icnet": 65, "nnunet2d": 128, "nnunet3d": 64,
    "ppocr_det": 64, "segnet": 90, "u2net": 64, "unet": 204, "vnet": 16,
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("spec", [*SPECS, *sorted(VALID.glob("*.yaml"))], ids=lambda spec: spec.stem)
def test_a_published_network_with_few_channels(nets: SimpleNamespace, siblings: Build, spec: Path) -> None:
    variant = next(iter(variants_of(spec, locate)), None)
    graph = nets.thin(nets.compiled(spec, variant).graph)
    size = SIZES.get(spec.stem)
    siblings(nets.sized(graph, *[size] * graph.rank) if size else graph).check(gradients=spec in SPECS)


@pytest.mark.long
@settings(max_examples=500, derandomize=False)
@given(graph=graphs())
def test_five_hundred_random_networks(siblings: Build, graph: Graph) -> None:
    pair = siblings(graph)
    assume(pair.is_decided())
    pair.check(gradients=False)


@pytest.mark.long
@pytest.mark.parametrize("rank", [1, 3])
@settings(max_examples=100, derandomize=False)
@given(data=st.data())
def test_random_networks_of_signals_and_volumes(siblings: Build, data: st.DataObject, rank: int) -> None:
    pair = siblings(data.draw(graphs(6, *SIDES[rank], rank)))
    assume(pair.is_decided())
    pair.check(gradients=False)
