"""`segcompile rf --tiling`: exact tiles, as people and programs read of them."""

from __future__ import annotations

import json

from click.testing import CliRunner

from segcompile.cli import cli

UNET = """\
exact tiles of unet
  along H and W
    halo        92 pixels before, 92 after
    origins     multiples of 16 pixels from where the image starts
    sizes       H ≡ 12 (mod 16), H ≥ 188, of tiles and image
    cut off     of a tile's outputs 0 at its start and 0 at its end
    borders     a tile that ends where the image ends is padded there as that is, and loses nothing there
    others      so have all 16 residues of sizes: 99 before and 100 after at most
  tiles of 508 x 508, one every 320 x 320: 1.42 times the MACs of the whole image
  its tensors that are alive at once take 140.8 MiB in float32, without weights and what a convolution sets aside
"""


def rf(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ("rf", *arguments), standalone_mode=False)
    return result.return_value, result.output


def test_tiles_of_unet() -> None:
    assert rf("unet", "--tiling") == (0, UNET)


def test_the_layer_that_forbids_tiles() -> None:
    assert rf("aspp", "--tiling")[1].splitlines()[1:] == [
        "  along H and W",
        "    none: `aspp.image.pool` (global avg pool) mixes the whole image",
    ]


def test_tiles_as_data() -> None:
    told = json.loads(rf("dilated_frontend", "--tiling", "--tile", "1000", "--format", "json")[1])["asked"]["tiling"]
    # conv1_1 of a tile has 64 channels of 994², and so has what its activation makes of it.
    assert told["plan"] == {"tile": [996, 996], "advance": [624, 624], "macs": 1.1897, "memory": 2 * 64 * 4 * 994**2}
    assert told["axes"]["width"] == {
        "step": 8, "rest": 4, "least": 380, "halo": [186, 186], "tight": True,
        "outputs": {"output": {"before": 0, "after": 0, "stride": 8, "start": 186}},
        "most": [186, 193], "residues": {"tiled": 8, "looked": 8, "legal": 8}, "forbidden": None,
    }  # fmt: skip


def test_a_tile_needs_tiling() -> None:
    result = CliRunner().invoke(cli, ("rf", "unet", "--tile", "512"))
    assert result.exit_code == 2 and "--tile is a size of --tiling" in result.output
