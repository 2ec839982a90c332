"""Makes volumes of balls of three sizes in noise, with their masks: 0 background, 1 small, 2 middle, 3 large.

    python demo/balls.py OUT

writes to OUT

    train/*.npy, train_masks/*.npy    24 volumes of 80 x 80 x 80 voxels, float32, and their labels
    val/*.npy, val_masks/*.npy        4 others
    train.txt, val.txt                lines "image mask"

Balls are as bright as each other, twice the noise's deviation above the background, and do not overlap: a voxel alone
says little of what it belongs to, and its class is the size of its ball.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE = 80  # voxels
RADII = (4, 7, 11)  # voxels, of the classes 1, 2 and 3
EACH = (40, 12, 5)  # balls of each class in a volume
BRIGHTNESS, NOISE = 1.0, 0.5
GAP = 2  # voxels between balls, at least


def ball_volume(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """An image (depth, height, width) and its mask, the large balls placed first."""
    mask = np.zeros((SIDE, SIDE, SIDE), np.uint8)
    grid = np.indices(mask.shape)
    placed: list[tuple[NDArray[np.int64], int]] = []
    for label in (3, 2, 1):
        radius = RADII[label - 1]
        for _ in range(EACH[label - 1]):
            centre = _free_place(rng, placed, radius)
            placed.append((centre, radius))
            mask[((grid - centre[:, None, None, None]) ** 2).sum(0) <= radius**2] = label
    image = BRIGHTNESS * (mask > 0) + rng.normal(0, NOISE, mask.shape)
    return image.astype(np.float32), mask


def _free_place(
    rng: np.random.Generator, placed: list[tuple[NDArray[np.int64], int]], radius: int
) -> NDArray[np.int64]:
    """A centre from which a ball touches neither the others nor the border."""
    while True:
        centre = rng.integers(radius, SIDE - radius, 3)
        if all(((centre - other) ** 2).sum() >= (radius + size + GAP) ** 2 for other, size in placed):
            return centre


def main() -> None:
    out = Path(sys.argv[1])
    rng = np.random.default_rng(0)
    for name, count in (("train", 24), ("val", 4)):
        for folder in (name, f"{name}_masks"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image, mask = ball_volume(rng)
            np.save(out / name / f"{number:02d}.npy", image[..., None])
            np.save(out / f"{name}_masks" / f"{number:02d}.npy", mask)
        lines = (f"{name}/{number:02d}.npy {name}_masks/{number:02d}.npy\n" for number in range(count))
        (out / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    print(f"{out}: 24 training volumes, 4 held-out volumes of {SIDE} x {SIDE} x {SIDE} voxels")


if __name__ == "__main__":
    main()
