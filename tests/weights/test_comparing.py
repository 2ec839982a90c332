"""What a file says of its layers is held against the spec: an error at the spec's line that names both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from .onnx_models import FLAGS, Run, agrees, node, write

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 8}\nlayers:\n"


def net(tmp_path: Path, *layers: str, size: int = 8) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD.replace("size: 8", f"size: {size}") + "".join(f"  - {layer}\n" for layer in layers))
    return path


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def conv(
    tmp_path: Path, kernel: Sequence[int] = (4, 3, 3, 3), size: Sequence[int] = (1, 3, 8, 8), **settings: Any
) -> Path:
    """One convolution without a bias."""
    return write(tmp_path / "a.onnx", [node("Conv", ("x", "w"), "c", **settings)], {"w": values(*kernel)}, size)


def refused(run: Run, spec: Path, *flags: str) -> str:
    status, told, errors = run("import", "a.onnx", "--spec", spec.name, *FLAGS, *flags)
    assert (status, told) == (1, "") and not Path("out.safetensors").exists()
    return errors


def imported(run: Run, spec: Path, *flags: str) -> str:
    status, told, errors = run("import", "a.onnx", "--spec", spec.name, *FLAGS, *flags)
    assert status == 0 and "error" not in errors
    return told


@pytest.mark.parametrize(("pads", "settings", "right"), [
    (2, {}, "`pad: 2` if the file is right"), (2, {"mode": "edge"}, "`pad: 2, mode: edge` if the file is right"),
    (1, {"mode": "reflect"}, "`pad: 1, mode: reflect` if the file is right"), (-1, {}, "no padding of a spec is that"),
    (1, {"value": 0.5}, "a layer `{pad: 1, value: 0.5}` before it, and `pad: 0`, if the file is right"),
    (1, {"mode": "wrap"}, "`pad: 1, mode: circular` if the file is right"),
])  # fmt: skip
def test_the_help_for_another_padding_is_what_the_file_has(
    pads: int, settings: Mapping[str, Any], right: str, run: Run, tmp_path: Path
) -> None:
    around = [0, 0, pads, pads, 0, 0, pads, pads]
    nodes = [node("Pad", ("x",), "p", pads=around, **settings), node("Conv", ("p", "w"), "c")]
    write(tmp_path / "a.onnx", nodes, {"w": values(4, 3, 3, 3)}, opset=10)
    errors = refused(run, net(tmp_path, "c: {conv: 4, kernel: 3, pad: 1, bias: no}"))
    assert f"   = help: {right}; --weights-only if only its weights are wanted\n" in errors


def test_another_stride_is_an_error_unless_only_the_weights_are_wanted(run: Run, tmp_path: Path) -> None:
    conv(tmp_path, pads=[1, 1, 1, 1], strides=[2, 2])
    spec = net(tmp_path, "c: {conv: 4, kernel: 3, pad: 1, stride: 1, bias: no}")
    assert refused(run, spec) == (
        "error[SC806 other-window]: c has a stride of 1, the file's Conv `c` 2\n"
        "  --> net.yaml:5:45\n"
        " 5 |   - c: {conv: 4, kernel: 3, pad: 1, stride: 1, bias: no}\n"
        "   |                                             ^\n"
        "   = help: `stride: 2` if the file is right; --weights-only if only its weights are wanted\n"
    )
    told = imported(run, spec, "--weights-only")
    assert "\n1 time the file's convolutions read elsewhere than the spec's: c stride 1, 2 there\n" in told


@pytest.mark.parametrize(("layer", "settings", "said"), [
    ("kernel: 3, pad: 1", {"pads": [1, 1, 1, 1], "strides": [2, 1]}, "a stride of 1, the file's Conv `c` [2, 1]"),
    ("kernel: 3, pad: 2", {"pads": [2] * 4, "dilations": [2, 2]}, "a dilation of 1, the file's Conv `c` 2"),
    ("kernel: 3", {"pads": [1, 1, 1, 1]}, "padding of 0, the file's Conv `c` 1"),
    ("kernel: 3, pad: 1", {"pads": [1, 0, 1, 0]}, "padding of 1, the file's Conv `c` [1, 0]"),
    ("kernel: 3, pad: same", {"pads": [0, 1, 2, 3]}, "padding of 1, the file's Conv `c` [0, 2, 1, 3]"),
    ("kernel: 3, pad: same", {"auto_pad": "VALID"}, "padding of 1, the file's Conv `c` 0"),
    ("kernel: 3, pad: same, stride: 2", {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
     "padding of 1, the file's Conv `c` [0, 1, 0, 1]"),
    ("kernel: 3, pad: same, stride: 2", {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
     "padding of 1, the file's Conv `c` [1, 0, 1, 0]"),
])  # fmt: skip
def test_another_window(layer: str, settings: Mapping[str, Any], said: str, run: Run, tmp_path: Path) -> None:
    conv(tmp_path, **settings)
    spec = net(tmp_path, f"c: {{conv: 4, {layer}, bias: no}}")
    assert refused(run, spec).startswith(f"error[SC806 other-window]: c has {said}\n")


@pytest.mark.parametrize(("layer", "settings", "size"), [
    ("kernel: 3, pad: same", {"auto_pad": "SAME_UPPER"}, 8),
    ("kernel: 4, pad: same", {"auto_pad": "SAME_UPPER"}, 8),
    ("kernel: 4, pad: [2, 1, 2, 1]", {"auto_pad": "SAME_LOWER"}, 8),
    ("kernel: 3, pad: [0, 1, 0, 1], stride: 2", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 8),
    ("kernel: 3, pad: 1, stride: 2", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 9),
    ("kernel: 3, stride: 3", {"auto_pad": "SAME_UPPER", "strides": [3, 3]}, 9),
    ("kernel: 3, pad: same, dilation: 2", {"pads": [2, 2, 2, 2], "dilations": [2, 2]}, 8),
    ("kernel: 3", {"auto_pad": "VALID"}, 8),
    ("kernel: 3, pad: [1, 2]", {"pads": [1, 2, 1, 2]}, 8),
    ("kernel: 1", {"dilations": [2, 2]}, 8),  # of a single tap
])  # fmt: skip
def test_the_same_window_however_it_is_said(
    layer: str, settings: Mapping[str, Any], size: int, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    taps = int(layer.partition("kernel: ")[2][0])
    path = conv(tmp_path, (4, 3, taps, taps), (1, 3, size, size), **settings)
    agrees(run, nets, path, net(tmp_path, f"c: {{conv: 4, {layer}, bias: no}}", size=size), "--strict")


def test_a_padding_that_depends_on_the_image_is_said_not_to_be_compared(run: Run, tmp_path: Path) -> None:
    conv(tmp_path, (4, 3, 3, 3), (1, 3, "height", "width"), auto_pad="SAME_UPPER", strides=[2, 2])
    spec = net(tmp_path, "c: {conv: 4, kernel: 3, pad: same, stride: 2, bias: no}")
    note = "the padding of 1 layer is computed in the file or depends on its image, and was not compared: c"
    assert f"\n{note}\n" in imported(run, spec)


@pytest.mark.parametrize(("layer", "settings"), [
    ("kernel: 4, stride: 2, pad: 1", {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ("kernel: 4, stride: 2", {"strides": [2, 2]}),
    ("kernel: 3, stride: 2, pad: 1, output_pad: 1",
     {"pads": [1, 1, 1, 1], "strides": [2, 2], "output_padding": [1, 1]}),
    ("kernel: 4, stride: 2, pad: 1", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("kernel: 3, stride: 2, pad: [0, 1, 0, 1]", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("kernel: 3, stride: 2, pad: [1, 0, 1, 0]", {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("kernel: 4, stride: 2, pad: [1, 0, 1, 0]", {"output_shape": [17, 17], "strides": [2, 2]}),
    ("kernel: 3, stride: 1, dilation: 2, pad: 2", {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
])  # fmt: skip
def test_the_same_transposed_window_however_it_is_said(
    layer: str, settings: Mapping[str, Any], run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    taps = int(layer.partition("kernel: ")[2][0])
    constants = {"w": values(3, 4, taps, taps)}
    path = write(tmp_path / "a.onnx", [node("ConvTranspose", ("x", "w"), "c", **settings)], constants)
    agrees(run, nets, path, net(tmp_path, f"c: {{deconv: 4, {layer}, bias: no}}"), "--strict")


def test_another_transposed_window(run: Run, tmp_path: Path) -> None:
    settings = {"pads": [1, 1, 1, 1], "strides": [2, 2], "output_padding": [1, 1]}
    write(tmp_path / "a.onnx", [node("ConvTranspose", ("x", "w"), "c", **settings)], {"w": values(3, 4, 3, 3)})
    spec = net(tmp_path, "c: {deconv: 4, kernel: 3, stride: 2, pad: same, bias: no}")
    assert refused(run, spec) == (
        "error[SC806 other-window]: c has a cut (pad less output_pad) of [0, 1, 0, 1], the file's ConvTranspose `c` "
        "[1, 0, 1, 0]\n"
        "  --> net.yaml:5:47\n"
        " 5 |   - c: {deconv: 4, kernel: 3, stride: 2, pad: same, bias: no}\n"
        "   |                                               ^^^^\n"
        "   = help: change pad or output_pad if the file is right; --weights-only if only its weights are wanted\n"
    )


PAD = np.array([0, 0, 1, 2, 0, 0, 1, 2])


@pytest.mark.parametrize("opset", [7, 10, 11, 13, 18, 21])
def test_a_padding_step_before_a_convolution_belongs_to_it(
    opset: int, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    before = (
        node("Pad", ("x",), "p", pads=PAD.tolist()) if opset < 11 else node("Pad", ("x", "pads"), "p", mode="constant")
    )
    nodes = [before, node("Identity", ("p",), "i"), node("Conv", ("i", "w"), "c", pads=[0, 0, 0, 0])]
    path = write(tmp_path / "a.onnx", nodes, {"w": values(4, 3, 3, 3), "pads": PAD}, opset=opset)
    agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 3, pad: [1, 2], bias: no}"), "--strict")


def test_a_padding_step_names_its_axes(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    nodes = [node("Pad", ("x", "pads", "", "axes"), "p"), node("Conv", ("p", "w"), "c")]
    constants = {"w": values(4, 3, 3, 3), "pads": np.array([1, 2, 1, 2]), "axes": np.array([2, -1])}
    path = write(tmp_path / "a.onnx", nodes, constants, opset=18)
    agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 3, pad: [1, 2], bias: no}"), "--strict")


@pytest.mark.parametrize(("mode", "value", "said"), [
    ("reflect", 0, "[1, 2] (reflect)"), ("edge", 0, "[1, 2] (edge)"), ("constant", 1, "[1, 2] (1)"),
    ("wrap", 0, "[1, 2] (circular)"),
])  # fmt: skip
def test_what_a_padding_holds_is_compared(mode: str, value: float, said: str, run: Run, tmp_path: Path) -> None:
    nodes = [node("Pad", ("x", "pads", "value"), "p", mode=mode), node("Conv", ("p", "w"), "c")]
    constants = {"w": values(4, 3, 3, 3), "pads": PAD, "value": np.float32(value)}
    write(tmp_path / "a.onnx", nodes, constants)
    spec = net(tmp_path, "c: {conv: 4, kernel: 3, pad: [1, 2], bias: no}")
    assert f"c has padding of [1, 2], the file's Conv `c` {said}\n" in refused(run, spec)
    if mode == "constant":
        for other in (value / 2, 0):
            spec = net(tmp_path, f"p: {{pad: [1, 2], value: {other}}}\n  - c: {{conv: 4, kernel: 3, bias: no}}")
            told = f"[1, 2] ({other:g})" if other else "[1, 2]"
            assert f"c has padding of {told}, the file's Conv `c` {said}\n" in refused(run, spec)
        spec = net(tmp_path, f"p: {{pad: [1, 2], value: {value}}}\n  - c: {{conv: 4, kernel: 3, bias: no}}")
    else:
        word = {"wrap": "circular"}.get(mode, mode)
        spec = net(tmp_path, f"c: {{conv: 4, kernel: 3, pad: [1, 2], mode: {word}, bias: no}}")
    imported(run, spec, "--strict")


def circular(path: Path, size: Sequence[int | str], rows: Sequence[int] = (-1, 1)) -> Path:
    """A circular padding as PyTorch's exporter writes it: (top, bottom) rows, and a column at each side."""
    most = np.iinfo(np.int64).max
    numbers = {"top": rows[0], "bottom": rows[1], "most": most, "zero": 0, "first": 1, "last": -1, "h": 2, "w_": 3}
    held = {name: np.array([value]) for name, value in numbers.items()}
    nodes = [
        node("Slice", ("x", "top", "most", "h"), "s1"), node("Slice", ("x", "zero", "bottom", "h"), "s2"),
        node("Concat", ("s1", "x", "s2"), "y", axis=2),
        node("Slice", ("y", "last", "most", "w_"), "s3"), node("Slice", ("y", "zero", "first", "w_"), "s4"),
        node("Concat", ("s3", "y", "s4"), "z", axis=3), node("Conv", ("z", "w"), "c"),
    ]  # fmt: skip
    return write(path, nodes, {**held, "w": values(4, 3, 3, 3)}, size)


@pytest.mark.parametrize("size", [(1, 3, 8, 8), ("n", 3, "h", "w")])
def test_a_circular_padding_that_is_written_out(size: Sequence[int | str], run: Run, tmp_path: Path) -> None:
    spec = net(tmp_path, "c: {conv: 4, kernel: 3, pad: 1, bias: no}")
    help = "   = help: `pad: {}, mode: circular` if the file is right; --weights-only if only its weights are wanted\n"
    circular(tmp_path / "a.onnx", size)
    errors = refused(run, spec)
    assert "c has padding of 1, the file's Conv `c` 1 (circular)\n" in errors and help.format(1) in errors
    circular(tmp_path / "a.onnx", size, (-2, 1))
    errors = refused(run, spec)
    assert "c has padding of 1, the file's Conv `c` [2, 1, 1, 1] (circular)\n" in errors
    assert help.format([2, 1, 1, 1]) in errors
    write(tmp_path / "a.onnx", [node("Pad", ("x", "pads"), "p", mode="wrap"), node("Conv", ("p", "w"), "c")],
          {"w": values(4, 3, 3, 3), "pads": np.array([0, 0, 1, 1] * 2)}, size, opset=19)  # fmt: skip
    assert "the file's Conv `c` 1 (circular)\n" in refused(run, spec)
    spec = net(tmp_path, "c: {conv: 4, kernel: 3, pad: 1, mode: circular, bias: no}")
    circular(tmp_path / "a.onnx", size)
    imported(run, spec, "--strict")


@pytest.mark.parametrize("nodes", [
    [node("Concat", ("x", "x"), "y", axis=2)],
    [node("Slice", ("x", "zero", "one", "two"), "s"), node("Concat", ("s", "x"), "y", axis=2)],  # the first row again
    [node("Gather", ("x", "rows"), "y", axis=2)],
])  # fmt: skip
def test_rows_that_are_put_together_otherwise_are_a_padding_that_is_not_compared(
    nodes: Sequence[Any], run: Run, tmp_path: Path
) -> None:
    held = {"zero": np.array([0]), "one": np.array([1]), "two": np.array([2]), "rows": np.arange(8)}
    held |= {"w": values(4, 3, 3, 3)}
    write(tmp_path / "a.onnx", [*nodes, node("Conv", ("y", "w"), "c")], held)
    note = "the padding of 1 layer is computed in the file or depends on its image, and was not compared: c"
    assert f"\n{note}\n" in imported(run, net(tmp_path, "c: {conv: 4, kernel: 3, bias: no}"))


def test_a_pad_of_the_spec_counts_as_well(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    path = conv(tmp_path, pads=[2, 2, 2, 2])
    layers = ("{pad: 1}", "c: {conv: 4, kernel: 3, pad: 1, bias: no}")
    agrees(run, nets, path, net(tmp_path, *layers), "--strict")


def test_a_transposed_convolution_is_no_convolution(run: Run, tmp_path: Path) -> None:
    nodes = [node("ConvTranspose", ("x", "w"), "c", pads=[1, 1, 1, 1])]
    write(tmp_path / "a.onnx", nodes, {"w": values(3, 3, 3, 3)})
    spec = net(tmp_path, "c: {conv: 3, kernel: 3, pad: 1, bias: no}")
    assert refused(run, spec, "--weights-only") == (
        "error[SC805 other-layer]: c is a convolution, the file's ConvTranspose `c` a transposed convolution\n"
        "  --> net.yaml:5:15\n"
        " 5 |   - c: {conv: 3, kernel: 3, pad: 1, bias: no}\n"
        "   |               ^\n"
        "   = help: make it a transposed convolution, if the file is right; otherwise these are another network's "
        "weights\n"
    )
    conv(tmp_path, (3, 3, 3, 3), pads=[1, 1, 1, 1])
    spec = net(tmp_path, "c: {deconv: 3, kernel: 3, pad: 1, bias: no}")
    assert "c is a transposed convolution, the file's Conv `c` a convolution\n" in refused(run, spec)


def test_other_groups_of_a_convolution(run: Run, tmp_path: Path) -> None:
    """The kernel has the same shape where both widths differ, too: only what the file says can tell."""
    write(tmp_path / "a.onnx", [node("Conv", ("x", "w"), "c", group=2)], {"w": values(4, 3, 1, 1)}, (1, 6, 8, 8))
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no}")
    message = "error[SC805 other-layer]: c has groups 1, the file's Conv `c` 2\n"
    assert refused(run, spec).startswith(message)


@pytest.mark.parametrize(
    ("op", "groups", "ours"), [("Conv", 4, 1), ("Conv", 1, 2), ("Conv", 4, 2), ("ConvTranspose", 4, 1)]
)
def test_other_groups_of_the_same_widths_are_other_groups_and_no_other_network(
    op: str, groups: int, ours: int, run: Run, tmp_path: Path
) -> None:
    nodes = [node("Conv", ("x", "w"), "c"), node(op, ("c", "w2"), "d", group=groups), node("Conv", ("d", "w3"), "e")]
    held = {"w": values(4, 3, 1, 1), "w2": values(4, 4 // groups, 3, 3), "w3": values(4, 4, 1, 1)}
    write(tmp_path / "a.onnx", nodes, held)
    layer = f"d: {{{'conv' if op == 'Conv' else 'deconv'}: 4, kernel: 3, groups: {ours}, bias: no}}"
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no}", layer, "e: {conv: 4, kernel: 1, bias: no}")
    errors = refused(run, spec, "--weights-only")
    assert errors.startswith(f"error[SC805 other-layer]: d has groups {ours}, the file's {op} `d` {groups}\n")
    assert f"   = help: `groups: {groups}`, if the file is right\n" in errors


def test_a_state_dict_of_other_groups_says_which(run: Run, tmp_path: Path) -> None:
    import torch

    torch.save({f"m.{index}.weight": torch.ones(4, 1, 3, 3) for index in range(2)}, tmp_path / "a.pth")
    (tmp_path / "net.yaml").write_text(
        HEAD.replace("channels: 3", "channels: 4")
        + "".join(f"  - {name}: {{conv: 4, kernel: 3, bias: no}}\n" for name in "ab")
    )
    status, _, errors = run("import", "a.pth", "--spec", "net.yaml", "-o", "out.safetensors")
    assert status == 1 and "   = help: built with `groups: 4` at `a` and others?\n" in errors


def norm(tmp_path: Path, op: str, opset: int = 21, **settings: Any) -> Path:
    constants = {"w": values(4, 3, 1, 1), "s": values(4), "t": values(4), "m": values(4), "v": np.abs(values(4))}
    inputs = ("c", "s", "t", "m", "v") if op == "BatchNormalization" else ("c", "s", "t")
    nodes = [node("Conv", ("x", "w"), "c"), node(op, inputs, "n", **settings)]
    kept = {name: value for name, value in constants.items() if name in (*inputs, "w")}
    return write(tmp_path / "a.onnx", nodes, kept, opset=opset)


@pytest.mark.parametrize(("op", "settings", "spec", "said"), [
    ("GroupNormalization", {"num_groups": 2}, "{group: 4}", "has groups 4, the file's GroupNormalization `n` 2"),
    ("GroupNormalization", {"num_groups": 2}, "instance", "has groups 4, the file's GroupNormalization `n` 2"),
    ("InstanceNormalization", {}, "{group: 2}", "has groups 2, the file's InstanceNormalization `n` 4"),
    ("InstanceNormalization", {"epsilon": 1e-3}, "instance",
     "has eps 1e-05, the file's InstanceNormalization `n` 0.001"),
    ("GroupNormalization", {"num_groups": 2, "epsilon": 0.1}, "{group: 2}",
     "has eps 1e-05, the file's GroupNormalization `n` 0.1"),
    ("BatchNormalization", {"epsilon": 0.002}, "{batch: {eps: 0.001}}",
     "has eps 0.001, the file's BatchNormalization `n` 0.002"),
    ("InstanceNormalization", {}, "batch", "is a batch norm, the file's InstanceNormalization `n` an instance norm"),
    ("BatchNormalization", {}, "instance", "is an instance norm, the file's BatchNormalization `n` a batch norm"),
])  # fmt: skip
def test_another_norm(op: str, settings: Mapping[str, Any], spec: str, said: str, run: Run, tmp_path: Path) -> None:
    norm(tmp_path, op, **settings)
    path = net(tmp_path, f"c: {{conv: 4, kernel: 1, bias: no, norm: {spec}}}")
    assert refused(run, path, "--weights-only").startswith(f"error[SC805 other-layer]: c {said}\n")


@pytest.mark.parametrize(("op", "settings", "spec"), [
    ("InstanceNormalization", {}, "{group: 4}"), ("GroupNormalization", {"num_groups": 4}, "instance"),
    ("InstanceNormalization", {"epsilon": 1e-3}, "{instance: {eps: 0.001}}"),
])  # fmt: skip
def test_a_norm_of_each_channel_has_two_names(
    op: str, settings: Mapping[str, Any], spec: str, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    path = norm(tmp_path, op, **settings)
    agrees(run, nets, path, net(tmp_path, f"c: {{conv: 4, kernel: 1, bias: no, norm: {spec}}}"), "--strict")


def test_layers_that_differ_in_the_same_way_are_counted(run: Run, tmp_path: Path) -> None:
    nodes, constants, name = [], {}, "x"
    for index in range(7):
        constants[f"w{index}"] = values(3, 3, 3, 3)
        strides = [2, 2] if index == 6 else [1, 1]
        nodes.append(
            node("Conv", (name, f"w{index}"), f"c{index}", pads=[1, 1, 1, 1], dilations=[1, 1], strides=strides)
        )
        name = f"c{index}"
    write(tmp_path / "a.onnx", nodes, constants)
    spec = net(tmp_path, *[f"d{index}: {{conv: 3, kernel: 3, pad: 2, dilation: 2, bias: no}}" for index in range(7)])
    errors = refused(run, spec)
    assert errors.count("error[SC806 other-window]") == 3
    assert "d0 has a dilation of 2, the file's Conv `c0` 1\n" in errors
    assert "   = note: 6 more layers differ in the same way: d1, d2, d3\n" in errors
    told = imported(run, spec, "--weights-only")
    assert (
        "\n15 times the file's convolutions read elsewhere than the spec's: d0 dilation 2, 1 there; d0 pad 2, 1 there; "
        "d1 dilation 2, 1 there\n"
    ) in told
    status, said, _ = run("import", "a.onnx", "--spec", spec, *FLAGS, "--format", "json")
    codes = [found["code"] for found in json.loads(said)["diagnostics"] if found["severity"] == "error"]
    assert status == 1 and codes == ["SC806"] * 3


@pytest.mark.parametrize("act", [True, False])
def test_a_norm_behind_the_activation_where_the_spec_has_it_before(act: bool, run: Run, tmp_path: Path) -> None:
    nodes = [node("Conv", ("x", "w"), "c"), *([node("Relu", ("c",), "r")] if act else [node("Identity", ("c",), "r")])]
    nodes.append(node("BatchNormalization", ("r", "s", "t", "m", "v"), "n"))
    held = {"w": values(4, 3, 1, 1), **{name: np.ones(4, np.float32) for name in "stmv"}}
    write(tmp_path / "a.onnx", nodes, held)
    line = "1 norm reads its convolution directly, and in the file what something else makes of it: a ("
    told = imported(run, net(tmp_path, "a: {conv: 4, kernel: 1, bias: no, norm: batch, act: relu}"))
    assert (f"\n{line}BatchNormalization `n`)\n" in told) == act
    apart = net(tmp_path, "a: {conv: 4, kernel: 1, bias: no, act: relu}", "n: {norm: batch}")
    assert line not in imported(run, apart)
