"""Images and masks in TIFF and Zarr: read by windows, written as label maps, and refused where they are not safe."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

tifffile = pytest.importorskip("tifffile", reason="tifffile is an extra")
zarr = pytest.importorskip("zarr", reason="zarr is an extra")
numcodecs = pytest.importorskip("numcodecs", reason="zarr is an extra")
RNG = np.random.default_rng(0)
BANDS = RNG.integers(0, 60000, (70, 45, 7), np.uint16)
COLOURS = RNG.integers(0, 256, (70, 45, 3), np.uint8)
VOLUME = RNG.integers(0, 256, (9, 20, 31, 2), np.uint8)
FRAME = {"size": (8, 8, 8), "output": (8, 8, 8), "stride": (1, 1, 1), "offset": (0, 0, 0), "centre": (0.0, 0.0, 0.0)}
FRAME |= {"multiple": (1, 1, 1), "least": (1, 1, 1)}


@pytest.fixture(scope="module")
def bands(special: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    """The harness of a network on seven bands."""
    return special(channels=7)


@pytest.fixture(scope="module")
def volumes(special: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    """The harness of a network on volumes of two channels."""
    return special(channels=2, **FRAME)


def needs_codecs(*methods: Any) -> Any:
    """Skip what imagecodecs alone can write, where it is missing."""
    from importlib.util import find_spec

    return pytest.param(*methods, marks=pytest.mark.skipif(not find_spec("imagecodecs"), reason="no imagecodecs"))


def refused(harness: SimpleNamespace, path: Path, **fields: Any) -> str:
    """What is said of a file that is read by windows, without its name."""
    with pytest.raises(harness.files.InputError) as error:
        source = harness.raster.open_source(path, harness.reading.Reading(**fields))
        source.read((0,) * len(source.size), source.size)
    return str(error.value).removeprefix(f"{path}: ")


def check_windows(harness: SimpleNamespace, path: Path, expected: np.ndarray, **fields: Any) -> None:
    """Every window of a file is that of the array which was written, and the whole image is all of it."""
    reading = harness.reading.Reading(**fields)
    source = harness.raster.open_source(path, reading)
    assert tuple(source.size) == expected.shape[:-1]

    @settings(max_examples=12)
    @given(st.data())
    def check(draw: st.DataObject) -> None:
        start = tuple(draw.draw(st.integers(0, length - 1)) for length in source.size)
        size = tuple(draw.draw(st.integers(1, length - at)) for length, at in zip(source.size, start, strict=True))
        part = tuple(slice(at, at + length) for at, length in zip(start, size, strict=True))
        np.testing.assert_array_equal(source.read(start, size), expected[part])

    check()
    source.close()
    np.testing.assert_array_equal(harness.images.read_image(path, reading), expected)


# --- reading ----------------------------------------------------------------------------------------------------------

SIDE_BY_SIDE = {"planarconfig": "contig"}
PAGES = np.ascontiguousarray(BANDS.transpose(2, 0, 1))
PLANES = {"planarconfig": "separate"}
LAYOUTS = {
    "mapped": (BANDS, {**SIDE_BY_SIDE}),
    "mapped planes": (PAGES, PLANES),
    "big-endian strips": (BANDS, {**SIDE_BY_SIDE, "byteorder": ">", "rowsperstrip": 9, "compression": "zlib"}),
    "tiles": (BANDS, {**SIDE_BY_SIDE, "tile": (16, 32), "compression": "zlib", "predictor": True}),
    "uncompressed tiles": (BANDS, {**SIDE_BY_SIDE, "tile": (16, 32)}),
    "BigTIFF of planes in tiles": (PAGES, {**PLANES, "tile": (32, 16), "compression": "zlib", "bigtiff": True}),
    "pages": (PAGES, {"compression": "zlib", "metadata": None}),
    "mapped pages": (PAGES, {"metadata": None}),
}


@pytest.mark.parametrize("layout", [*LAYOUTS, *map(needs_codecs, ("packbits", "lzw", "zstd"))])
def test_windows_of_a_tiff_are_slices_of_what_was_written(bands: SimpleNamespace, tmp_path: Path, layout: str) -> None:
    packbits = layout == "packbits"  # which tifffile writes of bytes
    codec = {**SIDE_BY_SIDE, "tile": (16, 32), "compression": layout, "predictor": not packbits}
    array, flags = LAYOUTS.get(layout, (BANDS, codec))
    array, expected = (array.astype(np.uint8), BANDS.astype(np.uint8)) if packbits else (array, None)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", **flags)
    if expected is None:
        expected = ((BANDS / np.float32(65535) - bands.data.MEAN) / bands.data.STD).astype(np.float32)
    check_windows(bands, tmp_path / "a.tif", expected, bits=16)


def test_floats_in_tiff_stay_as_they_are(bands: SimpleNamespace, harness: SimpleNamespace, tmp_path: Path) -> None:
    floats = RNG.normal(size=(33, 20, 7))
    tifffile.imwrite(tmp_path / "a.tif", floats, photometric="minisblack", planarconfig="contig", rowsperstrip=4)
    check_windows(bands, tmp_path / "a.tif", floats.astype(np.float32))
    tifffile.imwrite(tmp_path / "c.tif", floats[..., :3].astype(np.float32), photometric="rgb", compression="zlib")
    check_windows(harness, tmp_path / "c.tif", floats[..., :3].astype(np.float32))
    floats[5, 6, 2] = np.nan
    tifffile.imwrite(tmp_path / "n.tif", floats, photometric="minisblack", planarconfig="contig")
    assert refused(bands, tmp_path / "n.tif") == "holds a value that is not finite in 32 bits"


def test_what_was_never_written_of_a_sparse_tiff_has_no_data(bands: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    bytes_ = BANDS.astype(np.uint8)
    flags = {**SIDE_BY_SIDE, "tile": (32, 32), "compression": "zlib", "photometric": "minisblack"}
    tifffile.imwrite(path, bytes_, extratags=[NODATA], **flags)
    with tifffile.TiffFile(path, mode="r+b") as file:
        counts = list(file.pages[0].databytecounts)
        file.pages[0].tags[325].overwrite([0, *counts[1:]])
    bytes_[:32, :32] = 17
    check_windows(bands, path, bytes_)


NODATA = (42113, 2, 3, "17", True)
STORES: dict[str, dict[str, Any]] = {
    "version 2": {"zarr_format": 2, "chunks": (16, 32, 7)},
    "version 3": {"chunks": (32, 16, 2)},
    "shards": {"chunks": (16, 16, 7), "shards": (48, 48, 7)},
    "uncompressed": {"chunks": (16, 16, 7), "compressors": None},
    "Blosc with a checksum": {"compressors": [zarr.codecs.BloscCodec(), zarr.codecs.Crc32cCodec()]},
    "gzip of differences": {
        "zarr_format": 2, "compressors": numcodecs.GZip(), "filters": [numcodecs.Delta(dtype="u1")],
    },
}  # fmt: skip


def store(path: Path, array: np.ndarray, **flags: Any) -> Path:
    """An array of Zarr; `chunks` may be one length for all axes."""
    if isinstance(flags.get("chunks"), int):
        flags["chunks"] = tuple(min(flags["chunks"], length) for length in array.shape)
    zarr.create_array(path, data=np.ascontiguousarray(array), **flags)
    return path


@pytest.mark.parametrize("kind", STORES)
def test_windows_of_a_zarr_array_are_slices_of_what_was_written(
    bands: SimpleNamespace, tmp_path: Path, kind: str
) -> None:
    array = BANDS.astype(np.uint8)
    check_windows(bands, store(tmp_path / "a.zarr", array, **STORES[kind]), array)


def test_axes_are_told_by_names_by_the_flag_or_by_the_only_one_of_the_channels(
    bands: SimpleNamespace, tmp_path: Path
) -> None:
    array = BANDS.astype(np.uint8)
    crossed = array.transpose(2, 1, 0)
    named = store(tmp_path / "v3.zarr", crossed, dimension_names=["band", "lon", "lat"])
    check_windows(bands, named, array)
    xarrays = {"_ARRAY_DIMENSIONS": ["Band", "X", "Y"]}
    check_windows(bands, store(tmp_path / "v2.zarr", crossed, zarr_format=2, attributes=xarrays), array)
    check_windows(bands, store(tmp_path / "cyx.zarr", array.transpose(2, 0, 1)), array)
    check_windows(bands, store(tmp_path / "xcy.zarr", array.transpose(1, 2, 0)), array, axes="xcy")
    cube = store(tmp_path / "cube.zarr", array[:7, :7])
    assert refused(bands, cube) == "its axes are (7, 7, 7); say which they are, such as --axes yxc"
    check_windows(bands, cube, array[:7, :7], axes="yxc")
    check_windows(bands, cube, array[:7, :7].transpose(1, 2, 0), axes="cyx")
    assert refused(bands, cube, axes="tcyx") == "--axes tcyx names other axes than its 3, (7, 7, 7)"
    wrong = store(tmp_path / "time.zarr", array, dimension_names=["time", "y", "x"])
    assert refused(bands, wrong).startswith("its axes are (70, 45, 7), named tyx; say which they are")
    assert refused(bands, store(tmp_path / "few.zarr", array[..., :4], dimension_names=["y", "x", "c"])) == (
        "expected numbers (height, width, 7), found uint8 (70, 45, 4)"
    )


def test_the_finest_array_of_an_ome_group_is_read_by_the_names_of_its_axes(
    bands: SimpleNamespace, tmp_path: Path
) -> None:
    array = BANDS.astype(np.uint8)
    for version, prefix in ((2, ""), (3, "ome")):
        scales = [{"axes": [{"name": name} for name in "tczyx"], "datasets": [{"path": "s/0"}, {"path": "s/1"}]}]
        told = {"multiscales": scales}
        attributes = {prefix: told} if prefix else told
        group = zarr.create_group(tmp_path / f"{version}.zarr", zarr_format=version, attributes=attributes)
        group.create_array("s/0", data=np.ascontiguousarray(array.transpose(2, 0, 1)[None, :, None]))
        group.create_array("s/1", data=np.ascontiguousarray(array[::2, ::2].transpose(2, 0, 1)[None, :, None]))
        check_windows(bands, tmp_path / f"{version}.zarr", array)
    group = zarr.create_group(tmp_path / "two.zarr")
    for name in "ab":
        group.create_array(name, data=array)
    held = f"holds 2 arrays or groups; name the one that is meant: {tmp_path}/two.zarr/a, {tmp_path}/two.zarr/b"
    assert refused(bands, tmp_path / "two.zarr") == held
    check_windows(bands, tmp_path / "two.zarr/b", array)


ALPHA = np.full((70, 45, 1), 255, np.uint8)
DEEP = RNG.integers(0, 4096, (70, 45, 3), np.uint16)
TILED = {"tile": (16, 32), "compression": "zlib"}
COLOURED: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "colours": (COLOURS, TILED),
    "planes": (COLOURS.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate", **TILED}),
    "alpha": (np.concatenate([COLOURS, ALPHA], 2), {"extrasamples": ["unassalpha"], "photometric": "rgb", **TILED}),
    "grey": (COLOURS[..., 0], {"rowsperstrip": 3, "compression": "zlib"}),
    "PackBits": (COLOURS[..., 0], {}),  # which Pillow writes without imagecodecs
    "grey and alpha": (np.concatenate([COLOURS[..., :1], ALPHA], 2), {"extrasamples": ["unassalpha"]}),
    "palette": (COLOURS[..., 0], {"photometric": "palette", "colormap": RNG.integers(0, 65536, (3, 256), np.uint16)}),
    "deep": (DEEP, {"predictor": True, **TILED}),
    "deep grey": (DEEP[..., 0], {"byteorder": ">", "rowsperstrip": 8, "compression": "zlib"}),
    "white is 0": (COLOURS[..., 0], {"photometric": "miniswhite"}),  # which Pillow decodes whole
}  # fmt: skip


@pytest.mark.parametrize("kind", [*COLOURED, needs_codecs("jpeg"), needs_codecs("lzw")])
def test_a_tiff_of_colours_is_the_same_by_windows_as_pillow_decodes_it(
    harness: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    codec = {"tile": (16, 32), "compression": kind}
    array, flags = COLOURED.get(kind, (COLOURS, codec))
    if kind == "PackBits":
        Image.fromarray(array).save(tmp_path / "a.tif", compression="packbits")
    else:
        tifffile.imwrite(tmp_path / "a.tif", array, **flags)
    reading = harness.reading.Reading(bits=12)
    whole = harness.images.read_image(tmp_path / "a.tif", reading)
    assert type(harness.raster.open_source(tmp_path / "a.tif", reading)).__name__ == "Decoded", "it is small"
    monkeypatch.setattr(harness.raster, "MUCH", 0)
    source = harness.raster.open_source(tmp_path / "a.tif", reading)
    assert (type(source).__name__ == "Windows") == (kind != "white is 0")
    check_windows(harness, tmp_path / "a.tif", whole, bits=12)


def test_what_colours_would_lose_is_refused_in_windows_too(
    harness: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness.raster, "MUCH", 0)
    clear = np.concatenate([COLOURS, ALPHA], 2)
    clear[60, 40, 3] = 9
    tifffile.imwrite(tmp_path / "a.tif", clear, photometric="rgb", extrasamples=["unassalpha"], **TILED)
    source = harness.raster.open_source(tmp_path / "a.tif", harness.reading.Reading())
    assert np.array_equal(source.read((0, 0), (60, 45)), COLOURS[:60])
    assert refused(harness, tmp_path / "a.tif").startswith("1 of 3150 pixels are transparent")
    tifffile.imwrite(tmp_path / "b.tif", clear, photometric="rgb", extrasamples=["unspecified"], **TILED)
    assert refused(harness, tmp_path / "b.tif").startswith("it has channels beside its colours")


def test_sixteen_bits_in_planes_are_read_by_windows_and_never_cut(
    harness: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DEEP.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    reading = harness.reading.Reading(bits=12)
    with pytest.raises(harness.files.InputError, match="its 16-bit samples lie in planes"):
        harness.images.read_image(path, reading)
    monkeypatch.setattr(harness.raster, "MUCH", 0)
    source = harness.raster.open_source(path, reading)
    expected = (DEEP / np.float32(4095) - harness.data.MEAN) / harness.data.STD
    np.testing.assert_allclose(source.read((0, 0), source.size), expected, atol=1e-6)


def test_reduced_copies_in_a_tiff_are_passed_over_and_other_images_are_not(
    harness: SimpleNamespace, bands: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, array, kind in (("c.tif", COLOURS, "rgb"), ("b.tif", BANDS.astype(np.uint8), "minisblack")):
        with tifffile.TiffWriter(tmp_path / name) as writer:
            for step in (1, 2, 4):
                part = np.ascontiguousarray(array[::step, ::step])
                writer.write(
                    part, photometric=kind, planarconfig="contig", subfiletype=int(step > 1), metadata=None, **TILED
                )
    check_windows(harness, tmp_path / "c.tif", COLOURS)
    check_windows(bands, tmp_path / "b.tif", BANDS.astype(np.uint8))
    tifffile.imwrite(tmp_path / "two.tif", np.stack([COLOURS, COLOURS]))
    assert refused(harness, tmp_path / "two.tif").startswith("holds 2 pages or frames")
    with tifffile.TiffWriter(tmp_path / "odd.tif") as writer:
        for array in (BANDS[:20].astype(np.uint8), BANDS.astype(np.uint8)):
            writer.write(array, photometric="minisblack", planarconfig="contig", metadata=None)
    assert refused(bands, tmp_path / "odd.tif") == "holds 2 images; save the one that is meant alone"


def test_a_large_picture_says_what_its_decoding_takes(
    harness: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.reading.SAID.clear()
    monkeypatch.setattr(harness.raster, "MUCH", 2**20)
    Image.new("RGB", (1024, 1024)).save(tmp_path / "a.png")
    harness.raster.open_source(tmp_path / "a.png", harness.reading.Reading())
    why = "only TIFF, Zarr and .npy are read by windows"
    told = f"note: {tmp_path}/a.png: is decoded whole, in 3 MiB of memory: {why} (said once)\n"
    assert capsys.readouterr().err == told
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((1024, 1024, 3), np.uint8), compression="zlib", rowsperstrip=1024)
    source = harness.raster.open_source(tmp_path / "b.tif", harness.reading.Reading())
    assert source.held == 3 * 2**20 and "one takes 3 MiB of memory" in capsys.readouterr().err


def test_a_missing_package_is_named(bands: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", BANDS.astype(np.uint8), photometric="minisblack")
    store(tmp_path / "a.zarr", BANDS)
    monkeypatch.setattr(bands.stored, "find_spec", lambda name: None)
    for name, package in (("a.tif", "tifffile"), ("a.zarr", "zarr")):
        assert refused(bands, tmp_path / name) == f"needs the package {package}: pip install {package}"
    for form, package in (("tif", "tifffile"), ("zarr", "zarr")):
        with pytest.raises(bands.files.InputError, match=f"pip install {package}"):
            bands.saving.check_form(tmp_path, form)
    monkeypatch.undo()
    monkeypatch.setattr(bands.tiff, "needs", lambda path, package: needed.append(package))
    needed: list[str] = []
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
    page.compression = bands.tiff.LZW
    bands.tiff.check_samples(tmp_path / "a.tif", page, page.shape)
    assert needed == ["imagecodecs"]


# --- volumes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pages", "ImageJ", "OME", "volumetric", "zarr"])
def test_stacks_of_pages_are_volumes(volumes: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    path, channels_first = tmp_path / "a.tif", np.ascontiguousarray(VOLUME.transpose(0, 3, 1, 2))
    fields = {}
    if kind == "pages":
        tifffile.imwrite(path, channels_first, planarconfig="separate", photometric="minisblack", compression="zlib")
        fields = {"axes": "zcyx"}
    elif kind == "ImageJ":
        tifffile.imwrite(path, channels_first, imagej=True, metadata={"axes": "ZCYX"})
    elif kind == "OME":
        path = tmp_path / "a.ome.tif"
        tifffile.imwrite(path, channels_first, metadata={"axes": "ZCYX"}, photometric="minisblack", compression="zlib")
    elif kind == "volumetric":
        flags = {"planarconfig": "contig", "photometric": "minisblack", "compression": "zlib"}
        tifffile.imwrite(path, VOLUME, volumetric=True, tile=(16, 16, 16), **flags)
    else:
        path = store(tmp_path / "a.zarr", VOLUME.transpose(3, 0, 1, 2), chunks=8)
    check_windows(volumes, path, VOLUME, **fields)


@pytest.mark.parametrize("form", ["npy", "tif", "zarr"])
def test_labels_of_a_volume_are_written_and_read_again(volumes: SimpleNamespace, tmp_path: Path, form: str) -> None:
    assert form in volumes.saving.FORMS and len(volumes.saving.FORMS) == 3
    labels, path = np.arange(3 * 700 * 530).reshape(3, 700, 530) % 3, tmp_path / f"a.{form}"
    volumes.saving.write_labels(path, labels, 3, tmp_path / "image.npy")
    assert np.array_equal(volumes.masks.read_mask(path, volumes.reading.Reading()), labels)
    image = store(tmp_path / "image.zarr", np.zeros((3, 700, 530, 2), np.uint8))
    reading = volumes.reading.Reading()
    assert volumes.images.extent(image, reading) == volumes.images.extent(path, reading, mask=True) == (3, 700, 530)
    volumes.pairs.check_pair((image, path), reading)


def test_a_mask_in_zarr_is_counted_again_when_a_chunk_changes(harness: SimpleNamespace, tmp_path: Path) -> None:
    mask = store(tmp_path / "m.zarr", COLOURS[..., 0] % 3, chunks=16)
    before = harness.scan.key_of(mask)
    assert harness.scan.key_of(mask) == before
    os.utime(mask / "c/0/0", ns=(2**62, 2**62))
    assert harness.scan.key_of(mask) != before


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [21, 300])
@pytest.mark.parametrize("form", ["png", "tif", "zarr", "npy"])
def test_label_maps_of_every_form_are_masks(harness: SimpleNamespace, tmp_path: Path, form: str, classes: int) -> None:
    assert harness.saving.FORMS == ("png", "tif", "zarr", "npy")
    labels, path = np.arange(600 * 530).reshape(600, 530) % classes, tmp_path / f"a.{form}"
    harness.saving.write_labels(path, labels, classes, tmp_path / "image.png")
    reading = harness.reading.Reading(classes=classes, ignore=(-1,))
    assert np.array_equal(harness.masks.read_mask(path, reading), labels)
    assert [each.name for each in tmp_path.iterdir()] == [path.name], "nothing unfinished is left"
    if form == "tif":
        with Image.open(path) as picture:
            assert picture.mode == ("P" if classes == 21 else "I;16")
            if classes == 21:
                assert picture.getpalette() == harness.pictures.palette().flatten().tolist()
        with tifffile.TiffFile(path) as file:
            assert file.pages[0].tile == (512, 512) and file.pages[0].compression == 8


GEOKEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2, 3072, 0, 1, 32633)
GEOTAGS = [
    (33550, 12, 3, (10.0, 10.0, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 500005.0, 4599995.0, 0.0), True),
    (34735, 3, len(GEOKEYS), GEOKEYS, True),
    (34737, 2, 22, "WGS 84 / UTM zone 33N|", True),
    NODATA,
]
ITEMS = '<Item name="place">here</Item>', '<Item name="SCALE" sample="0" role="scale">0.1</Item>'
GDAL = "<GDALMetadata>\n" + "\n".join(ITEMS) + "\n</GDALMetadata>\n"


def test_the_georeference_of_an_image_goes_into_its_labels(bands: SimpleNamespace, tmp_path: Path) -> None:
    image, out = tmp_path / "image.tif", tmp_path / "out.tif"
    tags = [*GEOTAGS, (42112, 2, len(GDAL) + 1, GDAL, True)]
    tifffile.imwrite(image, BANDS, photometric="minisblack", planarconfig="contig", extratags=tags, metadata=None)
    bands.saving.write_labels(out, np.zeros((70, 45), np.int64), 3, image)
    with tifffile.TiffFile(out) as file:
        found = file.pages[0].tags
        for code, _, _, value, _ in GEOTAGS[:-1]:
            assert found[code].value == value, code
        assert 42113 not in found, "which label is no data is nowhere said"
        assert ITEMS[0] in found[42112].value and "SCALE" not in found[42112].value
    wrong = [(33550, 2, 4, "abc", True), GEOTAGS[1]]  # of another type than it must be
    tifffile.imwrite(image, BANDS, photometric="minisblack", planarconfig="contig", extratags=wrong)
    bands.saving.write_labels(out, np.zeros((70, 45), np.int64), 3, image)
    with tifffile.TiffFile(out) as file:
        assert 33922 in file.pages[0].tags and 33550 not in file.pages[0].tags


def test_gdal_sees_labels_where_it_sees_their_image(bands: SimpleNamespace, tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="GDAL only compares")
    image, out = tmp_path / "image.tif", tmp_path / "out.tif"
    place = rasterio.Affine(10, 0, 500000, 0, -10, 4600000)
    profile = {"driver": "GTiff", "height": 70, "width": 45, "count": 7, "dtype": "uint16", "interleave": "band"}
    profile |= {"crs": "EPSG:32633", "transform": place, "nodata": 0, "compress": "deflate", "tiled": True}
    with rasterio.open(image, "w", blockxsize=16, blockysize=32, predictor=2, **profile) as file:
        file.write(BANDS.transpose(2, 0, 1))
        file.update_tags(AREA_OR_POINT="Point", place="here")
    expected = ((BANDS / np.float32(65535) - bands.data.MEAN) / bands.data.STD).astype(np.float32)
    check_windows(bands, image, expected, bits=16)
    labels = RNG.integers(0, 3, (70, 45))
    bands.saving.write_labels(out, labels, 3, image)
    with rasterio.open(image) as source, rasterio.open(out) as target:
        assert source.crs == target.crs and source.transform == target.transform == place
        assert target.tags()["AREA_OR_POINT"] == "Point" and target.tags()["place"] == "here"
        assert target.nodata is None and np.array_equal(target.read(1), labels)


def test_labels_in_any_form_come_from_the_command_line_and_from_tiles(
    side: Any, dataset: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side.modules.raster, "MUCH", 0)
    weights = dataset / "w.safetensors"
    side.save(weights, side.model())
    image = RNG.integers(0, 256, (40, 24, 3), np.uint8)
    tifffile.imwrite(dataset / "a.tif", image, extratags=GEOTAGS, **TILED)
    flags = ["--weights", str(weights), "--device", "cpu", str(dataset / "a.tif")]
    found = []
    for form, tile in (("png", []), ("tif", ["--tile", "16"]), ("zarr", ["--tile", "16"]), ("npy", ["--tile", "16"])):
        out = dataset / f"out_{form}"
        assert side.modules.predict.main([*flags, *tile, "--out", str(out), "--as", form]) == 0
        assert {path.name for path in out.iterdir()} == {f"a.{form}"} | ({"a_overlay.png"} if not tile else set())
        found.append(side.modules.masks.read_mask(out / f"a.{form}", side.modules.reading.Reading()))
    assert all(np.array_equal(labels, found[0]) for labels in found)
    with tifffile.TiffFile(dataset / "out_tif/a.tif") as file:
        assert file.pages[0].tags[34735].value == GEOKEYS
    capsys.readouterr()
    assert side.modules.predict.main([*flags, "--out", str(dataset), "--as", "tif"]) == 1
    assert "would overwrite an input image" in capsys.readouterr().err


# --- what is wrong ----------------------------------------------------------------------------------------------------


def with_tag(content: bytes, code: int, value: int, place: int | None = None) -> bytes:
    """A little-endian TIFF with another value of a tag, or of one of its values."""
    found = bytearray(content)
    (first,) = struct.unpack_from("<I", found, 4)
    (count,) = struct.unpack_from("<H", found, first)
    for entry in range(first + 2, first + 2 + 12 * count, 12):
        tag, kind, _, at = struct.unpack_from("<HHII", found, entry)
        if tag == code and place is None:
            struct.pack_into("<HII", found, entry + 2, 4, 1, value)
        elif tag == code:
            form = {3: "<H", 4: "<I"}[kind]
            struct.pack_into(form, found, at + struct.calcsize(form) * place, value)
    return bytes(found)


WRONG = {
    "width": (256, 2**31, "70 x 2147483648 (height x width) are 150323855360 pixels, more than --max-pixels 89478485"),
    "tile": (322, 2**31 - 16, "a strip or tile of 32 x 2147483632 x 7 samples is more than --max-pixels 89478485"),
    "height": (257, 0, "its pages of (0, 45, 7) do not make up (0, 45, 7)"),
    "bits": (258, 12, "its samples have 12 bits of the format 1; known are numbers of 8, 16, 32 and 64 bits"),
    "samples": (277, 65535, "expected numbers (height, width, 7), found uint8 (70, 45, 65535)"),
    "compression": (259, 34712, "is compressed by JPEG2000; known are deflate, LZW, Zstandard, PackBits and JPEG"),
    "orientation": (274, 6, "is turned by its orientation 6; save it upright"),
}


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A TIFF in tiles of 32 x 32."""
    path, array = tmp_path_factory.mktemp("tiled") / "a.tif", BANDS.astype(np.uint8)
    flags: dict[str, Any] = {"photometric": "minisblack", "metadata": None, "extratags": [(274, 3, 1, 1, True)]}
    tifffile.imwrite(path, array, planarconfig="contig", tile=(32, 32), compression="zlib", **flags)
    return path.read_bytes()


@pytest.mark.parametrize("case", WRONG)
def test_a_tiff_that_is_not_what_it_claims_is_refused(
    bands: SimpleNamespace, tiled: bytes, tmp_path: Path, case: str
) -> None:
    code, value, told = WRONG[case]
    (tmp_path / "a.tif").write_bytes(with_tag(tiled, code, value))
    assert refused(bands, tmp_path / "a.tif") == told


def test_a_tiff_whose_tiles_lie_elsewhere_or_hold_more_is_refused(
    bands: SimpleNamespace, tiled: bytes, tmp_path: Path
) -> None:
    path, bomb = tmp_path / "a.tif", zlib.compress(bytes(30_000_000))
    path.write_bytes(with_tag(tiled, 324, 2**32 - 1, 0))
    assert refused(bands, path).startswith("is cut off: a strip or tile ends ")
    path.write_bytes(with_tag(with_tag(tiled, 324, len(tiled), 0), 325, len(bomb), 0) + bomb)
    told = "is damaged: a strip or tile "
    assert refused(bands, path) == f"{told}holds more than its (32, 32, 7) samples"
    path.write_bytes(with_tag(tiled + bytes(2**17), 325, 2**17, 0))
    assert refused(bands, path) == f"{told}of {2**17} bytes for 7168"
    path.write_bytes(with_tag(tiled, 324, 8, 0))
    assert refused(bands, path) == "cannot be read: its strip or tile 0 is damaged"


def test_a_tiff_that_is_cut_off_is_refused_wherever_it_is(bands: SimpleNamespace, tiled: bytes, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "raw.tif", BANDS, photometric="minisblack", planarconfig="contig", metadata=None)
    for content in (tiled, (tmp_path / "raw.tif").read_bytes()):
        for length in (4, 8, 30, 150, 300, len(content) // 2, len(content) - 1):
            (tmp_path / "a.tif").write_bytes(content[:length])
            assert refused(bands, tmp_path / "a.tif")


def test_pages_that_follow_themselves_are_refused(bands: SimpleNamespace, tmp_path: Path) -> None:
    """tifffile looks for a circle among the first hundred pages only."""
    path, pages = tmp_path / "a.tif", 300
    content = b"II*\0" + struct.pack("<I", 8)
    for page in range(pages):
        after = 8 + 18 * (page + 1 if page + 1 < pages else 150)
        content += struct.pack("<HHHIII", 1, 256, 4, 1, 5, after)
    path.write_bytes(content)
    assert refused(bands, path) == "is damaged: its page 300 is followed by one before"


JPEG_OF_ZEROS = b"\xff\xd8\xff\xfe\x00\x08\xff\xc0\x00\x11\x08\x00" + b"\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc"


def test_the_size_of_a_jpeg_is_that_of_its_frame_and_not_of_a_comment(bands: SimpleNamespace, tmp_path: Path) -> None:
    assert bands.tiff.jpeg_size(JPEG_OF_ZEROS) == (0xFFDC, 0xFFDC)
    Image.new("L", (30, 20)).save(tmp_path / "a.jpg")
    assert bands.tiff.jpeg_size((tmp_path / "a.jpg").read_bytes()) == (20, 30)


def with_metadata(path: Path, name: str = ".zarray", **changes: Any) -> Path:
    """A store whose metadata say something else."""
    told = json.loads((path / name).read_text())
    (path / name).write_text(json.dumps(told | changes))
    return path


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Path]:
    """A new store of version 2 or 3."""

    def make(name: str, version: int = 2, **flags: Any) -> Path:
        return store(tmp_path / name, BANDS.astype(np.uint8), zarr_format=version, chunks=32, **flags)

    return make


def test_codecs_that_run_what_a_file_says_are_never_called(bands: SimpleNamespace, stored: Callable[..., Path]) -> None:
    path = with_metadata(stored("a.zarr"), filters=[{"id": "pickle", "protocol": 5}])
    assert refused(bands, path) == "asks for the codec pickle, which is none that is known"
    path = with_metadata(stored("b.zarr", 3), "zarr.json", codecs=[{"name": "numcodecs.pickle"}])
    assert refused(bands, path) == "asks for the codec numcodecs.pickle, which is none that is known"
    for number, dtype in enumerate(("|O", [["a", "<u2"]], "<M8[s]", "<U9", "<c8")):
        assert refused(bands, with_metadata(stored(f"{number}.zarr"), dtype=dtype))


def test_nothing_outside_a_store_is_read(bands: SimpleNamespace, stored: Callable[..., Path], tmp_path: Path) -> None:
    whole = stored("whole.zarr")
    linked = stored("linked.zarr")
    (linked / "0.0.0").rename(tmp_path / "chunk")
    (linked / "0.0.0").symlink_to(tmp_path / "chunk")
    assert refused(bands, linked) == "0.0.0 lies outside, or behind a link"
    (linked / ".zarray").rename(tmp_path / "metadata")
    (linked / ".zarray").symlink_to(tmp_path / "metadata")
    assert refused(bands, linked) == ".zarray lies outside, or behind a link"
    for number, place in enumerate(("../whole.zarr", "./../whole.zarr", str(whole), "a/../../whole.zarr")):
        group = tmp_path / f"{number}.zarr"
        zarr.create_group(group, zarr_format=2, attributes={"multiscales": [{"datasets": [{"path": place}]}]})
        told = refused(bands, group)
        assert "lies outside, or behind a link" in told or "no such file" in told
    for url in ("https://example.org/a.zarr", "s3://bucket/a.zarr"):
        assert refused(bands, Path(url))


def test_stores_that_would_fill_the_memory_are_refused(bands: SimpleNamespace, stored: Callable[..., Path]) -> None:
    limit = "more than --max-pixels 89478485"
    path = with_metadata(stored("shape.zarr"), shape=[2**31, 2**31, 7])
    assert refused(bands, path).endswith(f"are {2**62} pixels, {limit}")
    path = with_metadata(stored("chunk.zarr"), chunks=[2**31, 2**31, 7])
    assert refused(bands, path) == f"a chunk of {2**31} x {2**31} x 7 values is {limit}"
    bomb, zeros = stored("bomb.zarr"), np.zeros(10**8, np.uint8)
    (bomb / "0.0.0").write_bytes(numcodecs.Zstd().encode(zeros))
    assert refused(bands, bomb) == "cannot be read: 0.0.0 is damaged, or holds more than a chunk"
    bomb = stored("gzip.zarr", compressors=numcodecs.GZip())
    (bomb / "0.0.0").write_bytes(numcodecs.GZip().encode(zeros[: 10**6]) * 2)
    assert refused(bands, bomb) == f"{bomb}/0.0.0: holds more than a chunk"
    (bomb / "0.0.0").write_bytes(bytes(2**20))
    assert refused(bands, bomb) == "0.0.0 is larger than what it holds"


def test_damaged_stores_are_refused(bands: SimpleNamespace, stored: Callable[..., Path]) -> None:
    path = stored("a.zarr")
    (path / "0.0.0").write_bytes((path / "0.0.0").read_bytes()[:50])
    assert refused(bands, path) == "cannot be read: 0.0.0 is damaged, or holds more than a chunk"
    for number, text in enumerate(("", "[1", "[1]", "{}", "[" * 100_000, '{"zarr_format": 2, "shape": [1]}')):
        path = stored(f"{number}.zarr")
        (path / ".zarray").write_text(text)
        assert refused(bands, path) == "cannot be read: it is damaged, or no Zarr store"
    assert refused(bands, with_metadata(stored("v4.zarr"), zarr_format=4)).endswith(
        "is of version 4; known are 2 and 3"
    )
    assert refused(bands, with_metadata(stored("none.zarr"), shape=[0, 45, 7])).startswith("expected numbers")


def test_the_flag_of_the_axes_is_checked(bands: SimpleNamespace, volumes: SimpleNamespace) -> None:
    import argparse

    for text in ("yxc", "cyx", "tczyx", "yx"):
        assert bands.reading.axes_of(text) == text
    for text in ("", "xc", "yxx", "yxq", "YX"):
        with pytest.raises(argparse.ArgumentTypeError, match="each of y, x once"):
            bands.reading.axes_of(text)
    with pytest.raises(argparse.ArgumentTypeError, match="each of z, y, x once"):
        volumes.reading.axes_of("yxc")
