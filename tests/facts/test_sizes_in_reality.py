"""The sizes that a network is said to take are those at which the emitted model runs, for every size from 1 to 300
along each axis, and its outputs have the size that is said. On meta tensors, which have shapes and no values, and at
small sizes on tensors with values, of which the same is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from segcompile.facts.fit import fit
from segcompile.facts.shapes import of_any_size
from segcompile.facts.sizes import Sizes
from segcompile.ops import AnySize, Size
from segcompile.testing.networks import request_of, thin
from segcompile.text.errors import Findings

pytestmark = pytest.mark.long
MOST = 300
FEW = 24
NETWORKS = [
    ("unet.yaml", None), ("fcn8s.yaml", None), ("dilated_large.yaml", None), ("deeplabv3plus.yaml", None),
    ("segnet.yaml", None), ("hed.yaml", None), ("fcn16s.yaml", None), ("unetpp.yaml", None),
    ("blue_marble.yaml", None), ("attention_unet.yaml", None), ("esrgan_slim.yaml", "x3"), ("fcn_alexnet.yaml", None),
]  # fmt: skip
Pair = tuple[int, int]


@dataclass(frozen=True)
class Subject:
    """A network with few channels: its emitted model on each device, the sizes that it is said to take, and those of
    its outputs."""

    models: Mapping[str, torch.nn.Module]
    channels: int
    sizes: Sizes
    outputs: tuple[tuple[Size, ...], ...]

    def is_taken(self, size: Pair) -> bool:
        return all(axis is not None and axis.legal.legal(each) for axis, each in zip(self.sizes, size, strict=True))

    def said(self, size: Pair) -> list[Pair] | None:
        """The sizes of its outputs; None where it takes no such image."""
        return [(_at(h, size[0]), _at(w, size[1])) for h, w in self.outputs] if self.is_taken(size) else None

    def given(self, size: Pair, device: str = "meta") -> list[Pair] | None:
        """The sizes of what the model gives; None where it fails."""
        try:
            with torch.inference_mode():
                found = self.models[device](torch.zeros(1, self.channels, *size, device=device))
        except (RuntimeError, ValueError):
            return None
        return [tuple(each.shape[2:]) for each in (found.values() if isinstance(found, dict) else [found])]

    def along(self, most: int) -> Iterator[Pair]:
        """Every extent of each axis, beside one of the other axis that the network takes."""
        fixed = [axis.legal.nearest(1)[1] for axis in self.sizes if axis is not None]
        assert None not in fixed
        yield from ((extent, fixed[1] or 0) for extent in range(1, most + 1))
        yield from ((fixed[0] or 0, extent) for extent in range(1, most + 1))


def _at(size: Size, extent: int) -> int:
    return size.at(extent) if isinstance(size, AnySize) else size


def subject(nets: SimpleNamespace, spec: str, variant: str | None = None) -> Subject:
    from segcompile_torch import BACKEND

    graph = thin(nets.compiled(spec, variant).graph)
    shapes, sizes = fit(of_any_size(graph), Findings())
    model = nets.load(BACKEND.emit(request_of(graph)).files["model.py"]).Net
    (channels,) = (shape.channels for shape in graph.inputs.values())
    models = {"cpu": model().eval(), "meta": model().to("meta").eval()}
    return Subject(models, channels, sizes, tuple(shapes[name].size for name in graph.outputs.values()))


@pytest.mark.parametrize(("spec", "variant"), NETWORKS)
def test_every_size_to_300_runs_or_fails_as_is_said(nets: SimpleNamespace, spec: str, variant: str | None) -> None:
    found = subject(nets, spec, variant)
    sizes = list(found.along(MOST))
    assert {size: found.given(size) for size in sizes} == {size: found.said(size) for size in sizes}
    assert {found.is_taken(size) for size in sizes} >= {True}


@pytest.mark.parametrize(("spec", "variant"), NETWORKS)
def test_a_tensor_with_values_runs_or_fails_as_one_without(
    nets: SimpleNamespace, spec: str, variant: str | None
) -> None:
    found = subject(nets, spec, variant)
    for size in found.along(FEW):
        assert found.given(size, "cpu") == found.given(size), size


def test_linknet_runs_besides_where_a_sum_spreads_one_pixel(nets: SimpleNamespace) -> None:
    """Of a side of 1 to 4 pixels its coarsest maps are all of one pixel. A sum then joins one pixel with two, and
    PyTorch, as NumPy and JAX, spreads the one. The analysis refuses the sum: these maps do not lie over each other, and
    the output has 32 pixels whatever the side was."""
    found = subject(nets, "linknet.yaml")
    (fixed,) = {found.said((32, 32))[0][0]}
    for side in range(1, 65):
        given = found.given((side, fixed))
        if side <= 4:
            assert found.said((side, fixed)) is None and given == [(32, fixed)]
        else:
            assert given == found.said((side, fixed)), side
