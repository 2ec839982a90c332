"""Pictures are what a viewer shows, and samples are what the file holds: every format, depth and orientation."""

import functools
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

CASES = Path(__file__).parents[1] / "data/cases"
COLOURS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
DEEP = np.random.default_rng(0).integers(0, 4096, (5, 7, 4), np.uint16)


@pytest.fixture
def read(harness: SimpleNamespace) -> Callable[..., Any]:
    """read_image of a network of three channels, with the fields of a Reading."""
    harness.reading.SAID.clear()
    return lambda path, **fields: harness.images.read_image(path, harness.reading.Reading(**fields))


@pytest.fixture
def grey(special: Any) -> Callable[..., Any]:
    """The same of a network of one channel."""
    harness = special(channels=1)
    return lambda path, **fields: harness.images.read_image(path, harness.reading.Reading(**fields))


@pytest.fixture
def mask(harness: SimpleNamespace) -> Callable[..., Any]:
    """read_mask with 21 classes."""
    harness.reading.SAID.clear()
    return lambda path, **fields: harness.masks.read_mask(path, harness.reading.Reading(**{"classes": 21, **fields}))


def refused(read: Any, path: Path, **fields: Any) -> str:
    """The message about a file, without its name."""
    try:
        read(path, **fields)
    except Exception as error:
        assert type(error).__name__ == "InputError", error
        return str(error).removeprefix(f"{path}: ")
    raise AssertionError(f"{path} was read")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def png(samples: np.ndarray, bits: int, colour: int, *, behind: bytes = b"", interlaced: bool = False) -> bytes:
    """A PNG file of samples (H, W) or (H, W, C) with 1 to 16 bits; `behind` stands behind the pixels."""
    passes = [samples[y::dy, x::dx] for y, x, dy, dx in (ADAM7 if interlaced else ((0, 0, 1, 1),))]
    body = b"".join(b"\x00" + line for part in passes if part.size for line in lines_of(part, bits))
    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], bits, colour, 0, 0, interlaced)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body)) + behind + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def lines_of(samples: np.ndarray, bits: int) -> list[bytes]:
    """The bytes of each row, without a filter."""
    rows = samples.reshape(len(samples), -1)
    if bits == 16:
        return [row.tobytes() for row in rows.astype(">u2")]
    ones = rows[..., None] >> np.arange(bits - 1, -1, -1) & 1
    return [row.tobytes() for row in np.packbits(ones.reshape(len(rows), -1).astype(np.uint8), axis=1)]


def tiff(samples: np.ndarray, order: str = "<", photometric: int = 2, compression: int = 1) -> bytes:
    """A TIFF file of 16-bit samples (H, W, C) in one strip; compression 8 is deflate."""
    height, width, channels = samples.shape
    strip = samples.astype(f"{order}u2").tobytes()
    strip = zlib.compress(strip) if compression == 8 else strip
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, 0), (259, 3, 1, compression)]
    tags += [(262, 3, 1, photometric), (273, 4, 1, 0), (277, 3, 1, channels), (278, 4, 1, height)]
    tags += [(279, 4, 1, len(strip))] + ([(338, 3, 1, 2)] if channels == 4 else [])
    behind = 8 + 2 + 12 * len(tags) + 4
    body = struct.pack(order + "H", len(tags))
    for tag, kind, count, value in tags:
        value = {258: behind if channels > 2 else 16, 273: behind + len(bits)}.get(tag, value)
        packed = struct.pack(
            order + ("HH" if kind == 3 and count == 1 else "I"), *([value, 0] if kind == 3 and count == 1 else [value])
        )
        body += struct.pack(order + "HHI", tag, kind, count) + packed
    return head + body + struct.pack(order + "I", 0) + bits + strip


# --- orientation ------------------------------------------------------------------------------------------------------


def with_orientation(path: Path, image: Image.Image, value: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = value
    image.save(path, exif=exif, **({"lossless": True} if path.suffix == ".webp" else {}))
    return path


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp", "jpg"])
def test_every_orientation_is_applied_in_every_format(
    read: Any, harness: SimpleNamespace, tmp_path: Path, suffix: str, value: int
) -> None:
    path = with_orientation(tmp_path / f"x.{suffix}", Image.fromarray(COLOURS), value)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(read(path), expected)
    assert harness.images.extent(path, harness.reading.Reading())[:2] == expected.shape[:2]


@pytest.mark.parametrize("kind", ["L", "P", "I;16"])
def test_grey_tiff_that_pillow_maps_into_memory_is_turned_too(
    mask: Any, harness: SimpleNamespace, tmp_path: Path, kind: str
) -> None:
    labels = np.arange(12, dtype=np.uint16 if kind == "I;16" else np.uint8).reshape(3, 4)
    picture = Image.fromarray(labels)
    if kind == "P":
        picture.putpalette(bytes(range(36)))
    for value in range(1, 9):
        path = with_orientation(tmp_path / "x.tif", picture, value)
        assert np.array_equal(mask(path), harness.images.turned(labels, value))
        assert harness.images.extent(path, harness.reading.Reading())[:2] == mask(path).shape


def test_exif_behind_the_pixels_of_a_png_counts_too(read: Any, harness: SimpleNamespace, tmp_path: Path) -> None:
    path, exif = tmp_path / "x.png", Image.Exif()
    exif[0x0112] = 6
    path.write_bytes(png(COLOURS, 8, 2, behind=chunk(b"eXIf", exif.tobytes()[6:])))
    assert np.array_equal(read(path), np.rot90(COLOURS, -1))
    assert harness.images.extent(path, harness.reading.Reading()) == (8, 6, 6)


def test_exif_case_lies_under_the_mask_that_a_viewer_shows(harness: SimpleNamespace) -> None:
    reading = harness.reading.Reading(classes=2)
    ((image, mask),) = harness.pairs.read_list(CASES / "exif/l.txt", reading)
    pixels, labels = harness.pairs.read_pair((image, mask), reading)
    bright = pixels[..., 0] > 128
    assert bright.any() and (bright == (labels == 1)).mean() > 0.98


def test_a_mask_drawn_on_the_unturned_image_is_turned_with_it_and_that_is_said_once(
    harness: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.reading.SAID.clear()
    labels, reading = (COLOURS[..., 0] % 3).astype(np.uint8), harness.reading.Reading()
    lines = []
    for i in range(2):
        with_orientation(tmp_path / f"{i}.png", Image.fromarray(COLOURS), 8)
        Image.fromarray(labels).save(tmp_path / f"m{i}.png")
        lines.append(f"{i}.png m{i}.png\n")
    (tmp_path / "l.txt").write_text("".join(lines))
    pairs = harness.pairs.read_list(tmp_path / "l.txt", reading)
    image, mask = harness.pairs.read_pair(pairs[1], reading)
    assert np.array_equal(image[..., 0] % 3, mask)
    told = "fits its image only before EXIF turns that, and is turned with it (said once)"
    assert capsys.readouterr().err == f"note: {tmp_path}/m0.png: {told}\n"
    turned = with_orientation(tmp_path / "m0.png", Image.fromarray(labels), 8)  # as the image is
    assert np.array_equal(harness.pairs.read_pair((pairs[0][0], turned), reading)[1], mask)


# --- depth of masks ---------------------------------------------------------------------------------------------------


def test_grey_depth_case_is_the_label_1(mask: Any) -> None:
    assert np.unique(mask(CASES / "grey_depth/d4.png")).tolist() == [0, 1]


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("colour", [0, 3])
def test_masks_of_every_depth_hold_their_samples(mask: Any, tmp_path: Path, bits: int, colour: int) -> None:
    if colour == 3 and bits == 16:
        return  # there is no such PNG
    samples = np.arange(48).reshape(6, 8) % min(2**bits, 21 if bits < 16 else 300)
    content = png(samples, bits, colour)
    if colour == 3:  # a palette stands before the pixels
        palette = chunk(b"PLTE", bytes(range(3 * 2**bits)) if bits < 8 else bytes(768))
        content = content[:33] + palette + content[33:]
    (tmp_path / "m.png").write_bytes(content)
    assert mask(tmp_path / "m.png", classes=300, ignore=(65535,)).tolist() == samples.tolist()


@pytest.mark.parametrize(("maxval", "bytes_"), [(15, 1), (20, 1), (255, 1), (300, 2), (65535, 2)])
def test_pgm_masks_hold_their_samples_whatever_their_white_is(
    mask: Any, tmp_path: Path, maxval: int, bytes_: int
) -> None:
    samples = np.arange(48).reshape(6, 8) % 16
    body = samples.astype(">u2" if bytes_ == 2 else "u1").tobytes()
    (tmp_path / "m.pgm").write_bytes(f"P5 8 6 {maxval}\n".encode() + body)
    assert mask(tmp_path / "m.pgm").tolist() == samples.tolist()
    (tmp_path / "p.pgm").write_text(f"P2 8 6 {maxval}\n" + " ".join(map(str, samples.flatten())))
    assert mask(tmp_path / "p.pgm").tolist() == samples.tolist()


def test_tiff_and_bmp_masks_hold_their_samples(mask: Any, tmp_path: Path) -> None:
    labels = np.arange(48).reshape(6, 8)
    for kind, name in (
        (np.uint16, "a.tif"),
        (np.int32, "b.tif"),
        (np.uint8, "c.tif"),
        (np.uint8, "d.bmp"),
        (">u2", "e.tif"),
    ):
        Image.fromarray(labels.astype(kind) % 20).save(tmp_path / name)
        assert mask(tmp_path / name).tolist() == (labels % 20).tolist(), name
    (tmp_path / "f.tif").write_bytes(tiff(labels[..., None], ">", 1))
    assert mask(tmp_path / "f.tif", classes=48).tolist() == labels.tolist()
    Image.fromarray(labels % 2 == 1).save(tmp_path / "g.tif", compression="group4")
    assert mask(tmp_path / "g.tif").tolist() == (labels % 2).tolist()


def test_pictures_that_keep_no_labels_are_refused(mask: Any, tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "m.jpg")
    assert refused(mask, tmp_path / "m.jpg") == "a mask cannot be a JPEG, which changes labels; save it as PNG"
    for mode in ("LA", "RGBA"):
        Image.new(mode, (4, 4)).save(tmp_path / "a.png")
        assert (
            refused(mask, tmp_path / "a.png") == "has an alpha channel, which says nothing in a mask; save it without"
        )
    Image.new("P", (4, 4)).save(tmp_path / "p.png", transparency=0)
    assert "alpha channel" in refused(mask, tmp_path / "p.png")
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "f.tif")
    assert refused(mask, tmp_path / "f.tif") == "a mask is a palette or grey image, and this one is F"
    (tmp_path / "d.png").write_bytes(png(DEEP[..., :3], 16, 2))
    told = "its colours have 16 bits, and a map names those of 8; save it with 8 bits"
    assert refused(mask, tmp_path / "d.png", colours=((0, 1),)) == told
    Image.new("L", (8, 8)).save(tmp_path / "s.tif", tiffinfo={339: 2})
    assert refused(mask, tmp_path / "s.tif").startswith("its samples are signed")
    (tmp_path / "w.tif").write_bytes(tiff(np.zeros((3, 3, 1)), "<", 0))
    assert refused(mask, tmp_path / "w.tif").endswith("lie in planes, or white is 0; save it as PNG")


@pytest.mark.parametrize(
    ("name", "flags", "kind"),
    [
        ("m.tif", {"compression": "jpeg"}, "a TIFF that is compressed by jpeg"),
        ("m.tif", {"compression": "tiff_lzw"}, ""),
        ("m.webp", {}, "a lossy WebP"),
        ("m.webp", {"lossless": True}, ""),
        ("m.jp2", {"irreversible": True}, "a lossy JPEG 2000"),
        ("m.jp2", {}, ""),
        ("m.avif", {"quality": 100}, "an AVIF"),
    ],
)
def test_pictures_whose_compression_changes_labels_are_refused(
    mask: Any, tmp_path: Path, name: str, flags: dict[str, Any], kind: str
) -> None:
    colour = 0x808080 if name.endswith("webp") else 128  # WebP has no grey
    Image.new("L", (16, 16), 128).save(tmp_path / name, **flags)
    if kind:
        assert refused(mask, tmp_path / name) == f"a mask cannot be {kind}, which changes labels; save it as PNG"
    else:
        fields = {"colours": ((colour, 1),)} if colour > 255 else {"labels": ((colour, 1),)}
        assert (mask(tmp_path / name, **fields) == 1).all()


def test_a_png_with_a_flipped_bit_is_refused_wherever_it_is(mask: Any, read: Any, tmp_path: Path) -> None:
    path, labels = tmp_path / "m.png", np.arange(16, dtype=np.uint8).reshape(4, 4).repeat(4, 0).repeat(4, 1)
    Image.fromarray(labels).save(path)
    whole = path.read_bytes()
    start, end = whole.index(b"IDAT") + 4, whole.index(b"IEND") - 8
    for place in range(start, end):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        for reader in (mask, read):
            assert refused(reader, path).startswith("cannot be read: ")


def test_labels_of_32_and_64_bits_without_a_sign_do_not_wrap(mask: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.full((2, 2), 2**64 - 1, np.uint64))
    told = "is neither a class, 0 to 20, nor the ignored label, -1"
    assert refused(mask, tmp_path / "m.npy", ignore=(-1,)) == f"label {2**64 - 1} {told}"
    Image.fromarray(np.full((2, 2), -1, np.int32)).save(tmp_path / "m.tif")
    assert (mask(tmp_path / "m.tif", ignore=(-1,)) == -1).all()
    signed = struct.pack("<HHIHH", 339, 3, 1, 2, 0)
    file = (tmp_path / "m.tif").read_bytes()
    assert file.count(signed) == 1
    (tmp_path / "m.tif").write_bytes(file.replace(signed, struct.pack("<HHIHH", 339, 3, 1, 1, 0)))
    assert refused(mask, tmp_path / "m.tif", ignore=(-1,)) == f"label {2**32 - 1} (row 0, column 0) {told}"


# --- palettes and colours ---------------------------------------------------------------------------------------------


def with_palette(path: Path, indices: np.ndarray, palette: np.ndarray) -> Path:
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(palette.astype(np.uint8).tobytes())
    image.save(path)
    return path


def test_palette_case_is_read_by_colour_with_a_note(mask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = CASES / "palette/q.png"
    with Image.open(path) as image:
        indices = np.array(image)
    assert np.array_equal(mask(path), 2 - indices.astype(int))
    told = "its colours are the class palette in another order: it is read by colour, not by index"
    assert capsys.readouterr().err == f"note: {path}: {told} (said once)\n"
    kept = mask(path, labels=((1, 1),))
    assert np.array_equal(kept, indices) and capsys.readouterr().err == "", "--map says that indices are meant"


def test_palettes_of_other_colours_are_read_by_index(harness: SimpleNamespace, mask: Any, tmp_path: Path) -> None:
    indices, voc = np.array([[0, 1], [2, 1]]), harness.pictures.palette()
    ramp, own = np.arange(256)[:, None].repeat(3, 1), voc[[0, 2, 7]].copy()
    own[2] = (1, 2, 3)
    for palette in (ramp, voc, own, voc[[0, 2, 2]]):
        assert mask(with_palette(tmp_path / "m.png", indices, palette)).tolist() == indices.tolist()
    assert mask(with_palette(tmp_path / "m.png", indices, voc[[255, 2, 0]])).tolist() == [[255, 2], [0, 2]]


def test_a_grey_mask_whose_palette_a_program_made_smaller_keeps_its_labels(
    mask: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, path = np.repeat(np.array([[0], [5], [255]], np.uint8), 64, 0), tmp_path / "m.gif"
    Image.fromarray(labels).save(path, optimize=True)
    with Image.open(path) as image:
        assert image.mode == "P" and np.array(image).max() == 2
    assert np.array_equal(mask(path), labels)
    assert "it is read by grey, not by index" in capsys.readouterr().err
    assert mask(path, labels=((1, 1),)).max() == 2, "--map says that indices are meant"
    indices = np.array([[0, 1]])
    for greys in ([0, 255], [0, 127], [0, 0], [0, 1]):  # black and white, no label, nothing at all, the indices
        assert mask(with_palette(path.with_suffix(".png"), indices, np.array(greys)[:, None].repeat(3, 1))).max() == 1


def test_colours_become_labels_by_the_map(harness: SimpleNamespace, mask: Any, tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2], [2, 1, 255]])
    known = np.array([[0, 0, 0], [128, 0, 0], [0, 64, 255], [9, 9, 9]], np.uint8)
    colours, path = known[np.minimum(labels, 3)], tmp_path / "m.png"
    Image.fromarray(colours).save(path)
    fields = {"colours": ((0, 0), (0x800000, 1), (0x0040FF, 2), (0x090909, 255))}
    assert mask(path, **fields).tolist() == labels.tolist()
    assert mask(with_palette(tmp_path / "p.png", np.minimum(labels, 3), known), **fields).tolist() == labels.tolist()
    fields["colours"] = fields["colours"][:2]
    expected = "--map names no label for the colour #0040ff (row 0, column 2; 2 pixels)"
    assert refused(mask, path, **fields) == expected
    assert refused(mask, path).endswith('say which labels its colours are, like --map "#000000:0,#0040ff:1,#090909:2"')
    Image.new("L", (4, 4)).save(path)
    assert refused(mask, path, **fields) == "is grey, and --map names colours only; name its labels, as in 255:1"


def test_labels_become_others_by_the_map_before_some_are_ignored(mask: Any, tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255, 7], [254, 1, 0]], np.uint8)).save(tmp_path / "m.png")
    fields = {"classes": 2, "labels": ((255, 1), (7, 255))}
    expected = "label 254 (row 1, column 0) is neither a class, 0 to 1, nor the ignored label, 255"
    assert refused(mask, tmp_path / "m.png", **fields) == expected
    read = mask(tmp_path / "m.png", ignore=(255, 254), **fields)
    assert read.tolist() == [[0, 1, 255], [255, 1, 0]], "all ignored pixels have one label"


# --- images -----------------------------------------------------------------------------------------------------------


def normal(harness: SimpleNamespace, samples: np.ndarray, white: int) -> np.ndarray:
    return (samples / white - np.array(harness.data.MEAN)) / np.array(harness.data.STD)


def test_sixteen_bit_case_is_scaled_as_said_or_refused(read: Any, harness: SimpleNamespace) -> None:
    path = CASES / "sixteen_bit/rgb16_12bit.png"
    told = (
        "its samples have more than 8 bits, and the largest is 3520; say how many they use: --bits 12, if 4095 is white"
    )
    assert refused(read, path) == told
    image = read(path, bits=12)
    assert np.isclose(image, normal(harness, np.array([3200, 800, 160]), 4095), atol=1e-6).all(-1).any()
    assert refused(read, path, bits=11) == "holds a sample of 3520, and --bits 11 goes from 0 to 2047"
    array = CASES / "sixteen_bit/u8.npy"
    assert read(array).dtype == np.uint8 and harness.data.normalise(read(array)).max() < 3


@pytest.mark.parametrize("suffix", ["png", "little.tif", "big.tif", "deflate.tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_deep_images_keep_all_their_bits(
    read: Any, grey: Any, harness: SimpleNamespace, tmp_path: Path, suffix: str, channels: int
) -> None:
    samples, path = DEEP[..., :channels].copy(), tmp_path / f"x.{suffix}"
    samples[..., 3:] = 65535
    if suffix == "png":
        path.write_bytes(png(samples, 16, {1: 0, 3: 2, 4: 6}[channels]))
    else:
        flags = (">" if "big" in suffix else "<", 1 if channels == 1 else 2, 8 if "deflate" in suffix else 1)
        path.write_bytes(tiff(samples, *flags))
    shown = samples[..., :3].repeat(3 if channels == 1 else 1, 2)
    image = read(path, bits=12)
    np.testing.assert_allclose(image, normal(harness, shown, 4095), atol=1e-6)
    assert np.array_equal(harness.images.visible(image), np.round(shown / 4095 * 255)), "to look at"
    assert f"largest is {samples[..., :3].max()}" in refused(read, path)
    if channels == 1:
        np.testing.assert_allclose(grey(path, bits=12), samples / 4095, atol=1e-6)
    else:
        assert refused(grey, path, bits=12) == "has colours, and the network takes grey; --grey turns them grey"
        luma = samples[..., :3] @ [0.299, 0.587, 0.114] / 4095
        np.testing.assert_allclose(grey(path, bits=12, grey=True)[..., 0], luma, atol=1e-6)


def test_deep_grey_with_alpha_and_interlaced_or_turned_ones(
    read: Any, harness: SimpleNamespace, tmp_path: Path
) -> None:
    samples = DEEP[..., :2].copy()
    samples[..., 1] = 4095
    (tmp_path / "x.png").write_bytes(png(samples, 16, 4))
    expected = normal(harness, samples[..., :1].repeat(3, 2), 4095)
    np.testing.assert_allclose(read(tmp_path / "x.png", bits=12), expected, atol=1e-6)
    samples[0, 0, 1] = 4000
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "x.png").write_bytes(png(samples, 16, 4))
    told = "1 of 35 pixels are transparent; lay it over a background, and save it without alpha"
    assert refused(read, tmp_path / "x.png", bits=12) == told
    (tmp_path / "i.png").write_bytes(png(DEEP[..., :3], 16, 2, interlaced=True))
    np.testing.assert_allclose(read(tmp_path / "i.png", bits=12), normal(harness, DEEP[..., :3], 4095), atol=1e-6)
    (tmp_path / "x.png").write_bytes(png(DEEP[..., :3], 16, 2, behind=chunk(b"eXIf", exif.tobytes()[6:])))
    np.testing.assert_allclose(
        read(tmp_path / "x.png", bits=12), np.rot90(normal(harness, DEEP[..., :3], 4095), -1), atol=1e-6
    )


def test_whole_numbers_in_arrays_are_scaled_and_floats_are_not(
    read: Any, harness: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "x.npy"
    for kind in (np.uint16, np.int64, ">i4"):
        np.save(path, DEEP[..., :3].astype(kind))
        assert "say how many they use: --bits 12" in refused(read, path)
        np.testing.assert_allclose(read(path, bits=12), normal(harness, DEEP[..., :3], 4095), atol=1e-5)
    np.save(path, -DEEP[..., :3].astype(np.int32))
    assert "and --bits 12 goes from 0 to 4095" in refused(read, path, bits=12)
    np.save(path, DEEP[..., :3].astype(np.float64))
    assert np.array_equal(read(path), DEEP[..., :3].astype(np.float32))
    np.save(path, np.full((2, 2, 3), 1e39))
    assert refused(read, path) == "holds a value that is not finite in 32 bits"
    with (tmp_path / "UPPER.NPY").open("wb") as file:
        np.save(file, COLOURS)
    assert np.array_equal(read(tmp_path / "UPPER.NPY"), COLOURS)
    np.savez(tmp_path / "z", a=DEEP)
    (tmp_path / "z.npz").rename(tmp_path / "z.npy")
    assert refused(read, tmp_path / "z.npy") == "is an archive, and not one array"


def test_grey_palette_and_cmyk_images_are_shown_in_colours(read: Any, tmp_path: Path) -> None:
    path, grey = tmp_path / "x.png", Image.fromarray(COLOURS[..., 0])
    grey.save(path)
    assert np.array_equal(read(path), COLOURS[..., :1].repeat(3, 2))
    (tmp_path / "four.png").write_bytes(png(COLOURS[..., 0] % 16, 4, 0))
    assert np.array_equal(read(tmp_path / "four.png")[..., 0], COLOURS[..., 0] % 16 * 17), "as a viewer shows it"
    grey.putpalette(COLOURS.reshape(-1)[:144].tobytes() + bytes(624))
    grey.save(path)
    assert np.array_equal(read(path), np.asarray(grey.convert("RGB")))
    Image.fromarray(COLOURS).convert("CMYK").save(tmp_path / "x.tif")
    assert np.array_equal(read(tmp_path / "x.tif"), COLOURS)


def test_what_would_be_dropped_is_refused(read: Any, grey: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    alpha = np.dstack([COLOURS, np.full((6, 8), 255, np.uint8)])
    Image.fromarray(alpha).save(path)
    assert np.array_equal(read(path), COLOURS), "opaque alpha says nothing"
    alpha[2, 3, 3] = 254
    Image.fromarray(alpha).save(path)
    told = "1 of 48 pixels are transparent; lay it over a background, and save it without alpha"
    assert refused(read, path) == told
    image = Image.fromarray(COLOURS[..., 0] % 4)
    image.putpalette(bytes(range(12)))
    image.save(path, transparency=3)
    assert "pixels are transparent" in refused(read, path)
    Image.fromarray(COLOURS).save(path)
    assert refused(grey, path) == "has colours, and the network takes grey; --grey turns them grey"
    with Image.open(path) as image:
        assert np.array_equal(grey(path, grey=True)[..., 0], np.asarray(image.convert("L")))
    Image.new("LAB", (4, 4)).save(tmp_path / "x.tif")
    assert refused(read, tmp_path / "x.tif") == "its pixels are LAB; convert it to RGB, or floats to .npy"
    (tmp_path / "x.ppm").write_bytes(b"P6 8 6 4095\n" + DEEP[:1, :, :3].astype(">u2").tobytes() * 6)
    assert refused(read, tmp_path / "x.ppm").startswith("its samples have more than 8 bits, and would be cut")
    buffer = io.BytesIO()
    Image.fromarray(DEEP[..., 0]).save(buffer, "JPEG2000")
    (tmp_path / "x.jp2").write_bytes(buffer.getvalue())
    assert refused(read, tmp_path / "x.jp2").startswith("its samples have not 8 bits")
    Image.fromarray(COLOURS).save(tmp_path / "x.jp2", irreversible=False)
    assert np.array_equal(read(tmp_path / "x.jp2"), COLOURS)


@pytest.mark.parametrize("suffix", ["png", "gif", "webp", "tiff"])
def test_several_pictures_in_a_file_are_refused(read: Any, mask: Any, tmp_path: Path, suffix: str) -> None:
    path, frames = tmp_path / f"x.{suffix}", [Image.new("L", (4, 4), 100 * i) for i in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with Image.open(path) as image:
        count = image.n_frames
    assert count > 1
    for reader in (read, mask):
        assert refused(reader, path) == f"holds {count} pages or frames; save the one that is meant alone"


def test_pixels_are_counted_before_they_are_read(read: Any, mask: Any, tmp_path: Path) -> None:
    huge = png(np.zeros((1, 1), int), 8, 0)
    path = tmp_path / "x.png"
    path.write_bytes(huge[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 50000, 8, 0, 0, 0, 0)) + huge[33:])
    told = "50000 x 60000 (height x width) are 3000000000 pixels, more than --max-pixels 89478485"
    assert refused(read, path) == refused(mask, path) == told
    Image.new("L", (4, 3)).save(path)
    assert refused(read, path, max_pixels=11).endswith("are 12 pixels, more than --max-pixels 11")
    assert read(path, max_pixels=12).shape == (3, 4, 3)


# --- flags ------------------------------------------------------------------------------------------------------------


def test_the_map_and_the_ignored_labels_are_read_from_the_command_line(harness: SimpleNamespace) -> None:
    of = functools.partial(harness.flags.arguments_of)

    def reading(*flags: str) -> Any:
        return harness.reading.reading_of(of(["--out", "x", *flags]))

    assert reading().ignore == (255,) and reading().left_out == ()
    found = reading("--map", "255:1, 7 : 2,#80FF00:0,#000000:255", "--ignore", "255", "class:2", "-1", "--bits", "12")
    assert found.labels == ((255, 1), (7, 2)) and found.colours == ((0x80FF00, 0), (0, 255))
    assert (found.ignore, found.ignored, found.left_out, found.bits) == ((255, 2, -1), 255, (2,), 12)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--map", ""], '--map: is empty; write it in quotes, such as --map "255:1,#800000:2"'),
        (["--map"], '--map: is empty; write it in quotes, such as --map "255:1,#800000:2"'),
        (["--map", "255"], '--map "255": "255" is not like 255:1 or #800000:2'),
        (["--map", "#8000:1"], '--map "#8000:1": "#8000:1" is not like 255:1 or #800000:2'),
        (["--map", "1:2,"], '--map "1:2,": "" is not like 255:1 or #800000:2'),
        (["--map", "255:1,255:2"], '--map "255:1,255:2": 255 stands in it twice'),
        (["--map", "#ff00ff:1,#FF00FF:2"], '--map "#ff00ff:1,#FF00FF:2": #FF00FF stands in it twice'),
        (["--map", "255:3"], '--map "255:3": 3 is neither a class, 0 to 2, nor ignored, 255'),
        (["--ignore", "0"], "--ignore 0: 0 is a class; to ignore it: class:0"),
        (["--ignore", "class:3"], "--ignore class:3: 3 is no class, 0 to 2"),
        (["--ignore", "x"], "--ignore x: give labels, such as 255, or class:0 for one that is a class"),
        (["--ignore", "٣"], "--ignore ٣: give labels, such as 255, or class:0 for one that is a class"),
        (["--max-pixels", "0"], "--max-pixels 0: at least 1"),
    ],
)
def test_flags_that_say_nothing_are_usage_errors(
    harness: SimpleNamespace, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        harness.flags.arguments_of(["--out", "x", *flags])
    assert capsys.readouterr().err.endswith(f": error: {said}\n")
