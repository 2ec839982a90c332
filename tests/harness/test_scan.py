"""All masks are read once before the first step: what stops a training, what is warned of, what is kept."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

CASES = Path(__file__).parents[1] / "data/cases"


def masks(folder: Path, *labels: Any) -> Path:
    """A list of pairs with these masks."""
    folder.mkdir(exist_ok=True)
    lines = []
    for i, array in enumerate(labels):
        pixels = np.array(array, np.uint8)
        Image.fromarray(pixels).save(folder / f"m{i}.png")
        Image.fromarray(np.zeros((*pixels.shape, 3), np.uint8)).save(folder / f"i{i}.png")
        lines.append(f"i{i}.png m{i}.png\n")
    (folder / "l.txt").write_text("".join(lines))
    return folder / "l.txt"


def check(
    harness: SimpleNamespace, capsys: pytest.CaptureFixture[str], source: Path, *flags: str
) -> tuple[int, str, str]:
    """data.py check: its status and what it says, without the folder's name."""
    status = harness.scan.main(["check", str(source), *flags])
    out, err = capsys.readouterr()
    return status, out.replace(f"{source.parent}/", ""), err.replace(f"{source.parent}/", "")


def test_masks_0_255_case_is_stopped_with_the_map_that_helps(
    special: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = special(heads={"output": 2})
    shutil.copytree(CASES / "masks_0_255", tmp_path / "c")
    source = tmp_path / "c/l.txt"
    told = 'l.txt: the only labels are 0 and 255; 255 is ignored here; if it is the foreground: --map "255:1"'
    assert check(harness, capsys, source) == (1, "", f"error: {told}\n")
    flags = ["--list", str(source), "--out", str(tmp_path / "out"), "--crop", "64", "--steps", "1", "--batch", "1"]
    assert harness.train.main(flags) == 1
    assert (
        capsys.readouterr().err.endswith('is the foreground: --map "255:1"\n')
        and not (tmp_path / "out/last.pt").exists()
    )
    assert harness.train.main([*flags, "--map", "255:1"]) == 0
    assert capsys.readouterr().out.startswith(
        f"{source}: 2 masks, 8192 pixels\n  class      pixels   share\n      0        6144   75.00%\n"
        "      1        2048   25.00%\nignored           0    0.00%\n"
    )


def test_labels_out_of_range_are_named_with_file_place_and_count(
    harness: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = masks(tmp_path / "a", [[0, 1], [2, 2]], [[0, 1], [7, 2]])
    told = "m1.png: label 7 (row 1, column 0; 1 pixel) is neither a class, 0 to 2, nor the ignored label, 255"
    assert check(harness, capsys, source) == (1, "", f"error: {told}\n")
    assert check(harness, capsys, source, "--ignore", "255", "7")[0] == 0
    source = masks(tmp_path / "b", [[0, 37], [37, 75]], [[0, 112], [75, 75]])
    told = "m0.png: label 37 (row 0, column 1; 2 pixels) is neither a class, 0 to 2, nor the ignored label, 255"
    told += "; in all, 6 pixels of 2 masks have such labels: 37, 75, 112"
    told += ". Of 4 labels 3 are out of range: are these other masks?"
    assert check(harness, capsys, source) == (1, "", f"error: {told}\n")


def test_nothing_labelled_is_stopped_and_an_absent_class_is_warned_of(
    harness: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = masks(tmp_path / "a", [[255, 255]])
    assert check(harness, capsys, source) == (1, "", "error: l.txt: no pixel is labelled: all are ignored, as 255\n")
    source = masks(tmp_path / "b", np.full((16, 16), 1))
    table = "l.txt: 1 mask, 256 pixels\n  class      pixels   share\n"
    table += "      1         256  100.00%\nignored           0    0.00%\n"
    assert check(harness, capsys, source) == (0, table, "warning: l.txt: no pixel is of class 0, 2\n")
    assert check(harness, capsys, source, "--ignore", "class:0")[2] == "warning: l.txt: no pixel is of class 2\n"
    assert check(harness, capsys, source, "--ignore", "class:1")[2].endswith("all are ignored, as 1\n")


def test_crops_with_next_to_no_label_are_warned_of(
    harness: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sparse = np.full((16, 16), 255)
    sparse[:3, :3] = [[0, 1, 2]] * 3
    source = masks(tmp_path / "a", sparse, sparse, np.arange(256).reshape(16, 16) % 3)
    told = "warning: 2 of 3 crops of 16 x 16 are over 90 % ignored; is --crop larger than the images?\n"
    assert check(harness, capsys, source)[2] == told
    source = masks(tmp_path / "b", sparse, np.arange(256).reshape(16, 16) % 3)
    assert check(harness, capsys, source)[2] == ""


def test_a_scan_is_kept_and_only_what_changed_is_read_again(
    harness: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = masks(tmp_path / "a", *[np.arange(256).reshape(16, 16) % 3] * 3)
    read: list[str] = []
    look = harness.scan.look_at
    monkeypatch.setattr(harness.scan, "look_at", lambda mask, reading: (read.append(mask.name), look(mask, reading))[1])

    def reads(*flags: str) -> list[str]:
        read.clear()
        assert check(harness, capsys, source, *flags)[0] == 0
        return sorted(read)

    every = ["m0.png", "m1.png", "m2.png"]
    assert reads() == every and reads() == []
    os.utime(source.parent / "m1.png", ns=(1, 1))
    assert reads() == ["m1.png"] and reads() == []
    assert reads("--map", "2:1") == every and reads("--ignore", "class:2") == every
    kept = source.parent / "l.txt.scan.json"
    reads()
    for damaged in ("", "[]", '{"terms": 1}', json.dumps({**json.loads(kept.read_text()), "masks": {"x": [1]}})):
        kept.write_text(damaged)
        assert reads() == every
    masks(source.parent, *[np.full((16, 16), i) for i in (0, 1, 2)])
    assert reads() == every, "the masks are others"


def test_a_scan_that_cannot_be_kept_is_said(
    harness: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.reading.SAID.clear()
    source = masks(tmp_path / "a", np.arange(256).reshape(16, 16) % 3)
    (tmp_path / "a/l.txt.scan.json").mkdir()
    status, _, err = check(harness, capsys, source)
    assert status == 0 and err.startswith(
        f"note: {tmp_path}/a: the next scan reads all masks again: l.txt.scan.json: cannot be"
    )


def test_training_reads_the_masks_of_val_too_unless_told_not_to(
    side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = masks(dataset / "val", np.zeros((16, 16)), np.full((16, 16), 9))
    flags = ["--steps", "1", "--batch", "1", "--val", str(held_out)]
    assert side.train(dataset, "a", *flags) == 1
    assert "val/m1.png: label 9 (row 0, column 0; 256 pixels) is neither" in capsys.readouterr().err
    assert not (dataset / "a" / side.last).exists()
    assert (dataset / "list.txt.scan.json").exists() and (held_out.parent / "l.txt.scan.json").exists()
    assert side.train(dataset, "b", "--steps", "1", "--batch", "1", "--no-scan") == 0
    assert "masks," not in capsys.readouterr().out


def test_folders_keep_their_scan_beside_the_masks(
    harness: SimpleNamespace, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--images", str(dataset / "images"), "--masks", str(dataset / "masks")]
    assert harness.scan.main(["check", *folders]) == 0
    assert capsys.readouterr().out.startswith(f"{dataset}/masks: 6 masks, 2880 pixels\n")
    assert (dataset / "masks.scan.json").exists()


def test_a_grey_image_folder_says_which_names_do_not_pair(harness: SimpleNamespace, dataset: Path) -> None:
    for i in range(6):
        (dataset / f"masks/{i}.png").rename(dataset / f"masks/{i}_mask.png")
    with pytest.raises(harness.files.InputError) as caught:
        harness.pairs.read_folders(dataset / "images", dataset / "masks", harness.reading.Reading())
    assert str(caught.value) == (
        f"{dataset}/images: 6 of 6 images have no mask of the same name in {dataset}/masks: 0.png, 1.png, 2.png, ...; "
        '6 masks have "_mask" after the name: write a list, or rename them'
    )


@pytest.mark.parametrize("flags", [[], ["--no-scan"]])
def test_images_that_are_trained_on_and_evaluated_on_are_warned_of(
    side: Any, dataset: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    lines = (dataset / "list.txt").read_text().splitlines(keepends=True)
    (dataset / "list.txt").write_text("".join(lines[:4]))
    (dataset / "val.txt").write_text("".join(lines[3:]))
    (dataset / "rest.txt").write_text("".join(lines[4:]))
    shared = {"val": "1 of 3 images are trained on, too", "list": "4 of 4 images are trained on, too", "rest": ""}
    for name, told in shared.items():
        val = dataset / f"{name}.txt"
        assert side.train(dataset, name, "--steps", "1", "--val", str(val), *flags) == 0
        warnings = [line for line in capsys.readouterr().err.splitlines() if "trained on" in line]
        assert warnings == ([f"warning: {val}: {told}"] if told else [])


def test_pairs_that_stand_twice_in_a_list_are_told_once(
    harness: SimpleNamespace, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed, reading = dataset / "list.txt", harness.reading.Reading()
    harness.reading.SAID.clear()
    listed.write_text(f"\n{listed.read_text()}images/../images/1.png masks/1.png\nimages/1.png masks/1.png\n")
    assert len(harness.pairs.read_list(listed, reading)) == 8
    told = "2 of 8 lines repeat a pair, which counts each time: line 8 that of line 3"
    assert capsys.readouterr().err == f"note: {listed}: {told} (said once)\n"
    listed.write_text("images/1.png masks/1.png\nimages/1.png masks/2.png\n")
    harness.pairs.read_list(listed, reading)
    told = "1 of 2 lines repeat an image, with another mask: line 2 that of line 1"
    assert capsys.readouterr().err == f"note: {listed}: {told} (said once)\n"


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([[0, 255]], 'the only label that counts is 0; if 255 is the foreground: --map "255:1"'),
        ([[255, 255]], "no pixel is labelled: all are ignored"),
        ([[1, 255]], ""),
    ],
)
def test_an_evaluation_in_which_the_foreground_may_be_ignored_is_warned_of(
    side: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: list[list[int]], told: str
) -> None:
    source = masks(tmp_path / "d", labels)
    side.save(tmp_path / "w.safetensors", side.model())
    flags = ["--weights", str(tmp_path / "w.safetensors"), "--list", str(source), "--device", "cpu"]
    assert side.modules.evaluate.main(flags) == 0
    assert capsys.readouterr().err == (f"warning: {source}: {told}\n" if told else "")
