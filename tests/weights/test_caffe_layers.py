"""Caffe's layers as PyTorch's: what they say is held against the spec, and what they compute stays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from .onnx_models import FLAGS, Run, ours

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 9}\nlayers:\n"


def net(tmp_path: Path, *layers: str) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + "".join(f"  - {layer}\n" for layer in layers))
    return path


def some(*shape: int, low: float = -1.0) -> np.ndarray:
    return np.random.default_rng(sum(shape) + 7 * len(shape)).uniform(low, 1, shape).astype(np.float32)


class Caffe:
    """A NetParameter, layer by layer."""

    def __init__(self) -> None:
        from segcompile.weights.caffe_file import _net_parameter

        self.net = _net_parameter()

    def add(self, name: str, kind: str, bottom: str, top: str, *blobs: np.ndarray, **settings: Any) -> None:
        layer = self.net.layer.add(name=name, type=kind, bottom=[bottom], top=[top])
        for value in blobs:
            layer.blobs.add(data=value.astype("<f4").tobytes()).shape.dim.extend(value.shape)
        param = layer.batch_norm_param if kind == "BatchNorm" else layer.convolution_param
        if kind in ("Convolution", "Deconvolution"):
            param.SetInParent()
        for key, value in settings.items():
            getattr(param, key).extend(value) if isinstance(value, list) else setattr(param, key, value)

    def save(self, path: Path) -> Path:
        path.write_bytes(self.net.SerializeToString())
        return path


def test_batch_norm_and_scale_and_slopes_come_as_they_compute(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    """In place, as Caffe writes them; the statistics are sums, and the last blob says of how many."""
    import torch
    import torch.nn.functional as F

    kernel, mean, var, scale, shift = some(4, 3, 3, 3), some(4), some(4, low=0.5), some(4), some(4, low=0)
    slopes, up, bias = some(4), some(4, 2, 4, 4), some(2)
    caffe, divisor = Caffe(), 0.75
    caffe.add("conv", "Convolution", "data", "conv", kernel, pad=[1], stride=[2])
    by = np.array([divisor], np.float32)
    caffe.add("bn", "BatchNorm", "conv", "conv", mean * np.float32(divisor), var * np.float32(divisor), by)
    caffe.add("scale", "Scale", "conv", "conv", scale, shift)
    caffe.add("relu", "PReLU", "conv", "conv", slopes)
    caffe.add("up", "Deconvolution", "conv", "up", up, bias, pad=[1], stride=[2])
    caffe.add("relu2", "PReLU", "up", "up", some(1))
    file = caffe.save(tmp_path / "a.caffemodel")
    spec = net(
        tmp_path,
        "c: {conv: 4, kernel: 3, pad: 1, stride: 2, bias: no, norm: batch, act: prelu}",
        "u: {deconv: 2, kernel: 4, stride: 2, pad: 1, act: prelu}",
    )
    status, told, errors = run("import", file, "--spec", spec, *FLAGS, "--strict")
    assert status == 0 and "out.safetensors: 9 of 9 tensors" in told, errors
    image = some(1, 3, 9, 9)
    x, *values = (
        torch.from_numpy(value) for value in (image, kernel, mean, var, scale, shift, slopes, up, bias, some(1))
    )
    kernel_, mean_, var_, scale_, shift_, slopes_, up_, bias_, one = values
    x = F.batch_norm(F.conv2d(x, kernel_, stride=2, padding=1), mean_, var_, scale_, shift_)
    want = F.prelu(F.conv_transpose2d(F.prelu(x, slopes_), up_, bias_, 2, 1), one).numpy()
    have = ours(nets, spec, Path("out.safetensors"), image)
    assert np.abs(have - want).max() <= 1e-5 * np.abs(want).max()


def test_a_norm_that_was_folded_into_its_convolution(run: Run, tmp_path: Path) -> None:
    caffe = Caffe()
    caffe.add("conv", "Convolution", "data", "conv", some(4, 3, 1, 1), some(4))
    caffe.save(tmp_path / "a.caffemodel")
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, norm: batch}")
    status, told, _ = run("import", "a.caffemodel", "--spec", spec, *FLAGS, "--strict")
    assert status == 0 and "a batch norm is folded into the layer before it in a.caffemodel" in told


@pytest.mark.parametrize(("kind", "settings", "layer", "said"), [
    ("Convolution", {"pad": [1], "stride": [2]}, "conv: 4, kernel: 3, pad: 1",
     "error[SC806 other-window]: c has a stride of 1, the file's Convolution `k` 2\n"),
    ("Convolution", {"pad_h": 2, "pad_w": 1}, "conv: 4, kernel: 3, pad: 1",
     "error[SC806 other-window]: c has padding of 1, the file's Convolution `k` [2, 1]\n"),
    ("Convolution", {"pad": [2], "dilation": [2]}, "conv: 4, kernel: 3, pad: 2",
     "error[SC806 other-window]: c has a dilation of 1, the file's Convolution `k` 2\n"),
    ("Convolution", {"group": 2}, "conv: 4, kernel: 3",
     "error[SC805 other-layer]: c has groups 1, the file's Convolution `k` 2\n"),
    ("Deconvolution", {}, "conv: 4, kernel: 3",
     "error[SC805 other-layer]: c is a convolution, the file's Deconvolution `k` a transposed convolution\n"),
])  # fmt: skip
def test_what_a_convolution_says(
    kind: str, settings: Mapping[str, Any], layer: str, said: str, run: Run, tmp_path: Path
) -> None:
    caffe = Caffe()
    shape = (3, 3, 3, 3) if kind == "Deconvolution" else (4, 3, 3, 3)
    caffe.add("k", kind, "data", "k", some(*shape), **settings)
    caffe.save(tmp_path / "a.caffemodel")
    text = layer.replace("conv: 4", "conv: 3") if kind == "Deconvolution" else layer
    spec = net(tmp_path, f"c: {{{text}, bias: no}}")
    status, told, errors = run("import", "a.caffemodel", "--spec", spec, *FLAGS)
    assert (status, told) == (1, "") and errors.startswith(said)


def test_the_epsilon_of_a_batch_norm(run: Run, tmp_path: Path) -> None:
    caffe = Caffe()
    caffe.add("k", "Convolution", "data", "k", some(4, 3, 1, 1))
    caffe.add("bn", "BatchNorm", "k", "k", some(4), some(4, low=0.5), np.ones(1), eps=1e-3)
    caffe.save(tmp_path / "a.caffemodel")
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, norm: batch}")
    status, _, errors = run("import", "a.caffemodel", "--spec", spec, *FLAGS)
    assert status == 1 and errors.startswith(
        "error[SC805 other-layer]: c has eps 1e-05, the file's BatchNorm `bn` 0.001\n"
    )
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, norm: {batch: {eps: 0.001}}}")
    status, told, _ = run("import", "a.caffemodel", "--spec", spec, *FLAGS)
    assert status == 0 and "5 of 5 tensors" in told
    assert re.search(r"\nc_norm.bias +4 +constant 0 +BatchNorm `bn` has none\n", told)


@pytest.mark.parametrize("count", [2, 4])
def test_bn_of_caffes_forks(count: int, run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    """PSPNet's and ICNet's has all four, SegNet's and ENet's a scale and a shift."""
    import torch
    import torch.nn.functional as F

    kernel, bias = some(4, 3, 1, 1), some(4, low=-2)
    blobs = [some(4), some(4, low=0), some(4, low=-3), some(4, low=0.5)][:count]
    caffe = Caffe()
    caffe.add("k", "Convolution", "data", "k", kernel, bias)
    caffe.add("bn", "BN", "k", "k", *[blob.reshape(1, 4, 1, 1) for blob in blobs])
    file = caffe.save(tmp_path / "a.caffemodel")
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, norm: batch}")
    status, told, errors = run("import", file, "--spec", spec, *FLAGS, "--strict")
    assert status == 0 and "6 of 6 tensors" in told, errors
    assert ("BN layers of two blobs are read as SegNet's" in told) == (count == 2)
    assert ("the file does not say the eps of its BN layers" in told) == (count == 4)
    image = some(1, 3, 9, 9)
    x, scale, shift, *statistics = (torch.from_numpy(value) for value in (image, *blobs))
    x = F.conv2d(x, torch.from_numpy(kernel), torch.from_numpy(bias))
    rows = (slice(None), None, None)
    want = F.batch_norm(x, *statistics, scale, shift) if statistics else x * scale[rows] + shift[rows]
    have = ours(nets, spec, Path("out.safetensors"), image)
    assert np.abs(have - want.numpy()).max() <= 1e-5 * np.abs(want.numpy()).max()


def test_the_eps_that_a_bn_says_is_compared(run: Run, tmp_path: Path) -> None:
    caffe = Caffe()
    caffe.add("k", "Convolution", "data", "k", some(4, 3, 1, 1))
    caffe.add("bn", "BN", "k", "k", *[some(4)] * 4)
    caffe.net.layer[-1].bn_param.eps = 1e-3
    caffe.save(tmp_path / "a.caffemodel")
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, norm: batch}")
    status, _, errors = run("import", "a.caffemodel", "--spec", spec, *FLAGS)
    assert status == 1 and errors.startswith("error[SC805 other-layer]: c has eps 1e-05, the file's BN `bn` 0.001\n")


@pytest.mark.parametrize(("kind", "count"), [("BN", 3), ("BatchRenorm", 1), ("BatchRenorm", 5)])
def test_a_norm_that_is_not_known_is_no_folded_one(kind: str, count: int, run: Run, tmp_path: Path) -> None:
    """The bias of the convolution before it is not the norm's shift."""
    caffe = Caffe()
    caffe.add("k", "Convolution", "data", "k", some(4, 3, 1, 1), some(4))
    caffe.add("bn", kind, "k", "k", *[some(1, 4, 1, 1)] * count)
    caffe.save(tmp_path / "a.caffemodel")
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, norm: batch}")
    status, told, _ = run("import", "a.caffemodel", "--spec", spec, *FLAGS)
    assert status == 0 and "out.safetensors: 2 of 6 tensors" in told and "folded" not in told
    assert f"  `bn.weight`: what a layer {kind} of {count} blobs computes is not known\n" in told
