"""Files of weights that are damaged, hostile or another network's: one diagnostic each, and nothing is written."""

from __future__ import annotations

import json
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from segcompile.text.errors import SegcompileError
from segcompile.weights import stored
from segcompile.weights.reading import FORMS, read_weights

Run = Callable[..., tuple[int, str, str]]
Save = Mapping[str, Callable[..., None]]
FORMATS = {"safetensors": "safetensors", "torch": "pth", "onnx": "onnx", "caffe": "caffemodel"}
DAMAGED = "error[SC801 unreadable-weights]: `a.pth` cannot be read as weights: "
NO_STATE_DICT = (
    f"{DAMAGED}it is no plain state dict; nothing in it was executed\n"
    "   = help: save the state dict alone: torch.save(model.state_dict(), path)\n"
)


def refused(run: Run, folder: Path, file: str, *flags: str) -> str:
    """What an import of `file` says; it writes nothing."""
    before = sorted(folder.rglob("*"))
    status, told, errors = run(
        "import", file, "--spec", "net.yaml", *(flags or ("--channels", "rgb")), "-o", "out.safetensors"
    )
    assert (status, told) == (1, "")
    assert sorted(folder.rglob("*")) == before
    return errors


@pytest.mark.parametrize("suffix", [suffix.removeprefix(".") for form in FORMS for suffix in form.suffixes])
@pytest.mark.parametrize("content", [b"", b"text\n" * 50, b"\x93NUMPY\x01\x00" + bytes(200)], ids=["", "text", "npy"])
def test_other_files_under_the_suffix(suffix: str, content: bytes, spec: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(content)
    said = refused(run, tmp_path, f"a.{suffix}")
    assert said.startswith(f"error[SC801 unreadable-weights]: `a.{suffix}` cannot be read as weights: ")
    assert said.count("error[") == 1


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_files_cut_short(
    form: str, share: float, spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{FORMATS[form]}"
    save[form](path, tensors)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert refused(run, tmp_path, path.name).startswith("error[SC801 unreadable-weights]: ")


@pytest.mark.parametrize("form", FORMATS)
def test_whatever_the_bytes_it_is_tensors_or_a_diagnostic(form: str, save: Save, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / f"a.{FORMATS[form]}"
    shapes = ((4, 3, 3, 3), (4,), (6, 4, 3, 3), (6,), (5, 24), (5,))
    save[form](path, {f"c{i // 2}.{i}": np.zeros(shape, np.float32) for i, shape in enumerate(shapes)})
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    refusals = 0
    for _ in range(300):
        changed, count = whole.copy(), rng.integers(1, 8)
        ends = np.concatenate([np.arange(600), whole.size - 1 - np.arange(600)])  # where the structure is
        changed[rng.choice(ends, count)] = rng.integers(0, 256, count)
        path.write_bytes(changed.tobytes())
        try:
            source = read_weights(path)
            for tensor in source.tensors:
                if tensor.floats and not tensor.unusable:
                    assert source.values(tensor).shape == tensor.shape
        except SegcompileError as error:
            refusals += 1
            assert [found.code.code for found in error.diagnostics] == ["SC801"]
    assert refusals


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


@pytest.mark.parametrize("form", ["pickle", "torch", "tensor"])
def test_a_pickle_that_would_run_a_command_does_not(form: str, spec: Path, run: Run, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "a.pth"
    if form == "pickle":
        path.write_bytes(pickle.dumps({"c1.weight": Hostile()}))
    else:
        torch.save(
            {"c1.weight": torch.zeros(4, 3, 3, 3), "more": Hostile()},
            path,
            _use_new_zipfile_serialization=form == "torch",
        )
    assert refused(run, tmp_path, "a.pth") == NO_STATE_DICT
    assert not (tmp_path / "executed").exists()


def test_a_compressed_archive_is_not_unpacked(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    save["torch"](tmp_path / "b.pth", tensors)
    with zipfile.ZipFile(tmp_path / "b.pth") as plain, zipfile.ZipFile(tmp_path / "a.pth", "w", 8) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert "`a.pth` cannot be read as weights: it is a compressed archive\n" in refused(run, tmp_path, "a.pth")


def test_tensors_of_no_floats_are_named(spec: Path, run: Run, tmp_path: Path) -> None:
    import torch

    for kind, why in ((torch.int8, "no floats"), (torch.complex64, "no floats"), (None, "not a plain tensor")):
        kernel = torch.zeros(4, 3, 3, 3, dtype=kind) if kind else torch.ones(4, 3).to_sparse()
        torch.save({"c1.weight": kernel}, tmp_path / "a.pth")
        assert refused(run, tmp_path, "a.pth") == f"{DAMAGED}no tensor in it can be a weight: `c1.weight`: {why}\n"


def test_a_view_of_one_value_is_no_tensor_of_any_size(spec: Path, run: Run, tmp_path: Path) -> None:
    import torch

    tensors = {"c1.weight": torch.zeros(1).expand(4, 3, 3, 3), "c1.bias": torch.zeros(4)}
    torch.save(tensors, tmp_path / "a.pth")
    _, told, _ = run("import", "a.pth", "--spec", spec, "-o", "out.safetensors")
    assert "c1.weight  4 x 3 x 3 x 3  fresh: he     `c1.weight`: repeats few values" in told


def test_several_state_dicts_in_one_file(spec: Path, run: Run, tmp_path: Path) -> None:
    import torch

    torch.save({"net": {"c1.bias": torch.zeros(4)}, "other": {"c1.bias": torch.ones(4)}}, tmp_path / "a.pth")
    assert refused(run, tmp_path, "a.pth") == (
        f"{DAMAGED}it holds several state dicts: `net`, `other`\n   = help: --state-dict net says which\n"
    )
    assert refused(run, tmp_path, "a.pth", "--state-dict", "othr") == (
        f"{DAMAGED}it has no state dict `othr`; it has `net`, `other`\n   = help: did you mean `other`?\n"
    )
    status, told, _ = run("import", "a.pth", "--spec", spec, "-o", "out.safetensors", "--state-dict", "other")
    assert status == 0 and "\ntook `other`; the file has `net`, `other`\n" in told
    assert load_file(tmp_path / "out.safetensors")["c1.bias"].all()


def _safetensors(shape: list[int], size: int) -> bytes:
    header = json.dumps({"c1.bias": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


@pytest.mark.parametrize("content", [_safetensors([2**40], 2**42), _safetensors([8], 16), struct.pack("<Q", 2**60)])
def test_safetensors_that_claim_more_than_they_hold(content: bytes, spec: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    assert "error[SC801 unreadable-weights]: `a.safetensors` cannot " in refused(run, tmp_path, "a.safetensors")


@pytest.mark.parametrize(("shape", "why"), [
    ([5], "`c1.bias`: cannot reshape array of size 4 into shape (5,)"),
    ([2**40], "`c1.bias` has the shape [1099511627776]"),
    ([-4], "`c1.bias` has the shape [-4]"),
    ([2] * 12, "`c1.bias` has the shape [2, 2, 2, 2, 2, 2, 2, 2, 2]"),
])  # fmt: skip
def test_caffe_blobs_of_another_shape_than_their_data(
    shape: list[int], why: str, spec: Path, run: Run, tmp_path: Path
) -> None:
    from segcompile.weights.caffe_file import _net_parameter

    spec.write_text(spec.read_text().replace("{conv: 4}", "{conv: 5}"))
    net = _net_parameter()
    layer = net.layer.add(name="c1", type="Convolution")
    layer.blobs.add(data=np.zeros(5 * 27, "<f4").tobytes()).shape.dim.extend([5, 3, 3, 3])
    layer.blobs.add(data=np.zeros(4, "<f4").tobytes()).shape.dim.extend(shape)
    (tmp_path / "a.caffemodel").write_bytes(net.SerializeToString())
    assert refused(run, tmp_path, "a.caffemodel") == (
        f"error[SC801 unreadable-weights]: `a.caffemodel` cannot be read as weights: {why}\n"
    )


def test_onnx_tensors_in_other_files_are_not_followed(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    import onnx

    save["onnx"](tmp_path / "a.onnx", tensors)
    onnx.save(
        onnx.load(tmp_path / "a.onnx"), tmp_path / "a.onnx", save_as_external_data=True, size_threshold=0, location="b"
    )
    said = refused(run, tmp_path, "a.onnx")
    assert "cannot be read as weights: `shape` lies in another file\n" in said
    assert "   = help: onnx.save(onnx.load(path), path) makes it one file\n" in said


def test_values_that_are_not_finite(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    tensors["c2.bias"][3] = np.nan
    save["torch"](tmp_path / "a.pth", tensors)
    assert refused(run, tmp_path, "a.pth") == f"{DAMAGED}`c2.bias` holds values that are not finite in float32\n"


def test_limits_on_bytes_and_tensors(
    tensors: dict[str, np.ndarray], save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save["caffe"](tmp_path / "a.caffemodel", tensors)
    monkeypatch.setattr(stored, "MOST_TENSORS", 5)
    with pytest.raises(SegcompileError, match="more than 5 tensors"):
        read_weights(tmp_path / "a.caffemodel")
    with (tmp_path / "b.caffemodel").open("wb") as file:
        file.truncate(2**31)  # a hole, which takes no room
    with pytest.raises(SegcompileError, match="2,147,483,648 bytes; 2,147,483,647 is the limit"):
        read_weights(tmp_path / "b.caffemodel")


@pytest.mark.parametrize(("file", "why"), [
    ("none.pth", "no such file or directory"),
    ("folder.pth", "it is not a plain file"),
])  # fmt: skip
def test_no_file(file: str, why: str, spec: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder.pth").mkdir()
    assert refused(run, tmp_path, file) == (
        f"error[SC801 unreadable-weights]: `{file}` cannot be read as weights: {why}\n"
    )


def test_a_checkpoint_of_jax(spec: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "last").mkdir()
    (tmp_path / "last/_METADATA").write_text("{}")
    assert refused(run, tmp_path, "last") == (
        "error[SC801 unreadable-weights]: `last` cannot be read as weights: it is a checkpoint of JAX, a folder\n"
        "   = help: `python weights.py export last OUT.safetensors` in the folder of its code makes a file of it\n"
    )


def test_another_network(spec: Path, save: Save, run: Run, tmp_path: Path) -> None:
    other = {"features.0.weight": np.zeros((64, 3, 11, 11), np.float32), "features.0.bias": np.zeros(64, np.float32)}
    save["torch"](tmp_path / "a.pth", other)
    save["safetensors"](tmp_path / "a.safetensors", other)
    head = "error[SC802 other-network]: nothing in `{}` fits: it starts with `features.0.{}\n   = help: {}\n"
    ordered = "give the file of a network that starts as net does, with `c1.weight`, 4 x 3 x 3 x 3"
    assert refused(run, tmp_path, "a.pth") == head.format("a.pth", "weight`, 64 x 3 x 11 x 11", ordered)
    named = "safetensors keeps no order: a tensor needs its parameter's name, as `c1.weight`, 4 x 3 x 3 x 3"
    assert refused(run, tmp_path, "a.safetensors") == head.format("a.safetensors", "bias`, 64", named)


def test_two_tensors_for_one_parameter(spec: Path, save: Save, run: Run, tmp_path: Path) -> None:
    save["torch"](tmp_path / "a.pth", {name: np.zeros(4, np.float32) for name in ("rgb.c1.bias", "hha.c1.bias")})
    assert refused(run, tmp_path, "a.pth") == (
        "error[SC803 ambiguous-weights]: `a.pth`: `rgb.c1.bias` and `hha.c1.bias` both fit `c1.bias`\n"
        "   = help: say which with --names FILE, a line `tensor of the file: its place`\n"
    )


def test_the_order_of_channels_must_be_said(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    save["torch"](tmp_path / "a.pth", tensors)
    assert refused(run, tmp_path, "a.pth", "--set", "K=1").startswith("error[SC101 ")
    assert refused(run, tmp_path, "a.pth", "--variant", "x").startswith("error[SC110 ")
    status, _, errors = run("import", "a.pth", "--spec", spec, "-o", "out.safetensors")
    assert status == 1 and errors == (
        "error[SC804 image-channels]: `c1.weight` reads an image; in which order its three channels come is not said\n"
        "   = help: --channels rgb, or --channels bgr as Caffe's networks have them\n"
    )


def test_a_mean_needs_a_bias_and_channels_an_image(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    del tensors["c1.bias"]
    save["torch"](tmp_path / "a.pth", tensors)
    assert refused(run, tmp_path, "a.pth", "--channels", "rgb", "--mean", "1,2,3") == (
        "error[SC804 image-channels]: `c1.weight` has no bias or batch norm from the file that could take the mean in\n"
        "   = help: subtract the mean in data.py, and leave --mean out\n"
    )
    del tensors["c1.weight"]
    save["torch"](tmp_path / "a.pth", tensors)
    assert refused(run, tmp_path, "a.pth") == (
        "error[SC804 image-channels]: nothing that the file has weights for reads an image of three channels\n"
        "   = help: leave --channels, --mean and --std out\n"
    )


HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 16}\nlayers:\n"


@pytest.mark.parametrize("layers", [
    "  - first: {conv: 3, kernel: 3, groups: 3, bias: no}\n",
    "  - first: {space_to_depth: 2}\n  - a: {conv: 4, kernel: 1}\n",
    "  - first: {deconv: 4, kernel: 2, stride: 2, bias: no}\n",
    "  - a: {conv: 3, kernel: 1}\n  - first: {add: [a, input]}\n",
])  # fmt: skip
def test_an_image_that_is_read_in_a_way_that_cannot_be_adapted(layers: str, run: Run, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    from segcompile.compiler import compile_spec
    from segcompile.text.errors import Findings
    from segcompile.weights.parameters import tensors

    (tmp_path / "net.yaml").write_text(HEAD + layers)
    net = compile_spec(tmp_path / "net.yaml", Findings())
    values = {tensor.name: np.ones(tensor.shape, np.float32) for tensor in tensors(net.graph, net.facts)}
    save_file(values, tmp_path / "a.safetensors")
    said = "in which order its three channels come is not said\n"
    status, _, errors = run("import", "a.safetensors", "--spec", "net.yaml", "-o", "out.safetensors")
    assert status == 1 and said in errors
    for flags in (("--channels", "bgr"), ("--channels", "rgb", "--mean", "1,2,3")):
        assert refused(run, tmp_path, "a.safetensors", *flags) == (
            "error[SC804 image-channels]: `first` reads the image, and only a plain convolution can be made to read it "
            "otherwise\n   = help: say --channels rgb alone, and give the network its own images in data.py\n"
        )
    flags = ("--channels", "rgb", "-o", "out.safetensors")
    assert run("import", "a.safetensors", "--spec", "net.yaml", *flags)[0] == 0


def test_three_channels_of_six_are_no_image_of_three(run: Run, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    spec = HEAD.replace("channels: 3", "channels: 6") + "  - c: {conv: 2, kernel: 1, groups: 2, bias: no}\n"
    (tmp_path / "net.yaml").write_text(spec)
    save_file({"c.weight": np.ones((2, 3, 1, 1), np.float32)}, tmp_path / "a.safetensors")
    assert run("import", "a.safetensors", "--spec", "net.yaml", "-o", "out.safetensors")[0] == 0


def test_values_that_are_too_large_once_adapted(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    save["torch"](tmp_path / "a.pth", {**tensors, "c1.weight": np.full_like(tensors["c1.weight"], 3e38)})
    assert refused(run, tmp_path, "a.pth", "--channels", "rgb", "--mean", "1,2,3") == (
        "error[SC105 out-of-range]: the values for `c1.weight` are too large for float32\n"
        "   = help: numbers below 3.4e38: is the file damaged, or --std too small?\n"
    )


def test_the_longest_name_that_a_file_can_have(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    save["torch"](tmp_path / "a.pth", tensors)
    out = "a" * 243 + ".safetensors"
    assert run("import", "a.pth", "--spec", "net.yaml", "--channels", "rgb", "-o", out)[0] == 0
    assert (tmp_path / out).exists()


@pytest.mark.parametrize("flags", [("--mean", "1,2"), ("--mean", "1,2,x"), ("--mean", "1,2,300"), ("--std", "1,1,1"),
                                   ("--mean", "1,2,3", "--std", "0,1,1"), ("--mean", "nan,1,1")])  # fmt: skip
def test_numbers_that_are_no_means(flags: tuple[str, ...], spec: Path, run: Run) -> None:
    assert run("import", "a.pth", "--spec", spec, "--channels", "rgb", *flags, "-o", "out.safetensors")[0] == 2


@pytest.mark.parametrize(("flags", "hint", "pixels"), [
    (("--mean", "0.485,0.456,0.406"), "--mean", "123.675,116.28,103.53"),
    (("--mean", "124,116,104", "--std", "0.5,0.5,0.5"), "--std", "127.5,127.5,127.5"),
])  # fmt: skip
def test_a_mean_or_std_of_pixels_up_to_1(flags: tuple[str, ...], hint: str, pixels: str, spec: Path, run: Run) -> None:
    """As torchvision writes them: taken as pixel values they would make other weights in silence."""
    status, _, errors = run("import", "a.pth", "--spec", spec, "--channels", "rgb", *flags, "-o", "out.safetensors")
    text = flags[flags.index(hint) + 1]
    line = f"Invalid value for {hint}: `{text}` is of pixels up to 1; of pixels up to 255 it is {pixels}"
    assert status == 2 and line in " ".join(errors.split())


@pytest.mark.parametrize("out", ["out.pt", "none/out.safetensors", "."])
def test_no_file_to_write(
    out: str, spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    save["torch"](tmp_path / "a.pth", tensors)
    before = sorted(tmp_path.rglob("*"))
    status, _, errors = run("import", "a.pth", "--spec", spec, "--channels", "rgb", "-o", out)
    assert status == 1 and errors.startswith("error[SC013 unwritable-place]: ")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("how", "name"), [
    ("prune", "1.weight_orig"), ("spectral_norm", "1.weight_orig"), ("weight_norm", "1.weight_g"),
    ("parametrizations.weight_norm", "1.parametrizations.weight.original0"),
    ("parametrizations.spectral_norm", "1.parametrizations.weight.original"),
])  # fmt: skip
def test_a_weight_that_is_kept_as_what_it_is_computed_of(
    how: str, name: str, spec: Path, run: Run, tmp_path: Path
) -> None:
    """Neither the unpruned kernel nor its mask is a weight, whatever its shape."""
    import torch
    from torch.nn import utils
    from torch.nn.utils import parametrizations, prune

    changes = {
        "prune": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
        "spectral_norm": utils.spectral_norm, "weight_norm": utils.weight_norm,
        "parametrizations.weight_norm": parametrizations.weight_norm,
        "parametrizations.spectral_norm": parametrizations.spectral_norm,
    }  # fmt: skip
    with warnings.catch_warnings(action="ignore"):
        layer = changes[how](torch.nn.Conv2d(4, 6, 3, bias=False))
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), layer)
    torch.save(net.state_dict(), tmp_path / "a.pth")
    assert refused(run, tmp_path, "a.pth") == (
        f"{DAMAGED}a weight of `1` is not in it, but what it is computed of, such as `{name}`\n"
        "   = help: where its network is, torch.nn.utils' prune.remove, remove_weight_norm, remove_spectral_norm or "
        "parametrize.remove_parametrizations makes it a plain weight; then save it again\n"
    )
