"""Emitted files -> disk: all of them or none, and never over what the user wrote.

A manifest beside the files remembers what segcompile wrote there. It is untrusted input like a spec: a manifest
that is not one of ours counts as none, and nothing is read, replaced or removed through a symbolic link.
"""

from __future__ import annotations

import difflib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any

from segcompile.text.errors import Findings, fail

try:
    import fcntl
except ImportError:  # Windows cannot lock a folder; there, two builds at once may mix their files
    fcntl = None  # type: ignore[assignment]

MANIFEST = ".segcompile.json"
_MAX_MANIFEST = 1024 * 1024  # ours have a few kilobytes
_NOT_A_FILE = "not a plain file"  # stands where a hash would
_STAGE = re.compile(r"\.segcompile-[0-9a-f]{16}")
_ABANDONED = 60.0  # seconds after which a stage is that of a build that was killed; a build takes less than one


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build would do to `folder`; relative paths with `/`, sorted.

    Each file to be written, the manifest among them, is in one of `new`, `changed`, `unchanged`, `hand_edited` and
    `foreign`. `orphans` were written by an earlier build and are no longer generated; one that was edited since is
    in `hand_edited` too. `leftovers` are folders that killed builds worked in. `was_draft`: the folder is from a build
    with false claims, and this one is not.
    """

    folder: Path
    new: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    orphans: tuple[str, ...]
    hand_edited: tuple[str, ...]
    foreign: tuple[str, ...]
    leftovers: tuple[str, ...] = ()
    was_draft: bool = False


def plan(folder: Path, files: Mapping[str, str | bytes], manifest: Mapping[str, Any]) -> Plan:
    """Compare `files` and their manifest with what is in `folder`; nothing is written.

    `manifest` is what the manifest records besides the hashes: the version, the spec, the backend and its options.
    Raises SegcompileError (SC013) for a folder that cannot be read, ValueError for a path that leaves the folder.
    """
    found = _compare(folder, _with_manifest(files, manifest))
    return replace(found, was_draft="draft" in _manifest(folder) and "draft" not in manifest)


def refusals(plan: Plan, findings: Findings) -> None:
    """What a build without --force must not overwrite: SC702 for each hand-edited file, SC704 for each foreign one."""
    for path in plan.hand_edited:
        if path in plan.orphans:
            message = f"`{plan.folder / path}` was edited by hand and is no longer generated"
            findings.add("SC702", message, help="delete it, or build with --force to keep it as a file of yours")
        else:
            help = "move the change into the spec, or build with --force to overwrite it"
            findings.add("SC702", f"`{plan.folder / path}` was edited by hand", help=help)
    for path in plan.foreign:
        obstacle = _obstacle(plan.folder, path)
        message = f"`{plan.folder / path}` {obstacle or 'was not written by segcompile'}"
        help = "move it away" if obstacle else "choose another folder, or build with --force to overwrite it"
        findings.add("SC704", message, help=help)


def drift(plan: Plan, findings: Findings) -> None:
    """What `build --check` reports: everything that `refusals` does, SC701 for each file that a build would add or
    change, SC703 for each that it would remove, leftovers among them."""
    refusals(plan, findings)
    mend = "build without --check brings the folder up to date"
    if plan.was_draft:
        findings.add("SC701", f"`{plan.folder}` is a draft, built while claims were false", help=mend)
    for path in plan.new:
        findings.add("SC701", f"`{plan.folder / path}` is missing", help=mend)
    for path in plan.changed:
        findings.add("SC701", f"`{plan.folder / path}` is out of date", help=mend)
    for path in plan.orphans:
        if path not in plan.hand_edited:
            findings.add("SC703", f"`{plan.folder / path}` is no longer generated", help=mend)
    for path in plan.leftovers:
        findings.add("SC703", f"`{plan.folder / path}` is left of a build that was stopped", help=mend)


def write(plan: Plan, files: Mapping[str, str | bytes], manifest: Mapping[str, Any]) -> None:
    """Carry out `plan`; the caller has looked at its `refusals`, for hand-edited and foreign files are overwritten.

    Unchanged files are not touched, and neither are hand-edited orphans. Raises SegcompileError, with the folder as
    it was: SC013 where something cannot be written or another build is writing, SC704 for a link or a folder in the
    place of a file, SC702 and SC704 for what was edited or made since `plan`.
    """
    contents = _with_manifest(files, manifest)
    try:
        if not plan.folder.exists() and _create(plan.folder, contents):
            return
        with _locked(plan.folder):
            now = _compare(plan.folder, contents)  # another build may have been faster
            _refuse_news(plan, now)
            _update(now, contents)
    except OSError as error:
        raise fail("SC013", f"`{plan.folder}` cannot be written: {error.strerror or error}") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Nobody else writes into `folder` meanwhile; SC013 if another build is at it. A lock dies with its process."""
    handle = os.open(folder, os.O_RDONLY) if fcntl is not None else None
    try:
        if handle is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"`{folder}` is being written by another build"
                raise fail("SC013", message, help="wait for its end, then build again") from None
            except OSError:  # a disk that knows no locks
                pass
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _refuse_news(plan: Plan, now: Plan) -> None:
    """`refusals` for what the caller of `write` could not see in `plan`."""
    edited, foreign = ({*now.hand_edited} - {*plan.hand_edited}), ({*now.foreign} - {*plan.foreign})
    findings = Findings()
    refusals(replace(now, hand_edited=tuple(sorted(edited)), foreign=tuple(sorted(foreign))), findings)
    findings.stop_on_errors()


def unified_diff(plan: Plan, files: Mapping[str, str | bytes]) -> str:
    """What a build would change, as `patch -p1` reads it, of bytes only that they do; the manifest is left out.
    Empty if nothing changes."""
    pieces: list[str] = []
    for path in sorted({*files, *plan.orphans} - {*plan.unchanged}):
        if path in plan.orphans and path in plan.hand_edited:
            continue
        plain = _hash_on_disk(plan.folder, path) not in (None, _NOT_A_FILE)
        before = (plan.folder / path).read_bytes() if plain else b""
        after = files.get(path, "")
        names = (f"a/{path}" if plain else "/dev/null", f"b/{path}" if path in files else "/dev/null")
        if isinstance(after, bytes) or b"\0" in before:
            pieces.append(f"Binary files {names[0]} and {names[1]} differ\n")
        else:
            pieces += difflib.unified_diff(_lines(before.decode("utf-8", "replace")), _lines(after), *names)
    return "".join(piece if piece.endswith("\n") else f"{piece}\n\\ No newline at end of file\n" for piece in pieces)


def _lines(text: str) -> list[str]:
    return StringIO(text).readlines()  # unlike splitlines, breaks at \n alone, as patch does


def _with_manifest(files: Mapping[str, str | bytes], manifest: Mapping[str, Any]) -> dict[str, str | bytes]:
    """All that the folder holds in the end: the files and, last, their manifest."""
    bad = [path for path in files if not _is_ours(path)]
    if bad:
        raise ValueError(f"no folder may hold {bad[0]!r}")  # the host checked the backend's paths before
    recorded = {**manifest, "files": {path: _hash(content) for path, content in files.items()}}
    return {**files, MANIFEST: json.dumps(recorded, sort_keys=True, indent=1, ensure_ascii=False) + "\n"}


def _is_ours(path: str) -> bool:
    """Whether a build could have written `path`: below the folder, not hidden, no odd characters."""
    parts = path.split("/")
    plain = path.isprintable() and "\\" not in path and not path.startswith(".")
    return plain and not any(part in ("", ".", "..") for part in parts)


def as_bytes(content: str | bytes) -> bytes:
    """What is written of a file: text in UTF-8."""
    return content.encode() if isinstance(content, str) else content


def _hash(content: str | bytes) -> str:
    return hashlib.sha256(as_bytes(content)).hexdigest()


def _compare(folder: Path, contents: Mapping[str, str | bytes]) -> Plan:
    found: dict[str, list[str]] = {kind: [] for kind in ("new", "changed", "unchanged", "hand_edited", "foreign")}
    try:
        if folder.exists() and not folder.is_dir():
            raise fail("SC013", f"`{folder}` is a file, not a folder")
        recorded = _recorded(folder)
        for path, content in contents.items():
            found[_kind(_hash_on_disk(folder, path), _hash(content), path, recorded)].append(path)
        left = {path: _hash_on_disk(folder, path) for path in recorded if path not in contents}
    except OSError as error:
        raise fail("SC013", f"`{folder}` cannot be read: {error.strerror or error}") from None
    orphans = tuple(sorted(path for path, present in left.items() if present is not None))
    found["hand_edited"] += [path for path in orphans if left[path] != recorded[path]]
    kinds = {kind: tuple(sorted(paths)) for kind, paths in found.items()}
    return Plan(folder, orphans=orphans, leftovers=_leftovers(folder), was_draft=False, **kinds)


def _kind(present: str | None, wanted: str, path: str, recorded: Mapping[str, str]) -> str:
    """The field of Plan for one file, from the hashes of what is there, what is wanted and what was written last."""
    if present is None:
        return "new"
    if present == wanted:
        return "unchanged"
    if path == MANIFEST and present != _NOT_A_FILE:
        return "changed"
    if path not in recorded or present == _NOT_A_FILE:
        return "foreign"
    return "changed" if present == recorded[path] else "hand_edited"


def _recorded(folder: Path) -> dict[str, str]:
    """Path -> hash of what the last build wrote; nothing if there is no manifest, or none that a build could write."""
    files = _manifest(folder).get("files")
    if not isinstance(files, dict) or not all(_is_ours(path) and isinstance(files[path], str) for path in files):
        return {}
    return files


def _manifest(folder: Path) -> dict[str, Any]:
    """What the manifest in a folder says; empty if there is none, or no JSON object."""
    if _hash_on_disk(folder, MANIFEST) in (None, _NOT_A_FILE):
        return {}
    with (folder / MANIFEST).open("rb") as file:
        data = file.read(_MAX_MANIFEST)  # a longer one loses its end, and so is not JSON
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):  # not JSON, or too deep
        return {}
    return found if isinstance(found, dict) else {}


def _obstacle(folder: Path, path: str) -> str | None:
    """Why `path` is not a plain file that may be read and replaced, in words that follow its name; None if it is one
    or nothing is there."""
    *parents, _ = PurePosixPath(path).parents
    for parent in reversed(parents):
        mode = _mode(folder / parent)
        if mode is None:
            return None
        if not stat.S_ISDIR(mode):
            return f"lies behind a {'symbolic link' if stat.S_ISLNK(mode) else 'file'}"
    mode = _mode(folder / path)
    if mode is None or stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFLNK: "is a symbolic link", stat.S_IFDIR: "is a folder"}
    return kinds.get(stat.S_IFMT(mode), "is not a plain file")


def _mode(place: Path) -> int | None:
    """The type of what is there, links not followed; None for nothing."""
    try:
        return os.lstat(place).st_mode
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):  # a hostile manifest's names have any length
            return None
        raise


def _hash_on_disk(folder: Path, path: str) -> str | None:
    if _obstacle(folder, path) is not None:
        return _NOT_A_FILE
    if _mode(folder / path) is None:
        return None
    with (folder / path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _leftovers(place: Path) -> tuple[str, ...]:
    """The stages of killed builds in `place`: so old that no build can still be at work there."""
    if not place.is_dir():
        return ()
    found = (path for path in place.iterdir() if _STAGE.fullmatch(path.name))
    return tuple(sorted(path.name for path in found if _is_abandoned(path)))


def _is_abandoned(stage: Path) -> bool:
    with suppress(FileNotFoundError):  # that build has just ended
        status = stage.lstat()
        return stat.S_ISDIR(status.st_mode) and time.time() - status.st_mtime > _ABANDONED
    return False


@contextmanager
def _staging(place: Path) -> Iterator[Path]:
    """A folder of our own in `place`, and so on its disk; gone in the end, whatever happens."""
    for name in _leftovers(place):
        shutil.rmtree(place / name, ignore_errors=True)
    stage = place / f".segcompile-{secrets.token_hex(8)}"
    stage.mkdir()
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _create(folder: Path, contents: Mapping[str, str | bytes]) -> bool:
    """Make the whole folder aside and move it into place; False if meanwhile another build did."""
    with ExitStack() as undo:
        _make_folder(folder.parent, undo)
        with _staging(folder.parent) as stage:
            _fill(stage / "new", contents)
            try:
                (stage / "new").replace(folder)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                return False
        undo.pop_all()
    return True


def _update(plan: Plan, contents: Mapping[str, str | bytes]) -> None:
    """Stage what differs inside the folder, put it in place file by file, and take it all back if one fails."""
    due = [path for path in contents if path not in plan.unchanged]
    gone = [path for path in plan.orphans if path not in plan.hand_edited]
    if not due and not gone and not plan.leftovers:
        return  # works in a read-only folder
    for path in due:
        obstacle = _obstacle(plan.folder, path)
        if obstacle is not None:
            raise fail("SC704", f"`{plan.folder / path}` {obstacle}", help="move it away")
    with _staging(plan.folder) as stage, ExitStack() as undo:
        _fill(stage / "new", {path: contents[path] for path in due})
        for path in gone:
            _remove(plan.folder / path, stage / "old" / path, undo)
        for path in due:  # the manifest comes last: a build that is killed here can be repeated
            _replace(stage / "new" / path, plan.folder / path, stage / "old" / path, undo)
        undo.pop_all()
    for path in gone:
        for parent in list(PurePosixPath(path).parents)[:-1]:
            _remove_if_empty(plan.folder / parent)


def _fill(folder: Path, contents: Mapping[str, str | bytes]) -> None:
    for path, content in contents.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(as_bytes(content))


def _replace(source: Path, target: Path, backup: Path, undo: ExitStack) -> None:
    """Move `source` to `target` in one step, so that a reader sees the old text or the new one."""
    _make_folder(target.parent, undo)
    if target.exists():
        backup.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(target, backup)
        shutil.copymode(target, source)
        source.replace(target)
        undo.callback(backup.replace, target)
    else:
        source.replace(target)
        undo.callback(target.unlink)


def _remove(target: Path, backup: Path, undo: ExitStack) -> None:
    backup.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # another build removed it
        target.replace(backup)
        undo.callback(backup.replace, target)


def _make_folder(folder: Path, undo: ExitStack) -> None:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        undo.callback(_remove_if_empty, place)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
