"""`segcompile weights import`: tensors of every format find their parameters, and what does not fit is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.numpy import load_file

from segcompile.cli import cli
from segcompile.weights.images import MEAN, STD

from .conftest import save_torch
from .onnx_models import drawn, ours

NORMED = ("c.weight", "c_norm.weight", "c_norm.bias", "c_norm.running_mean", "c_norm.running_var")
Run = Callable[..., tuple[int, str, str]]
Save = Mapping[str, Callable[..., None]]
FORMATS = {"safetensors": "safetensors", "torch": "pth", "onnx": "onnx", "caffe": "caffemodel", "caffe 1": "caffemodel"}


def same(path: Path, tensors: Mapping[str, np.ndarray]) -> bool:
    """Whether a file holds these tensors, to the last bit."""
    found = load_file(path)
    return found.keys() == tensors.keys() and all(np.array_equal(found[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_every_tensor_to_the_last_bit(
    form: str, spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    file = f"a.{FORMATS[form]}"
    save[form](tmp_path / file, tensors)
    status, told, _ = run("import", file, "--spec", spec, "--channels", "rgb", "-o", "out.safetensors")
    assert status == 0 and "out.safetensors: 6 of 6 tensors of net" in told and "no place" not in told
    assert same(tmp_path / "out.safetensors", tensors)
    assert (tmp_path / "out.safetensors").stat().st_mode == spec.stat().st_mode


def test_a_file_that_was_imported_is_not_asked_about_its_images_again(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    save["torch"](tmp_path / "a.pt", tensors)
    assert run("import", "a.pt", "--spec", spec, "--channels", "bgr", "-o", "a.safetensors")[0] == 0
    status, told, errors = run("import", "a.safetensors", "--spec", spec, "-o", "b.safetensors")
    assert (status, errors) == (0, "") and "c1.weight reads `input` as data.py gives it: RGB" in told
    assert same(tmp_path / "b.safetensors", load_file(tmp_path / "a.safetensors"))
    again = ("import", "b.safetensors", "--spec", spec, "-o", "c.safetensors")
    assert run(*again, "--channels", "rgb")[0] == 0
    for other in (("--channels", "bgr"), ("--channels", "rgb", "--mean", "1,2,3")):
        status, _, errors = run(*again, *other)
        assert (status, errors) == (
            1,
            "error[SC804 image-channels]: the file notes that its network reads images as data.py gives them: RGB, "
            "(x / 255 - MEAN) / STD\n   = help: leave --channels, --mean and --std out\n",
        )


def test_the_report_names_what_came_what_is_fresh_and_what_found_no_place(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    del tensors["c2.bias"]
    tensors["fc.weight"] = np.zeros((7, 1536), np.float32)
    tensors["other.weight"] = np.zeros((2, 3, 1, 1), np.float32)
    tensors["c1.num_batches_tracked"] = np.zeros((), np.int64)
    save["torch"](tmp_path / "a.pt", tensors, prefix="module.features.")
    status, told, errors = run("import", "a.pt", "--spec", spec, "--channels", "rgb", "-o", "out.safetensors")
    assert (status, errors) == (0, "")
    assert told == (
        "parameter  shape          from a.pt\n"
        "─────────  ─────────────  ─────────────────────────\n"
        "c1.weight  4 x 3 x 3 x 3  module.features.c1.weight\n"
        "c1.bias    4              module.features.c1.bias\n"
        "c2.weight  6 x 4 x 3 x 3  module.features.c2.weight\n"
        "c2.bias    6              fresh: zeros               not in the file\n"
        "fc.weight  5 x 1536       fresh: he                  `module.features.fc.weight` is 7 x 1536\n"
        "fc.bias    5              module.features.fc.bias\n"
        "\n"
        "placed by name: 4 of 6 tensors; by order it would be 2\n"
        "\n"
        "1 of 6 tensors has another shape in the file: `fc.weight` is 5 x 1536, there 7 x 1536; `fc` has 7 channels "
        "there: a layer for other classes?\n"
        "\n"
        "c1.weight reads `input` as data.py gives it: RGB, (x / 255 - MEAN) / STD\n"
        "\n"
        "no place:\n"
        "  module.features.fc.weight  7 x 1536\n"
        "  module.features.other.weight  2 x 3 x 1 x 1\n"
        "\n"
        "out.safetensors: 4 of 6 tensors of net\n"
    )
    with safe_open(tmp_path / "out.safetensors", "numpy") as file:
        images = "RGB, (x / 255 - MEAN) / STD"
        assert file.metadata() == {"model": "net", "fresh": '["c2.bias", "fc.weight"]', "images": images}


def test_json_says_the_same(spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path) -> None:
    tensors["fc.weight"] = np.zeros((7, 1536), np.float32)
    save["torch"](tmp_path / "a.pt", tensors)
    status, told, _ = run(
        "import", "a.pt", "--spec", spec, "--channels", "rgb", "-o", "out.safetensors", "--format", "json"
    )
    report = json.loads(told)
    assert status == 0 and report["diagnostics"] == []
    assert report["parameters"][0] == {
        "name": "c1.weight", "shape": [4, 3, 3, 3], "from": "c1.weight", "reshaped_from": None, "widened_from": None,
    }  # fmt: skip
    assert report["parameters"][4] == {
        "name": "fc.weight", "shape": [5, 1536], "from": None, "fresh": "he", "why": "`fc.weight` is 7 x 1536",
    }  # fmt: skip
    assert report["no_place"] == [{"name": "fc.weight", "shape": [7, 1536], "why": None}]


def test_json_is_complete_also_when_it_fails(spec: Path, run: Run) -> None:
    status, told, _ = run("import", "none.pt", "--spec", spec, "-o", "out.safetensors", "--format", "json")
    assert status == 1
    assert [found["code"] for found in json.loads(told)["diagnostics"]] == ["SC801"]


def test_a_fully_connected_layer_becomes_the_convolution_that_computes_the_same(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    spec.write_text(spec.read_text().replace("{linear: 5}", "{conv: 5, kernel: 16, pad: 0, act: none}"))
    save["caffe"](tmp_path / "a.caffemodel", tensors)
    status, told, _ = run("import", "a.caffemodel", "--spec", spec, "--channels", "rgb", "-o", "out.safetensors")
    assert status == 0
    assert "fc.weight  5 x 6 x 16 x 16  fc.weight          reshaped from 5 x 1536" in told
    tensors["fc.weight"] = tensors["fc.weight"].reshape(5, 6, 16, 16)
    assert same(tmp_path / "out.safetensors", tensors)


def test_batch_norm_comes_with_its_statistics_by_order(spec: Path, save: Save, run: Run, tmp_path: Path) -> None:
    import torch
    from torch import nn

    spec.write_text(spec.read_text().replace("{conv: 4}", "{conv: 4, norm: batch, bias: no}"))
    theirs = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Linear(1536, 5)
    )
    nn.init.uniform_(theirs[1].running_var, 0.5, 2)
    torch.save({"epoch": 3, "state_dict": theirs.state_dict()}, tmp_path / "a.pth")
    assert run("import", "a.pth", "--spec", spec, "--channels", "rgb", "-o", "out.safetensors")[0] == 0
    found = load_file(tmp_path / "out.safetensors")
    for mine, name in (("c1_norm.running_var", "1.running_var"), ("c1_norm.weight", "1.weight"), ("fc.bias", "4.bias")):
        assert np.array_equal(found[mine], theirs.state_dict()[name].numpy())
    assert found["c1_norm.num_batches_tracked"].dtype == np.int64


def test_by_order_it_goes_layer_for_layer_as_far_as_all_of_a_layer_fits(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    tensors["c2.bias"] = np.zeros(7, np.float32)  # so this layer is another, and what comes after it may be, too
    save["torch"](tmp_path / "a.pth", {f"layer{i}": value for i, value in enumerate(tensors.values())})
    status, told, _ = run("import", "a.pth", "--spec", spec, "--channels", "rgb", "-o", "out.safetensors")
    assert status == 0 and "out.safetensors: 2 of 6 tensors of net" in told
    assert same(tmp_path / "out.safetensors", {name: tensors[name] for name in ("c1.weight", "c1.bias")})


@pytest.mark.parametrize("axes", [(0, 2, 3, 1), (0, 3, 2, 1)])
def test_a_matrix_that_reads_a_transposed_map(
    axes: tuple[int, ...], spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    """As Keras flattens it, its columns are put in order; in another order it finds no place."""
    import onnx
    from onnx import helper

    save["onnx"](tmp_path / "a.onnx", tensors)
    model = onnx.load(tmp_path / "a.onnx")
    model.graph.node[4].input[0] = "turned"
    model.graph.node.insert(4, helper.make_node("Transpose", ["r2"], ["turned"], perm=axes))
    onnx.save(model, tmp_path / "a.onnx")
    _, told, _ = run("import", "a.onnx", "--spec", spec, "--channels", "rgb", "-o", "out.safetensors")
    if axes == (0, 2, 3, 1):
        assert "out.safetensors: 6 of 6" in told and "(height, width, channel)" in told
        want = tensors["fc.weight"].reshape(5, 16, 16, 6).transpose(0, 3, 1, 2).reshape(5, 1536)
        assert np.array_equal(load_file(tmp_path / "out.safetensors")["fc.weight"], want)
    else:
        assert "  t4  1536 x 5  (the map that it reads is transposed by [0, 3, 2, 1])\n" in told
        assert "out.safetensors: 4 of 6" in told


def test_bgr_and_a_mean_go_into_the_first_convolution(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    """Valid positions only: what padding means differs, and the report says by how much."""
    import torch
    import torch.nn.functional as F

    mean, std = np.array([100.0, 120.0, 130.0]), np.array([50.0, 60.0, 70.0])
    save["torch"](tmp_path / "a.pth", tensors)
    flags = ("--channels", "bgr", "--mean", "100,120,130", "--std", "50,60,70")
    status, told, _ = run("import", "a.pth", "--spec", spec, *flags, "-o", "out.safetensors")
    assert status == 0
    line = "c1.weight reads `input` as data.py gives it: RGB, (x / 255 - MEAN) / STD; its padding is a colour"
    assert f"{line} 6.3 of 255 beside the file's" in told  # 255 * 0.485 - 130
    image = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    theirs = (image[..., ::-1] - mean) / std
    ours = (image / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    found = load_file(tmp_path / "out.safetensors")

    def scores(pixels: np.ndarray, weights: Mapping[str, np.ndarray]) -> torch.Tensor:
        x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
        return F.conv2d(x, *(torch.from_numpy(weights[f"c1.{part}"]).double() for part in ("weight", "bias")))

    want = scores(theirs, tensors)
    assert (scores(ours, found) - want).abs().max() < 1e-6 * want.abs().max()


def test_a_mean_goes_into_the_batch_norm_behind_a_convolution_without_a_bias(
    nets: SimpleNamespace, run: Run, tmp_path: Path
) -> None:
    """Without padding it is exact everywhere."""
    import torch

    spec = tmp_path / "net.yaml"
    head = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 8}\nlayers:\n"
    spec.write_text(f"{head}  - c: {{conv: 4, kernel: 3, bias: no, norm: batch}}\n")
    state = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4)).eval()
    drawn(state)
    torch.save(dict(zip(NORMED, list(state.state_dict().values())[:5], strict=True)), tmp_path / "a.pth")
    mean, std = np.array([100.0, 120.0, 130.0]), np.array([50.0, 60.0, 70.0])
    flags = ("--channels", "bgr", "--mean", "100,120,130", "--std", "50,60,70", "-o", "out.safetensors")
    assert run("import", "a.pth", "--spec", spec, *flags)[0] == 0
    image = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    theirs = ((image[..., ::-1] - mean) / std).transpose(2, 0, 1)[None].astype("f")
    mine = ((image / 255 - MEAN) / STD).transpose(2, 0, 1)[None].astype("f")
    with torch.no_grad():
        want = state(torch.from_numpy(theirs.copy())).numpy()
    have = ours(nets, spec, Path("out.safetensors"), mine)
    assert np.abs(have - want).max() <= 1e-5 * np.abs(want).max()


def test_a_mean_does_not_go_into_a_norm_that_is_not_alone_in_reading_the_convolution(run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    head = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 8}\nlayers:\n"
    spec.write_text(
        f"{head}  - c: {{conv: 4, kernel: 3, bias: no}}\n  - c_norm: {{norm: batch}}\n  - s: {{add: [c, c_norm]}}\n"
    )
    save_torch(tmp_path / "a.pth", dict.fromkeys(NORMED[1:], np.ones(4, "f")) | {NORMED[0]: np.ones((4, 3, 3, 3), "f")})
    flags = ("--channels", "rgb", "--mean", "1,2,3", "-o", "out.safetensors")
    status, _, errors = run("import", "a.pth", "--spec", spec, *flags)
    said = (
        "error[SC804 image-channels]: `c.weight` has no bias or batch norm from the file that could take the mean in\n"
    )
    assert status == 1 and errors.startswith(said)


def test_data_py_scales_images_as_the_import_takes_it(nets: SimpleNamespace, tmp_path: Path, spec: Path) -> None:
    spec.write_text(spec.read_text().replace("{linear: 5}", "{conv: 5}"))
    arguments = ["build", str(spec), "--backend", "torch", "--out", str(tmp_path / "o")]
    assert CliRunner().invoke(cli, arguments, standalone_mode=False).return_value == 0
    found = nets.imported(tmp_path / "o").data.normalise(np.full((1, 1, 3), 51, np.uint8)).ravel()
    want = [(51 / 255 - mean) / std for mean, std in zip(MEAN, STD, strict=True)]
    assert np.allclose(found, want, rtol=1e-6)
