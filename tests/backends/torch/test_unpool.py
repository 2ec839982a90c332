"""Unpooling in the emitted code: values go back to where the maxima were, at any size, and the code says how."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 2, size: any}\nlayers:\n"
SEGNET = """\
segcompile: 1
model: net
about: A SegNet of two steps.
input: {channels: 3, size: [45, 60]}
defaults: {conv: {kernel: 7, pad: 3, bias: no, norm: batch}, pool: {kernel: 2}}
layers:
  - conv1: {conv: 64, act: relu}
  - pool1: {pool: max}
  - conv2: {conv: 64, act: relu}
  - pool2: {pool: max, drop: 0.5}
  - up2:   {unpool: pool2}
  - dec2:  {conv: 64}
  - up1:   {unpool: pool1}
  - dec1:  {conv: 64}
  - score: {conv: 11, kernel: 1, pad: 0, bias: yes, norm: none}
claims:
  up2:   {size: [22, 30], channels: 64, kernel: 2, stride: 2, receptive_field: 22}
  up1:   {size: input, stride: 1, receptive_field: 34}
  score: {receptive_field: 42}
"""


def built(nets: SimpleNamespace, folder: Path, text: str):
    path = folder / "net.yaml"
    path.write_text(text if text.startswith("segcompile") else HEAD + text)
    return nets.emitted(nets.compiled(path).graph)


def by_hand(image, kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]):
    """The maximum of each window where it stands, zero elsewhere: what pooling and unpooling give together."""
    import torch

    found = torch.zeros_like(image)
    _, channels, height, width = image.shape
    for c in range(channels):
        for top in range(-pad[0], height + pad[0] - kernel[0] + 1, stride[0]):
            for left in range(-pad[1], width + pad[1] - kernel[1] + 1, stride[1]):
                ys, xs = range(top, top + kernel[0]), range(left, left + kernel[1])
                window = [(y, x) for y in ys for x in xs if 0 <= y < height and 0 <= x < width]
                place = max(window, key=lambda at: float(image[0, c, at[0], at[1]]))
                found[0, c, place[0], place[1]] = image[0, c, place[0], place[1]]
    return found


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (9, 6), (11, 11)])
@pytest.mark.parametrize(
    ("pool", "kernel", "stride", "pad"),
    [
        ("kernel: 2", (2, 2), (2, 2), (0, 0)),
        ("kernel: 2x3, stride: 3", (2, 3), (3, 3), (0, 0)),
        ("kernel: [3, 2], pad: 1", (3, 2), (3, 2), (1, 1)),
        ("kernel: 2, stride: [2, 4], pad: [1, 0]", (2, 2), (2, 4), (1, 0)),
    ],
)
def test_a_maximum_goes_back_to_its_place_at_any_size(
    nets: SimpleNamespace, tmp_path: Path, pool: str, size: tuple[int, int], kernel, stride, pad
) -> None:
    import torch

    net = built(nets, tmp_path, f"  - p: {{pool: max, {pool}}}\n  - u: {{unpool: p}}\n")
    image = torch.randn(1, 2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = net.outputs(image)["output"]
    assert found.shape == image.shape  # odd sizes come back
    assert found.equal(by_hand(image, kernel, stride, pad))


def test_a_last_window_that_overhangs_is_put_back_too(nets: SimpleNamespace, tmp_path: Path) -> None:
    import torch

    net = built(nets, tmp_path, "  - p: {pool: max, kernel: 2, round: ceil}\n  - u: {unpool: p}\n")
    image = torch.rand(1, 2, 5, 7, dtype=torch.float64)
    padded = torch.nn.functional.pad(image, (0, 1, 0, 1), value=-1)
    assert net.outputs(image)["output"].equal(by_hand(padded, (2, 2), (2, 2), (0, 0))[:, :, :5, :7])


def test_a_stranger_reads_which_pool_an_unpooling_undoes(nets: SimpleNamespace, tmp_path: Path) -> None:
    source = built(nets, tmp_path, SEGNET).source
    forward = source[source.index("    def forward") : source.index("        return x")]
    forward = nets.unbroken(forward)
    assert [line.partition("  #")[0].strip() for line in forward.splitlines() if "= " in line] == [
        "conv1 = F.relu(self.conv1_norm(self.conv1(image)))",
        "pool1, pool1_indices = F.max_pool2d(conv1, 2, return_indices=True)",
        "conv2 = F.relu(self.conv2_norm(self.conv2(pool1)))",
        "pool2, pool2_indices = F.max_pool2d(conv2, 2, return_indices=True)",
        "pool2 = F.dropout(pool2, 0.5, self.training)",
        "x: Tensor = F.max_unpool2d(pool2, pool2_indices, (2, 2), output_size=conv2.shape[2:])",
        "x = self.dec2_norm(self.dec2(x))",
        "x = F.max_unpool2d(x, pool1_indices, (2, 2), output_size=conv1.shape[2:])",
        "x = self.dec1_norm(self.dec1(x))",
        "x = self.score(x)",
    ]


def test_a_pool_that_nobody_undoes_is_written_as_ever(nets: SimpleNamespace, tmp_path: Path) -> None:
    layers = "  - p: {pool: max, kernel: 2}\n  - q: {pool: max, kernel: 2}\n  - u: {unpool: q}\n"
    source = built(nets, tmp_path, layers).source
    assert "p = F.max_pool2d(image, 2)" in source and "q, q_indices = F.max_pool2d(p, 2, return" in source


def test_only_the_places_of_the_maxima_are_kept_where_nothing_reads_the_maxima(
    nets: SimpleNamespace, tmp_path: Path
) -> None:
    layers = "  - p: {pool: max, kernel: 2}\n  - half: {pool: avg, kernel: 2, from: input}\n  - u: {unpool: p}\n"
    assert "_, p_indices = F.max_pool2d(image, 2, return" in built(nets, tmp_path, layers).source


def test_decoders_of_blocks_share_a_class(nets: SimpleNamespace, tmp_path: Path) -> None:
    text = """\
segcompile: 1
model: net
input: {channels: 4, size: 16}
defaults: {conv: {kernel: 3, pad: same, act: relu}}
blocks:
  enc: {args: [w], layers: [a: {conv: w}, pool: {pool: max, kernel: 2}]}
  dec: {args: [w, p], layers: [up: {unpool: p}, a: {conv: w}]}
layers:
  - enc1: {block: enc, w: 4}
  - enc2: {block: enc, w: 6}
  - dec2: {block: dec, p: enc2, w: 4}
  - dec1: {block: dec, p: enc1, w: 3}
"""
    source = built(nets, tmp_path, text).source
    assert source.count("(nn.Module)") == 3
    assert "def forward(self, x: Tensor, indices: Tensor, a: Tensor) -> Tensor:" in source
    assert "return a, pool, pool_indices" in source
    assert "a, pool, enc1_indices = self.enc1(image)" in source


def test_over_padding_that_pytorch_s_pooling_does_not_take_the_map_is_padded_before(
    nets: SimpleNamespace, tmp_path: Path
) -> None:
    text = "  - p: {pool: max, kernel: [2, 3], stride: 3, pad: [0, 1, 2, 0]}\n  - u: {unpool: p}\n"
    net = built(nets, tmp_path, text)
    source = " ".join(net.source.split()).replace("( ", "(").replace(" )", ")").replace(",)", ")")
    assert 'F.max_pool2d(F.pad(image, (2, 0, 0, 1), value=float("-inf")), (2, 3), 3, return_indices=True)' in source
    unpooled = "F.max_unpool2d(p, p_indices, (2, 3), (3, 3), output_size=(image.shape[2] + 1, image.shape[3] + 2))"
    assert f"{unpooled} return F.pad(x, (-2, 0, 0, -1))" in source
