"""An emitted folder is written whole or not at all, and what the user wrote in it survives."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.report import render_text
from segcompile.writer import MANIFEST, Plan, drift, plan, refusals, unified_diff, write

FILES = {"model.py": "x = 1\n", "README.md": "# Net\n", "parts/data.py": "y = 2\n"}
ABOUT = {"segcompile": "0.1.0", "spec": "net.yaml"}


def build(folder: Path, files: Mapping[str, str] = FILES, about: Mapping[str, Any] = ABOUT) -> Plan:
    """What `segcompile build --force` does."""
    made = plan(folder, files, about)
    write(made, files, about)
    return made


def tree(folder: Path) -> dict[str, str]:
    """Every file below `folder` with its text, folders with None, links with their target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "/" if path.is_dir() else path.read_text()
    return found


def texts(folder: Path) -> dict[str, str]:
    return {name: text for name, text in tree(folder).items() if text != "/" and name != MANIFEST}


def refused(folder: Path, files: Mapping[str, str] = FILES) -> str:
    findings = Findings()
    refusals(plan(folder, files, ABOUT), findings)
    return render_text(findings.diagnostics).replace(str(folder), "out")


def drifted(folder: Path, files: Mapping[str, str] = FILES) -> str:
    findings = Findings()
    drift(plan(folder, files, ABOUT), findings)
    return render_text(findings.diagnostics).replace(str(folder), "out")


def failure(folder: Path, files: Mapping[str, str] = FILES) -> str:
    with pytest.raises(SegcompileError) as caught:
        build(folder, files)
    return render_text(caught.value.diagnostics).replace(str(folder), "out")


# --- plain builds


def test_a_first_build_writes_every_file_and_the_manifest(tmp_path: Path) -> None:
    made = build(tmp_path / "a" / "b" / "out")
    assert made.new == (MANIFEST, "README.md", "model.py", "parts/data.py")
    assert texts(tmp_path / "a" / "b" / "out") == FILES
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["out"]


def test_the_manifest_has_sorted_keys_and_a_hash_a_file(tmp_path: Path) -> None:
    build(tmp_path / "out", {"b.py": "", "a.py": "x = 1\n"})
    assert (tmp_path / "out" / MANIFEST).read_text() == (
        "{\n"
        ' "files": {\n'
        '  "a.py": "9e26bf369911c45c243c684147b23fc9e1dcfcf257d299a1c632016a6fcd33f4",\n'
        '  "b.py": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"\n'
        " },\n"
        ' "segcompile": "0.1.0",\n'
        ' "spec": "net.yaml"\n'
        "}\n"
    )


def test_files_get_the_modes_that_the_umask_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        build(tmp_path / "out")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "out" / "model.py").stat().st_mode) == 0o640


def test_a_second_build_touches_nothing(tmp_path: Path) -> None:
    build(tmp_path / "out")
    os.utime(tmp_path / "out" / "model.py", (1, 1))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    made = build(tmp_path / "out")
    assert made == plan(tmp_path / "out", FILES, ABOUT)
    assert made.unchanged == (MANIFEST, "README.md", "model.py", "parts/data.py")
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_only_what_changes_is_rewritten(tmp_path: Path) -> None:
    build(tmp_path / "out")
    os.utime(tmp_path / "out" / "README.md", (1, 1))
    made = build(tmp_path / "out", {**FILES, "model.py": "x = 3\n"})
    assert made.changed == (MANIFEST, "model.py")
    assert (tmp_path / "out" / "README.md").stat().st_mtime == 1
    assert texts(tmp_path / "out") == {**FILES, "model.py": "x = 3\n"}


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    build(tmp_path / "out")
    (tmp_path / "out" / "model.py").chmod(0o755)
    build(tmp_path / "out", {**FILES, "model.py": "x = 3\n"})
    assert stat.S_IMODE((tmp_path / "out" / "model.py").stat().st_mode) == 0o755


def test_a_file_that_is_no_longer_generated_goes_with_its_empty_folder(tmp_path: Path) -> None:
    build(tmp_path / "out")
    made = build(tmp_path / "out", {"model.py": "x = 1\n"})
    assert made.orphans == ("README.md", "parts/data.py")
    assert sorted(tree(tmp_path / "out")) == [MANIFEST, "model.py"]


def test_the_users_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "out" / "runs").mkdir(parents=True)
    (tmp_path / "out" / "runs" / "last.pt").write_text("weights")
    build(tmp_path / "out")
    (tmp_path / "out" / "parts" / "notes.md").write_text("mine")
    build(tmp_path / "out", {"model.py": "x = 1\n"})
    assert texts(tmp_path / "out") == {"model.py": "x = 1\n", "runs/last.pt": "weights", "parts/notes.md": "mine"}


def test_a_missing_file_is_written_again(tmp_path: Path) -> None:
    build(tmp_path / "out")
    (tmp_path / "out" / "model.py").unlink()
    assert build(tmp_path / "out").new == ("model.py",)
    assert texts(tmp_path / "out") == FILES


def test_a_folder_reached_through_a_link_is_the_users_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    build(tmp_path / "out")
    assert texts(tmp_path / "disk") == FILES


@pytest.mark.parametrize("path", ["../x", "/x", "a/../b", "", "a//b", ".hidden", MANIFEST, "a\\b", "a\0b", "a\nb"])
def test_a_path_that_no_folder_may_hold_is_a_bug(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="no folder may hold"):
        plan(tmp_path / "out", {path: ""}, ABOUT)


# --- refusals and drift


def test_a_hand_edited_file_is_refused(tmp_path: Path) -> None:
    build(tmp_path / "out")
    (tmp_path / "out" / "model.py").write_text("x = 9\n")
    assert refused(tmp_path / "out") == (
        "error[SC702 hand-edited]: `out/model.py` was edited by hand\n"
        "   = help: move the change into the spec, or build with --force to overwrite it"
    )


def test_a_hand_edited_orphan_is_refused_and_with_force_becomes_the_users(tmp_path: Path) -> None:
    build(tmp_path / "out")
    (tmp_path / "out" / "model.py").write_text("x = 9\n")
    rest = {"README.md": "# Net\n"}
    assert refused(tmp_path / "out", rest) == (
        "error[SC702 hand-edited]: `out/model.py` was edited by hand and is no longer generated\n"
        "   = help: delete it, or build with --force to keep it as a file of yours"
    )
    build(tmp_path / "out", rest)
    assert texts(tmp_path / "out") == {"README.md": "# Net\n", "model.py": "x = 9\n"}
    assert drifted(tmp_path / "out", rest) == ""


def test_an_edit_that_says_what_the_build_says_is_no_edit(tmp_path: Path) -> None:
    build(tmp_path / "out")
    (tmp_path / "out" / "model.py").write_text("x = 3\n")
    assert plan(tmp_path / "out", {**FILES, "model.py": "x = 3\n"}, ABOUT).hand_edited == ()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.py").write_text("mine = 1\n")
    assert refused(tmp_path / "out") == (
        "error[SC704 foreign-file]: `out/model.py` was not written by segcompile\n"
        "   = help: choose another folder, or build with --force to overwrite it"
    )


def test_drift_lists_each_file_once(tmp_path: Path) -> None:
    build(tmp_path / "out", {"a.py": "a = 1\n", "b.py": "b = 1\n", "c.py": "c = 1\n", "old.py": ""})
    (tmp_path / "out" / "b.py").write_text("b = 9\n")
    (tmp_path / "out" / "c.py").unlink()
    (tmp_path / "out" / "d.py").write_text("mine = 1\n")
    wanted = {"a.py": "a = 2\n", "b.py": "b = 1\n", "c.py": "c = 1\n", "d.py": ""}
    assert drifted(tmp_path / "out", wanted) == (
        "error[SC702 hand-edited]: `out/b.py` was edited by hand\n"
        "   = help: move the change into the spec, or build with --force to overwrite it\n"
        "\n"
        "error[SC704 foreign-file]: `out/d.py` was not written by segcompile\n"
        "   = help: choose another folder, or build with --force to overwrite it\n"
        "\n"
        "error[SC701 drift]: `out/c.py` is missing\n"
        "   = help: build without --check brings the folder up to date\n"
        "\n"
        "error[SC701 drift]: `out/.segcompile.json` is out of date\n"
        "   = help: build without --check brings the folder up to date\n"
        "\n"
        "error[SC701 drift]: `out/a.py` is out of date\n"
        "   = help: build without --check brings the folder up to date\n"
        "\n"
        "error[SC703 orphan]: `out/old.py` is no longer generated\n"
        "   = help: build without --check brings the folder up to date"
    )


def test_a_folder_that_is_up_to_date_does_not_drift(tmp_path: Path) -> None:
    build(tmp_path / "out")
    assert drifted(tmp_path / "out") == ""


def test_the_diff_shows_new_changed_and_removed_files(tmp_path: Path) -> None:
    build(tmp_path / "out", {"a.py": "a = 1\nb = 2\n", "old.py": "o = 1\n", "same.py": "s = 1\n", "tail.py": "t = 1\n"})
    (tmp_path / "out" / "tail.py").write_bytes(b"t = 1\r\nu")
    wanted = {"a.py": "a = 1\nb = 3\n", "new.py": "n = 1\n", "same.py": "s = 1\n", "tail.py": "t = 1\n"}
    assert unified_diff(plan(tmp_path / "out", wanted, ABOUT), wanted) == (
        "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n"
        "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+n = 1\n"
        "--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-o = 1\n"
        "--- a/tail.py\n+++ b/tail.py\n@@ -1,2 +1 @@\n-t = 1\r\n-u\n\\ No newline at end of file\n+t = 1\n"
    )


def test_the_diff_of_nothing_is_empty(tmp_path: Path) -> None:
    build(tmp_path / "out")
    assert unified_diff(plan(tmp_path / "out", FILES, {**ABOUT, "spec": "other.yaml"}), FILES) == ""


# --- hostile folders

HOSTILE_MANIFESTS = {
    "empty": "",
    "not json": "{",
    "a list": "[]",
    "null": "null",
    "no files": '{"segcompile": "0.1.0"}',
    "files is a list": '{"files": ["model.py"]}',
    "hash is a number": '{"files": {"model.py": 1}}',
    "parent": '{"files": {"../victim.py": "HASH"}}',
    "inner parent": '{"files": {"parts/../../victim.py": "HASH"}}',
    "absolute": '{"files": {"ABSOLUTE": "HASH"}}',
    "hidden": '{"files": {".git/config": "HASH"}}',
    "backslash": '{"files": {"..\\\\victim.py": "HASH"}}',
    "a NUL": '{"files": {"a\\u0000b": "HASH"}}',
    "half a surrogate": '{"files": {"\\ud800": "HASH"}}',
    "no name": '{"files": {"": "HASH"}}',
    "deep": "[" * 100_000,
    "huge number": '{"files": ' + "9" * 10_000 + "}",
    "huge": '{"files": {"model.py": "' + "f" * 2_000_000 + '"}}',
    "not UTF-8": b'{"files": "\xff"}',
}


@pytest.mark.parametrize("text", HOSTILE_MANIFESTS.values(), ids=HOSTILE_MANIFESTS.keys())
def test_a_corrupt_manifest_is_no_manifest(tmp_path: Path, text: str | bytes) -> None:
    build(tmp_path / "out")
    victim = tmp_path / "victim.py"
    victim.write_text("x = 1\n")
    if isinstance(text, str):
        text = text.replace("HASH", "9e26bf369911c45c243c684147b23fc9e1dcfcf257d299a1c632016a6fcd33f4")
        text = text.replace("ABSOLUTE", str(victim)).encode()
    (tmp_path / "out" / MANIFEST).write_bytes(text)
    made = plan(tmp_path / "out", {"model.py": "x = 3\n"}, ABOUT)
    assert (made.foreign, made.changed, made.orphans) == (("model.py",), (MANIFEST,), ())
    write(made, {"model.py": "x = 3\n"}, ABOUT)
    assert victim.read_text() == "x = 1\n"
    assert texts(tmp_path / "out") == {**FILES, "model.py": "x = 3\n"}


def test_a_manifest_of_endless_names_lists_nothing_that_exists(tmp_path: Path) -> None:
    build(tmp_path / "out")
    (tmp_path / "out" / MANIFEST).write_text(json.dumps({"files": {"n" * 9000: "", "d/" * 3000 + "x": ""}}))
    assert plan(tmp_path / "out", FILES, ABOUT).orphans == ()


def test_a_linked_file_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    build(tmp_path / "out")
    (tmp_path / "victim.py").write_text("precious\n")
    (tmp_path / "out" / "model.py").unlink()
    (tmp_path / "out" / "model.py").symlink_to("../victim.py")
    before = tree(tmp_path)
    text = (
        "error[SC704 foreign-file]: `out/model.py` is a symbolic link\n"
        "   = help: move it away"
    )  # fmt: skip
    assert (refused(tmp_path / "out"), failure(tmp_path / "out")) == (text, text)
    assert tree(tmp_path) == before


def test_nothing_is_written_or_removed_behind_a_linked_folder(tmp_path: Path) -> None:
    build(tmp_path / "out")
    (tmp_path / "out" / "parts").rename(tmp_path / "elsewhere")
    (tmp_path / "out" / "parts").symlink_to("../elsewhere")
    before = tree(tmp_path)
    text = (
        "error[SC704 foreign-file]: `out/parts/data.py` lies behind a symbolic link\n"
        "   = help: move it away"
    )  # fmt: skip
    assert (refused(tmp_path / "out"), failure(tmp_path / "out")) == (text, text)
    assert tree(tmp_path) == before
    build(tmp_path / "out", {"model.py": "x = 1\n"})  # parts/data.py is an orphan now
    assert (tmp_path / "elsewhere" / "data.py").read_text() == "y = 2\n"


def test_a_linked_manifest_is_not_read_or_replaced(tmp_path: Path) -> None:
    build(tmp_path / "out")
    (tmp_path / "out" / MANIFEST).rename(tmp_path / "manifest.json")
    (tmp_path / "out" / MANIFEST).symlink_to("../manifest.json")
    before = tree(tmp_path)
    assert failure(tmp_path / "out", {**FILES, "model.py": ""}) == (
        "error[SC704 foreign-file]: `out/.segcompile.json` is a symbolic link\n"
        "   = help: move it away"
    )  # fmt: skip
    assert tree(tmp_path) == before


def test_a_folder_pipe_or_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out" / "model.py").mkdir(parents=True)
    (tmp_path / "out" / "parts").write_text("")
    os.mkfifo(tmp_path / "out" / "README.md")
    assert refused(tmp_path / "out") == (
        "error[SC704 foreign-file]: `out/README.md` is not a plain file\n"
        "   = help: move it away\n"
        "\n"
        "error[SC704 foreign-file]: `out/model.py` is a folder\n"
        "   = help: move it away\n"
        "\n"
        "error[SC704 foreign-file]: `out/parts/data.py` lies behind a file\n"
        "   = help: move it away"
    )


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    assert failure(tmp_path / "out") == "error[SC013 unwritable-place]: `out` is a file, not a folder"


def test_a_file_in_a_parents_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    made = failure(tmp_path / "file" / "out")
    assert made == "error[SC013 unwritable-place]: `out` cannot be read: Not a directory"


def test_a_link_to_nowhere_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("nowhere")
    made = failure(tmp_path / "out")
    assert made == "error[SC013 unwritable-place]: `out` cannot be written: Not a directory"
    assert tree(tmp_path) == {"out": "-> nowhere"}


# --- failures half-way


class FailOnce:
    """`os.replace` that fails at its nth call and works before and after."""

    def __init__(self, nth: int, error: BaseException) -> None:
        self.left, self.error, self.real = nth, error, os.replace

    def __call__(self, source: Any, target: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error
        self.real(source, target)


@pytest.mark.parametrize("nth", range(1, 8))
def test_a_failed_replace_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    build(tmp_path / "out", {"a.py": "a = 1\n", "b.py": "b = 1\n", "old/c.py": "c = 1\n", "old.py": ""})
    (tmp_path / "out" / "runs").mkdir()
    os.utime(tmp_path / "out" / "a.py", (1, 1))
    before = tree(tmp_path)
    wanted = {"a.py": "a = 2\n", "b.py": "b = 2\n", "deep/er/new.py": "n = 1\n", "z.py": ""}
    monkeypatch.setattr(os, "replace", FailOnce(nth, OSError(errno.ENOSPC, "No space left on device")))
    assert failure(tmp_path / "out", wanted) == (
        "error[SC013 unwritable-place]: `out` cannot be written: No space left on device"
    )
    assert tree(tmp_path) == before
    assert (tmp_path / "out" / "a.py").stat().st_mtime == 1
    build(tmp_path / "out", wanted)
    assert texts(tmp_path / "out") == wanted


def test_an_interrupt_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path / "out")
    before = tree(tmp_path)
    monkeypatch.setattr(os, "replace", FailOnce(2, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "out", {"model.py": "x = 3\n", "README.md": "# New\n"})
    assert tree(tmp_path) == before


def test_a_failed_first_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", FailOnce(1, OSError(errno.EROFS, "Read-only file system")))
    assert failure(tmp_path / "a" / "b" / "out") == (
        "error[SC013 unwritable-place]: `out` cannot be written: Read-only file system"
    )
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("existing", [False, True])
def test_a_disk_that_fills_up_while_staging_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    if existing:
        build(tmp_path / "out", {"model.py": "x = 0\n"})
    before = tree(tmp_path)

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert failure(tmp_path / "out") == (
        "error[SC013 unwritable-place]: `out` cannot be written: No space left on device"
    )
    assert tree(tmp_path) == before


def test_a_killed_build_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path / "out")
    wanted = {"model.py": "x = 3\n", "README.md": "# New\n"}
    (tmp_path / "out" / "model.py").write_text(wanted["model.py"])  # as if it stopped after one file
    assert refused(tmp_path / "out", wanted) == ""
    build(tmp_path / "out", wanted)
    assert texts(tmp_path / "out") == wanted


LEFT = ".segcompile-0123456789abcdef"


def leave(place: Path, age: float, name: str = LEFT) -> Path:
    """What a build that was killed so many seconds ago left in a folder."""
    stage = place / name
    (stage / "new").mkdir(parents=True)
    (stage / "new" / "model.py").write_text("x = 0\n")
    os.utime(stage, (time.time() - age,) * 2)
    return stage


def test_what_a_killed_build_left_is_told_and_removed_by_the_next(tmp_path: Path) -> None:
    build(tmp_path / "out")
    leave(tmp_path / "out", 120)
    assert drifted(tmp_path / "out") == (
        f"error[SC703 orphan]: `out/{LEFT}` is left of a build that was stopped\n"
        "   = help: build without --check brings the folder up to date"
    )
    build(tmp_path / "out")  # though nothing else is to be done
    assert texts(tmp_path / "out") == FILES and drifted(tmp_path / "out") == ""
    leave(tmp_path, 120)
    build(tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


def test_a_build_at_work_and_what_only_looks_like_a_leftover_stay(tmp_path: Path) -> None:
    build(tmp_path / "out")
    kept = [
        leave(tmp_path / "out", 1),
        leave(tmp_path / "out", 120, ".segcompile-mine"),
        tmp_path / "out" / f"{LEFT[:-1]}0",
    ]
    kept[2].write_text("a file of the user's")
    os.utime(kept[2], (0, 0))
    assert drifted(tmp_path / "out") == ""
    build(tmp_path / "out", {"model.py": "x = 3\n"})
    assert all(path.exists() for path in kept)


def test_another_build_that_is_faster_is_built_upon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = plan(tmp_path / "out", FILES, ABOUT)
    real = os.replace

    def overtaken(source: Any, target: Any) -> None:
        monkeypatch.setattr(os, "replace", real)
        build(tmp_path / "out", {"model.py": "x = 8\n", "other.py": ""})
        real(source, target)

    monkeypatch.setattr(os, "replace", overtaken)
    write(slow, FILES, ABOUT)
    assert texts(tmp_path / "out") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_the_user_makes_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = plan(tmp_path / "out", FILES, ABOUT)
    real = os.replace

    def overtaken(source: Any, target: Any) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "model.py").write_text("mine = 1\n")
        real(source, target)

    monkeypatch.setattr(os, "replace", overtaken)
    with pytest.raises(SegcompileError, match=r"SC704 .*model\.py. was not written by segcompile"):
        write(slow, FILES, ABOUT)
    assert tree(tmp_path) == {"out": "/", "out/model.py": "mine = 1\n"}


def test_the_manifest_is_replaced_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path / "out")
    real, names = os.replace, []

    def spy(source: Any, target: Any) -> None:
        names.append(Path(target).name if Path(target).parent == tmp_path / "out" else f"away: {Path(source).name}")
        real(source, target)

    monkeypatch.setattr(os, "replace", spy)
    build(tmp_path / "out", {"zoo.py": "", "model.py": "x = 3\n"})
    assert names == ["away: README.md", "away: data.py", "zoo.py", "model.py", MANIFEST]


def test_builds_at_the_same_time_leave_one_whole_folder(tmp_path: Path) -> None:
    files = {f"f{i}.py": f"x = {i}\n" for i in range(20)}
    barrier = threading.Barrier(4)
    errors: list[BaseException] = []

    def run() -> None:
        barrier.wait()
        try:
            build(tmp_path / "out", files)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = f"`{tmp_path / 'out'}` is being written by another build"
    assert all(isinstance(error, SegcompileError) and told in str(error) for error in errors), errors
    assert texts(tmp_path / "out") == files
    assert drifted(tmp_path / "out", files) == ""


_AT_WORK = """
import sys
from pathlib import Path
from segcompile import writer
real = writer._replace
def slow(*arguments):
    real(*arguments)
    print("at work", flush=True)
    sys.stdin.readline()
writer._replace = slow
folder, files = Path(sys.argv[1]), {"model.py": "x = 5\\n", "README.md": "# Other\\n"}
writer.write(writer.plan(folder, files, {}), files, {})
"""


def test_a_second_build_is_refused_while_a_first_one_writes_and_not_after_its_death(tmp_path: Path) -> None:
    build(tmp_path / "out")
    command = [sys.executable, "-c", _AT_WORK, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "at work\n"
        before = tree(tmp_path)
        with pytest.raises(SegcompileError) as caught:
            build(tmp_path / "out", {"model.py": "x = 6\n"})
        assert render_text(caught.value.diagnostics).replace(str(tmp_path), "") == (
            "error[SC013 unwritable-place]: `/out` is being written by another build\n"
            "   = help: wait for its end, then build again"
        )
        assert tree(tmp_path) == before
        first.kill()
    build(tmp_path / "out", {"model.py": "x = 6\n"})
    assert texts(tmp_path / "out")["model.py"] == "x = 6\n"


def test_what_another_build_wrote_since_the_plan_is_compared_again(tmp_path: Path) -> None:
    build(tmp_path / "out", {"a.py": "x = 1\n", "b.py": "x = 1\n"})
    files = {"a.py": "x = 1\n", "b.py": "x = 2\n"}
    slow = plan(tmp_path / "out", files, ABOUT)
    build(tmp_path / "out", {"a.py": "x = 9\n", "b.py": "x = 9\n"})
    write(slow, files, ABOUT)
    assert texts(tmp_path / "out") == files


# --- any sequence of builds and edits

PATHS = st.sampled_from(["a.py", "b.py", "d/c.py", "d/e/f.py", "g.md"])
TEXTS = st.sampled_from(["", "x = 1\n", "x = 2\n", "é = 'ü'\n"])
STEPS = st.one_of(
    st.tuples(st.just("build"), st.dictionaries(PATHS, TEXTS, min_size=1)),
    st.tuples(st.just("force"), st.dictionaries(PATHS, TEXTS, min_size=1)),
    st.tuples(st.just("edit"), PATHS, st.sampled_from(["mine = 1\n", "x = 1\n"])),
    st.tuples(st.just("delete"), PATHS),
    st.tuples(st.just("forget")),
)


@settings(max_examples=150)
@given(st.lists(STEPS, min_size=1, max_size=8))
def test_no_sequence_of_builds_loses_what_the_user_wrote(steps: list[tuple[Any, ...]]) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        folder = root / "out"
        written: dict[str, str] = {}  # path -> what the last build left there
        for step in steps:
            if step[0] in ("build", "force"):
                written = _build_and_check(folder, step[1], written, step[0] == "force")
            elif step[0] == "edit":
                (folder / step[1]).parent.mkdir(parents=True, exist_ok=True)
                (folder / step[1]).write_text(step[2])
            elif step[0] == "delete":
                (folder / step[1]).unlink(missing_ok=True)
            else:
                (folder / MANIFEST).unlink(missing_ok=True)
                written = {}
        assert [path.name for path in root.iterdir()] in ([], ["out"])
        assert not list(root.rglob(".segcompile-*"))
    finally:
        shutil.rmtree(root)


def _build_and_check(folder: Path, files: dict[str, str], written: dict[str, str], force: bool) -> dict[str, str]:
    """Build as the CLI does; what the user wrote is refused, and what stays is as it was."""
    before = texts(folder)
    users = {path: text for path, text in before.items() if written.get(path) != text}
    endangered = {path for path, text in users.items() if path in written or path in files} - {
        path for path, text in files.items() if before.get(path) == text
    }
    made = plan(folder, files, ABOUT)
    assert {*made.hand_edited, *made.foreign} == endangered
    if endangered and not force:
        return written
    write(made, files, ABOUT)
    assert texts(folder) == {**users, **files}
    again = plan(folder, files, ABOUT)
    assert again.unchanged == tuple(sorted([*files, MANIFEST]))
    assert not (again.new or again.changed or again.orphans or again.hand_edited or again.foreign)
    return dict(files)


def test_bytes_are_written_as_they_are_and_a_diff_only_says_that_they_differ(tmp_path: Path) -> None:
    folder, old, new = tmp_path / "out", {"a.bin": b"\x00\r\n\xff"}, {"a.bin": b"\x00", "b.bin": b"text"}
    write(plan(folder, old, {}), old, {})
    assert (folder / "a.bin").read_bytes() == b"\x00\r\n\xff"
    assert plan(folder, old, {}).unchanged == (".segcompile.json", "a.bin")
    differ = "Binary files a/a.bin and b/a.bin differ\nBinary files /dev/null and b/b.bin differ\n"
    assert unified_diff(plan(folder, new, {}), new) == differ
    assert unified_diff(plan(folder, {}, {}), {}) == "Binary files a/a.bin and /dev/null differ\n"
