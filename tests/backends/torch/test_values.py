"""What the emitted ops compute, against the formulas of the papers that define them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 8, size: [5, 6]}\nlayers:\n"


def run(nets: SimpleNamespace, folder: Path, layers: str):
    """The emitted model of some layers, its image, and its output in training mode."""
    path = folder / "net.yaml"
    path.write_text(HEAD + layers)
    net = nets.emitted(nets.compiled(path).graph)
    (image,) = net.inputs()
    net.model.train()
    return net, image - 1, net.outputs(image - 1)["output"].detach()


@pytest.mark.parametrize(("written", "factor"), [("{pixel_shuffle: 2}", 2), ("{pixel_shuffle: 1}", 1)])
def test_pixel_shuffle_is_equation_4_of_shi(nets: SimpleNamespace, tmp_path: Path, written: str, factor: int) -> None:
    _, image, found = run(nets, tmp_path, f"  - up: {written}\n")
    _, channels, height, width = image.shape
    assert found.shape == (1, channels // factor**2, height * factor, width * factor)
    for c in range(found.shape[1]):
        for y in range(found.shape[2]):
            for x in range(found.shape[3]):
                source = c * factor**2 + factor * (y % factor) + x % factor
                assert found[0, c, y, x] == image[0, source, y // factor, x // factor]


def normalised(values, axes: tuple[int, ...], eps: float):
    mean = values.mean(axes, keepdim=True)
    return (values - mean) / ((values - mean).square().mean(axes, keepdim=True) + eps).sqrt()


def test_instance_norm_takes_each_channel_of_each_image_also_in_training(nets: SimpleNamespace, tmp_path: Path) -> None:
    net, image, found = run(nets, tmp_path, "  - n: {norm: {instance: 1e-2}}\n")
    assert found.allclose(normalised(image, (2, 3), 1e-2))
    assert {name for name, _ in net.model.named_parameters()} == {"n.weight", "n.bias"}
    assert not dict(net.model.named_buffers())  # nothing is kept of the images: evaluation is the same
    assert net.model.eval()(image).allclose(found)


def test_group_norm_takes_neighbouring_channels_together(nets: SimpleNamespace, tmp_path: Path) -> None:
    _, image, found = run(nets, tmp_path, "  - n: {norm: {group: {groups: 2, eps: 1e-2}}}\n")
    grouped = image.reshape(1, 2, 4, 5, 6)
    assert found.allclose(normalised(grouped, (2, 3, 4), 1e-2).reshape(image.shape))


@pytest.mark.parametrize(
    ("written", "size", "alpha", "beta", "k"),
    [
        ("lrn", 5, 1e-4, 0.75, 1),
        ("{lrn: {size: 3, alpha: 2, beta: 0.5, k: 2}}", 3, 2, 0.5, 2),
        ("{lrn: 1}", 1, 1e-4, 0.75, 1),
    ],
)
def test_lrn_divides_by_the_neighbouring_channels(
    nets: SimpleNamespace, tmp_path: Path, written: str, size: int, alpha: float, beta: float, k: float
) -> None:
    _, image, found = run(nets, tmp_path, f"  - n: {{norm: {written}}}\n")
    for c in range(8):
        around = image[:, max(0, c - size // 2) : c + size // 2 + 1].square().sum(1)
        assert found[:, c].allclose(image[:, c] / (k + alpha / size * around) ** beta)


def test_alexnets_own_alpha_is_five_times_as_large(nets: SimpleNamespace, tmp_path: Path) -> None:
    """Krizhevsky et al. (2012), section 3.3: k = 2, n = 5, alpha = 1e-4 times the sum, beta = 0.75."""
    _, image, found = run(nets, tmp_path, "  - n: {norm: {lrn: {alpha: 5e-4, k: 2}}}\n")
    for c in range(8):
        squares = sum(image[:, j] ** 2 for j in range(max(0, c - 2), min(7, c + 2) + 1))
        assert found[:, c].allclose(image[:, c] / (2 + 1e-4 * squares) ** 0.75)


def test_group_norm_takes_a_vector(nets: SimpleNamespace, tmp_path: Path) -> None:
    net, image, found = run(nets, tmp_path, "  - fc: {linear: 6, norm: {group: 3}}\n")
    features = net.model.fc(image.flatten(1)).detach().reshape(1, 3, 2)
    assert found.allclose(normalised(features, (2,), 1e-5).reshape(1, 6))


@pytest.mark.parametrize("norm", ["instance", "{group: 2}"])
def test_what_mixes_the_whole_image_can_still_be_cropped_to_its_place(
    nets: SimpleNamespace, tmp_path: Path, norm: str
) -> None:
    layers = f"  - c: {{conv: 8, kernel: 3, pad: 2, norm: {norm}}}\n  - cut: {{crop: input}}\n"
    net, image, found = run(nets, tmp_path, layers)
    assert net.graph.by_name["cut"].op.offset == (1, 1)
    assert found.shape == image.shape and all(field.whole for field in net.facts["cut"].fields)


def test_softmax_prelu_product_and_weighted_sum(nets: SimpleNamespace, tmp_path: Path) -> None:
    _, image, found = run(nets, tmp_path, "  - s: {softmax: channels}\n")
    assert found.allclose(image.exp() / image.exp().sum(1, keepdim=True))
    _, image, found = run(nets, tmp_path, "  - a: {act: prelu}\n")
    assert found.allclose(image.clamp(min=0) + 0.25 * image.clamp(max=0))
    pair = "  - a: {scale: 3}\n  - b: {act: relu, from: input}\n"
    _, image, found = run(nets, tmp_path, f"{pair}  - m: {{mul: [a, b, a]}}\n")
    assert found.allclose(3 * image * image.clamp(min=0) * 3 * image)
    _, image, found = run(nets, tmp_path, f"{pair}  - m: {{add: [a, b, input], weights: [1, 1e-2, -2]}}\n")
    assert found.allclose(3 * image + 0.01 * image.clamp(min=0) - 2 * image)


def test_a_stranger_reads_the_numbers_of_the_paper(nets: SimpleNamespace, tmp_path: Path) -> None:
    layers = """\
  - up:    {pixel_shuffle: 2, norm: {instance: 1e-3}}
  - group: {conv: 8, kernel: 3, norm: {group: 4}, act: relu}
  - lrn:   {norm: {lrn: {alpha: 5e-4, k: 2}}}
"""
    source = run(nets, tmp_path, layers)[0].source
    for line in (
        "self.up_norm = nn.InstanceNorm2d(2, eps=0.001, affine=True)",
        "x = self.up_norm(F.pixel_shuffle(features, 2))",
        "self.group_norm = nn.GroupNorm(4, 8)",
        "x = F.relu(self.group_norm(self.group(x)))",
        "return F.local_response_norm(x, 5, alpha=0.0005, k=2)",
    ):
        assert line in source, source
