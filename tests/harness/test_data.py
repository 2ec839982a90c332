"""Reading, checking and augmenting."""

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image


def message(harness: SimpleNamespace, call: Any, *arguments: Any) -> str:
    with pytest.raises(harness.files.InputError) as caught:
        call(*arguments)
    return str(caught.value)


def image_in(harness: SimpleNamespace, path: Path, **fields: Any) -> np.ndarray:
    return harness.images.read_image(path, harness.reading.Reading(**fields))


def mask_in(harness: SimpleNamespace, path: Path, **fields: Any) -> np.ndarray:
    return harness.masks.read_mask(path, harness.reading.Reading(**fields))


def list_of(folder: Path, *lines: str) -> Path:
    path = folder / "bad.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_window_is_numpys_reflection(harness: SimpleNamespace) -> None:
    for shape in [(1, 1), (1, 5), (2, 3), (7, 4)]:
        array = np.arange(np.prod(shape)).reshape(shape)
        expected = np.pad(array, ((9, 12), (11, 8)), "reflect")
        assert (harness.data.window(array, -9, -11, expected.shape) == expected).all()


def test_window_fills_what_is_outside(harness: SimpleNamespace) -> None:
    array = np.arange(6).reshape(2, 3)
    assert harness.data.window(array, -1, 1, (4, 3), 9).tolist() == [[9, 9, 9], [1, 2, 9], [4, 5, 9], [9, 9, 9]]


def test_legal_sizes_step_from_the_specs_size_both_ways(special: Any) -> None:
    data = special(size=(572, 572), output=(388, 388), offset=(92, 92), multiple=(16, 16)).data
    assert data.legal_size((1, 1)) == (188, 188)
    assert data.output_size((188, 188)) == (4, 4)
    assert data.legal_size((572, 573)) == (572, 588)
    assert data.legal_size((1, 1), (500, 5)) == (572 + 112, 188 + 16)
    assert data.output_size((684, 204)) == (500, 20)


def test_no_legal_size_is_below_the_least(special: Any) -> None:
    data = special(multiple=(4, 1), least=(32, 31)).data
    assert data.legal_size((1, 1)) == (32, 31)
    assert data.legal_size((33, 33)) == (36, 33)


def test_crops_lie_under_the_output_inside_the_image(tap: Any) -> None:
    harness = tap(9, 4, 3)
    data = harness.data
    image = np.arange(100 * 90, dtype=np.float32).reshape(100, 90, 1).repeat(3, axis=2)
    labels = (np.arange(100 * 90) % 3).reshape(100, 90)
    crop = data.legal_size((60, 40))
    batches = harness.batches.Batches([], 1, crop, seed=0, reading=harness.reading.Reading(), mirror=False)
    tops = set()
    for seed in range(200):
        part, part_labels = batches.augment(image, labels, np.random.default_rng(seed))
        under = harness.batches.under_output(part_labels)
        assert part.shape[:2] == crop
        assert under.shape == tuple(4 * size for size in data.output_size(crop))
        assert (under < 3).all(), "all labels under the output are the image's"
        pixels = part[1:, 1:, 0][: under.shape[0], : under.shape[1]].astype(int)
        assert (under == pixels % 3).all(), "and they are those of the pixels under the output"
        tops.add(int(pixels[0, 0]) // 90)
    assert min(tops) == 0, "the image's first row is reached"


def test_small_images_are_reflected_and_their_surroundings_ignored(harness: SimpleNamespace) -> None:
    image, labels = np.full((5, 7, 3), 50, np.uint8), np.ones((5, 7), np.int64)
    batches = harness.batches.Batches([], 1, (16, 16), seed=0, reading=harness.reading.Reading())
    for seed in range(20):
        part, part_labels = batches.augment(image, labels, np.random.default_rng(seed))
        assert (part == 50).all()
        assert (part_labels == 1).sum() == 35
        assert (part_labels == 255).sum() == 16 * 16 - 35


@pytest.mark.parametrize("scale", [(1.0, 1.0), (0.5, 0.5), (2.0, 2.0), (0.5, 2.0)])
def test_augmentation_moves_image_and_labels_alike(harness: SimpleNamespace, scale: tuple[float, float]) -> None:
    labels = np.kron(np.random.default_rng(1).integers(0, 2, (8, 8)), np.ones((16, 16), int))
    image = (labels[..., None] * 200).astype(np.uint8).repeat(3, axis=2)
    batches = harness.batches.Batches([], 1, (32, 48), seed=0, reading=harness.reading.Reading(), scale=scale)
    for seed in range(30):
        part, part_labels = batches.augment(image, labels, np.random.default_rng(seed))
        unblurred = (part_labels != 255) & np.isin(part[..., 0], [0, 200])
        assert unblurred.mean() > 0.3
        assert (part[..., 0] == 200 * part_labels)[unblurred].all()


def test_mirroring_turns_half_of_the_samples(harness: SimpleNamespace) -> None:
    image = np.arange(16, dtype=np.uint8)[None, :, None].repeat(16, 0).repeat(3, 2)
    labels = np.zeros((16, 16), np.int64)
    labels[:, 8:] = 1
    batches = harness.batches.Batches([], 1, (16, 16), seed=0, reading=harness.reading.Reading())
    turned = 0
    for seed in range(100):
        part, part_labels = batches.augment(image, labels, np.random.default_rng(seed))
        assert ((part[..., 0] >= 8) == (part_labels == 1)).all()
        turned += int(part[0, 0, 0] == 15)
    assert 35 < turned < 65


def test_every_epoch_visits_every_pair_once_in_another_order(harness: SimpleNamespace) -> None:
    orders = [harness.batches.shuffled(3, epoch, 10) for epoch in range(4)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len(set(orders)) == 4


def test_images_are_normalised_by_imagenets_mean(harness: SimpleNamespace) -> None:
    normal = harness.data.normalise(np.full((2, 4, 3), 255, np.uint8))
    assert normal.shape == (3, 2, 4) and normal.dtype == np.float32
    assert normal[:, 0, 0] == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])


def test_npy_images_are_used_as_they_are(special: Any, tmp_path: Path) -> None:
    harness = special(channels=4)
    data = harness.data
    array = np.random.default_rng(0).normal(size=(5, 6, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", array)
    assert (data.normalise(image_in(harness, tmp_path / "x.npy")) == array.transpose(2, 0, 1)).all()
    small, _ = harness.batches.resize(array, np.zeros((5, 6), int), (3, 3))
    assert small.shape == (3, 3, 4)


def test_grey_networks_read_grey(special: Any, tmp_path: Path) -> None:
    harness = special(channels=1)
    Image.new("L", (4, 3), 255).save(tmp_path / "x.png")
    assert image_in(harness, tmp_path / "x.png").shape == (3, 4, 1)
    assert harness.data.normalise(image_in(harness, tmp_path / "x.png")).max() == 1.0


def test_masks_may_be_palette_images_or_arrays(harness: SimpleNamespace, tmp_path: Path) -> None:
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    image = Image.fromarray(labels)
    image.putpalette(harness.pictures.palette().tobytes())
    image.save(tmp_path / "p.png")
    np.save(tmp_path / "p.npy", labels.astype(np.int64))
    for name in ("p.png", "p.npy"):
        assert mask_in(harness, tmp_path / name).tolist() == labels.tolist()


def test_bad_lists(harness: SimpleNamespace, dataset: Path) -> None:
    read = functools.partial(harness.pairs.read_list, reading=harness.reading.Reading())
    good = "images/0.png masks/0.png"
    bad = dataset / "bad.txt"

    assert message(harness, read, bad) == f"{bad}: no such file"
    list_of(dataset, "", "  ")
    assert message(harness, read, bad) == f'{bad}: the list is empty; it needs lines "image mask"'
    list_of(dataset, good, "images/1.png")
    assert message(harness, read, bad) == f'{bad}:2: expected "image mask", found "images/1.png"'
    list_of(dataset, good, "", "images/0.png masks/none.png")
    assert message(harness, read, bad) == f"{bad}:3: {dataset}/masks/none.png: no such file"
    list_of(dataset, "images masks/0.png")
    assert message(harness, read, bad) == f"{bad}:1: {dataset}/images: cannot be read: Is a directory"
    bad.write_bytes(b"\xff\xfe\x00")
    assert message(harness, read, bad) == f"{bad}: cannot be read: it is no text in UTF-8"
    list_of(dataset, "my image.png mask.png")
    told = 'expected "image mask", found "my image.png mask.png"; a tab parts names that hold spaces'
    assert message(harness, read, bad) == f"{bad}:1: {told}"
    (dataset / "link.png").symlink_to("masks/0.png")
    list_of(dataset, "link.png masks/0.png")
    assert message(harness, read, bad) == f"{bad}:1: {dataset}/masks/0.png: is the image and its mask, too"
    Image.new("L", (24, 19)).save(dataset / "masks/1.png")
    list_of(dataset, good, "images/1.png masks/1.png")
    sizes = f"is 19 x 24 (height x width), its image {dataset}/images/1.png is 20 x 24"
    assert message(harness, read, bad) == f"{bad}:2: {dataset}/masks/1.png: the mask {sizes}"


def test_lists_are_relative_to_themselves_or_to_root(harness: SimpleNamespace, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere/list.txt"
    moved.write_text((dataset / "list.txt").read_text())
    assert harness.pairs.read_list(moved, harness.reading.Reading(), dataset) == harness.pairs.read_list(
        dataset / "list.txt", harness.reading.Reading()
    )


def test_names_with_spaces_are_parted_by_a_tab(harness: SimpleNamespace, dataset: Path) -> None:
    (dataset / "my images").mkdir()
    image = (dataset / "images/0.png").rename(dataset / "my images/a\u2028b.png")  # which Python takes for a new line
    list_of(dataset, " my images/a\u2028b.png\tmasks/0.png ", "images/1.png  masks/1.png")
    assert [pair[0] for pair in harness.pairs.read_list(dataset / "bad.txt", harness.reading.Reading())] == [
        image,
        dataset / "images/1.png",
    ]


def test_bad_folders(harness: SimpleNamespace, dataset: Path) -> None:
    read = functools.partial(harness.pairs.read_folders, reading=harness.reading.Reading())
    images, masks = dataset / "images", dataset / "masks"
    assert len(read(images, masks)) == 6
    assert message(harness, read, images, dataset / "none") == f"{dataset}/none: no such folder"
    (dataset / "empty").mkdir()
    assert message(harness, read, dataset / "empty", masks) == f"{dataset}/empty: there is no image in this folder"
    (masks / "3.png").unlink()
    assert message(harness, read, images, masks) == (
        f"{images}: 1 of 6 images have no mask of the same name in {masks}: 3.png"
    )
    Image.new("RGB", (24, 20)).save(images / "0.jpg")
    assert message(harness, read, images, masks) == f"{images}/0.png: has the same stem as 0.jpg"


def test_files_that_are_no_images_by_their_names_are_left_out_with_a_note(
    harness: SimpleNamespace, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.reading.SAID.clear()
    for name in ("a.heic", ".hidden", "b.heic", "c.txt", "d.txt"):
        (dataset / "images" / name).touch()
    (dataset / "images/folder").mkdir()
    assert len(harness.pairs.read_folders(dataset / "images", dataset / "masks", harness.reading.Reading())) == 6
    told = "left out, as their names are no images': a.heic, b.heic, c.txt and 1 more"
    assert capsys.readouterr().err == f"note: {dataset}/images: {told} (said once)\n"


def test_bad_images(harness: SimpleNamespace, dataset: Path) -> None:
    read, path = functools.partial(image_in, harness), dataset / "images/0.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert message(harness, read, path) == f"{path}: cannot be read: it is damaged, or cut off"
    path.write_bytes(b"not an image")
    assert message(harness, read, path) == f"{path}: cannot be read: cannot identify image file"
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(path)
    assert message(harness, read, path) == (
        f"{path}: its samples have more than 8 bits, and the largest is 0; "
        "if 255 is white, save it with 8 bits; say how many they use: --bits 10, if 1023 is white"
    )
    array = dataset / "x.npy"
    np.save(array, np.zeros((4, 4), np.float32))
    assert message(harness, read, array) == f"{array}: expected numbers (height, width, 3), found float32 (4, 4)"
    np.save(array, np.full((4, 4, 3), np.nan, np.float32))
    assert message(harness, read, array) == f"{array}: holds a value that is not finite in 32 bits"
    np.save(array, np.array([{"a": 1}]), allow_pickle=True)
    damaged = f"{array}: cannot be read: it is damaged, or no .npy array of numbers"
    assert message(harness, read, array) == damaged
    array.write_text("0 1 2")
    assert message(harness, read, array) == damaged


def test_images_of_other_channel_counts_are_arrays(special: Any, dataset: Path) -> None:
    harness, path = special(channels=4), dataset / "images/0.png"
    expected = f"{path}: images of 4 channels are .npy arrays, Zarr arrays or TIFF"
    assert message(harness, image_in, harness, path) == expected


def test_bad_masks(harness: SimpleNamespace, dataset: Path) -> None:
    read, path = functools.partial(mask_in, harness), dataset / "masks/0.png"
    mask = np.zeros((4, 5), np.uint8)
    mask[2, 3] = 3
    Image.fromarray(mask).save(path)
    expected = f"{path}: label 3 (row 2, column 3) is neither a class, 0 to 2, nor the ignored label, 255"
    assert message(harness, read, path) == expected
    assert read(path, ignore=(3,))[2, 3] == 3
    Image.new("RGB", (4, 4)).save(path)
    assert message(harness, read, path) == (
        f"{path}: a mask is a palette or grey image, and this one is RGB; "
        'say which labels its colours are, like --map "#000000:0"'
    )
    array = dataset / "x.npy"
    np.save(array, np.zeros((4, 4), np.float32))
    assert message(harness, read, array) == f"{array}: expected whole numbers (height, width), found float32 (4, 4)"


def test_whatever_bytes_come_in_an_input_error_comes_out(harness: SimpleNamespace, dataset: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(dataset / "x.npy", np.zeros((20, 24, 3), np.float32))
    Image.open(dataset / "images/0.png").save(dataset / "x.jpg")
    for path in (dataset / "images/0.png", dataset / "masks/0.png", dataset / "x.npy", dataset / "x.jpg"):
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(60):
            damaged = whole[: rng.integers(0, whole.size + 1)].copy()
            if damaged.size:
                damaged[rng.integers(0, damaged.size, 5)] = rng.integers(0, 256, 5)
            path.write_bytes(damaged.tobytes())
            for read in (image_in, mask_in):
                try:
                    read(harness, path)
                except harness.files.InputError as error:
                    assert str(error).startswith(str(path)) and "\n" not in str(error)


def test_writing_leaves_the_old_file_or_the_new_one(harness: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("ne")
        raise OSError("disk full")

    with pytest.raises(harness.files.InputError, match=f"{path}: cannot be written: disk full"):
        harness.files.write_whole(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_list_may_start_with_a_byte_order_mark(harness: Any, dataset: Path) -> None:
    text = (dataset / "list.txt").read_text()
    (dataset / "marked.txt").write_text(text, encoding="utf-8-sig")
    assert harness.pairs.read_list(dataset / "marked.txt", harness.reading.Reading()) == harness.pairs.read_list(
        dataset / "list.txt", harness.reading.Reading()
    )
