"""Tiles give what the whole gives, label for label, at every border; whatever is killed or divided on the way."""

import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

BACKENDS = ("torch", "jax")
EACH = pytest.mark.parametrize("backend", BACKENDS)

# A step of 4, outputs of 2 pixels between which scores are interpolated, another margin before than after.
STRIDED = """segcompile: 1
model: net
input: {channels: 3, size: 32}
layers:
  - down:  {conv: 4, kernel: 3, stride: 2, pad: 1, act: relu}
  - wide:  {conv: 4, kernel: 3, pad: [2, 0, 1, 1], act: relu}
  - low:   {pool: max, kernel: 2, stride: 2}
  - up:    {deconv: 4, kernel: 4, stride: 2, pad: 1}
  - score: {conv: 3, kernel: 3}
"""
PADDED = STRIDED + "training: {input_padding: {zero: 11}}\n"
SIGNAL = """segcompile: 1
model: net
input: {channels: 2, size: [64]}
layers:
  - first: {conv: 4, kernel: 3, pad: [[2, 0]], act: relu}
  - last:  {conv: 3, kernel: 5, stride: 2, pad: 2}
"""
VOLUME = """segcompile: 1
model: net
input: {channels: 2, size: [16, 16, 16]}
layers:
  - down:  {conv: 3, kernel: 3, stride: 2, pad: 1, act: relu}
  - up:    {deconv: 3, kernel: 2, stride: 2}
"""
NONE = """segcompile: 1
model: net
input: {channels: 3, size: any}
layers:
  - stem:  {conv: 4, kernel: 3, pad: same}
  - norm:  {norm: instance}
  - score: {conv: 3, kernel: 1}
"""


class Held:
    """An image in memory, as a source of windows."""

    held = 0

    def __init__(self, image: np.ndarray) -> None:
        self.image, self.size = image, image.shape[:-1]

    def read(self, start: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
        return self.image[tuple(slice(first, first + count) for first, count in zip(start, size, strict=True))]

    def close(self) -> None:
        """Nothing is open."""


def stitched(modules: Any, model: Any, image: np.ndarray, plan: Any, channels: int) -> np.ndarray:
    """The scores of an image by tiles, channels last; each pixel is given once."""
    scores = np.full((*image.shape[:-1], channels), np.nan, np.float32)
    for tile in plan.tiles:
        part = modules.raster.read_continued(Held(image), tile.start, plan.window)
        found = np.asarray(modules.predict.scores_under(model, part, modules.tiles.under(plan.window)))
        found = found if found.shape[-1] == channels and modules.backend == "jax" else np.moveaxis(found, 0, -1)
        there = modules.raster.box(tile.first, tile.size)
        assert np.isnan(scores[there]).all()
        scores[there] = found[modules.raster.box(tile.inside, tile.size)]
    assert not np.isnan(scores).any()
    return scores


def check_stitched(side: Any, model: Any, size: tuple[int, ...], more: int) -> int:
    """Assert that tiles give the scores of the whole image; the number of tiles."""
    modules = SimpleNamespace(**vars(side.modules), backend=side.backend)
    image = np.random.default_rng(0).normal(size=(*size, modules.data.CHANNELS)).astype(np.float32)
    whole = side.scores(model, image)
    plan = modules.tiles.plan_tiles(size, modules.tiles.least_tile(size) + more)
    found = stitched(modules, model, image, plan, whole.shape[-1])
    np.testing.assert_allclose(found, whole, rtol=0, atol=2e-6 * np.abs(whole).max())
    return len(plan.tiles)


@pytest.mark.parametrize("text", [STRIDED, PADDED], ids=["strided", "padded"])
@settings(max_examples=8)
@given(height=st.integers(1, 70), width=st.integers(30, 60), more=st.integers(0, 9))
def test_tiles_give_the_scores_of_the_whole_image(built: Any, text: str, height: int, width: int, more: int) -> None:
    side = built("torch", text)
    check_stitched(side, side.model(), (height, width), more)


def test_tiles_of_jax_give_the_scores_of_the_whole_image(built: Any) -> None:
    side = built("jax", PADDED)
    assert check_stitched(side, side.model(), (47, 61), 3) >= 6


@pytest.mark.parametrize(("text", "size"), [(SIGNAL, (57,)), (VOLUME, (13, 10, 11))], ids=["signal", "volume"])
def test_signals_and_volumes_too(built: Any, text: str, size: tuple[int, ...]) -> None:
    side = built("torch", text)
    assert check_stitched(side, side.model(), size, 0) > 2 ** len(size)


# --- predict.py and evaluate.py ---------------------------------------------------------------------------------------


class Job:
    """A folder with weights and images, and the commands of one backend on them."""

    def __init__(self, side: Any, place: Path, text: str = "") -> None:
        self.side, self.place = side, place
        side.save(place / "w.safetensors", side.model())
        self.array = np.random.default_rng(1).normal(size=(70, 90, 3)).astype(np.float32)
        np.save(place / "a.npy", self.array)

    def flags(self, *flags: str, out: str = "out", image: str = "a.npy") -> list[str]:
        return [
            "--weights", str(self.place / "w.safetensors"), str(self.place / image),
            "--out", str(self.place / out), "--device", "cpu", *flags,
        ]  # fmt: skip

    def predict(self, *flags: str, out: str = "out", image: str = "a.npy") -> int:
        return int(self.side.modules.predict.main(self.flags(*flags, out=out, image=image)))

    def labels(self, out: str = "out", name: str = "a.png") -> np.ndarray:
        return np.array(Image.open(self.place / out / name))


@pytest.fixture
def job(built: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Job:
    """That of STRIDED by the backend that a test names."""
    return Job(built(getattr(request, "param", "torch"), STRIDED), tmp_path)


BOTH = pytest.mark.parametrize("job", BACKENDS, indirect=True)


@BOTH
def test_predict_by_tiles_writes_the_same_labels(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.predict(out="whole") == 0
    assert job.predict("--tile", "48") == 0
    told = capsys.readouterr()
    assert f"wrote {job.place}/out/a.png" in told.out
    found = re.search(r"a.npy: (\d+) tiles of 48 x 48: 0 MiB of tensors, (\d+.\d+) times the MACs", told.err)
    assert found and int(found[1]) > 4 and float(found[2]) > 1
    assert np.array_equal(job.labels(), job.labels("whole"))
    assert sorted(path.name for path in (job.place / "out").iterdir()) == ["a.png"]


def test_a_picture_by_tiles(job: Job) -> None:
    Image.fromarray((job.array * 50 + 120).clip(0, 255).astype(np.uint8)).save(job.place / "b.png")
    assert job.predict(image="b.png", out="whole") == job.predict("--tile", "44", image="b.png") == 0
    assert np.array_equal(job.labels(name="b.png"), job.labels("whole", "b.png"))


def test_a_tile_that_holds_the_whole_image_is_one(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.predict("--tile", "1000") == 0
    assert "one tile, the whole of" in capsys.readouterr().err


def test_a_tile_too_small_is_refused(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.predict("--tile", "8") == 1
    assert re.search(
        r"error: --tile 8: is less than \d+, the smallest that gives any pixels here", capsys.readouterr().err
    )


def test_the_layer_that_forbids_tiles_is_named(built: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(built("torch", NONE), tmp_path)
    assert job.predict("--tile", "48") == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: --tile: there are no exact tiles: `norm` (instance norm) mixes the whole image; "
        "give --blend, whose windows are not exact"
    )


def test_a_limit_of_memory_chooses_the_tile(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    tiles, stitch = job.side.modules.tiles, job.side.modules.stitch
    window = tiles.tile_window((70, 90), 60)
    room = tiles.memory(window)
    chosen = tiles.fitting((70, 90), room, tiles.least_tile((70, 90)), tiles.tile_window)
    assert tiles.memory(tiles.tile_window((70, 90), chosen)) <= room
    assert tiles.memory(tiles.tile_window((70, 90), chosen + tiles.STEP[0])) > room
    assert stitch.resident() > 2**20
    assert job.predict("--memory-limit", "8GiB") == 0
    assert job.predict("--tile", "auto", "--memory-limit", "1MiB") == 1
    assert "error: --memory-limit: the tensors of the smallest" in capsys.readouterr().err


def test_blended_windows_are_near_the_whole_image(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.predict(out="whole") == job.predict("--tile", "64", "--blend") == 0
    assert re.search(r"a.npy: \d+ tiles of 64 x 64", capsys.readouterr().err)
    same = job.labels() == job.labels("whole")
    assert same.mean() > 0.9  # what lies at a window's border sees its padding, and counts little
    assert job.predict("--tile", "64", "--blend", "--shard", "1/2") == 1
    assert [path.name for path in (job.place / "out").iterdir()] == ["a.png"]


@pytest.mark.parametrize(("text", "size"), [("2GiB", 2**31), ("1.5 MB", 3 * 2**19), ("800M", 800 * 2**20), ("7", 7)])
def test_sizes_of_memory(job: Job, text: str, size: int) -> None:
    assert job.side.modules.stitch.bytes_of(text) == size


@BOTH
def test_a_killed_run_goes_on_where_it_was(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    assert job.predict(out="whole") == 0
    run_of, counts = job.side.modules.predict.run_of, [0]

    def counted(*given: Any) -> Any:
        run = run_of(*given)

        def one(part: Any, size: Any) -> Any:
            counts[0] += 1
            if counts[0] == 6:
                raise KeyboardInterrupt
            return run(part, size)

        return one

    monkeypatch.setattr(job.side.modules.predict, "run_of", counted)
    assert job.predict("--tile", "48") == 130
    assert [path.name for path in (job.place / "out").iterdir()] == [".a.png.unfinished"]
    assert job.predict("--tile", "48") == 0
    plan = job.side.modules.tiles.plan_tiles((70, 90), 48)
    assert counts[0] == len(plan.tiles) + 1  # but for the one that was interrupted, none is run twice
    assert np.array_equal(job.labels(), job.labels("whole"))


def test_half_of_another_run_is_not_gone_on_with(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.predict("--tile", "48", "--shard", "1/2") == 0
    assert job.predict("--tile", "52", "--shard", "2/2") == 1
    assert "is half of another run" in capsys.readouterr().err


@BOTH
def test_shards_divide_the_tiles_and_the_last_writes(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.predict(out="whole") == 0
    assert job.predict("--tile", "48", "--shard", "2/2") == 0
    assert not (job.place / "out/a.png").exists()
    assert re.search(r"a.png: \d+ of \d+ tiles of 48 x 48 are done", capsys.readouterr().err)
    assert job.predict("--tile", "48", "--shard", "1/2") == 0
    assert np.array_equal(job.labels(), job.labels("whole"))


def test_shards_divide_images_that_are_run_whole(job: Job) -> None:
    (job.place / "images").mkdir()
    for name in ("a", "b", "c"):
        np.save(job.place / f"images/{name}.npy", job.array)
    assert job.predict("--shard", "2/2", image="images") == 0
    assert [path.name for path in (job.place / "out").iterdir()] == ["b.png"]


@BOTH
def test_evaluate_by_tiles_and_by_shards(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.random.default_rng(2).integers(0, 3, (70, 90)).astype(np.uint8)
    np.save(job.place / "m.npy", mask)
    (job.place / "list.txt").write_text("a.npy m.npy\n")
    flags = ["--weights", str(job.place / "w.safetensors"), "--list", str(job.place / "list.txt"), "--device", "cpu"]
    evaluate, tables = job.side.modules.evaluate.main, []
    sums = ["--sums", str(job.place / "sums")]
    for more in (
        [],
        ["--tile", "48"],
        ["--tile", "48", "--shard", "1/2", *sums],
        ["--tile", "48", "--shard", "2/2", *sums],
    ):
        assert evaluate([*flags, *more]) == 0
        tables.append(capsys.readouterr().out)
    whole, tiled, first, second = tables
    assert "mean IU" in whole and tiled == second == whole
    assert first == f"wrote {job.place}/sums/1_of_2.npy; 1 of 2 shards are not there yet\n"


# --- processes that know each other -----------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("localhost", 0))
        return int(opened.getsockname()[1])


def ends(commands: list[list[str]], environments: list[dict[str, str]]) -> list[subprocess.CompletedProcess[str]]:
    """What comes of processes that run at once."""

    def one(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=240, env={**os.environ, **environment}
        )

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(one, commands, environments))


@pytest.mark.long
@EACH
def test_two_processes_divide_the_tiles(built: Any, tmp_path: Path, backend: str) -> None:
    job = Job(built(backend, STRIDED), tmp_path)
    assert job.predict(out="whole") == 0
    np.save(tmp_path / "m.npy", np.random.default_rng(2).integers(0, 3, (70, 90)).astype(np.uint8))
    (tmp_path / "list.txt").write_text("a.npy m.npy\n")
    listed = ["--weights", str(tmp_path / "w.safetensors"), "--list", str(tmp_path / "list.txt"), "--device", "cpu"]
    tables = []
    for program, flags in (("predict.py", job.flags("--tile", "48")), ("evaluate.py", [*listed, "--tile", "48"])):
        command, port = [sys.executable, str(job.side.folder / program), *flags], str(free_port())
        several, here = [], []
        for rank in ("0", "1"):
            several.append([*command, "--distributed", f"localhost:{port}", "2", rank] if backend == "jax" else command)
            ranks = {"RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
            here.append(ranks if backend == "torch" else {})
        done = ends(several, here)
        assert [each.returncode for each in done] == [0, 0], [each.stderr for each in done]
        tables.append([re.sub(r"\[Gloo\].*\n", "", each.stdout) for each in done])
    assert np.array_equal(job.labels(), job.labels("whole"))
    assert tables[0] == [f"wrote {tmp_path}/out/a.png\n", ""]
    alone = subprocess.run(
        [sys.executable, str(job.side.folder / "evaluate.py"), *listed], capture_output=True, text=True, check=True
    )
    assert tables[1] == [alone.stdout, ""]
