"""A network of 170 convolutions, with squeeze-and-excite gates and padding chains between them, goes in by order."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from .onnx_models import Run, agrees, node, write

BLOCKS, WIDTH, WIDER, SIZE = 34, 4, 6, 16
STRIDED = (2, 9)  # blocks that halve the map


class Builder:
    """Nodes and constants of a model, the last value, and what a spec's tensors should be, in its order."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.wanted: dict[str, np.ndarray] = {}
        self.rng = np.random.default_rng(0)

    def add(self, op: str, *inputs: str, **settings: Any) -> str:
        self.nodes.append(node(op, inputs, f"v{len(self.nodes)}", **settings))
        return f"v{len(self.nodes) - 1}"

    def constant(self, value: Any, dtype: Any = np.int64) -> str:
        self.constants[f"k{len(self.constants)}"] = np.asarray(value, dtype)
        return f"k{len(self.constants) - 1}"

    def weight(self, name: str, *shape: int, low: float = -1.0) -> str:
        value = (self.rng.uniform(low, 1, shape) / max(1, np.prod(shape[1:])) ** 0.5).astype(np.float32)
        self.wanted[name] = value
        return self.constant(value, np.float32)

    def conv(self, name: str, x: str, out: int, channels: int, *, taps: int = 1, bias: bool = True, **more: Any) -> str:
        kernel = self.weight(f"{name}.weight", out, channels, taps, taps)
        inputs = (x, kernel, self.weight(f"{name}.bias", out)) if bias else (x, kernel)
        return self.add("Conv", *inputs, **more)

    def norm(self, name: str, x: str) -> str:
        channels = len(self.wanted[f"{name.removesuffix('_norm')}.weight"])
        parts = [self.weight(f"{name}.{part}", channels) for part in ("weight", "bias", "running_mean")]
        return self.add("BatchNormalization", x, *parts, self.weight(f"{name}.running_var", channels, low=0.5))

    def padded(self, x: str, stride: int) -> str:
        """TensorFlow's SAME of a 3 x 3 window, reckoned from the size of the map as an exporter writes it out."""
        shape = self.add("Shape", x)
        sides = []
        for axis in (2, 3):
            size = self.add("Gather", shape, self.constant(axis))
            real = self.add("Cast", size, to=1)
            count = self.add("Ceil", self.add("Div", real, self.constant(stride, np.float32)))
            last = self.add(
                "Mul", self.add("Sub", count, self.constant(1, np.float32)), self.constant(stride, np.float32)
            )
            total = self.add("Sub", self.add("Add", last, self.constant(3, np.float32)), real)
            whole = self.add("Cast", self.add("Max", total, self.constant(0, np.float32)), to=7)
            before = self.add("Div", whole, self.constant(2))
            pair = (before, self.add("Sub", whole, before))
            sides.append([self.add("Unsqueeze", side, self.constant([0])) for side in pair])
        zeros = self.add("ConstantOfShape", self.constant([2]), value=_zero())
        pads = self.add("Concat", zeros, sides[0][0], sides[1][0], zeros, sides[0][1], sides[1][1], axis=0)
        return self.add("Pad", x, pads, self.constant(0, np.float32))


def _zero() -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.zeros(1, np.int64))


def block(model: Builder, index: int, x: str) -> tuple[str, list[str]]:
    """Expand, depthwise, a gate of two convolutions over the pooled map, project: five convolutions."""
    stride, name = 2 if index in STRIDED else 1, f"b{index}"
    y = model.norm(f"{name}_expand_norm", model.conv(f"{name}_expand", x, WIDER, WIDTH, bias=False))
    y = model.add("Mul", y, model.add("Sigmoid", y))
    y = model.padded(y, stride)
    y = model.conv(f"{name}_deep", y, WIDER, 1, taps=3, bias=False, group=WIDER, strides=[stride] * 2)
    y = model.norm(f"{name}_deep_norm", y)
    y = model.add("Mul", y, model.add("Sigmoid", y))
    gate = model.conv(f"{name}_less", model.add("GlobalAveragePool", y), 2, WIDER)
    gate = model.add("Mul", gate, model.add("Sigmoid", gate))
    gate = model.add("Sigmoid", model.conv(f"{name}_more", gate, WIDER, 2))
    y = model.conv(f"{name}_project", model.add("Mul", y, gate), WIDTH, WIDER, bias=False)
    y = model.norm(f"{name}_project_norm", y)
    pad = "[0, 1, 0, 1]" if stride == 2 else "1"
    layers = [
        f"{name}_expand: {{conv: {WIDER}, bias: no, norm: batch, act: silu}}",
        f"{name}_deep: {{conv: {WIDER}, kernel: 3, groups: {WIDER}, stride: {stride}, pad: {pad}, bias: no, "
        "norm: batch, act: silu}",
        f"{name}_pool: {{pool: global_avg}}",
        f"{name}_less: {{conv: 2, act: silu}}",
        f"{name}_more: {{conv: {WIDER}, act: sigmoid}}",
        f"{name}_wide: {{resize: {name}_deep, mode: nearest}}",
        f"{name}_gated: {{mul: [{name}_deep, {name}_wide]}}",
        f"{name}_project: {{conv: {WIDTH}, bias: no, norm: batch}}",
    ]
    if stride == 2:
        return y, layers
    source = f"b{index - 1}" if index else "input"
    source = f"{source}_project" if index - 1 in STRIDED else source
    return model.add("Add", y, x), [*layers, f"{name}: {{add: [{name}_project, {source}]}}"]


def test_170_convolutions_go_in_by_order_bit_for_bit(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    model, x, layers = Builder(), "x", []
    for index in range(BLOCKS):
        x, more = block(model, index, x)
        layers += more
    file = write(tmp_path / "deep.onnx", model.nodes, model.constants, (1, WIDTH, SIZE, SIZE))
    head = (
        f"segcompile: 1\nmodel: deep\ninput: {{channels: {WIDTH}, size: {SIZE}}}\ndefaults: {{conv: {{kernel: 1}}}}\n"
    )
    (tmp_path / "deep.yaml").write_text(head + "layers:\n" + "".join(f"  - {layer}\n" for layer in layers))
    assert sum(one.op_type == "Conv" for one in model.nodes) == 170
    told = agrees(run, nets, file, tmp_path / "deep.yaml", "--strict", images=())
    assert "placed by order" in told and "not compared" not in told  # every padding follows from the size
    found = load_file("out.safetensors")
    assert all(np.array_equal(found[name], value) for name, value in model.wanted.items())
    assert len(model.wanted) == len([name for name in found if not name.endswith("num_batches_tracked")])
