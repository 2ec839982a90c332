"""A file is whole or as it was, whatever stops the writing, and nothing is left beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segcompile.text.errors import SegcompileError
from segcompile.whole_file import new_file, whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def put(path: Path, text: str = "new") -> None:
    with whole_file(path) as aside:
        aside.write_text(text)


def put_new(path: Path, text: str = "new") -> None:
    with new_file(path, ".yaml", "another name") as aside:
        assert (aside.parent, aside.suffix) == (path.parent, ".yaml")
        aside.write_text(text)


@pytest.mark.parametrize("write", [put, put_new])
def test_a_file_is_written_where_none_was(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "a")
    assert (names(tmp_path), (tmp_path / "a").read_text()) == (["a"], "new")


def test_a_file_takes_the_place_of_another_at_the_end_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with whole_file(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert (names(tmp_path), path.read_text()) == (["a"], "new")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), ValueError("odd")])
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("writer", [whole_file, lambda path: new_file(path, "", "")])
def test_what_stops_the_writing_leaves_all_as_it_was(
    writer: Callable[..., object], there: bool, error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    if there:
        path.write_text("old")
    with pytest.raises((type(error), SegcompileError)), writer(path) as aside:  # type: ignore[attr-defined]
        aside.write_text("ne")
        raise error
    assert names(tmp_path) == ["a"] * there
    assert not there or path.read_text() == "old"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("write", [put, put_new])
def test_so_does_what_stops_the_last_step(
    write: Callable[[Path], None], error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(self: Path, target: Path) -> None:
        raise error

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises((KeyboardInterrupt, SegcompileError)) as caught:
        write(tmp_path / "a")
    assert names(tmp_path) == []
    assert isinstance(caught.value, KeyboardInterrupt) == isinstance(error, KeyboardInterrupt)


def test_what_the_system_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in (("no/a", "No such file or directory"), ("file/a", "Not a directory"), (".", "")):
        with pytest.raises(SegcompileError, match=f"^SC013 `.*` cannot be written: {why}"):
            put(tmp_path / path)
    assert names(tmp_path) == ["file"]


def test_a_new_file_never_takes_the_place_of_one_that_was_made_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with (
        pytest.raises(SegcompileError, match="it is there already") as caught,
        new_file(path, "", "another name") as aside,
    ):
        aside.write_text("new")
        path.write_text("theirs")
    assert (names(tmp_path), path.read_text()) == (["a"], "theirs")
    assert caught.value.diagnostics[0].help == "another name"
