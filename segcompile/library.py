"""Where specs are found: beside the spec that names them, and in the collection that comes with segcompile."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_COLLECTIONS = (_PACKAGE / "specs", _PACKAGE.parent / "specs")  # in a wheel, and in a checkout


def bundled() -> dict[str, Path]:
    """Name -> file of every spec that comes with segcompile."""
    for folder in _COLLECTIONS:
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    return {}


def locate(written: str, folder: Path) -> Path | None:
    """The file that a `base` or `use` names: beside the spec (in `folder`), otherwise a bundled one."""
    beside = folder / written
    if _is_file(beside):
        return beside
    return bundled().get(written.removesuffix(".yaml")) if "/" not in written else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have, a folder that may not be read
        return False
