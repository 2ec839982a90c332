"""Shift-and-stitch: against the network on the crop around each pixel, its coordinates, and its à trous twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

BACKENDS = pytest.mark.parametrize("backend", ["torch", "jax"])
HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 64}\nlayers:\n"
# Stride 4 x 2; receptive field 16 x 15, so that outputs are centred between pixels downwards and on them across.
STRIDED = f"""{HEAD}
  - a: {{conv: 4, kernel: [3, 5], act: relu}}
  - p: {{pool: max, kernel: [2, 3], stride: [2, 1]}}
  - b: {{conv: 4, kernel: 3, stride: 2, act: relu}}
  - c: {{conv: 3, kernel: [3, 4]}}
"""
FIELD = 16, 15
# Stride 4, receptive field 27 around the pixel at which an output lies: of the outputs, some see the padding.
PADDED = f"""{HEAD}
  - a: {{conv: 4, kernel: 3, stride: 2, pad: 1, act: relu}}
  - p: {{pool: max, kernel: 3, stride: 2, pad: 1}}
  - b: {{conv: 4, kernel: 3, pad: same, act: relu}}
  - c: {{conv: 3, kernel: 3, pad: same}}
"""


def image_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(height, width, 3)).astype(np.float32)


def run(side: Any, model: Any, images: np.ndarray) -> np.ndarray:
    """The network's own scores (B, h, w, C) of images (B, H, W, CHANNELS)."""
    if side.backend == "jax":
        return np.asarray(model(images))
    import torch

    with torch.inference_mode():
        return model(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).permute(0, 2, 3, 1).numpy()


def dense(side: Any, model: Any, image: np.ndarray) -> np.ndarray:
    """The scores (H, W, C) of an image by shift-and-stitch."""
    return side.modules.dense.shift_and_stitch(lambda part: run(side, model, part[None])[0], image)


@BACKENDS
@pytest.mark.parametrize("size", [(1, 1), (30, 23), (9, 40)])
def test_a_pixel_has_the_scores_of_the_crop_around_it(built: Any, backend: str, size: tuple[int, int]) -> None:
    side, image, (height, width) = built(backend, STRIDED), image_of(*size), size
    model, window = side.model(), side.modules.data.window
    crops = [window(image, y - 8, x - 7, FIELD) for y in range(height + 1) for x in range(width)]
    around = run(side, model, np.stack(crops)).reshape(height + 1, width, 3)  # centred on the pixels' upper edges
    expected = (around[:-1] + around[1:]) / 2
    np.testing.assert_allclose(dense(side, model, image), expected, atol=1e-5)


@BACKENDS
@pytest.mark.parametrize(
    ("text", "strides", "beyond", "border"), [(STRIDED, "p, b", (8, 7), 0), (PADDED, "a, p", (0, 0), 27)]
)
def test_it_is_the_network_with_its_strides_removed_and_its_filters_dilated(
    built: Any, tmp_path: Path, backend: str, text: str, strides: str, beyond: tuple[int, int], border: int
) -> None:
    """Long et al. (2015), section 3.2: both forms of one network agree where they see no padding."""
    (tmp_path / "strided.yaml").write_text(text)
    atrous = f"segcompile: 1\nmodel: net\nbase: {tmp_path}/strided.yaml\ntransform: [atrous: [{strides}]]\n"
    side, twin, image = built(backend, text), built(backend, atrous), image_of(66, 75)
    assert twin.modules.data.STRIDE == (1, 1)
    side.save(tmp_path / "w.safetensors", side.model())
    around = twin.modules.data.window(image, -beyond[0], -beyond[1], (66 + 2 * beyond[0], 75 + 2 * beyond[1]))
    expected = run(twin, twin.load(tmp_path / "w.safetensors"), around[None])[0]
    if len(expected) > 66:  # outputs between pixels
        expected = (expected[:-1] + expected[1:]) / 2
    inside = np.s_[border : 66 - border, border : 75 - border]
    found = dense(side, side.load(tmp_path / "w.safetensors"), image)
    assert found.shape == expected.shape == (66, 75, 3)
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-5)


COORDINATES = """segcompile: 1
model: net
input: {{channels: 3, size: 64}}
layers:
  - a: {{conv: 3, kernel: {kernel}, stride: {stride}, pad: {pad}, groups: 3, bias: no}}
  - b: {{pool: avg, kernel: [3, 2], stride: [1, 2]}}
"""


@settings(max_examples=12)
@given(kernel=st.integers(1, 7), stride=st.integers(1, 5), before=st.integers(0, 3), after=st.integers(0, 3))
def test_scores_lie_where_the_receptive_field_is_centred(
    from_spec: Any, kernel: int, stride: int, before: int, after: int
) -> None:
    """Means of the pixels' own coordinates are the centres of the windows that they are taken of."""
    import torch

    pad = [min(before, kernel - 1), min(after, kernel - 1)] * 2
    harness = from_spec(COORDINATES.format(kernel=kernel, stride=stride, pad=pad))
    model = harness.model.Net().eval()
    torch.nn.init.constant_(model.a.weight, 1 / kernel**2)
    image = np.stack(np.broadcast_arrays(*np.ogrid[:50, :60, :1]), -1)[:, :, 0].astype(np.float32)

    def scores(part: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(part)[None].permute(0, 3, 1, 2))[0].permute(1, 2, 0).detach().numpy()

    found = harness.dense.shift_and_stitch(scores, image)
    edge = kernel + 3 * stride  # what sees padding, or reflections
    inside = np.s_[edge : 50 - edge, edge : 60 - edge, :2]
    assert found.shape == (50, 60, 3)
    np.testing.assert_allclose(found[inside], image[inside], atol=1e-3)


@BACKENDS
def test_predict_dense_writes_the_likeliest_of_them(built: Any, tmp_path: Path, backend: str) -> None:
    side, torch = built(backend, STRIDED), built("torch", STRIDED)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    image, model = side.modules.data.normalise(pixels).transpose(1, 2, 0), torch.model()
    for number, weight in enumerate(model.parameters()):
        weight.data.copy_(weight.new_tensor(np.random.default_rng(number).normal(size=weight.shape)))
    model.c.bias.data -= model.c.bias.new_tensor(dense(torch, model, image).mean((0, 1)))  # each class is seen
    torch.save(tmp_path / "w.safetensors", model)
    scores = dense(torch, model, image)
    clear = np.ptp(np.sort(scores)[:, :, 1:], axis=2) > 1e-4  # no draw between the first two
    assert clear.mean() > 0.99
    for flags, same in ((["--dense"], True), ([], False)):
        command = [
            str(tmp_path / "x.png"),
            "--weights",
            str(tmp_path / "w.safetensors"),
            "--out",
            str(tmp_path / "out"),
        ]
        assert side.modules.predict.main([*command, "--device", "cpu", *flags]) == 0
        with Image.open(tmp_path / "out/x.png") as labels:
            assert np.array_equal(np.array(labels)[clear], scores.argmax(-1)[clear]) == same


def test_outputs_at_every_pixel_need_no_stitching(built: Any, capsys: pytest.CaptureFixture[str]) -> None:
    side = built("torch", STRIDED.replace("stride: 2", "stride: 1").replace("stride: [2, 1]", "stride: 1"))
    assert not (side.folder / "dense.py").exists()
    assert "dense" not in (side.folder / "predict.py").read_text() + (side.folder / "README.md").read_text()


def test_a_network_that_mixes_the_whole_image_says_why_it_cannot_be_stitched(from_spec: Any) -> None:
    mixed = STRIDED.replace("act: relu}\n  - c", "norm: instance, act: relu}\n  - c")
    harness = from_spec(mixed)
    assert not (harness.folder / "dense.py").exists() and "--dense" not in (harness.folder / "predict.py").read_text()
    assert (
        "The network gives one output for 4 x 2 pixels, and the scores of the pixels between are interpolated. It "
        "cannot be run on shifts of the\nimage instead (shift-and-stitch): its layer `b` mixes the whole image, and "
        "would see another one with every shift.\n"
    ) in (harness.folder / "README.md").read_text()


@BACKENDS
def test_the_readme_of_a_coarse_network_says_what_it_can_do(built: Any, backend: str) -> None:
    text = (built(backend, STRIDED).folder / "README.md").read_text()
    assert "| `dense.py` | shift-and-stitch: `predict.py --dense` |\n" in text
    assert (
        "The network gives one output for 4 x 2 pixels, and the scores of the pixels between are interpolated. "
        "`predict.py --dense` runs it\nfor each of the 8 shifts of the image instead (shift-and-stitch) and interlaces "
        "the outputs: all of them are the network's own.\n"
    ) in text
