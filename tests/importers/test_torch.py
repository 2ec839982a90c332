"""`segcompile.from_torch`: what a module computes is what its graph computes, at sizes that it was not read at."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from segcompile import from_torch
from segcompile.compiler import compile_spec
from segcompile.importers import torch_export
from segcompile.ops import AnySize
from segcompile.testing import reference
from segcompile.testing.parameters import imported
from segcompile.text.errors import Findings, SegcompileError
from segcompile.weights.parameters import tensors
from tests.importers import torch_modules
from tests.importers.torch_modules import (
    Attention,
    Block,
    Cropped,
    Curve,
    InvertedResidual,
    Moves,
    OverPairs,
    Padded,
    Refused,
    Shared,
    Stages,
    UNet,
    Vectors,
    Volume,
    randomised,
)

SHAPE = (1, 4, 12, 16)
STAGES = """\
segcompile: 1
model: stages
input: {channels: 4, size: any}
defaults: {conv: {kernel: 3, pad: same}}
blocks:
  basic_block: {layers: [conv1: {conv: 8, bias: no, norm: batch, act: relu}, conv2: {conv: 8, bias: no, norm: batch},
                         {add: [conv2, input], act: relu}]}
layers:
  - stem:         {conv: 8}
  - "layer1_{i}": {block: basic_block, repeat: 3}
  - maxpool:      {pool: max, kernel: 2}
  - "layer2_{i}": {block: basic_block, repeat: 2}
  - head:         {conv: 2, kernel: 1}
"""
SIZES = ((1, 4, 12, 16), (2, 4, 9, 11))


def difference(module: Any, found: Any, sizes: Sequence[tuple[int, ...]]) -> float:
    """How far a graph's outputs are from the module's, of the largest value of each; one whose axes of one entry are
    left out counts as it is."""
    parameters, worst = imported(found.tensors), 0.0
    for size in sizes:
        image = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            wanted = module(image.clone())
        listed = wanted.values() if isinstance(wanted, dict) else wanted if not torch.is_tensor(wanted) else [wanted]
        given = reference.run(found.graph, parameters, {"input": image.numpy()})
        for mine, other in zip(given.values(), listed, strict=True):
            other = other.numpy()
            assert mine.size == other.size, (mine.shape, other.shape)
            worst = max(worst, float(np.abs(mine.reshape(other.shape) - other).max() / np.abs(other).max()))
    return worst


@pytest.mark.parametrize("kind", [Block, UNet, Padded, InvertedResidual, Attention, OverPairs, Shared, Moves, Cropped])
def test_a_graph_computes_what_its_module_does_at_sizes_that_it_was_not_read_at(kind: type) -> None:
    module = randomised(kind())
    found = from_torch(module, SHAPE)
    assert found.said == ()
    assert all(isinstance(size, AnySize) for size in found.graph.inputs["input"].size)
    sizes = [(1, 4, 12, 16), (2, 4, 26, 10)] if kind in (Shared, Moves) else SIZES
    assert difference(module, found, sizes) < 1e-12


def test_a_volume_is_read_along_three_axes() -> None:
    module = randomised(Volume())
    found = from_torch(module, (1, 4, 6, 8, 10))
    assert [str(size) for size in found.graph.inputs["input"].size] == ["D", "H", "W"]
    assert difference(module, found, [(1, 4, 6, 8, 10), (2, 4, 5, 7, 9)]) < 1e-12


def test_a_module_of_one_size_is_read_at_that_size_and_it_is_said() -> None:
    module = randomised(Vectors())
    found = from_torch(module, torch.zeros(1, 4, 6, 8, dtype=torch.float64))
    (said,) = found.said
    assert re.match(r"it is read for 6x8 alone: at 4x4x\d+x\d+: RuntimeError: ", said)
    assert str(found.graph.inputs["input"]) == "4 x 6 x 8"
    assert [*found.graph.outputs] == ["output0", "output1"]
    assert difference(module, found, [(3, 4, 6, 8)]) < 1e-12


def test_layers_tensors_and_heads_are_called_as_in_the_module() -> None:
    module = randomised(Block())
    found = from_torch(module, SHAPE)
    assert {*found.scopes.values()} >= {"conv1", "conv2", "downsample.0"}
    held = {found.scopes[node.partition(":")[0]] for node, _ in found.tensors}
    assert held == {"conv1", "conv2", "downsample.0"}
    node = next(name for name, path in found.scopes.items() if path == "downsample.0")
    assert np.array_equal(found.tensors[node, "weight"], module.downsample[0].weight.detach().numpy())
    assert [*from_torch(randomised(UNet()), SHAPE).graph.outputs] == ["out", "deep"]


def test_a_module_is_written_as_a_spec_in_its_own_words(tmp_path: Path) -> None:
    found = from_torch(randomised(Stages()), SHAPE)
    found.write(tmp_path / "net.yaml", tmp_path / "net.safetensors")
    assert (tmp_path / "net.yaml").read_text() == STAGES
    compiled = compile_spec(tmp_path / "net.yaml", Findings())
    with safe_open(tmp_path / "net.safetensors", "np") as weights:
        assert {*weights.keys()} >= {each.name for each in tensors(compiled.graph, compiled.facts)}
        assert np.array_equal(weights.get_tensor("layer2_1.conv1.weight"), found.tensors["layer2_0_conv1", "weight"])


def test_a_module_that_is_called_twice_has_its_weights_once() -> None:
    found = from_torch(randomised(Shared()), SHAPE)
    (first, second) = [node for node in found.graph.nodes if type(node.op).__name__ == "Conv"]
    assert (first.weights, second.weights) == (None, first.name)
    assert {node for node, _ in found.tensors} == {first.name, f"{first.name}:norm"}


def test_what_is_known_of_a_spec_is_known_of_a_module() -> None:
    found = from_torch(randomised(Block()), SHAPE)
    field = found["output"]
    assert str(field) == "<add, add: receptive field 7, stride 2>"
    assert [str(axis.legal) for axis in found.sizes if axis] == ["H ≥ 1", "W ≥ 1"]
    assert repr(found).startswith("<block, ")


def test_a_module_in_training_is_read_in_evaluation_and_left_as_it_was() -> None:
    module = InvertedResidual().train()
    module.expand.eval()
    found = from_torch(module, SHAPE)
    assert found.said == ("the module was in training; it is read as in evaluation, where dropout does nothing",)
    assert module.training and module.project[2].training and not module.expand[1].training


def line_of(text: str) -> int:
    """Where a line of the modules stands."""
    lines = inspect.getsource(torch_modules).splitlines()
    return next(at for at, line in enumerate(lines, 1) if text in line)


def test_all_that_cannot_be_held_is_told_at_once_with_its_module_and_line() -> None:
    with pytest.raises(SegcompileError) as caught:
        from_torch(Refused(), SHAPE)
    (found,) = caught.value.diagnostics
    assert (found.code.code, found.message) == ("SC912", "5 calls of the module cannot be imported")
    file, late = torch_modules.__file__, "it changes memory that `clone` shares, which is read later"
    product, plus, area = line_of("torch.einsum"), line_of("y[:, :2] += 1"), line_of('mode="area"')
    assert [note.replace(file, "FILE") for note in found.notes] == [
        f"add_: {late} (FILE:{plus}: y[:, :2] += 1)",
        f"copy_: {late} (FILE:{plus}: y[:, :2] += 1)",
        f"einsum in `part` and 1 more times: no step of ONNX's is known for it (FILE:{product}: "
        'return x * torch.einsum("bchw,bchw->bhw", x, x)[:, None])',
        "adaptive_avg_pool2d: a setting of 6/90/165/279 x 8/41/150/268, which is another at another size "
        f'(FILE:{area}: return F.interpolate(y, scale_factor=0.5, mode="area"))',
    ]


def test_a_call_that_the_language_has_no_op_for_is_refused_with_its_line() -> None:
    with pytest.raises(SegcompileError) as caught:
        from_torch(Curve(), SHAPE)
    (found,) = caught.value.diagnostics
    assert (found.code.code, found.help) == ("SC902", None)
    assert found.message == "LogSoftmax `log_softmax` cannot be held: the language has no such op"
    assert found.notes[-1] == (
        f"it comes from {torch_modules.__file__}:{line_of('F.log_softmax')}: return F.log_softmax(x.relu(), 1)"
    )


@pytest.mark.parametrize(
    ("module", "inputs", "code", "message"),
    [
        (Block(), (1, 3, 12, 16), "SC910", "torch.export cannot trace the module: RuntimeError: Given groups=1"),
        (Block(), (1, 4, 12, 16, 2, 2), "SC911", "1x4x12x16x2x2 is no input of a network"),
        (Block(), "224", "SC911", "str is no input of a network"),
        (Block(), [], "SC911", "an empty list is no input of a network"),
        ("resnet18", SHAPE, "SC911", "str is not a torch.nn.Module"),
    ],
    ids=["channels", "axes", "word", "nothing", "no-module"],
)
def test_inputs_that_do_not_fit_are_refused(module: Any, inputs: Any, code: str, message: str) -> None:
    with pytest.raises(SegcompileError) as caught:
        from_torch(module, inputs)
    assert caught.value.diagnostics[0].code.code == code
    assert caught.value.diagnostics[0].message.startswith(message)


def test_the_sizes_that_are_tried_are_told_apart_at_every_stride() -> None:
    sizes = [torch_export._larger(((1, 3, 64, 64),), index, 1)[0] for index in range(4)]
    for stride in (1, 2, 4, 8, 16, 32, 64):
        for axis in (2, 3):
            assert len({size[axis] // stride for size in sizes}) == 4
    assert len({tuple(size[axis] for size in sizes) for axis in (0, 2, 3)}) == 3
